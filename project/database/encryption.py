"""Encrypts backups to BACKUP_RECIPIENT (contract section 4) and decrypts them, by the program `age`.

The private key is needed for decrypting alone. What is encrypted passes through pipes, so no plain copy is on the disk.
"""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from django.conf import settings

from project.database.run_program import CHUNK, BackupError, running

SUFFIX = ".age"


def why_not_encryptable() -> str:
    """Returns the reason why BACKUP_RECIPIENT can't be used. Empty if it can. Tries it without data."""
    try:
        with running(*_encrypt(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL):
            return ""
    except (BackupError, OSError) as error:
        return str(error)


@contextlib.contextmanager
def encrypted(file: Path) -> Iterator[IO[bytes]]:
    """A stream into a new file, which is encrypted, and on the disk for good afterwards. Raises BackupError."""
    with open(file, "xb") as target:
        with running(*_encrypt(), stdin=subprocess.PIPE, stdout=target) as program:
            assert program.stdin
            yield program.stdin
        os.fsync(target.fileno())


@contextlib.contextmanager
def decrypted(file: Path, *, identity: Path, recipient: str) -> Iterator[IO[bytes]]:
    """Opens a stream of data that was encrypted to `recipient`. `identity`: a file with its private key. Raises
    BackupError."""
    command = (_program(), "--decrypt", "--identity", str(identity.absolute()), str(file.absolute()))
    about = f" ({file.name} is encrypted to {recipient})"
    with running(*command, about=about, stdout=subprocess.PIPE) as program:
        assert program.stdout
        yield program.stdout
        while program.stdout.read(CHUNK):  # a file that was cut shows it at its very end
            pass


def _encrypt() -> tuple[str, ...]:
    return (_program(), "--encrypt", "--recipient", settings.BACKUP_RECIPIENT)


def _program() -> str:
    if path := shutil.which("age"):
        return path
    raise BackupError("the program age is not installed (Debian's package age)")

"""Encrypts backups for BACKUP_RECIPIENT (contract section 4) and decrypts them, with the program `age`.

Only decryption needs the private key. The data pass through pipes, so no plain copy is on the disk.
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
    """Tests encryption for BACKUP_RECIPIENT with empty data. If it fails, returns the error text, otherwise ""."""
    try:
        with running(*_encrypt(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL):
            return ""
    except (BackupError, OSError) as error:
        return str(error)


@contextlib.contextmanager
def encrypted(file: Path) -> Iterator[IO[bytes]]:
    """Yields a stream that is encrypted into a new file. At the end, syncs the file to the disk. Raises BackupError."""
    with open(file, "xb") as target:
        with running(*_encrypt(), stdin=subprocess.PIPE, stdout=target) as program:
            assert program.stdin
            yield program.stdin
        os.fsync(target.fileno())


@contextlib.contextmanager
def decrypted(file: Path, *, identity: Path, recipient: str) -> Iterator[IO[bytes]]:
    """Yields a stream of the decrypted data. Raises BackupError with a message that names `recipient`.

    `identity` is the file with the private key.
    """
    command = (_program(), "--decrypt", "--identity", str(identity.absolute()), str(file.absolute()))
    about = f" ({file.name} is encrypted to {recipient})"
    with running(*command, about=about, stdout=subprocess.PIPE) as program:
        assert program.stdout
        yield program.stdout
        while program.stdout.read(CHUNK):  # to the end, because age detects a truncated file only there
            pass


def _encrypt() -> tuple[str, ...]:
    return (_program(), "--encrypt", "--recipient", settings.BACKUP_RECIPIENT)


def _program() -> str:
    if path := shutil.which("age"):
        return path
    raise BackupError("the program age is not installed (Debian's package age)")

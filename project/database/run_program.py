"""Runs the programs of others that backup and restore use."""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from integrations.base.database_deadline import error_line

MAX_SAID = 500  # characters of a program's output
CHUNK = 1024 * 1024
AGES_ADDRESS = "\nage: report unexpected or unhelpful errors"  # a second line below each error of age


class BackupError(Exception):
    """Backup or restore failed. It left nothing that could be mistaken for a complete one. The text is one line."""


@contextlib.contextmanager
def running(*command: str, about: str = "", **streams: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A running program, with Popen's arguments. Raises BackupError with its own words, and `about`, if it fails.

    Its words also replace the errors that its failure caused here, such as a broken pipe.
    """
    with tempfile.TemporaryFile() as said:
        program = subprocess.Popen(command, stderr=said, **streams)
        try:
            with program:
                yield program
        except Exception as error:
            if program.returncode > 0:  # below 0: it was ended by a signal, since this side hung up
                raise _failure(program, command[0], said, about) from error
            raise
        if program.returncode:
            raise _failure(program, command[0], said, about)


def _failure(program: subprocess.Popen[bytes], path: str, said: Any, about: str) -> BackupError:
    said.seek(0)
    words = error_line(said.read().decode(errors="replace").partition(AGES_ADDRESS)[0])
    return BackupError(f"{words[:MAX_SAID] or f'{Path(path).name} ended with {program.returncode}'}{about}")

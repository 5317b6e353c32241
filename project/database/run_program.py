"""Runs the external programs of backup and restore."""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from integrations.base.database_deadline import error_line

MAX_SAID = 500  # maximum characters of a program's error output
CHUNK = 1024 * 1024
AGES_ADDRESS = "\nage: report unexpected or unhelpful errors"  # age prints this line after each error


class BackupError(Exception):
    """The backup or restore failed, and left nothing that looks like a complete one. The message is a single line."""


@contextlib.contextmanager
def running(*command: str, about: str = "", **streams: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Yields a running program, started with Popen's arguments in `streams`. Waits for its end.

    If it fails, raises BackupError with its error output and `about`, also in place of an error that its failure caused
    in the block, such as a broken pipe.
    """
    with tempfile.TemporaryFile() as said:
        program = subprocess.Popen(command, stderr=said, **streams)
        try:
            with program:
                yield program
        except Exception as error:
            if program.returncode > 0:  # below 0: ended by a signal, because the block closed its streams
                raise _failure(program, command[0], said, about) from error
            raise
        if program.returncode:
            raise _failure(program, command[0], said, about)


def _failure(program: subprocess.Popen[bytes], path: str, said: Any, about: str) -> BackupError:
    said.seek(0)
    words = error_line(said.read().decode(errors="replace").partition(AGES_ADDRESS)[0])
    return BackupError(f"{words[:MAX_SAID] or f'{Path(path).name} ended with {program.returncode}'}{about}")

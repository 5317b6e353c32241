"""Runs the external programs of backup and restore."""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from integrations.base.database_deadline import error_line

MAX_OUTPUT = 500  # maximum characters of a program's error output
CHUNK = 1024 * 1024
AGE_FOOTER = "\nage: report unexpected or unhelpful errors"  # age prints this line after each error


class BackupError(Exception):
    """The backup or restore failed. Nothing is left that looks like a complete backup. The message is a single line."""


@contextlib.contextmanager
def running(*command: str, about: str = "", **streams: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Yields a running program, started with Popen's arguments in `streams`. Waits for its end.

    If the program fails, raises BackupError with the program's error output and `about`. The failure may have caused
    another error in the block, such as a broken pipe. Then BackupError replaces that error.
    """
    with tempfile.TemporaryFile() as output:
        program = subprocess.Popen(command, stderr=output, **streams)
        try:
            with program:
                yield program
        except Exception as error:
            if program.returncode > 0:  # below 0: ended by a signal, because the block closed the streams
                raise _failure(program, command[0], output, about) from error
            raise
        if program.returncode:
            raise _failure(program, command[0], output, about)


def _failure(program: subprocess.Popen[bytes], path: str, output: Any, about: str) -> BackupError:
    output.seek(0)
    words = error_line(output.read().decode(errors="replace").partition(AGE_FOOTER)[0])
    return BackupError(f"{words[:MAX_OUTPUT] or f'{Path(path).name} ended with {program.returncode}'}{about}")

"""Runs commands of manage.py. Each command runs in a process forked from a process that has loaded everything.

This is quick, because loading takes most of a command's time. Tests of a command's result can use this module. Tests
of a command's start can't.
"""

import gc
import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path


class Commands:
    """Runs commands with the environment variables of `environment`.

    Use `Commands(environment, root)`, then `run("show", "X")` any number of times, then `close()`.
    """

    def __init__(self, environment: Mapping[str, str], root: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.harness.commands"],
            cwd=root,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, timeout: float = 120) -> subprocess.CompletedProcess:
        print(json.dumps(words), file=self.process.stdin, flush=True)
        if not select.select([self.process.stdout], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(words, timeout)
        code, stdout, stderr = json.loads(self.process.stdout.readline())
        return subprocess.CompletedProcess(words, code, stdout, stderr)

    def close(self) -> None:
        self.process.communicate()  # closes the input, so that the process ends


def main() -> None:
    import django

    from project.start.command_line import run

    gc.disable()
    django.setup()
    gc.freeze()
    gc.enable()
    for line in sys.stdin:
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            child = os.fork()
            if child == 0:
                for file, number in ((open(os.devnull), 0), (out, 1), (err, 2)):  # noqa: SIM115  kept open
                    os.dup2(file.fileno(), number)
                sys.argv = ["manage.py", *json.loads(line)]
                return run(sys.argv)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            out.seek(0), err.seek(0)
            print(json.dumps([code, out.read(), err.read()]), flush=True)


if __name__ == "__main__":
    main()

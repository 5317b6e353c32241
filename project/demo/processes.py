"""Starts child processes, and ends them however the demo ends."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from project.demo.environment import ROOT, make_environment
from project.demo.errors import DemoError, Stopped
from project.demo.report import show_progress

LOOK_EVERY = 0.2
END_WITHIN = 35.0  # the worker lets its cluster finish for up to 25 s


class Children:
    """`with Children(folder, stopping) as children:` ends all started processes after the block.

    Each child has a session of its own. So Ctrl-C at the terminal reaches only the demo, which then ends them one by
    one. `environment` is their environment.
    """

    def __init__(self, folder: Path, stopping: threading.Event) -> None:
        self.folder, self.stopping = folder, stopping
        self.environment = make_environment(folder)
        self._running: dict[str, subprocess.Popen] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Ends the last started first: the worker ends before the partners that it calls."""
        for process in reversed(self._running.values()):
            _end(process)

    def start(self, name: str, command: list[str], *, keep_open: tuple[int, ...] = ()) -> Path:
        """Starts a process that keeps running. Returns its log. `keep_open`: file descriptors that it inherits."""
        log = self.log(name)
        with log.open("wb") as output:
            self._running[name] = self._open(command, output, pass_fds=keep_open)
        return log

    def manage(self, *arguments: str) -> str:
        """Runs a command of manage.py to its end. Returns what it printed. Raises DemoError if it fails."""
        if self.stopping.is_set():
            raise Stopped
        log = self.log("commands")
        with log.open("ab") as errors:
            process = self._open(["manage.py", *arguments], subprocess.PIPE, stderr=errors)
            printed = process.communicate()[0].decode()
            errors.write(f"manage.py {' '.join(arguments)}\n{printed}\n".encode())
        if process.returncode:
            raise DemoError(f"manage.py {arguments[0]} failed:\n{tail(log)}")
        return printed

    def _open(self, command: list[str], output, *, stderr=subprocess.STDOUT, pass_fds=()) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=stderr,
            pass_fds=pass_fds,
            start_new_session=True,
        )

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def wait_until(self, found: Callable[[], object], *, what: str, seconds: float) -> object:
        """Asks until the answer is not empty. Raises DemoError after `seconds`, or if a process has died."""
        began = time.monotonic()
        while not (answer := found()):
            gone = time.monotonic() - began
            if gone > seconds:
                raise DemoError(f"waited {seconds:.0f} s in vain for {what}; logs are in {self.folder}")
            show_progress(what, gone)
            self.pause()
        return answer

    def pause(self) -> None:
        """Waits a little. Raises Stopped if the demo is to end, DemoError if a process has died."""
        if self.stopping.wait(LOOK_EVERY):
            raise Stopped
        for name, process in self._running.items():
            if process.poll() is not None:
                raise DemoError(f"{name} ended with code {process.returncode}:\n{tail(self.log(name))}")

    def stay(self) -> None:
        """Waits until the demo is to end."""
        with contextlib.suppress(Stopped):
            while True:
                self.pause()


def tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def _end(process: subprocess.Popen) -> None:
    """Asks the process to end, waits, and kills what is left of its session's first group."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(END_WITHIN)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()

"""Manages child processes by name: starts each with its own log, waits for it, stops or kills it.

At the end, no child process is left.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self, TypeVar

from tests.harness.ports import answers, listens
from tests.harness.waiting import until

ROOT = Path(__file__).resolve().parents[2]
STOP_WITHIN = 30.0  # seconds from SIGTERM until SIGKILL
START_WITHIN = 60.0
WORKERS = "-w 2 --threads 4"
TAIL = 1500  # characters of each log in the report of a failure
T = TypeVar("T")


class Children:
    """`with Children(folder) as children:` stops all processes at the end, the last started first. `processes`
    contains the running processes by name.

    Each process has its own session, and writes its output to `folder`/NAME.log. `root` is the checkout whose code
    runs.
    """

    def __init__(self, folder: Path, *, root: Path = ROOT) -> None:
        self.folder, self.root = folder, root
        self.processes: dict[str, subprocess.Popen] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop_all()

    @property
    def environment(self) -> dict[str, str]:
        """Returns the environment variables of the child processes."""
        return dict(os.environ)

    # --- start

    def start(self, name: str, *words: str, **environment: str) -> subprocess.Popen:
        """Starts Python with these arguments."""
        return self.start_program(name, [sys.executable, *words], **environment)

    def start_program(
        self, name: str, command: Sequence[str | Path], *, cwd: Path | None = None, **environment: str
    ) -> subprocess.Popen:
        """Starts a program in `cwd`. The default is the checkout."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command,
                cwd=cwd or self.root,
                env=self.environment | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self.processes[name]

    def run(
        self, *words: str, check: bool = True, timeout: float = 120, root: Path | None = None
    ) -> subprocess.CompletedProcess:
        """Runs Python with these arguments and waits for its end.

        With `check`, raises RuntimeError if the program fails. The error contains the end of the program's error
        output.
        """
        ended = subprocess.run(
            [sys.executable, *words],
            cwd=root or self.root,
            env=self.environment,
            check=False,
            timeout=timeout,
            capture_output=True,
            text=True,
        )
        if check and ended.returncode:
            raise RuntimeError(f"{' '.join(words)} ended with {ended.returncode}: {ended.stderr[-TAIL:]}")
        return ended

    def start_gunicorn(
        self, name: str, port: int, *, application: str = "project.wsgi", workers: str = WORKERS, **environment: str
    ) -> str:
        """Starts a web process and waits until it responds. Returns its URL."""
        words = ["-m", "gunicorn", application, *workers.split(), "-b", f"127.0.0.1:{port}", "--no-control-socket"]
        self.start(name, *words, **environment)
        url = f"http://127.0.0.1:{port}"
        self.until(lambda: answers(f"{url}/livez"), what=f"{name} answers", seconds=START_WITHIN)
        return url

    def start_sandbox_at(self, port: int, *words: str) -> str:
        """Starts the partners' sandbox with these arguments, under the name `sandbox`. Returns its URL."""
        self.start("sandbox", "manage.py", "sandbox", "--port", str(port), *words)
        self.until(lambda: listens(port), what="the sandbox listens", seconds=START_WITHIN)
        return f"http://127.0.0.1:{port}"

    # --- end

    def stop(self, name: str) -> int:
        """Sends SIGTERM, and waits at most STOP_WITHIN seconds. Then sends SIGKILL to the rest of the process group.

        Returns the exit code.
        """
        process = self.processes.pop(name)
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_WITHIN)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        return process.wait()

    def kill(self, name: str) -> None:
        """Sends SIGKILL to a process and its process group."""
        process = self.processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop_all(self) -> None:
        for name in reversed(list(self.processes)):
            self.stop(name)

    # --- look

    def until(self, true: Callable[[], T], *, seconds: float = 60, every: float | None = None, what: str = "") -> T:
        """Calls `waiting.until`. After a time-out, the error contains the ends of the logs."""
        return until(true, seconds=seconds, every=every, what=what, report=self.logs)

    def logs(self) -> str:
        """Returns the ends of all logs, for the report of a failure."""
        return "\n".join(f"== {path.name}\n{_text_of(path)[-TAIL:]}" for path in self._log_files())

    def all_logs(self) -> str:
        return "".join(map(_text_of, self._log_files()))

    def log(self, name: str) -> str:
        return _text_of(self.folder / f"{name}.log")

    def _log_files(self) -> list[Path]:
        return sorted(self.folder.glob("*.log"))


def _text_of(log: Path) -> str:
    return log.read_text(errors="replace")

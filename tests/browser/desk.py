"""A desk of its own for browsers: a database with varied orders, and a web process on a free port."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
STARTS_WITHIN = 30


class Desk:
    """A context manager; `url` is the desk's address while it runs. `filling`: the module that fills it."""

    def __init__(self, filling: str = "tests.browser.filling"):
        self.filling = filling

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="desk-browser-")
        self.url = f"http://127.0.0.1:{free_port()}"
        self.environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "DESK_TEST_DATABASE_URL": f"sqlite:///{self.folder.name}/desk.sqlite3",
            "ATTACHMENT_DIR": self.folder.name,
            "LOG_LEVEL": "WARNING",
            "BPM_TASK_URL": "https://bpm.example.com/tasks/{process}?order={order}",
        }
        self._run("manage.py", "migrate", "--verbosity", "0")
        self._run("-m", self.filling)
        server = [sys.executable, "-m", "gunicorn", "project.wsgi:application", "--threads", "4"]
        command = [*server, "--log-level", "error", "--bind", self.url.removeprefix("http://")]
        self.web = subprocess.Popen(command, cwd=ROOT, env=self.environment)
        self._wait()
        return self

    def __exit__(self, *_):
        self.web.terminate()
        self.web.wait(20)
        self.folder.cleanup()

    def _run(self, *arguments: str) -> None:
        subprocess.run([sys.executable, *arguments], cwd=ROOT, env=self.environment, check=True)

    def _wait(self) -> None:
        """Until it answers."""
        until = time.monotonic() + STARTS_WITHIN
        while time.monotonic() < until and self.web.poll() is None:
            try:
                urllib.request.urlopen(f"{self.url}/livez", timeout=2).close()
                return
            except OSError:
                time.sleep(0.2)
        raise RuntimeError("the desk did not start")


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

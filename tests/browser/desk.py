"""A separate desk for browser tests: a database with varied orders, and a web process on a free port."""

import tempfile
from pathlib import Path
from typing import Self

from tests.harness.children import Children
from tests.harness.ports import free_port
from tests.template import copy_file


class Desk(Children):
    """A context manager that runs a desk. `url` is the desk's address while it runs. `filling` is the module that
    fills the database.
    """

    def __init__(self, filling: str = "tests.browser.filling"):
        self.filling = filling
        self.place = tempfile.TemporaryDirectory(prefix="desk-browser-")
        super().__init__(Path(self.place.name))

    def __enter__(self) -> Self:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        try:
            copy_file(self.folder / "desk.sqlite3")
            self.prepare()
            self.start_gunicorn("web", port, workers="--threads 4 --log-level error")
        except BaseException:
            self.__exit__()
            raise
        return self

    def prepare(self) -> None:
        self.run("-m", self.filling, timeout=600)

    def __exit__(self, *error: object) -> None:
        self.stop_all()
        self.place.cleanup()

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "DESK_TEST_DATABASE_URL": f"sqlite:///{self.folder}/desk.sqlite3",
            "ATTACHMENT_DIR": str(self.folder),
            "EXPORT_DIR": str(self.folder / "exports"),
            "LOG_LEVEL": "WARNING",
            "FOUR_EYES": "decide",
            "SESSION_IDLE_MINUTES": "30",
            "SESSION_MAX_HOURS": "12",
            "BPM_TASK_URL": "https://bpm.example.com/tasks/{process}?order={order}",
        }

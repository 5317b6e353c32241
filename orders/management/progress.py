"""The progress bar of long commands: only on a terminal's stderr, so that logs and pipes never contain it."""

import contextlib
import time
from collections.abc import Callable, Iterator

from django.core.management.base import OutputWrapper
from tqdm import tqdm

SECONDS = 0.5  # shorter runs show no bar


class Plain:
    """Django's stderr for a bar: without line endings and colours."""

    def __init__(self, stderr: OutputWrapper):
        self.stderr = stderr

    def write(self, text: str) -> None:
        self.stderr.write(text, style_func=str, ending="")

    def flush(self) -> None:
        self.stderr.flush()

    def isatty(self) -> bool:
        return self.stderr.isatty()


class Progress(tqdm):
    """`with Progress(self.stderr, "orders", total) as bar:`, then `bar.update()`. Does nothing without a terminal."""

    monitor_interval = 0  # no thread

    def __init__(self, stderr: OutputWrapper, unit: str, total: int | Callable[[], int] | None = None):
        shown = Plain(stderr)
        if callable(total):
            total = total() if shown.isatty() else None
        bar = {"disable": None, "leave": False, "delay": SECONDS, "dynamic_ncols": True}
        super().__init__(total=total, unit=f" {unit}", file=shown, **bar)

    def reach(self, done: int, total: int | None = None) -> None:
        if self.disable:
            return
        self.total = total or self.total
        self.update(done - self.n)

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Within the block the bar is hidden, so that lines can be written to stdout."""
        shown = not self.disable and time.time() > self.start_t + SECONDS
        if shown:
            self.clear()
        yield
        if shown:
            self.refresh()

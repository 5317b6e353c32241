"""procrastinate: a queue in the bench's own PostgreSQL, eight tasks at a time in threads of one process."""

import os

from procrastinate import App, PsycopgConnector, SyncPsycopgConnector

from bench import environment  # noqa: F401  sets Django up
from bench.calls import call

WORDS = ["-m", "procrastinate", "--app", "bench.peers.procrastinate_peer.app", "worker", "--concurrency", "8"]
PACKAGES = ("procrastinate",)
DATABASE = os.environ["DATABASE_URL"]

app = App(connector=PsycopgConnector(conninfo=DATABASE))
task = app.task(name="bench.call")(call)


def prepare() -> None:
    """Makes its tables."""
    with app.replace_connector(SyncPsycopgConnector(conninfo=DATABASE)) as here, here.open():
        here.schema_manager.apply_schema()


def enqueue(jobs: dict[int, str]) -> None:
    """Puts a task into the queue for each dispatch with its body."""
    with app.replace_connector(SyncPsycopgConnector(conninfo=DATABASE)) as here, here.open():
        here.configure_task("bench.call").batch_defer(*({"pk": pk, "body": body} for pk, body in jobs.items()))

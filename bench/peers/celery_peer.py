"""Celery on Redis: eight processes, results ignored, 64 tasks fetched ahead, database connections kept."""

import contextlib
import os
import shutil
from collections.abc import Iterator

import redis
from celery import Celery

from bench import environment  # noqa: F401  sets Django up
from bench.calls import call
from bench.desk import Desk
from tests.harness.ports import free_port, listens

WORDS = ["-m", "celery", "-A", "bench.peers.celery_peer", "worker", "--pool", "prefork", "-c", "8", "-l", "WARNING"]
PACKAGES = ("celery", "redis")

app = Celery("bench", broker=os.environ.get("BENCH_REDIS", "redis://127.0.0.1:6379/0"))
app.conf.task_default_queue = environment.NAME  # nobody else's
app.conf.task_ignore_result = True
app.conf.worker_prefetch_multiplier = 64
app.conf.CELERY_DB_REUSE_MAX = 1_000_000
task = app.task(name="bench.call")(call)


@contextlib.contextmanager
def redis_server(desk: Desk) -> Iterator[str]:
    """The Redis that BENCH_REDIS names, or one of PATH, started without persistence; gives why there is none, or ""."""
    if "BENCH_REDIS" not in os.environ:
        program, port = shutil.which("redis-server"), free_port()
        if not program:
            yield "no redis-server in PATH, and BENCH_REDIS=redis://host:port/0 names none"
            return
        words = [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
        desk.start_program("redis", words, cwd=desk.folder)
        desk.until(lambda: listens(port), what="Redis listens")
        os.environ["BENCH_REDIS"] = app.conf.broker_url = f"redis://127.0.0.1:{port}/0"
    try:
        yield ""
    finally:
        with redis.from_url(app.conf.broker_url) as client:
            for key in list(client.scan_iter(f"*{environment.NAME}*")):
                client.delete(key)


def redis_version() -> str:
    return redis.from_url(app.conf.broker_url).info("server")["redis_version"]


def enqueue(jobs: dict[int, str]) -> None:
    """Puts a task into the queue for each dispatch with its body."""
    for pk, body in jobs.items():
        task.delay(pk, body)

"""The memory of web and worker processes after 10,000 orders: `python -m bench.memory [--orders 10000]`."""

import pathlib
import re
from concurrent.futures import ThreadPoolExecutor

import requests

from bench import environment  # noqa: F401  sets Django up
from bench.desk import Desk
from bench.options import read_options
from bench.orders import check_accepted, make_trials, write_bodies
from bench.results import append
from orders.models import Dispatch, Order
from tests.harness.proc import descendants

CLIENTS = 8
MOST_MIB = 150
DELIVER_WITHIN = 900


def main() -> None:
    """Posts and delivers the orders, then reads each process's resident memory."""
    count = read_options(__doc__, orders=(10_000, 100, 100_000)).orders
    with Desk() as desk:
        desk.start_partner(0)
        web = desk.start_web("web", "project.wsgi")
        worker = desk.start("worker", "manage.py", "worker")
        make_trials(0, count)
        write_bodies(desk.folder / "bodies", 0, count)
        _post_all(desk.folder / "bodies", f"{web}/api/bboss/orders")
        desk.until(_all_done, what="all steps done", seconds=DELIVER_WITHIN, every=1.0)
        found = _sizes(desk.processes["web"].pid, "web") + _sizes(worker.pid, "worker")
        append("memory", _report(found))


def _post_all(file: pathlib.Path, url: str) -> None:
    """Posts each message once, 8 at a time. If a message is refused, raises RuntimeError."""

    def post(body: bytes) -> None:
        answer = requests.post(url, body, headers={"Content-Type": "application/json"}, timeout=30)
        check_accepted(answer.json())

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(post, file.read_bytes().splitlines()))


def _all_done() -> bool:
    return not Dispatch.objects.exclude(state=Dispatch.State.DONE).exists()


def _sizes(pid: int, name: str) -> list[tuple[str, float]]:
    """Returns (name, MiB) of a process and all its descendants."""
    texts = [pathlib.Path(f"/proc/{one}/status").read_text() for one in (pid, *descendants(pid))]
    return [(name, int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024) for text in texts]


def _report(found: list[tuple[str, float]]) -> list[str]:
    orders = Order.objects.filter(kind=Order.Kind.ACTIVATION, state=Order.State.ACTIVE).count()
    lines = [
        f"After {orders} first activations posted and carried out; resident memory of each process, MiB "
        "(shared pages count in each).",
        "",
    ]
    for name in ("web", "worker"):
        sizes = [f"{size:.0f}" for what, size in found if what == name]
        lines.append(f"- {name}: {', '.join(sizes)}")
    reached = "reached" if max(size for _, size in found) < MOST_MIB else "not reached"
    return [*lines, "", f"each under {MOST_MIB}: {reached}"]


if __name__ == "__main__":
    main()

"""`prune` on many rows while orders come in: `python -m bench.prune [--rows 1000000] [--seconds 15]`.

The benchmark needs PostgreSQL. Two thirds of the rows are inbound messages. One third are attempts, mostly of finished
orders.
All rows are 200 days old. A tenth of the attempts belongs to unfinished orders and must stay.
"""

import pathlib
from concurrent.futures import ThreadPoolExecutor

from django.db import connection

from bench import environment  # noqa: F401  sets Django up
from bench.desk import Desk
from bench.ingest import WARM_UP, post_all
from bench.options import read_options
from bench.orders import make_trials, write_bodies
from bench.results import append
from orders.models import Attempt, InboundMessage

OLD = "now() - interval '200 days'"
UNFINISHED = 10  # one of this number of attempts must stay
MESSAGES = f"""
INSERT INTO orders_inboundmessage (received_at, remote_address, trans_ido, trans_idh, order_number, http_status,
  rsp_code, rsp_desc, biz_code, hint, body, signed, sha256)
SELECT {OLD} + n * interval '1 second' / 10, '10.0.0.1', md5(n::text), md5(n::text), 'X' || n, 200, '00000', 'Success',
  '0000', '', repeat('{{"OrderNum": "100A230920170126001"}}', 30), true, ''
FROM generate_series(1, %s) AS n"""
ATTEMPTS = f"""
INSERT INTO orders_attempt (dispatch_id, number, request_id, started_at, finished_at, outcome, http_status, answer,
  error, worker)
SELECT d.ids[1 + n %% cardinality(d.ids)], n, gen_random_uuid(), {OLD}, {OLD}, 'ok', 200,
  '{{"code": 200, "message": "成功"}}', '', 'bench'
FROM generate_series(1, %s) AS n, (SELECT array_agg(id ORDER BY id) AS ids FROM orders_dispatch) AS d"""
FINISH = "UPDATE orders_order SET state = 'converted' WHERE id %% %s > 0"
MOST_PER_SECOND = 600  # messages that are prepared
PASTS = 30_000  # orders that have the attempts


def main() -> None:
    """Posts orders without a running prune and with a running prune, and appends both results."""
    options = read_options(__doc__, rows=1_000_000, seconds=(15, 1, 60))
    with Desk() as desk, ThreadPoolExecutor(1) as beside_us:
        messages, attempts = _fill(options.rows)
        url = desk.start_web("desk", "project.wsgi")
        count = options.seconds * MOST_PER_SECOND
        bodies = _prepare(desk.folder, {"warm": WARM_UP, "alone": count, "beside": count})
        post_all(bodies["warm"], url, seconds=30)
        alone = post_all(bodies["alone"], url, seconds=options.seconds)
        pruning = beside_us.submit(desk.command, "prune", "--older-than", "90")
        beside = post_all(bodies["beside"], url, seconds=options.seconds)
        still, pruned = pruning.running(), pruning.result()
        left = InboundMessage.objects.filter(remote_address="10.0.0.1").count(), Attempt.objects.count()
        _check(left, attempts, still)
        append("prune", _report(messages, attempts, left, pruned, [alone, beside]))


def _fill(rows: int) -> tuple[int, int]:
    """Creates old orders, their attempts, and messages. Returns the numbers of messages and attempts."""
    attempts = rows // 3
    make_trials(0, PASTS)
    with connection.cursor() as cursor:
        cursor.execute(FINISH, [UNFINISHED])
        cursor.execute(MESSAGES, [rows - attempts])
        cursor.execute(ATTEMPTS, [attempts])
        cursor.execute("ANALYZE")
    return rows - attempts, attempts


def _prepare(folder: pathlib.Path, counts: dict[str, int]) -> dict[str, pathlib.Path]:
    """Creates trials. Returns files of messages that activate them, by name."""
    first, files = PASTS, {}
    for name, count in counts.items():
        make_trials(first, count)
        write_bodies(folder / name, first, count)
        files[name], first = folder / name, first + count
    return files


def _check(left: tuple[int, int], attempts: int, still: bool) -> None:
    """Raises RuntimeError if old messages or attempts of finished orders are left, or if `prune` ended too early."""
    if not still:
        raise RuntimeError("prune ended before the posting: more --rows or fewer --seconds")
    if left[0] or not 0 < left[1] < attempts // 5:
        raise RuntimeError(f"{left[0]} messages and {left[1]} attempts are left")


def _report(messages: int, attempts: int, left: tuple[int, int], pruned: tuple, rounds: list[dict]) -> list[str]:
    seconds, most, _ = pruned
    removed = messages + attempts - sum(left)
    lines = [
        f"{messages} messages and {attempts} attempts, all old; {left[1]} attempts of unfinished orders stayed.",
        "",
        f"{removed} rows removed in {seconds:.1f} s ({removed / seconds:.0f} rows/s), "
        f"largest resident size {most:.0f} MiB. Orders posted by 8 clients meanwhile, all accepted:",
        "",
        "| orders | orders/s | p50 ms | p99 ms |",
        "| --- | --- | --- | --- |",
    ]
    for name, one in zip(("alone", "beside prune"), rounds, strict=True):
        lines.append(f"| {name} | {one['accepted'] / one['seconds']:.0f} | {one['p50']:.1f} | {one['p99']:.1f} |")
    return lines


if __name__ == "__main__":
    main()

"""Time and memory of one order with many domains: `python -m bench.large [--domains 20000] [--acts 1]`.

The benchmark posts, delivers, shows and compares a trial and its first activation. Each command and the sandbox run in
separate processes. Then the benchmark plays every act on SQLite and on PostgreSQL (`bench.large_acts`), with orders of
all domains and with orders of a tenth of the domains. `--acts 0` leaves the acts out. `--acts 2` plays only the acts.
"""

import json
import os
import subprocess
import sys
import time

from django.utils import timezone

from bench import environment  # noqa: F401  sets Django up
from bench.desk import Desk
from bench.environment import SERVER
from bench.options import read_options
from bench.orders import activation, post
from bench.results import append
from integrations.base.database_deadline import INTAKE_SECONDS, INTAKE_STATEMENT, NEVER, PAGE_SECONDS, WORKER_SECONDS
from integrations.bboss.sample_envelope import signed_envelope
from orders.models import BillingRecord, Order

MOST_SECONDS, MOST_MIB = 20, 200
DATABASES = {"SQLite": "", "PostgreSQL": f"{SERVER}/postgres"}
OF_PARTNERS = {"trial", "change", "activation", "withdraw", "callback"}  # requests of BBOSS and BPM
OF_STAFF = {
    "accept", "attribute", "compensate", "decide", "fetch_usage", "give_up", "move_start", "name_domains", "proceed",
    "resend", "take", "waive", "withdraw_by_staff",
}  # fmt: skip
OF_WORKERS = {"deliver", "play_out", "reconcile", "sweep"}  # only their statements have a limit


def main() -> None:
    """Runs the parts once, and appends the seconds and MiB of each part."""
    options = read_options(__doc__, domains=(20_000, 10, 20_000), acts=(1, 0, 2))
    if options.acts < 2:
        _parts(options.domains)
    if options.acts:
        with Desk():  # its database is queried for the server's version
            append("large, every act", _acts(options.domains))


def _parts(count: int) -> None:
    with Desk() as desk:
        url = desk.start_sandbox()
        os.environ.update(BIGDATA_BASE_URL=f"{url}/bigdata", BPM_BASE_URL=f"{url}/bpm")
        web = desk.start_web("web", "project.wsgi")
        parts = {}
        for name, content in (("trial", _trial(count)), ("activation", activation(0))):
            parts[f"POST of the {name}"] = _post(web, content), None
            parts[f"deliver the {name}"] = desk.command("deliver", "--until-idle")[:2]
        parts["show --json"] = desk.command("show", "A0", "--json")[:2]
        parts["reconcile"] = desk.command("reconcile")[:2]
        _check(count)
        append("large", _report(parts, count))


def _trial(count: int) -> dict:
    more = {"OrderType": "1", "OrderNum": "T0", "EnterpriseID": "100A23100079275183", "EnterpriseName": "北京示例科技"}
    names = [{"ProvReq": f"www{number}.customer.example.com"} for number in range(count)]
    return activation(0) | more | {"ProvContent": names}


def _post(web: str, content: dict) -> float:
    body = signed_envelope(content, now=timezone.now())
    began = time.monotonic()
    post(web, body)
    return time.monotonic() - began


def _check(count: int) -> None:
    live = BillingRecord.objects.filter(order__number="A0", state=BillingRecord.State.LIVE).count()
    if live != count or Order.objects.get(number="A0").state != Order.State.ACTIVE:
        raise RuntimeError(f"{live} live records")


def _report(parts: dict[str, tuple[float, float | None]], count: int) -> list[str]:
    seconds = max(took for took, _ in parts.values())
    mebibytes = max(size for _, size in parts.values() if size)
    reached = "reached" if seconds < MOST_SECONDS and mebibytes < MOST_MIB else "not reached"
    return [
        f"A trial of {count} domains and its first activation.",
        "",
        "| part | seconds | largest resident size, MiB |",
        "| --- | --- | --- |",
        *(f"| {name} | {took:.1f} | {f'{size:.0f}' if size else '-'} |" for name, (took, size) in parts.items()),
        "",
        f"each under {MOST_SECONDS} s and {MOST_MIB} MiB: {reached}",
    ]


def _acts(count: int) -> list[str]:
    """Returns the table of the slowest act of each name, by size and database."""
    sizes = [count // 10, count]
    runs = {(name, size): _play(url, size) for name, url in DATABASES.items() for size in sizes}
    bounds = dict.fromkeys(OF_PARTNERS, (INTAKE_SECONDS, INTAKE_STATEMENT)) | dict.fromkeys(
        OF_STAFF, (PAGE_SECONDS, PAGE_SECONDS)
    )
    bounds |= dict.fromkeys(OF_WORKERS, (NEVER, WORKER_SECONDS))
    heads = [f"{name}, {size}" for name, size in runs]
    lines, late = [], []
    for name, (most, longest) in sorted(bounds.items(), key=lambda row: (row[1], row[0])):
        found = [run[name] for run in runs.values()]
        if any(took > most or statement > longest for took, statement in found):
            late.append(name)
        took = " | ".join(f"{seconds:.2f}, {statement:.2f}" for seconds, statement in found)
        lines.append(f"| {name} | {took} | {'-' if most == NEVER else f'{most:.0f}'}, {longest:.0f} |")
    return [
        "The slowest act of each name, in seconds, with the sandbox's work; behind the comma its longest statement.",
        "",
        f"| act | {' | '.join(heads)} | may take |",
        f"| --- |{' --- |' * (len(heads) + 1)}",
        *lines,
        "",
        f"within the deadlines: {'all' if not late else 'not ' + ', '.join(late)}",
    ]


def _play(url: str, count: int) -> dict[str, tuple[float, float]]:
    command = [sys.executable, "-m", "bench.large_acts", str(count)]
    told = subprocess.run(
        command, env=os.environ | {"DESK_TEST_DATABASE_URL": url}, capture_output=True, text=True, check=True
    )
    return {name: (seconds, longest) for name, seconds, longest in map(json.loads, told.stdout.splitlines())}


if __name__ == "__main__":
    main()

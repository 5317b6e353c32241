"""Time and memory of one order with many domains: `python -m bench.large [--domains 20000]`.

It posts, delivers, shows and compares a trial and its first activation. Each command runs in a process of its own,
against the sandbox in another.
"""

import os
import time

from django.utils import timezone

from bench import environment  # noqa: F401  sets Django up
from bench.desk import Desk
from bench.options import read_options
from bench.orders import activation, post
from bench.results import append
from integrations.bboss.sample_envelope import signed_envelope
from orders.models import BillingRecord, Order

MOST_SECONDS, MOST_MIB = 20, 200


def main() -> None:
    """Plays it once and appends what each part took."""
    count = read_options(__doc__, domains=(20_000, 1, 20_000)).domains
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


if __name__ == "__main__":
    main()

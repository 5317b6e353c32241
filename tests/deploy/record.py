"""`python -m tests.deploy.record`: records what Prometheus sees of a desk at work, for the tests of alarms and for
docs.

It takes twenty minutes. The desk is busy, also during a backup. Then it is quiet, and web and worker are restarted.
After that it is busy, with a pause and another backup, and is quiet at the end. The module writes recorded.json beside
this file (series in promtool's notation) and docs/screenshots/grafana.svg, a picture of the dashboard's panels.
"""

import contextlib
import itertools
import json
import os
import sys
import time
from pathlib import Path

import django
import requests

from tests.bpm_messages import approval
from tests.deploy.dashboard_picture import draw
from tests.deploy.prometheus import RULES_FILE, SELECTOR, Prometheus
from tests.first_start.lines import ROOT
from tests.harness.desk import ProcessDesk, desk_upon
from tests.harness.login import log_in
from tests.processes.orders import activation, trial

STEP = 15  # between two scrapes, in seconds
RECORDED = Path(__file__).with_name("recorded.json")
PICTURE = ROOT / "docs" / "screenshots" / "grafana.svg"
PLAN = (("busy", 300), ("backup", 45), ("busy", 45), ("quiet", 300), ("restart", 0), ("busy", 90), ("pause", 105))
PLAN += (("busy", 150), ("backup", 45), ("quiet", 60))  # durations in seconds


def main(share: float = 1.0) -> None:
    """Goes through PLAN, and records the result. Each duration is multiplied by `share`."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    with desk_upon("postgres") as (desk, _server):
        desk.start_worker()
        desk.manage("backup", str(desk.folder / "backup-0"))
        prometheus, numbers = Prometheus(desk, every=STEP), itertools.count(1)
        began = time.time()
        for place, (what, seconds) in enumerate(PLAN, 1):
            print(f"{time.time() - began:5.0f} s: {what}", flush=True)
            _play(desk, what, time.time() + seconds * share, numbers, place)
        fired = prometheus.query_range('ALERTS{alertstate="firing"}', since=began, step=STEP)
        print(f"alarms: {sorted(row['metric']['alertname'] for row in fired) or 'none'}")
        RECORDED.write_text(json.dumps(_recorded(prometheus, began), indent=0, sort_keys=True) + "\n")
        PICTURE.write_text(draw(prometheus, since=began), encoding="utf-8")
    print(f"{RECORDED}: {RECORDED.stat().st_size / 1000:.0f} kB")


def _play(desk: ProcessDesk, what: str, end: float, numbers: itertools.count, place: int) -> None:
    if what == "backup":
        desk.manage("backup", str(desk.folder / f"backup-{place}"))
    elif what == "restart":
        for name in ("web", "worker"):
            desk.stop(name)
        time.sleep(20)  # so that at least one scrape gets no answer
        desk.start_web()
        desk.start_worker()
    elif what == "pause":
        desk.manage("pause", "bpm", "--reason", "maintenance")
    while time.time() < end:
        if what != "quiet":
            with contextlib.suppress(requests.RequestException):  # the machine may be too busy to answer
                _work(desk, next(numbers))
        time.sleep(1)
    if what == "pause":
        desk.manage("resume", "bpm")


def _work(desk: ProcessDesk, number: int) -> None:
    """Posts a trial, an activation and an approval record of BPM. Now and then it also opens a page, posts a wrong
    message, or tries a wrong password.
    """
    desk.post(trial(number))
    desk.post(activation(number))
    if number > 5:
        desk.callback(approval(f"100A{number - 5:04d}", recordId=f"bpm-{number}-1"))
    if number % 3 == 0:
        requests.get(f"{desk.web_url}/admin/login/", timeout=20)
    if number % 40 == 0:
        desk.post(trial(number, BizStart="20231399"))
    if number % 90 == 1:
        log_in(requests.Session(), desk.web_url, "wang", "guessed")


def _recorded(prometheus: Prometheus, since: float) -> dict[str, str]:
    """Returns the series that the rules use: {series: values in promtool's notation}."""
    until, found = time.time(), {}
    for name in sorted({name for name, _ in SELECTOR.findall(RULES_FILE.read_text())}):
        for row in prometheus.query_range(name, since=since, until=until, step=STEP):
            labels = {label: text for label, text in row["metric"].items() if label not in {"__name__", "instance"}}
            if labels["job"] == "node" and labels.get("mountpoint", "/") != "/":
                continue
            values = {round((moment - since) / STEP): text for moment, text in row["values"]}
            inside = ",".join(f'{label}="{text}"' for label, text in sorted(labels.items()))
            count = int((until - since) / STEP) + 1
            found[f"{name}{{{inside}}}"] = notation([values.get(place) for place in range(count)])
    return found


def notation(values: list[str | None]) -> str:
    """Returns values in promtool's notation: equal values in a row become one word, and `_` stands for none."""
    words = []
    for value, same in itertools.groupby(f"{float(one):.10g}" if one else "_" for one in values):
        count = len(list(same))
        words.append(value if count == 1 else f"_x{count}" if value == "_" else f"{value}x{count - 1}")
    return " ".join(words)


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))

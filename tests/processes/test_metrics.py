"""Tests that one address shows the sums of the counters of all processes, even after processes have ended."""

import os
import re
import signal

import pytest
import requests

from tests.harness.proc import kill
from tests.processes.orders import pairs, post_all, until_active

pytestmark = pytest.mark.kills


def figures(desk) -> dict[str, float]:
    text = requests.get(f"{desk.web_url}/metrics", timeout=20).text
    return {name: float(value) for name, value in re.findall(r"^([^#\n]+) (\S+)$", text, flags=re.MULTILINE)}


def test_no_count_is_lost_by_a_reload_or_a_kill(desk):
    """Web processes are killed and reloaded, and a worker's cluster is killed. All their counts stay."""
    desk.start_worker(ping_every=2, patience=40)
    workers = desk.cluster()
    accepted = 'desk_inbound_total{code="00000",source="bboss"}'
    billed = 'desk_calls_total{outcome="done",partner="bigdata",step="create_billing"}'
    before = figures(desk)
    post_all(desk, pairs(1, 4))
    until_active(desk, 1, 4)
    master = desk.processes["web"].pid
    for number in [row.pid for row in desk.alive() if row.parent == master]:
        kill(number)
    for number in workers.all():
        kill(number)
    desk.until(lambda: not set(desk.cluster().all()) & set(workers.all()), what="another cluster", seconds=120)
    post_all(desk, pairs(5, 7))
    os.kill(master, signal.SIGHUP)
    post_all(desk, pairs(8, 9))
    until_active(desk, 5, 9)
    for _ in range(5):  # another process may answer each time
        after = figures(desk)
        assert after[accepted] - before.get(accepted, 0) == 18
        assert after[billed] - before.get(billed, 0) == 9
        assert after['desk_inbound_seconds_count{source="bboss"}'] >= 18
    assert after["desk_database_up"] == 1

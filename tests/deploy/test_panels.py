"""Each panel of the dashboard shows something over a real desk that a real Prometheus scrapes."""

import contextlib
import itertools
import os
import time

import pytest
import requests

from integrations.bboss.sample_envelope import signed_envelope
from tests.bpm_messages import approval
from tests.deploy.prometheus import PANELS, PROMETHEUS, Prometheus
from tests.harness.desk import ProcessDesk
from tests.harness.login import log_in
from tests.harness.waiting import NotYetError
from tests.processes.orders import activation, trial, until_active

pytestmark = [
    pytest.mark.processes,
    pytest.mark.whole,
    pytest.mark.skipif(not os.path.exists(PROMETHEUS), reason="Debian's prometheus is not installed"),
]
SOON = time.strftime("%Y%m%d%H%M%S", time.localtime(time.time() + 5 * 86400)) + "b" * 32 + "-1234-1700000000"
NOTHING_WRONG = {"sum by (kind) (increase(desk_database_errors_total[1h]))"}
"""Empty as long as the database did nothing wrong."""


def test_each_panel_shows_something(tmp_path):
    """BBOSS's only token ends soon, so that an alarm fires and its panel shows something too."""
    with ProcessDesk(tmp_path, BBOSS_ACCESS_TOKENS=SOON) as desk:
        prometheus = Prometheus(desk, every=1)
        desk.start_worker()
        desk.manage("backup", str(tmp_path / "backup"))
        numbers = itertools.count(1)

        def order():
            number = next(numbers)
            for content in (trial(number), activation(number)):
                envelope = signed_envelope(content, now=desk.now(), overrides={"accessToken": SOON})
                requests.post(f"{desk.web_url}/api/bboss/orders", json=envelope, timeout=30)
            requests.get(f"{desk.web_url}/admin/login/", timeout=30)
            until_active(desk, 1, number)

        order()
        desk.callback(approval("100A0001"))
        log_in(requests.Session(), desk.web_url, "wang", "guessed")
        exprs = [target["expr"] for panel in PANELS for target in panel["targets"]]
        wanted = {expr for expr in exprs if expr not in NOTHING_WRONG}

        def all_show():
            """Posts another order, because a rate needs calls between two scrapes. Returns whether all panels have
            shown something.
            """
            order()
            wanted.difference_update([expr for expr in wanted if _values(prometheus, expr)])
            return not wanted

        with contextlib.suppress(NotYetError):
            desk.until(all_show, seconds=120, every=2)
        assert wanted == set(), "these panels are empty"
        for expr in NOTHING_WRONG:
            prometheus.query(expr)


def _values(prometheus: Prometheus, expr: str) -> list[float]:
    """Returns the values that a panel draws, without NaN."""
    return [value for row in prometheus.query(expr) if (value := float(row["value"][1])) == value]

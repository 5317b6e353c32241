"""A partner is paused while many orders come in (contract 3.5; section 5, `pause`).

The processes, the HTTP calls and the worker are real.
"""

import datetime
import time

import pytest

from tests.bboss_messages import accepted
from tests.harness.desk import ProcessDesk
from tests.processes.orders import check_calls, pairs, post_all, trial, until_active

BILLING = "/bigdata/productInfos"
RATE, PROCESSES = 5, 2  # calls a second from each process, and how many a worker has
SECOND = datetime.timedelta(seconds=1)


@pytest.fixture(scope="module")
def desk(tmp_path_factory, postgres):
    """Yields a desk with a worker that works."""
    with ProcessDesk(tmp_path_factory.mktemp("desk"), postgres=postgres, PARTNER_RATE=str(RATE)) as running:
        running.start_worker()
        running.cluster()
        yield running


def arrivals(desk) -> list[datetime.datetime]:
    """Returns the times at which calls arrived at the big-data side."""
    calls = [call for call in desk.calls() if call["path"].startswith("/bigdata")]
    return sorted(datetime.datetime.fromisoformat(call["at"]) for call in calls)


def most_in_a_second(moments: list[datetime.datetime]) -> int:
    return max(sum(moment <= other < moment + SECOND for other in moments) for moment in moments)


def test_nothing_arrives_while_it_is_paused_and_all_ends_right(desk):
    post_all(desk, pairs(1, 4))
    assert "bigdata is paused since" in desk.manage("pause", "bigdata", "--reason", "升级维护").stdout
    time.sleep(3)  # calls that were in progress, or claimed within PARTNER_RATE, have arrived
    before = len(arrivals(desk))
    for content in pairs(5, 24):
        assert accepted(desk.post(content))
    time.sleep(8)
    assert len(arrivals(desk)) == before
    attempts = "SELECT count(*) FROM orders_attempt JOIN orders_dispatch ON orders_dispatch.id = dispatch_id"
    waiting = "orders_dispatch.channel = 'billing' AND orders_dispatch.state = 'due' AND attempts > 0"
    assert desk.rows(f"{attempts} WHERE {waiting} AND outcome NOT IN ('handed_back')") == [(0,)]
    assert "wait" in desk.manage("resume", "bigdata").stdout
    until_active(desk, 1, 24, seconds=180)
    check_calls(desk)
    assert most_in_a_second(arrivals(desk)) <= RATE * PROCESSES + PROCESSES
    assert desk.rows("SELECT count(*) FROM orders_incident") == [(0,)]


def test_a_pause_ends_by_itself_within_seconds(desk):
    before = len(arrivals(desk))
    until = datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=8))) + datetime.timedelta(seconds=90)
    until = until.replace(second=0, microsecond=0)
    desk.manage("pause", "bigdata", "--reason", "升级维护", "--until", f"{until:%Y-%m-%dT%H:%M}")
    post_all(desk, [trial(100)])
    (moment,) = desk.until(lambda: arrivals(desk)[before:], seconds=150)
    assert datetime.timedelta(0) <= moment - until < datetime.timedelta(seconds=30)
    noted = "SELECT count(*) FROM orders_orderevent WHERE kind = 'partner_resumed' AND actor = 'system'"
    desk.until(lambda: desk.rows(noted) == [(1,)], seconds=90)

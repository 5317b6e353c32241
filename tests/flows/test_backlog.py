"""The expected time until waiting calls are sent after a pause or an outage. Pages and `status` show the time, or that
it is unknown (3.5)."""

import datetime
import json

import pytest
from django.urls import reverse
from django.utils import timezone

from orders.pauses.backlog import backlog_of
from orders.pauses.pause_and_resume import pause_partner, resume
from tests import factories as make
from tests.flows.conftest import code_of

pytestmark = pytest.mark.django_db
PAUSE, RESUME = (reverse(f"admin:orders_{act}_partner", args=["bigdata"]) for act in ("pause", "resume"))
KNOWN, UNKNOWN = "恢复后约 2 分钟处理完积压（3 个调用，每分钟约 2 个）", "3 个调用在等待。此前 24 小时没有可参考的调用"
ANY = ("恢复后约", "没有可参考的调用", "没有调用在等待")


def calls(minutes, number=1, outcome="ok"):
    """Creates calls to the big-data side that began this many minutes ago."""
    moment = timezone.now().replace(second=0) - datetime.timedelta(minutes=minutes)
    for _ in range(number):
        make.AttemptFactory(
            dispatch__state="done", dispatch__next_try_at=None, started_at=moment, finished_at=moment, outcome=outcome
        )


@pytest.fixture
def waiting(clock):
    """Three steps wait. In the hour before, the busiest minute had two answered calls."""
    make.DispatchFactory.create_batch(3)
    calls(30)
    calls(40, 2)
    calls(25 * 60, 9)  # too long ago to be measured
    calls(20, 9, outcome="retry")  # calls that the partner did not answer


@pytest.fixture
def unmeasured(clock):
    make.DispatchFactory.create_batch(3)


def paused():
    return pause_partner(partner="bigdata", reason="割接", by="staff:li", now=timezone.now())


def outage(partner="bigdata", **more):
    make.BreakerFactory(partner=partner, opened_at=timezone.now(), last_error="refused")
    incident = make.IncidentFactory(partner=partner, step="", code="breaker_open", first_at=timezone.now(), **more)
    return reverse("admin:orders_incident_change", args=[incident.pk])


def said(capsys):
    """Returns the lines of `status` about pauses and breakers, and its JSON."""
    code_of("status")
    lines = capsys.readouterr().out.splitlines()
    code_of("status", "--json")
    return [line for line in lines if line.startswith(("pauses ", "breakers "))], json.loads(capsys.readouterr().out)


def test_during_a_pause_its_pages_and_status_say_it(waiting, admin_client, capsys):
    row = paused()
    # these calls came after the pause began (calls begun before it, or probes), so they don't measure the time before
    calls(-1, 9)
    for page in (PAUSE, RESUME, reverse("admin:orders_pause_change", args=[row.pk])):
        assert KNOWN in admin_client.get(page).text
    [_breakers, line], found = said(capsys)
    assert line.endswith("(割接): about 2 minutes after it ends (3 calls wait, 2 a minute)")
    [pause] = found["pauses"]
    assert (pause["waiting"], pause["calls_a_minute"], pause["minutes_to_work_off"]) == (3, 2, 2)


def test_during_an_outage_its_page_and_status_say_it(waiting, admin_client, capsys):
    assert KNOWN in admin_client.get(outage()).text
    [line, _pauses], found = said(capsys)
    assert line.endswith("(refused): about 2 minutes after it ends (3 calls wait, 2 a minute)")
    [breaker] = found["breakers"]
    assert (breaker["waiting"], breaker["calls_a_minute"], breaker["minutes_to_work_off"]) == (3, 2, 2)


def test_without_a_call_to_measure_there_is_no_time(unmeasured, admin_client, capsys):
    page, row = outage(), paused()
    for address in (page, PAUSE, RESUME, reverse("admin:orders_pause_change", args=[row.pk])):
        text = admin_client.get(address).text
        assert (UNKNOWN in text, "恢复后约" in text) == (True, False)
    lines, found = said(capsys)
    for line in lines:
        assert line.endswith(
            ": 3 calls wait; how long that takes can't be estimated: no call was measured in the 24 hours before"
        )
    for row in found["breakers"] + found["pauses"]:
        assert (row["waiting"], row["calls_a_minute"], row["minutes_to_work_off"]) == (3, None, None)


def test_where_nothing_waits_no_time_is_given(clock, admin_client, capsys):
    calls(30)
    assert "没有调用在等待" in admin_client.get(outage()).text
    assert said(capsys)[0][0].endswith("(refused): 0 calls wait")


def test_calls_to_another_partner_do_not_count(waiting):
    make.BpmDispatchFactory()
    now = timezone.now()
    assert backlog_of("bpm", since=now, now=now).rate is None


def test_after_the_pause_or_the_outage_nothing_is_said(waiting, admin_client):
    row = paused()
    resume(partner="bigdata", by="staff:li", now=timezone.now())
    pages = [reverse("admin:orders_pause_change", args=[row.pk]), PAUSE, RESUME, outage(state="resolved")]
    other = make.IncidentFactory(partner="bigdata", code="timeout")
    pages.append(reverse("admin:orders_incident_change", args=[other.pk]))
    for page in pages:
        text = admin_client.get(page).text
        assert not any(words in text for words in ANY)

"""If all calls are refused for one reason, the desk receives no orders. An incident and `status` report it (contract
6)."""

import datetime

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from integrations import tasks
from orders.models import Incident
from tests import factories as make
from tests.bboss.conftest import TRIAL, envelope
from tests.bboss.test_codes import ENDED

EARLY = "20230920183436"  # 20 minutes before the clock of these tests
STOPS = {
    "the token has expired": ({"accessToken": ENDED}, "20311", "new token"),
    "a clock is wrong": ({"timeStamp": EARLY}, "20210", "NTP"),
    "the app secret is wrong": ({"sign": "0" * 32}, "20208", "app secret"),
}


@pytest.fixture
def look(capsys):
    """Returns the faults that `status` prints."""

    def wrong() -> str:
        with pytest.raises(CommandError):
            call_command("status")
        return "\n".join(line for line in capsys.readouterr().out.splitlines() if line.startswith("wrong: "))

    return wrong


@pytest.fixture(autouse=True)
def nothing_is_delivered(monkeypatch):
    """Replaces the sweep's delivery, because a delivery waits for steps that are soon due."""
    monkeypatch.setattr(tasks, "drain", lambda: "")


def refused(number: int = 5, **fields) -> None:
    make.InboundMessageFactory.create_batch(number, **{"rsp_code": "20311", "biz_code": "", **fields})


@pytest.mark.parametrize("stop", STOPS)
def test_a_stop_that_the_desk_answers_is_told_with_what_to_do(post, look, client, admin_user, settings, stop):
    fault, code, to_do = STOPS[stop]
    settings.BBOSS_ACCESS_TOKENS = [*settings.BBOSS_ACCESS_TOKENS, ENDED]
    for number in range(5):
        assert post(envelope(trans_ido=f"t{number}", **fault)).code == code
    told = look()
    assert f"5 of BBOSS's 5 calls of the last 2 minutes were refused with {code}" in told
    assert to_do in told
    tasks.sweep()
    incident = Incident.objects.get(code="intake_refused")
    assert (incident.partner, incident.code, incident.detail_params["answer"]) == ("desk", "intake_refused", code)
    client.force_login(admin_user)
    page = client.get(reverse("admin:index")).content.decode()
    assert "BBOSS 的请求" in page
    assert "20311、20305" in page  # the page says what to do
    assert code in client.get(reverse("admin:orders_incident_change", args=[incident.pk])).content.decode()


def test_it_ends_when_calls_are_accepted_again(post, clock, db):
    refused()
    tasks.sweep()
    clock.shift(3600)
    tasks.sweep()
    # without calls the cause may still exist, so the incident stays open
    assert Incident.objects.get().state == "open"
    assert post(envelope(TRIAL)).code == "00000"
    tasks.sweep()
    assert Incident.objects.get(code="intake_refused").state == "resolved"


@pytest.mark.parametrize("ago", [0, 121, 599])
def test_more_than_half_of_ten_minutes_counts(db, clock, look, ago):
    refused(6)
    make.InboundMessageFactory.create_batch(5)
    clock.shift(ago)
    assert "6 of BBOSS's 11 calls of the last 10 minutes" in look()


def test_what_was_cured_is_not_told_for_the_rest_of_ten_minutes(db, clock):
    refused(20)
    clock.shift(121)
    make.InboundMessageFactory.create_batch(2, received_at=timezone.now())
    tasks.sweep()
    assert not Incident.objects.exists()
    refused(1, received_at=timezone.now())  # the cause still exists: most of the calls are refused
    tasks.sweep()
    assert Incident.objects.get().detail_params["number"] == 21


def test_what_does_not_stand_out_is_no_alarm(db, clock):
    """A few refusals, refusals of half of the calls, refusals with several codes, and old refusals open no
    incident."""
    refused(4)
    tasks.sweep()
    make.InboundMessageFactory.create_batch(6)
    refused(2, rsp_code="20505")
    tasks.sweep()
    clock.shift(601)
    tasks.sweep()
    assert not Incident.objects.exists()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has this machine's clock")
@pytest.mark.parametrize("ahead, told", [(59, False), (75, True), (-75, True)])
@pytest.mark.django_db
def test_a_clock_that_differs_from_the_databases_is_told(look, client, admin_user, settings, ahead, told):
    settings.CLOCK_SKEW_SECONDS = 60
    now = datetime.datetime.now(datetime.UTC)
    with time_machine.travel(now + datetime.timedelta(seconds=ahead)):
        make.HeartbeatFactory(seen_at=timezone.now())
        assert client.get("/readyz").json()["clocks_ahead_seconds"]["database_clock"] == pytest.approx(ahead, abs=5)
        tasks.sweep()
        client.force_login(admin_user)
        assert ("与数据库的时钟不同" in client.get(reverse("admin:index")).content.decode()) is told
        assert Incident.objects.filter(code="database_clock").exists() is told
        if told:
            assert "ahead of the database's by" in look()
    tasks.sweep()
    assert not Incident.objects.unresolved().exists()


def test_a_clock_that_differs_from_bbosss_is_told_before_calls_are_refused(post, look, clock):
    """The median of the calls' times is compared with our clock. So a single call that was delayed for long causes no
    alarm."""
    for number in range(4):
        assert post(envelope(trans_ido=f"t{number}", timeStamp="20230920184836")).code == "00000"
    tasks.sweep()
    assert not Incident.objects.exists()
    assert post(envelope(trans_ido="t5", timeStamp="20230920184936")).code == "00000"
    tasks.sweep()
    assert Incident.objects.get().detail_params["seconds"] == 360
    assert "our clock is ahead of the times in BBOSS's calls by 360 s" in look()
    Incident.objects.update(detail_params={**Incident.objects.get().detail_params, "machine": "a worker that is gone"})
    for number in range(6, 15):
        assert post(envelope(trans_ido=f"t{number}")).code == "00000"
    tasks.sweep()
    assert Incident.objects.get().state == "resolved"

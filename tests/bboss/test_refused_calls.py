"""Calls that are all refused for one reason stop the desk: an incident and `status` say so (contract 6)."""

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

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
    """What `status` says is wrong."""

    def wrong() -> str:
        with pytest.raises(CommandError):
            call_command("status")
        return "\n".join(line for line in capsys.readouterr().out.splitlines() if line.startswith("wrong: "))

    return wrong


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
    incident = Incident.objects.get()
    assert (incident.partner, incident.code, incident.detail_params["answer"]) == ("desk", "intake_refused", code)
    client.force_login(admin_user)
    page = client.get(reverse("admin:index")).content.decode()
    assert "BBOSS 的请求" in page
    assert "20311、20305" in page  # what to do
    assert code in client.get(reverse("admin:orders_incident_change", args=[incident.pk])).content.decode()


def test_it_ends_when_calls_are_accepted_again(post, clock, db):
    refused()
    tasks.sweep()
    clock.shift(3600)
    tasks.sweep()
    assert Incident.objects.get().state == "open"  # nobody calls any more: that is not well
    assert post(envelope(TRIAL)).code == "00000"
    tasks.sweep()
    assert Incident.objects.get(code="intake_refused").state == "resolved"


@pytest.mark.parametrize("ago", [0, 121, 599])
def test_more_than_half_of_ten_minutes_counts(db, clock, look, ago):
    refused(6)
    make.InboundMessageFactory.create_batch(5)
    clock.shift(ago)
    assert "6 of BBOSS's 11 calls of the last 10 minutes" in look()


def test_what_does_not_stand_out_is_no_alarm(db, clock):
    """A few refusals, half of them, several codes, and what is over."""
    refused(4)
    tasks.sweep()
    make.InboundMessageFactory.create_batch(6)
    refused(2, rsp_code="20505")
    tasks.sweep()
    clock.shift(601)
    tasks.sweep()
    assert not Incident.objects.exists()

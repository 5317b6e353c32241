"""Tests how an order's steps at the licence server are carried out. It runs in the copy of the checkout that has this
partner.
"""

import io

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from orders.models import Incident
from orders.pauses.pause_and_resume import pause_partner
from orders.sending.reread_answers import resume_partner
from tests.flows.contents import activation, trial

TAKE, PATH = "take_licence", "/licence/licences"
BEFORE = ["fetch_usage:done", "cancel_trial_billing:done", "create_billing:done"]


def page(desk, admin_client, **asked) -> str:
    url = reverse("admin:orders_order_change", args=[desk.order("A1").pk])
    return admin_client.get(url, asked).content.decode()


def stage(desk, admin_client):
    """Returns the stage of the licence server on the order's page."""
    url = reverse("admin:orders_order_change", args=[desk.order("A1").pk])
    return next(stage for stage, _way in admin_client.get(url).context["ladder"] if stage.key == "licence")


def fail(desk, kind: str, count: int = 1, **more):
    desk.play(trial("T1"))
    desk.sandbox.fault(path=PATH, kind=kind, count=count, **more)
    desk.play(activation("A1"))


def run(*words: str) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def test_the_step_is_sent_and_the_order_follows(desk, admin_client):
    desk.play(trial("T1"), activation("A1"))
    assert desk.steps("A1") == [*BEFORE, f"{TAKE}:done", "start_bpm:done"]
    assert desk.state("A1") == "active"
    assert desk.sent(PATH) == [{"customer": "北京示例科技", "domains": ["a.example.com"], "order": "A1"}]
    step = desk.step("A1", TAKE)
    assert [call["key"] for call in desk.sandbox.calls(path=PATH)] == [str(step.key)]
    assert step.tries.get().outcome == "ok"
    assert TAKE in run("show", "A1")
    told = stage(desk, admin_client)
    assert (told.tone, str(told.title), str(told.result)) == ("green", "许可证服务器", "已完成")
    assert "办理许可证" in page(desk, admin_client, tab="licence")
    assert "?tab=licence" in page(desk, admin_client)


def test_a_refusal_stops_the_order_in_an_incident_that_names_the_partner(desk, admin_client):
    fail(desk, "refusal", code=400, message="客户未登记")
    assert desk.steps("A1") == [*BEFORE, f"{TAKE}:failed", "start_bpm:waiting"]
    assert desk.state("A1") == "failed"
    assert desk.troubles("A1") == ["code_400"]
    incident = Incident.objects.get()
    assert (incident.partner, incident.step) == ("licence", TAKE)
    words = admin_client.get(reverse("admin:orders_incident_change", args=[incident.pk])).content.decode()
    assert "许可证服务器" in words
    assert "办理许可证" in words
    assert "客户未登记" in words
    assert "许可证服务器" in admin_client.get(reverse("admin:orders_incident_changelist")).content.decode()
    with pytest.raises(CommandError, match="1 stuck"):
        run("stuck")
    told = stage(desk, admin_client)
    assert (told.tone, told.current, told.code, told.action) == ("red", True, "code_400", "resend")
    assert "客户未登记" in page(desk, admin_client)


def test_it_is_sent_again(desk):
    fail(desk, "refusal")
    run("resend", "--failed", "--channel", "licence", "--partner", "licence")
    desk.deliver()
    assert desk.steps("A1")[-2:] == [f"{TAKE}:done", "start_bpm:done"]
    assert (desk.state("A1"), desk.troubles("A1")) == ("active", [])


def test_an_answer_that_was_lost_is_asked_for_under_the_same_key(desk):
    fail(desk, "reset_after")
    assert desk.step("A1", TAKE).state == "retrying"
    desk.wait()
    assert len({call["key"] for call in desk.sandbox.calls(path=PATH)}) == 1
    assert desk.state("A1") == "active"


def test_staff_pause_the_partner(desk, admin_client):
    desk.play(trial("T1"))
    pause_partner(partner="licence", reason="维护", by="staff:wang", now=timezone.now())
    desk.play(activation("A1"))
    assert (desk.step("A1", TAKE).state, desk.sent(PATH)) == ("due", [])
    assert stage(desk, admin_client).code == "partner_paused"
    home = admin_client.get("/admin/").content.decode()
    assert "许可证服务器" in home
    assert reverse("admin:orders_resume_partner", args=["licence"]) in home
    resume_partner(partner="licence", by="staff:wang", now=timezone.now())
    desk.deliver()
    assert desk.state("A1") == "active"


def test_its_breaker_opens(desk, admin_client, settings):
    settings.BREAKER_FAILURES = 3
    numbers = ("1", "2", "3")
    desk.play(*(trial(f"T{number}", f"{number}.example.com") for number in numbers))
    desk.sandbox.fault(path=PATH, kind="500", count=20)
    desk.play(*(activation(f"A{number}", of=f"T{number}") for number in numbers))
    assert Incident.objects.get(code="breaker_open").partner == "licence"
    assert (stage(desk, admin_client).result, desk.state("A1")) == ("对方故障", "in_progress")


@pytest.mark.parametrize("name", ["dispatch", "incident"])
def test_lists_filter_by_it(desk, admin_client, name):
    fail(desk, "refusal")
    url = reverse(f"admin:orders_{name}_changelist")
    assert admin_client.get(url, {"partner": "files"}).context["cl"].result_count == 0
    assert admin_client.get(url, {"partner": "licence"}).context["cl"].result_count == 1

"""Staff move a trial's last day (contract 3.9, 18 and 19). The new day is an end that staff took, and is posted like
the end of a change."""

import datetime

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from orders.models import AskedAct, Dispatch
from orders.trials.trial_state_reads import shape_of
from tests import factories
from tests.admin.orders import deciding, filled, page
from tests.flows.conftest import BILLING
from tests.flows.contents import activation, change, trial, withdrawal

A, B = "a.example.com", "b.example.com"
EXTEND = "extend_trial_billing"
OLD, NEW, SOONER = "20231020", "20231110", "20230925"


@pytest.fixture
def trialing(desk):
    desk.play(trial("T1", A, B, BizEnd=OLD))
    assert ends_there(desk) == [f"{OLD}235959"]
    return desk


def asked(day: str = NEW, number: str = "T1", **options) -> None:
    call_command("move_end", number, day, reason="客户要求", **options)


def moved(desk, *about: str) -> None:
    asked(*about)
    desk.deliver()


def ends_there(desk) -> list[str]:
    return sorted({row["cancelTime"] for row in desk.held_there("T1").values() if row["cancelStatus"] == "1"})


def meant(desk) -> str:
    return f"{shape_of(desk.order('T1')).end:%Y%m%d}"


@pytest.mark.parametrize("day", [NEW, SOONER, "20230920"])
def test_the_records_are_posted_with_the_new_end_and_their_old_begin(trialing, day, capsys):
    begun = {row["createTime"] for row in trialing.held_there("T1").values()}
    trialing.clock.shift(60)
    keys = set(Dispatch.objects.values_list("key", flat=True))
    moved(trialing, day)
    assert "2 live billing records are posted again with their new end" in capsys.readouterr().out
    assert (trialing.state("T1"), meant(trialing), ends_there(trialing)) == ("trialing", day, [f"{day}235959"])
    assert {row["createTime"] for row in trialing.held_there("T1").values()} == begun
    step = trialing.step("T1", EXTEND)
    assert (step.state, step.attempts, step.key in keys) == ("done", 1, False)
    [event] = trialing.events("T1", "end_moved")
    assert (event["end_before"], event["end"], event["reason"]) == (
        "2023-10-20",
        f"{day[:4]}-{day[4:6]}-{day[6:]}",
        "客户要求",
    )
    trialing.sweep(f"{day[:4]}-{day[4:6]}-{day[6:]} 23:59:00")
    assert trialing.state("T1") == "trialing"
    trialing.sweep(after=70)
    assert (trialing.state("T1"), trialing.troubles("T1")) == ("ended", [])
    call_command("reconcile", "T1")


def test_it_counts_until_a_change_names_an_end(trialing):
    moved(trialing)
    trialing.play(change("C1", A, B, "c.example.com"))
    assert (meant(trialing), ends_there(trialing)) == (NEW, [f"{NEW}235959"])
    trialing.play(change("C2", BizEnd="20231201"))
    assert (meant(trialing), ends_there(trialing)) == ("20231201", ["20231201235959"])
    trialing.play(withdrawal("C2"))
    assert (meant(trialing), ends_there(trialing)) == (NEW, [f"{NEW}235959"])


def test_an_activation_and_its_withdrawal_keep_it(trialing):
    moved(trialing)
    trialing.play(activation("A1"))
    assert (trialing.state("T1"), ends_there(trialing)) == ("converted", [])
    trialing.play(withdrawal("A1"))
    trialing.wait_out()
    assert (trialing.state("T1"), ends_there(trialing)) == ("trialing", [f"{NEW}235959"])


def test_a_trial_without_an_end_gets_one(desk):
    desk.play(trial("T1", A))
    moved(desk)
    assert (meant(desk), ends_there(desk)) == (NEW, [f"{NEW}235959"])
    assert desk.events("T1", "end_moved")[0]["end_before"] is None


def test_the_dry_run_changes_nothing(trialing, capsys):
    asked(SOONER, dry_run=True)
    out = capsys.readouterr().out
    assert "The customer loses days of the trial: it ends on 2023-09-25, not on 2023-10-20." in out
    assert "dry run: nothing was changed" in out
    assert (meant(trialing), trialing.step("T1", EXTEND), trialing.events("T1", "end_moved")) == (OLD, None, [])


def test_a_refused_post_is_resent_or_given_up(trialing, settings):
    """After a refused post, the trial keeps its new end and runs on, and the incident stays until `resend` or
    `give_up`. A step that is given up leaves a difference, which a fix sends."""
    trialing.sandbox.fault(path=BILLING, kind="refusal")
    moved(trialing)
    assert (trialing.state("T1"), meant(trialing), ends_there(trialing)) == ("trialing", NEW, [f"{OLD}235959"])
    assert trialing.step("T1", EXTEND).state == "failed"
    assert trialing.troubles("T1")
    with pytest.raises(CommandError, match="under way"):
        asked("20231201")
    call_command("resend", "T1")
    trialing.deliver()
    assert (ends_there(trialing), trialing.troubles("T1")) == ([f"{NEW}235959"], [])
    trialing.sandbox.fault(path=BILLING, kind="refusal")
    moved(trialing, "20231201")
    trialing.command("give_up", "T1", reason="x")
    assert (trialing.state("T1"), meant(trialing), trialing.troubles("T1")) == ("trialing", "20231201", ["difference"])
    with pytest.raises(CommandError):
        call_command("reconcile", "T1", fix=True)
    trialing.deliver()
    assert (ends_there(trialing), trialing.troubles("T1")) == (["20231201235959"], [])
    moved(trialing, "20231205")
    assert (ends_there(trialing), trialing.troubles("T1")) == (["20231205235959"], [])


def test_giving_it_up_leaves_a_changed_service_alone(trialing):
    trialing.play(change("C1", BusinessType="4"))
    trialing.sandbox.fault(path=BILLING, kind="refusal")
    moved(trialing)
    trialing.command("give_up", "T1", reason="x")
    assert (set(shape_of(trialing.order("T1")).domains), trialing.state("T1")) == ({A, B}, "trialing")
    trialing.command("accept", "T1", reason="x")
    assert (ends_there(trialing), trialing.troubles("T1")) == ([f"{OLD}235959"], [])


def test_an_unanswered_post_is_repeated_with_the_same_bytes(trialing):
    trialing.sandbox.fault(path=BILLING, kind="reset_after")
    moved(trialing)
    first = trialing.step("T1", EXTEND)
    trialing.wait_out()
    step = trialing.step("T1", EXTEND)
    assert (step.state, step.key, ends_there(trialing), trialing.troubles("T1")) == (
        "done",
        first.key,
        [f"{NEW}235959"],
        [],
    )


def why(number: str = "T1", day: str = NEW) -> str:
    with pytest.raises(CommandError) as error:
        asked(day, number)
    return str(error.value)


def test_what_can_not_be_moved_says_why(trialing):
    desk = trialing
    assert why(day="20230919") == "argument day: 20230919 has passed; today or later is possible"
    assert why(day=OLD) == "argument day: 20231020 is its last day already"
    assert why(day="20331001") == "argument day: 20331001 is not within ten years"
    assert "is no day (YYYYMMDD)" in why(day="2023-10-01")
    assert why("T9") == "order T9 is unknown"
    desk.post(change("C1", A))
    assert why() == "A billing step of the order or its trial is under way; try again when it has ended."
    desk.deliver()
    assert why("C1") == "order C1 is no trial"
    desk.play(activation("A1", start="20231001"))
    assert why() == "activation A1 holds trial T1, so its end can't be moved"
    desk.play(withdrawal("A1"))
    desk.wait_out()
    desk.play(withdrawal("T1"))
    assert why() == "trial T1 is not running (state withdrawn)"


def test_the_page_says_the_day_before_what_will_end(trialing, admin_client):
    order = trialing.order("T1")
    assert "明天结束" not in admin_client.get(page(order)).text
    trialing.at("2023-10-19 09:00:00")
    text = admin_client.get(page(order)).text
    assert ("明天结束" in text, "2 个域名" in text, A in text, deciding(order, "move_end") in text) == (True,) * 4
    trialing.at("2023-10-20 09:00:00")
    assert "今天结束" in admin_client.get(page(order)).text
    moved(trialing)
    assert "今天结束" not in admin_client.get(page(order)).text


def test_an_earlier_end_is_asked_once_more_on_the_page(trialing, admin_client):
    order = trialing.order("T1")
    form = filled(order, "move_end", day="2023-09-25")
    told = admin_client.post(deciding(order, "move_end"), form)
    assert (told.status_code, "2023-09-25 结束" in told.text, meant(trialing)) == (409, True, OLD)
    assert admin_client.post(deciding(order, "move_end"), form | {"told": told.context["told"]}).status_code == 302
    trialing.deliver()
    assert ends_there(trialing) == [f"{SOONER}235959"]
    assert "试用到期日已调整：2023-10-20 → 2023-09-25" in admin_client.get(page(order, "?tab=events")).text


def test_where_a_second_person_is_asked(trialing, settings, client, capsys):
    settings.FOUR_EYES, settings.SITE_URL = {"move_end": 0}, "https://desk.example.com"
    factories.UserFactory(username="li", is_superuser=True)
    with pytest.raises(SystemExit):
        asked(by="li")
    assert (meant(trialing), AskedAct.objects.get().act) == (OLD, "move_end")
    client.force_login(factories.UserFactory(username="wang", is_superuser=True))
    row = AskedAct.objects.get()
    shown = client.get(reverse("admin:orders_askedact_change", args=[row.pk]))
    told = {"told": shown.context["preview"].told, "seen": shown.context["preview"].last_event_id}
    assert client.post(reverse("admin:orders_askedact_confirm", args=[row.pk]), told).status_code == 302
    trialing.deliver()
    assert ends_there(trialing) == [f"{NEW}235959"]


def test_no_move_while_an_unanswered_call_may_still_act(trialing):
    Dispatch.objects.filter(step="create_trial_billing").update(unanswered_at=timezone.now())
    assert "may still act" in why()
    trialing.clock.shift(datetime.timedelta(minutes=11).total_seconds())
    moved(trialing)
    assert ends_there(trialing) == [f"{NEW}235959"]

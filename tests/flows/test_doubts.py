"""Steps in doubt, proofs and holds of partner calls (contract 7.2)."""

import importlib
import json
import types

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from integrations.base.other_desk import register_process
from integrations.delivery import loop
from integrations.onboarding.call_status import call_statuses, doubtful_answers
from integrations.outbound.failure_classification import PartnerError
from integrations.partners.calls import read_kept
from integrations.partners.profile import read_profile
from notifications.models import Mail
from orders.incidents.incidents import close_troubles, open_incident
from orders.models import AffectedOrder, Dispatch, Incident, PartnerHold, PartnerProof
from orders.outbox import proven_calls
from project.observability.status_report import desk_status
from tests.bpm_messages import approval, post_signed
from tests.flows.conftest import BILLING, BPM, QUERY
from tests.flows.contents import activation, trial

A = "a.example.com"


@pytest.fixture
def prove(settings):
    settings.PARTNER_ANSWERS = "prove"
    proven_calls.known.clear()
    proven_calls.free.clear()
    yield settings
    proven_calls.known.clear()
    proven_calls.free.clear()


def undone(desk, number="A1"):
    return desk.events(number, "undo_mark")


# --- a step in doubt is not undone automatically


@pytest.mark.parametrize("last", ["garbage", "refusal", "503"])
def test_an_answer_that_nobody_understands_undoes_nothing(desk, settings, trialing, last):
    settings.DISPATCH_RETRY_SECONDS = [1]
    desk.sandbox.fault(path=BPM, kind="garbage")
    desk.sandbox.fault(path=BPM, kind=last)
    desk.play(activation("A1"))
    desk.wait_out()
    step = desk.step("A1", "start_bpm")
    assert (step.state, step.error_code) == ("failed", "not_understood")
    assert (step.definite, step.may_have_acted) == (False, True)
    assert (desk.state("A1"), desk.troubles("A1"), undone(desk)) == ("failed", ["not_understood"], [])
    assert desk.alive_there("A1") == [A]
    assert step.tries.first().outcome == "unclear"
    desk.command("resend", "A1")
    assert (desk.state("A1"), desk.troubles("A1")) == ("active", [])
    assert len({call["key"] for call in desk.sandbox.calls(path=BPM)}) == 1


@pytest.mark.parametrize("faults", [["503", "503"], ["reset_after", "refusal"], ["503", "refusal"]])
def test_a_start_without_an_answer_is_not_undone(desk, settings, trialing, faults):
    settings.DISPATCH_RETRY_SECONDS = [1]
    for kind in faults:
        desk.sandbox.fault(path=BPM, kind=kind)
    desk.play(activation("A1"))
    desk.wait_out()
    step = desk.step("A1", "start_bpm")
    assert (step.state, step.error_code, step.definite) == ("failed", "unanswered", False)
    assert (desk.troubles("A1"), undone(desk), desk.alive_there("A1")) == (["unanswered"], [], [A])
    desk.command("compensate", "A1", reason="BPM 没有此流程")
    assert (desk.state("A1"), desk.alive_there("A1")) == ("failed", [])


def test_a_billing_step_refused_after_a_silence_is_looked_up(desk, settings, trialing):
    settings.DISPATCH_RETRY_SECONDS = [1, 1]
    desk.sandbox.fault(path=BILLING, kind="slow", seconds=0)  # lets the cancel of the trial's records pass
    desk.sandbox.fault(path=BILLING, kind="503")
    desk.sandbox.fault(path=BILLING, kind="refusal")
    desk.play(activation("A1"))
    desk.wait_out()
    step = desk.step("A1", "create_billing")
    assert (step.state, step.error_code) == ("failed", "acted_before")
    assert (undone(desk), desk.sent(QUERY)) == ([], [{"jobId": "A1"}])


# --- one incident for each partner and call


def kept_open(desk, *numbers):
    rows = AffectedOrder.objects.unresolved().filter(order__number__in=numbers).order_by("order__number")
    return [(row.order.number, row.own_step) for row in rows]


def test_steps_of_one_call_share_an_incident_and_a_mail(desk, settings, trialing):
    """Creates of trial records and of commercial records use the same call, `bigdata.post`. So their steps share one
    incident and one mail."""
    settings.DISPATCH_RETRY_SECONDS = []
    desk.sandbox.fault(path=BILLING, kind="garbage")
    desk.play(trial("T2", "b.example.com"))
    desk.sandbox.fault(path=BILLING, kind="slow", seconds=0)  # lets the cancel of the trial's records pass
    desk.sandbox.fault(path=BILLING, kind="garbage")
    desk.play(activation("A1"))
    desk.sandbox.fault(path=BPM, kind="garbage")
    desk.play(trial("T3", "c.example.com"), activation("A3", of="T3"))
    incidents = Incident.objects.unresolved().filter(code="not_understood").order_by("pk")
    assert [(row.partner, row.affected.count()) for row in incidents] == [("bigdata", 2), ("bpm", 1)]
    assert kept_open(desk, "A1", "T2") == [("A1", "create_billing"), ("T2", "create_trial_billing")]
    of_post = doubtful_answers().filter(call="bigdata.post").order_by("pk")
    assert [(row.order, row.incident) for row in of_post] == [("T2", incidents[0].pk), ("A1", incidents[0].pk)]
    mails = Mail.objects.filter(kind="mail_incident", about__incident=incidents[0].pk)
    assert [mail.order.number for mail in mails] == ["T2"]
    desk.command("resend", "A1")
    assert (desk.state("A1"), kept_open(desk, "A1", "T2")) == ("active", [("T2", "create_trial_billing")])
    desk.command("resend", "T2")
    assert [row.state for row in Incident.objects.filter(code="not_understood").order_by("pk")] == ["resolved", "open"]


def test_an_order_stays_in_the_incident_until_its_last_step_in_doubt_is_settled(desk, settings, trialing):
    settings.DISPATCH_RETRY_SECONDS = []
    desk.sandbox.fault(path=BILLING, kind="garbage")
    desk.play(activation("A1"))
    order, cancel = desk.order("A1"), Dispatch.objects.filter(order__number="A1", step="cancel_trial_billing")
    Dispatch.objects.filter(pk=desk.step("A1", "create_billing").pk).update(state="failed", error_code="not_understood")
    cause = {"partner": "bigdata", "code": "not_understood", "detail": "x"}
    for step in ("cancel_trial_billing", "create_billing"):
        open_incident(order, step=step, now=timezone.now(), **cause)
    for step in ("cancel_trial_billing", "create_billing"):
        # after the first round, the other step is still in doubt
        close_troubles(order, step=step, now=timezone.now(), by="x")
        assert desk.troubles("A1") == ["not_understood"]
    desk.command("resend", "A1", "--channel", "billing")
    assert {row.state for row in cancel} == {"done"}
    assert (desk.troubles("A1"), desk.state("A1")) == ([], "active")


def test_accept_ends_each_step_in_doubt_that_shares_the_incident(desk, settings, active):
    """`accept` ends all steps in doubt that share the incident, because otherwise a step would stay in doubt without
    an incident. The record is still live at the big-data side, which is an incident of its own."""
    settings.DISPATCH_RETRY_SECONDS = []
    desk.sandbox.fault(path=BILLING, kind="garbage", count=2)
    desk.command("attribute", "A1", "GD", "--move", reason="客户归属有误")
    desk.at("2023-10-20 09:00:00")
    desk.command("withdraw", "A1", "--cancel", reason="客户要求")
    failed = Dispatch.objects.current().filter(order__number="A1", state="failed")
    assert [row.step for row in failed.order_by("pk")] == ["move_attribution_billing", "cancel_billing"]
    assert desk.troubles("A1") == ["not_understood"]
    desk.command("accept", "A1", reason="已与大数据侧确认")
    assert (failed.count(), desk.troubles("A1")) == (0, ["billed_not_active"])


def test_a_page_names_what_the_steps_of_an_incident_have_in_common(desk, settings, admin_client):
    settings.DISPATCH_RETRY_SECONDS = []
    desk.sandbox.fault(path=BILLING, kind="garbage")
    desk.play(trial("T1", A))
    page = admin_client.get("/admin/orders/incident/").content.decode()
    assert ("下发试用话单" in page, "话单下发" in page) == (False, True)


# --- proofs of calls


def test_the_first_refusal_of_a_start_is_doubtful_and_holds(desk, prove, clock):
    desk.play(trial("T1", A))
    assert PartnerProof.objects.get().kind == "create"
    desk.sandbox.fault(path=BPM, kind="refusal")
    desk.play(activation("A1"))
    assert (desk.state("A1"), desk.troubles("A1"), undone(desk)) == ("failed", ["unproven"], [])
    assert desk.alive_there("A1") == [A]
    [held] = PartnerHold.objects.filter(ended_at=None)
    assert (held.partner, held.call, held.order, held.code) == ("bpm", "bpm.start", "A1", "unproven")
    desk.play(trial("T2", "b.example.com"), activation("A2", of="T2"))
    assert desk.step("A2", "start_bpm").state == "due"  # the hold costs the step no attempt
    assert desk.step("A2", "start_bpm").attempts == 0
    desk.command("resume", "bpm")
    assert desk.state("A2") == "active"
    assert {row.kind for row in PartnerProof.objects.all()} == {"create", "cancel", "start"}
    desk.sandbox.fault(path=BPM, kind="refusal")
    desk.play(trial("T3", "c.example.com"), activation("A3", of="T3"))
    assert (desk.state("A3"), desk.troubles("A3"), desk.alive_there("A3")) == ("failed", ["code_400"], [])


def test_what_is_not_understood_at_an_unproven_call_ends_at_once_and_holds(desk, prove):
    desk.sandbox.fault(path=BILLING, kind="garbage")
    desk.play(trial("T1", A), trial("T2", "b.example.com"))
    assert desk.step("T1", "create_trial_billing").error_code == "not_understood"
    assert desk.step("T1", "create_trial_billing").attempts == 1
    assert desk.step("T2", "create_trial_billing").attempts == 0
    assert len(desk.sent(BILLING)) == 1
    desk.command("resume", "bigdata")
    assert desk.state("T2") == "trialing"
    desk.command("resend", "T1")
    assert desk.state("T1") == "trialing"


def test_one_of_an_unproven_kind_is_in_the_air(desk, prove):
    desk.post(trial("T1", A))
    desk.post(trial("T2", "b.example.com"))
    [work] = desk.claim()
    assert desk.claim() == []
    desk.deliver(after=3600)
    assert (desk.state("T1"), desk.state("T2"), work.order) == ("trialing", "trialing", "T1")


def test_other_rules_are_proven_anew(desk, prove):
    desk.play(trial("T1", A))
    prove.PARTNERS = read_profile("[bigdata.answer]\nsuccess = [{ code = [200, 0] }]")
    desk.sandbox.fault(path=BILLING, kind="refusal")
    desk.play(trial("T2", "b.example.com"))
    assert desk.troubles("T2") == ["unproven"]


def test_the_incident_has_the_lines_that_decide(desk, prove):
    desk.play(trial("T1", A))
    desk.sandbox.fault(path=BPM, kind="refusal")
    desk.play(activation("A1"))
    told = AffectedOrder.objects.unresolved().get(order__number="A1").detail_params
    assert (told["code"], told["number"], told["answer"][:16]) == ("doubt_bpm_rule", "A1", 'HTTP 200 {"code"')
    assert told["success"] == "bpm.answer.success = [{ code = [200] }, { code = [400] }]"
    prove.PARTNERS = read_profile(told["refused"])
    desk.command("resume", "bpm")
    desk.command("resend", "A1")
    assert desk.state("A1") == "active"
    prove.PARTNERS = read_profile(told["success"])
    assert read_kept(doubtful_answers()[0])[0] == "success"


def test_the_incident_has_them_for_a_success_that_sounds_like_later(desk, prove):
    desk.play(trial("T1", A))
    desk.sandbox.fault(path=BPM, kind="refusal", code=1000, count=7)
    desk.play(activation("A1"))
    desk.wait_out()
    assert (desk.troubles("A1"), undone(desk), desk.alive_there("A1")) == (["unanswered"], [], [A])
    told = AffectedOrder.objects.unresolved().get(order__number="A1").detail_params
    prove.PARTNERS = read_profile(told["success"])
    desk.sandbox.fault(path=BPM, kind="refusal", code=1000)
    desk.command("resend", "A1")
    assert desk.state("A1") == "active"


def test_how_calls_stand(desk, prove, capsys, admin_client):
    desk.play(trial("T1", A))
    desk.sandbox.fault(path=BPM, kind="refusal")
    desk.play(activation("A1"), trial("T2", "b.example.com"), activation("A2", of="T2"))
    calls = {row.name: row for row in call_statuses()}
    post, start = calls["bigdata.post"], calls["bpm.start"]
    assert (post.proofs["create"].order, post.held, post.accepted.dispatch.order.number) == ("T1", None, "A2")
    assert (start.proofs, start.held.order, start.refused.dispatch.order.number) == ({"start": None}, "A1", "A1")
    assert [bytes(row.raw)[:6] for row in doubtful_answers()] == [b'{"code']
    assert any("bpm is held" in reason for reason in desk_status(timezone.now())["reasons"])
    call_command("show", "A2")
    assert "waits for `resume bpm`: bpm is held" in capsys.readouterr().out
    page = admin_client.get("/admin/orders/pause/bpm/resume/").content.decode()
    assert "A1" in page
    assert "先只发一个" in page
    assert desk_status(timezone.now())["way_back"] == ["resume bpm, which the desk holds"]
    call_command("resume", "bpm")
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("was held since 2023-09-20 18:5")
    assert "bpm.start of A1: unproven" in told[0]
    assert told[1].startswith("bpm goes on: 1 step waits")


def test_an_upgrade_proves_what_done_steps_show(desk, trialing, prove):
    migration = importlib.import_module("integrations.migrations.0013_partner_proofs")
    for _ in range(2):
        migration.prove_what_is_done(apps, types.SimpleNamespace(connection=connection))
    assert [(row.kind, row.order) for row in PartnerProof.objects.all()] == [("create", "T1")]
    assert proven_calls.is_proven("create")
    PartnerProof.objects.all().delete()
    prove.PARTNERS = read_profile("[bigdata.answer]\nsuccess = [{ code = [0] }]")
    migration.prove_what_is_done(apps, types.SimpleNamespace(connection=connection))
    assert not PartnerProof.objects.exists()


def test_trust_asks_for_no_proof(desk):
    desk.sandbox.fault(path=BILLING, kind="refusal")
    desk.play(trial("T1", A))
    assert desk.troubles("T1") == ["code_400"]
    assert not PartnerProof.objects.exists()


# --- many refusals in a row


def play_more(desk, *names):
    for name in names:
        desk.play(trial(f"T{name}", f"{name}.example.com"), activation(f"A{name}", of=f"T{name}"))


def test_the_third_refusal_in_the_same_words_undoes_nothing(desk, prove):
    play_more(desk, "0")
    desk.sandbox.fault(path=BPM, kind="refusal", count=4)
    play_more(desk, "1", "2", "3", "4")
    assert [bool(undone(desk, f"A{n}")) for n in "1234"] == [True, True, False, False]
    assert [desk.troubles(f"A{n}") for n in "234"] == [["code_400"], ["refusals_in_a_row"], ["refusals_in_a_row"]]
    assert not PartnerHold.objects.exists()
    play_more(desk, "5")
    desk.sandbox.fault(path=BPM, kind="refusal")
    play_more(desk, "6")
    assert undone(desk, "A6")


def test_refusals_with_a_success_between_or_far_apart_are_no_run(desk, prove, clock):
    for name in ["ok0", "1", "later", "2", "3", "ok1", "4", "5", "ok2", "6", "7"]:
        if name == "later":
            clock.shift(25 * 3600)
            continue
        if not name.startswith("ok"):
            desk.sandbox.fault(path=BPM, kind="refusal")
        play_more(desk, name)
    assert all(undone(desk, f"A{n}") for n in "1234567")


def test_one_order_alone_is_no_run(desk, prove):
    play_more(desk, "0")
    desk.sandbox.fault(path=BPM, kind="refusal", count=3)
    play_more(desk, "1")
    for _ in range(2):
        desk.command("resend", "A1")
    assert len(undone(desk)) == 3


# --- stored answers are read again before a call is repeated


def test_a_success_in_other_words_ends_the_step_without_a_call(desk, prove):
    """The partner reports success with `code` 400, which the desk read as a refusal. The new profile reads the stored
    answer as success, so BPM is not called again."""
    desk.play(trial("T1", A))
    desk.sandbox.fault(path=BPM, kind="refusal")
    desk.play(activation("A1"))
    calls = len(desk.sandbox.calls(path=BPM))
    prove.PARTNERS = read_profile("[bpm.answer]\nsuccess = [{ code = [200, 400] }]")
    desk.command("resume", "bpm")
    assert (desk.state("A1"), desk.troubles("A1")) == ("active", [])
    assert len(desk.sandbox.calls(path=BPM)) == calls
    assert PartnerProof.objects.filter(kind="start").count() == 1


def test_resend_reads_first_too(desk, prove):
    desk.sandbox.fault(path=BILLING, kind="refusal")
    desk.play(trial("T1", A))
    prove.PARTNERS = read_profile("[bigdata.answer]\nsuccess = [{ code = [200, 400] }]")
    desk.command("resend", "T1")
    assert (desk.state("T1"), desk.troubles("T1")) == ("trialing", [])
    assert (len(desk.sent(BILLING)), PartnerHold.objects.filter(ended_at=None).count()) == (1, 0)


def test_an_order_that_was_undone_before_keeps_the_key_of_its_start(desk, trialing, settings):
    desk.sandbox.fault(path=BPM, kind="refusal")
    desk.play(activation("A1"))
    settings.PARTNER_ANSWERS = "prove"
    settings.PARTNERS = read_profile("[bpm.answer]\nsuccess = [{ code = [200, 400] }]")
    desk.command("resend", "A1")
    assert len({call["key"] for call in desk.sandbox.calls(path=BPM)}) == 1


OTHERWISE = "[bpm.answer]\nsuccess = [{ code = [200, 400] }]"


def test_a_changed_profile_lists_what_would_read_otherwise(desk, prove, caplog):
    """After a change of the profile, the desk lists stored answers that the new profile reads differently: a step in
    doubt, and starts whose orders were undone. The list changes nothing."""
    play_more(desk, "0")
    desk.sandbox.fault(path=BPM, kind="refusal", count=3)
    play_more(desk, "1", "2", "3")
    assert [desk.state(f"A{n}") for n in "123"] == ["failed"] * 3
    register_process("worker")
    assert desk_status(timezone.now())["read_otherwise"] == []
    prove.PARTNERS = read_profile(OTHERWISE)
    register_process("worker, reloaded", changed=True)
    assert "3 answers would read otherwise; `resume` and `resend` carry it out: A3 bpm.start refused" in caplog.text
    assert [desk.step("A3", "start_bpm").state, desk.step("A2", "start_bpm").may_have_acted] == ["failed", False]
    found = desk_status(timezone.now())
    assert found["read_otherwise"] == ["A3", "A2", "A1"]
    assert any("3 answers would read otherwise now: `resume` or `resend`" in reason for reason in found["reasons"])
    desk.command("resend", "A3")
    desk.command("resend", "A1")
    assert desk_status(timezone.now())["read_otherwise"] == ["A2"]


# --- ways to end a doubt


@pytest.fixture
def in_doubt(desk, settings, trialing):
    settings.DISPATCH_RETRY_SECONDS = []
    desk.sandbox.fault(path=BPM, kind="503")
    desk.play(activation("A1"))
    assert desk.troubles("A1") == ["unanswered"]


def test_bpm_has_the_process(desk, in_doubt):
    desk.command("take", "A1", "--step", "start_bpm", "--process", "P-7", reason="BPM 说有")
    assert (desk.state("A1"), desk.order("A1").bpm_process) == ("active", "P-7")
    assert desk.troubles("A1") == ["acted_before"]
    assert len(desk.sandbox.calls(path=BPM)) == 1
    desk.decided("A1", "pass")
    assert desk.troubles("A1") == []


def test_the_page_asks_no_step_where_only_the_start_is_in_doubt(desk, in_doubt, admin_client):
    address = reverse("admin:orders_order_decide", args=[desk.order("A1").pk, "take"])
    page = admin_client.get(address)
    form = page.context["form"]
    filled = {"reason": "BPM 说有", "seen": form.initial["seen"], "step": form.fields["step"].initial}
    assert admin_client.post(address, filled).status_code == 302
    assert (desk.state("A1"), desk.troubles("A1")) == ("active", ["acted_before"])


def test_only_a_start_in_doubt_is_taken(desk, active):
    with pytest.raises(CommandError, match="start_bpm"):
        desk.command("take", "A1", "--step", "start_bpm", reason="x")


def test_bpm_did_nothing(desk, in_doubt):
    with pytest.raises(CommandError, match="--reason"):
        desk.command("resend", "A1", "--new")
    desk.command("resend", "A1", "--new", "--reason", "BPM 说没有")
    assert (desk.state("A1"), desk.troubles("A1")) == ("active", [])
    assert len({call["key"] for call in desk.sandbox.calls(path=BPM)}) == 2
    with pytest.raises(CommandError, match="declined"):
        desk.command("resend", "A1", "--new", "--reason", "x")


def test_a_compensated_order_is_opened_with_a_new_key(desk, in_doubt):
    desk.command("compensate", "A1", reason="x")
    desk.command("resend", "A1", "--new", "--reason", "BPM 说没有")
    assert desk.state("A1") == "active"
    assert len({call["key"] for call in desk.sandbox.calls(path=BPM)}) == 2


def test_a_start_in_doubt_is_compensated_where_nothing_is_billed_yet(desk, settings, active):
    settings.DISPATCH_RETRY_SECONDS = []
    desk.sandbox.fault(path=BPM, kind="503")
    desk.play(activation("A2", "b.example.com"))
    assert (desk.troubles("A2"), desk.alive_there("A2")) == (["unanswered"], [])
    desk.command("compensate", "A2", reason="x")
    assert (desk.state("A2"), set(desk.troubles("A2"))) == ("failed", {"unanswered", "compensated"})
    desk.command("resend", "A2", "--new", "--reason", "BPM 说没有")
    assert (desk.state("A2"), desk.troubles("A2")) == ("awaiting_approval", [])


@pytest.mark.parametrize("acted", [True, False])
def test_a_billing_step_goes_out_anew_only_where_nothing_is_there(desk, settings, acted):
    settings.DISPATCH_RETRY_SECONDS = []
    desk.sandbox.fault(path=BILLING, kind="garbage")
    desk.play(trial("T1", A))
    assert desk.troubles("T1") == ["not_understood"]
    if acted:
        desk.command("resend", "T1")
        Dispatch.objects.update(state="failed", error_code="not_understood", definite=False)
        with pytest.raises(CommandError, match="declined"):
            desk.command("resend", "T1", "--new", "--reason", "x")
        desk.command("take", "T1", reason="x")
    else:
        desk.command("resend", "T1", "--new", "--reason", "x")
    assert desk.state("T1") == "trialing"
    assert len({call["key"] for call in desk.sandbox.calls(path=BILLING)}) == (1 if acted else 2)


@pytest.mark.parametrize("paused", [True, False])
def test_a_billing_step_is_not_sent_anew_while_nobody_says_what_is_there(desk, settings, capsys, paused):
    settings.DISPATCH_RETRY_SECONDS = []
    desk.sandbox.fault(path=BILLING, kind="garbage")
    desk.play(trial("T1", A))
    if paused:
        call_command("pause", "bigdata", reason="x", by="test")
    desk.sandbox.fault(path=QUERY, kind="503")
    with pytest.raises(CommandError, match="1 declined"):
        desk.command("resend", "T1", "--new", "--reason", "大数据侧没有")
    why = "nothing was asked: bigdata is paused" if paused else "the big-data side does not answer (http_503)"
    assert f"T1 create_trial_billing: {why}" in capsys.readouterr().out
    assert (desk.troubles("T1"), len(desk.sent(BILLING))) == (["not_understood"], 1)


@pytest.mark.parametrize("finished", [True, False])
def test_any_callback_settles_a_start_in_doubt(desk, in_doubt, finished):
    post_signed(desk.client, json.dumps(approval("A1", finished=finished)).encode())
    desk.deliver()
    assert (desk.step("A1", "start_bpm").state, desk.state("A1")) == ("done", "active")
    assert desk.troubles("A1") == []


# --- a BPM that does not recognize a repeated key


@pytest.fixture
def ask(settings, desk, trialing):
    settings.PARTNERS = read_profile('[bpm]\nrepeats = "ask"')
    return settings


@pytest.mark.parametrize("kind", ["503", "reset", "garbage"])
def test_what_may_have_acted_is_not_repeated(desk, ask, kind):
    desk.sandbox.fault(path=BPM, kind=kind)
    desk.play(activation("A1"))
    assert desk.troubles("A1") == ["not_understood" if kind == "garbage" else "unanswered"]
    desk.wait_out()
    with pytest.raises(CommandError, match="1 declined"):
        desk.command("resend", "A1")
    assert (len(desk.sandbox.calls(path=BPM)), undone(desk)) == (1, [])
    desk.command("resend", "A1", "--new", "--reason", "BPM 说没有")
    assert desk.state("A1") == "active"
    with pytest.raises(CommandError, match="1 declined"):
        desk.command("resend", "A1", "--channel", "bpm", "--force")


def test_the_page_offers_no_resend_that_is_declined(desk, ask, admin_client):
    desk.sandbox.fault(path=BPM, kind="503")
    desk.play(activation("A1"))
    address = reverse("admin:orders_order_decide", args=[desk.order("A1").pk, "resend"])
    assert admin_client.get(address).context["why_not"]
    ask.PARTNERS = read_profile("")
    assert not admin_client.get(address).context["why_not"]


def test_what_did_not_act_is_tried_again(desk, ask):
    desk.sandbox.fault(path=BPM, kind="429")
    desk.play(activation("A1"))
    desk.deliver(after=3600)
    assert desk.state("A1") == "active"


@pytest.mark.parametrize("way", ["opened again", "rules changed"])
def test_what_may_have_acted_is_not_repeated_by_another_road_either(desk, ask, way):
    """A start that may have acted is not repeated. This holds for an order that is opened again, which keeps the key
    of its start, and for a start that waits when the profile begins to `ask`."""
    asks = ask.PARTNERS
    if way == "rules changed":
        ask.PARTNERS = read_profile("")
    desk.sandbox.fault(path=BPM, kind="reset_after")
    desk.play(activation("A1"))
    if way == "opened again":
        desk.command("compensate", "A1", reason="x")
        desk.command("resend", "A1")
    ask.PARTNERS = asks
    desk.wait_out()
    assert (desk.troubles("A1"), desk.step("A1", "start_bpm").state) == (["unanswered"], "failed")
    assert (len(desk.sandbox.calls(path=BPM)), desk.alive_there("A1")) == (1, [A])
    desk.command("take", "A1", "--step", "start_bpm", reason="BPM 说有")
    assert desk.state("A1") == "active"


def test_a_lost_attempt_is_not_repeated(desk, ask):
    desk.post(activation("A1"))
    desk.in_the_air()
    desk.deliver(after=3600)
    assert (desk.troubles("A1"), desk.sandbox.calls(path=BPM)) == (["unanswered"], [])


def test_a_start_is_no_probe_until_bpm_can_be_reached(desk, ask, monkeypatch):
    answers = iter([PartnerError("no connection", code="refused"), 404])

    def reach(url, *, timeout):
        if isinstance(answer := next(answers), PartnerError):
            raise answer
        return answer

    monkeypatch.setattr(loop, "check_reachable", reach)
    assert [loop._may_send_probe("bpm") for _ in range(2)] == [False, True]
    assert loop._may_send_probe("bigdata")

"""A big-data side that can't be queried: a person looks at its records instead (contract 7.2, `query.path = ""`)."""

import datetime
import json

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from integrations import tasks
from integrations.partners.profile import read_profile
from orders.models import AskedAct, BillingRecord, Dispatch, OrderEvent, Reconciliation
from project.observability.status_report import desk_status
from tests.flows.conftest import BILLING, DELETE, QUERY, code_of, now, seen
from tests.flows.contents import activation, change, trial

A, B = "a.example.com", "b.example.com"


@pytest.fixture
def no_look_up(desk, settings):
    settings.PARTNERS = read_profile('[bigdata]\nquery.path = ""')
    settings.DISPATCH_RETRY_SECONDS = [30]
    yield settings
    assert desk.sent(QUERY) == []


def take(desk, number, path, *, as_of="", **more):
    desk.command("take", number, *seen(path, as_of), reason="已在大数据侧查看", by="test", **more)


@pytest.fixture
def unknown(desk, no_look_up):
    """The first call of a trial's create had no answer, and a change follows it. So the records after the change must
    be looked at."""
    desk.sandbox.fault(path=BILLING, kind="reset_after")
    desk.play(trial("T1", A, B))
    desk.wait()
    desk.play(change("C1", BizEnd="20331231"))


# --- a failed query delays the steps on the same trial's records


def test_a_question_fails_with_its_incident_and_its_line_waits(desk, unknown):
    first = Dispatch.objects.get(step="ask_billing", state="failed")
    assert (first.error_code, first.attempts, desk.step("C1", "ask_billing").state) == ("look_up", 1, "waiting")
    assert (desk.troubles("C1"), desk.troubles("T1")) == (["look_up"], ["look_up"])
    desk.play(change("C2", A, B, "c.example.com"))
    desk.wait_out()
    assert (desk.step("C2", "create_trial_billing").state, desk.order("C2").state) == ("waiting", "in_progress")


def test_a_file_answers_it_and_the_line_goes_on(desk, unknown, held_file):
    desk.play(change("C2", A, B, "c.example.com"))
    desk.clock.shift(700)
    take(desk, "C1", held_file())
    assert (desk.troubles("C1"), desk.troubles("T1"), desk.state("C2")) == ([], [], "applied")
    assert desk.alive_there("T1") == [A, B, "c.example.com"]
    desk.wait_out()
    assert not Dispatch.objects.filter(superseded=False, state__in=["failed", "waiting"]).exists()
    assert desk.events("C1", "taken")[-1]["reason"] == "已在大数据侧查看"


def test_what_is_not_there_is_sent_again(desk, unknown, held_file):
    desk.sandbox.partners.store.delete_record(desk.held_there("T1")[A])
    desk.clock.shift(700)
    take(desk, "C1", held_file())
    assert (desk.alive_there("T1"), desk.troubles("C1")) == ([A, B], [])
    assert desk.records("T1") == {A: "live", B: "live"}


def test_other_times_are_taken_and_put_right(desk, unknown, held_file):
    meant = desk.held_there("T1")[A]
    desk.sandbox.partners.store.put_record(meant | {"cancelTime": "20231001235959"})
    desk.clock.shift(700)
    take(desk, "C1", held_file())
    assert (desk.held_there("T1")[A]["cancelTime"], meant["cancelTime"]) == ("20331231235959",) * 2


def test_what_was_called_too_late_is_left_out_and_named(desk, unknown, held_file):
    desk.clock.shift(60)
    with pytest.raises(CommandError, match="called less than ten minutes.*: a.example.com, b.example.com"):
        take(desk, "C1", held_file())
    desk.clock.shift(3600)
    with pytest.raises(CommandError, match="less than ten minutes"):
        take(desk, "C1", held_file(), as_of=f"{timezone.localtime() - datetime.timedelta(seconds=3300):%Y-%m-%dT%H:%M}")
    assert desk.troubles("C1") == ["look_up"]
    take(desk, "C1", held_file())
    assert desk.troubles("C1") == []


# --- undoing


@pytest.fixture
def undoing(desk, no_look_up):
    """The create of an activation had no answer at any try. So the activation is undone, and its records must be
    looked for."""
    desk.play(trial("T1", A))
    desk.sandbox.fault(path=BILLING, kind="slow", seconds=0)
    desk.sandbox.fault(path=BILLING, kind="reset_after", count=2)
    desk.play(activation("A1"))
    desk.late = desk.held_there("A1")[A]
    desk.wait()


def test_an_undoing_waits_for_a_persons_look(desk, undoing, held_file):
    assert (desk.state("A1"), desk.records("A1")) == ("compensating", {A: "unknown"})
    assert set(desk.troubles("A1")) == {"broken", "look_up"}
    desk.clock.shift(700)
    take(desk, "A1", held_file())
    desk.wait_out()
    assert (desk.state("A1"), desk.records("A1"), len(desk.sent(DELETE))) == ("failed", {A: "deleted"}, 1)
    assert "look_up" not in desk.troubles("A1")
    assert desk.alive_there("T1") == [A]


def test_what_is_there_after_all_is_deleted_once_more(desk, undoing, held_file):
    desk.sandbox.partners.store.put_record(desk.late)
    desk.clock.shift(700)
    take(desk, "A1", held_file())
    desk.wait_out()
    assert (desk.state("A1"), desk.held_there("A1"), len(desk.sent(DELETE))) == ("failed", {}, 2)
    assert (desk.records("A1"), "look_up" in desk.troubles("A1")) == ({A: "deleted"}, False)


def test_what_is_cancelled_as_of_its_creation_counts_as_absent_in_a_look(desk, no_look_up, held_file, capsys):
    """The big-data side has no delete either (contract 7.1), so a create without an answer is taken back by a posted
    cancel. A person's file shows the record as cancelled at its creation, and the record counts as absent. Nothing is
    posted again, and both books agree."""
    no_look_up.PARTNERS = read_profile('[bigdata]\nquery.path = ""\ndelete.path = ""')
    desk.play(trial("T1", A))
    desk.sandbox.fault(path=BILLING, kind="slow", seconds=0)
    desk.sandbox.fault(path=BILLING, kind="reset_after", count=2)
    desk.play(activation("A1"))
    desk.wait()
    assert (desk.held_there("A1")[A]["cancelStatus"], "look_up" in desk.troubles("A1")) == ("2", True)
    assert desk.billed()[-1] == ("cancel", "A1", [A])
    desk.clock.shift(700)
    take(desk, "A1", held_file())
    desk.wait_out()
    assert (desk.state("A1"), desk.records("A1")) == ("failed", {A: "deleted"})
    assert (desk.billed().count(("cancel", "A1", [A])), "look_up" in desk.troubles("A1")) == (1, False)
    desk.clock.shift(700)
    assert code_of("reconcile", *seen(held_file())) == 0, capsys.readouterr().out


# --- 409, and a refusal after a call without an answer


@pytest.mark.parametrize("there", [True, False])
def test_after_a_409_a_person_says_what_is_there(desk, no_look_up, held_file, there):
    desk.sandbox.fault(path=BILLING, kind="409")
    desk.play(trial("T1", A))
    step = desk.step("T1", "create_trial_billing")
    assert (step.state, step.error_code, step.may_have_acted) == ("failed", "look_up", True)
    assert desk.troubles("T1") == ["look_up"]
    record = json.loads(step.payload)["productInfos"][0]
    desk.clock.shift(700)
    take(desk, "T1", held_file([record] if there else []))
    if there:
        assert (desk.state("T1"), desk.records("T1"), desk.troubles("T1")) == ("trialing", {A: "live"}, [])
    else:
        assert desk.step("T1", "create_trial_billing").error_code == "acted_before"
        assert desk.troubles("T1") == ["acted_before"]
        desk.command("resend", "T1")
        assert (desk.state("T1"), desk.alive_there("T1"), desk.troubles("T1")) == ("trialing", [A], [])


def test_a_refused_cancel_undoes_nothing_until_a_person_looked(desk, no_look_up, held_file):
    desk.play(trial("T1", A, B))
    desk.sandbox.fault(path=BILLING, kind="refusal")
    desk.play(activation("A1"))
    assert (desk.troubles("A1"), desk.events("A1", "undo_mark")) == (["look_up"], [])
    gone = desk.held_there("T1")[A]
    desk.sandbox.partners.store.put_record(gone | {"cancelStatus": "2", "cancelTime": "20230920185000"})
    desk.clock.shift(700)
    take(desk, "A1", held_file())
    desk.wait_out()
    assert (desk.state("A1"), desk.alive_there("T1"), desk.alive_there("A1")) == ("active", [], [A, B])
    assert desk.records("T1") == {A: "cancelled", B: "cancelled"}


def test_a_move_without_an_answer_waits_for_a_persons_look(desk, no_look_up, held_file):
    desk.play(trial("T1", A), activation("A1", start="20231001"))
    desk.sandbox.fault(path=BILLING, kind="409")
    desk.command("move_start", "A1", "20231005", reason="客户要求")
    desk.wait_out()
    assert set(desk.troubles("A1")) == {"move_failed", "look_up"}
    desk.clock.shift(60)
    before = desk.order("A1").start_at
    take(desk, "A1", held_file())
    assert (desk.order("A1").start_at, desk.troubles("A1")) == (before, ["move_failed"])
    assert desk.step("A1", "move_start_billing").state == "closed"


def test_a_given_up_step_of_unknown_outcome_is_settled_by_a_persons_look(desk, no_look_up, held_file):
    desk.sandbox.fault(path=BILLING, kind="reset_after", count=2)
    desk.play(trial("T1", A))
    desk.wait_out()
    desk.command("give_up", "T1", reason="客户已销户")
    desk.wait_out()
    assert "look_up" in desk.troubles("T1")
    desk.clock.shift(60)
    take(desk, "T1", held_file())
    desk.wait_out()
    assert (desk.troubles("T1"), desk.records("T1"), desk.state("T1")) == ([], {A: "live"}, "trialing")


# --- actions that would send a query say so


def test_acts_that_would_ask_name_the_way(desk, books, no_look_up, held_file):
    desk.play(trial("T1", A))
    desk.clock.shift(700)
    books.put("T1", enterpriseName="别人")
    code, lines = books.reconcile(*seen(held_file()))
    assert (code, "enterpriseName" in lines[0], desk.troubles("T1")) == (1, True, ["difference"])
    for words in (("take", "T1"), ("accept", "T1"), ("accept", "T1", "difference")):
        with pytest.raises(CommandError, match="offers no look-up.*take ORDER --file.*form"):
            call_command(*words, reason="x", by="test")
    with pytest.raises(CommandError, match="offers no look-up: compare with --file"):
        call_command("reconcile")
    desk.command("accept", "T1", *seen(held_file()), reason="x", by="test")
    assert desk.troubles("T1") == []


def test_a_difference_is_taken_from_a_file(desk, books, no_look_up, held_file):
    desk.play(trial("T1", A))
    desk.clock.shift(700)
    books.put("T1", cancelTime="20330930235959")
    books.reconcile(*seen(held_file()))
    take(desk, "T1", held_file())
    assert (desk.troubles("T1"), str(desk.order("T1").billing_records.get().cancel_time.date())) == ([], "2033-09-30")


def test_a_step_in_doubt_is_taken_from_a_file(desk, no_look_up, held_file):
    desk.sandbox.fault(path=BILLING, kind="garbage", count=2)
    desk.play(trial("T1", A))
    desk.wait_out()
    step = desk.step("T1", "create_trial_billing")
    assert step.error_code == "not_understood"
    record = json.loads(step.payload)["productInfos"][0]
    with pytest.raises(CommandError, match="a.example.com"):
        take(desk, "T1", held_file([record]))
    desk.clock.shift(700)
    with pytest.raises(CommandError, match="does not hold its records"):
        take(desk, "T1", held_file([]))
    desk.sandbox.partners.store.put_record(record)
    take(desk, "T1", held_file())
    assert (desk.state("T1"), desk.troubles("T1")) == ("trialing", [])


def test_a_step_on_the_trials_records_is_not_accepted_by_a_look_that_is_too_early(desk, no_look_up, held_file):
    """The last call was made a minute ago and may still act. So `accept` refuses a file of this moment."""
    no_look_up.DISPATCH_RETRY_SECONDS = []
    desk.play(trial("T1", A))
    desk.clock.shift(700)
    desk.sandbox.fault(path=BILLING, kind="garbage")
    desk.play(activation("A1"))
    assert desk.step("A1", "cancel_trial_billing").error_code == "not_understood"
    desk.clock.shift(60)
    with pytest.raises(CommandError, match="less than ten minutes"):
        desk.command("accept", "A1", *seen(held_file()), reason="已在大数据侧查看")
    desk.clock.shift(700)
    desk.command("accept", "A1", *seen(held_file()), reason="已在大数据侧查看")
    assert desk.step("A1", "cancel_trial_billing").state == "given_up"


def test_a_person_who_says_that_nothing_was_done_is_believed(desk, no_look_up):
    desk.sandbox.fault(path=BILLING, kind="garbage", count=2)
    desk.play(trial("T1", A))
    desk.wait_out()
    desk.command("resend", "T1", new=True, reason="大数据侧没有")
    assert (desk.state("T1"), desk.alive_there("T1")) == ("trialing", [A])


@pytest.mark.parametrize("words", [("--file", "x.csv"), ("--as-of", "2023-09-20T10:00")])
def test_a_file_needs_its_moment(desk, no_look_up, words):
    with pytest.raises(CommandError, match="go together"):
        call_command("take", "T1", *words, reason="x")


def test_a_moment_ahead_and_a_needless_file_are_refused(desk, settings, held_file):
    desk.play(trial("T1", A))
    with pytest.raises(CommandError, match="ahead"):
        call_command("take", "T1", *seen(held_file(), "2033-09-20T10:00"), reason="x")
    with pytest.raises(CommandError, match="can be asked"):
        call_command("take", "T1", *seen(held_file()), reason="x")


def test_the_nightly_comparison_is_left_out_and_status_says_so(desk, no_look_up, capsys):
    desk.play(trial("T1", A))
    assert tasks.reconcile() == "left out: the big-data side offers no look-up"
    assert not Reconciliation.objects.exists()
    assert desk_status(timezone.now())["comparison"] == "left out: the big-data side offers no look-up"
    code_of("status")
    assert "comparison   left out: the big-data side offers no look-up: reconcile --file" in capsys.readouterr().out


# --- the form for staff


def page(order, key):
    return reverse("admin:orders_order_decide", args=[order.pk, key])


def typed(desk, number, *, there="1", **more):
    found = {"reason": "已在大数据侧查看", "as_of": now(), "seen": OrderEvent.objects.last().pk}
    for record in BillingRecord.objects.filter(order__number=number):
        found |= {
            f"there_{record.pk}": there,
            f"createTime_{record.pk}": f"{timezone.localtime(record.create_time):%Y-%m-%d %H:%M:%S}",
            f"cancelTime_{record.pk}": f"{timezone.localtime(record.cancel_time):%Y%m%d%H%M%S}",
        }
    return found | more


def test_the_form_asks_for_each_record_and_answers(desk, unknown, admin_client):
    order = desk.order("C1")
    order_page = admin_client.get(reverse("admin:orders_order_change", args=[order.pk])).content.decode()
    assert page(order, "look_up") in order_page
    assert page(order, "take") not in order_page
    shown = admin_client.get(page(order, "look_up")).content.decode()
    assert (A in shown, B in shown, shown.count("起始时间")) == (True, True, 2)
    answer = admin_client.post(page(order, "look_up"), typed(desk, "T1"))
    assert (answer.status_code, "a.example.com, b.example.com" in answer.content.decode()) == (409, True)
    desk.clock.shift(700)
    answer = admin_client.post(page(order, "look_up"), typed(desk, "T1", there=""))
    assert (answer.status_code, desk.troubles("C1")) == (200, ["look_up"])
    assert admin_client.post(page(order, "look_up"), typed(desk, "T1")).status_code == 302
    desk.wait_out()
    assert (desk.troubles("C1"), desk.records("T1"), len(desk.sent(BILLING))) == ([], {A: "live", B: "live"}, 3)


@pytest.mark.parametrize("as_of", ["0001-01-01T00:00", "9999-12-31T23:59"])
def test_a_moment_that_cannot_be_is_refused(desk, unknown, admin_client, as_of):
    desk.clock.shift(700)
    answer = admin_client.post(page(desk.order("C1"), "look_up"), typed(desk, "T1", as_of=as_of))
    assert (answer.status_code, desk.troubles("C1")) == (409 if as_of > now() else 200, ["look_up"])


def test_the_forms_not_there_is_sent_again(desk, unknown, admin_client):
    for record in desk.held_there("T1").values():
        desk.sandbox.partners.store.delete_record(record)
    desk.clock.shift(700)
    assert admin_client.post(page(desk.order("C1"), "look_up"), typed(desk, "T1", there="gone")).status_code == 302
    desk.wait_out()
    assert (desk.alive_there("T1"), desk.troubles("C1")) == ([A, B], [])


def test_four_eyes_ask_a_second_person_for_what_was_seen(desk, unknown, held_file, settings, admin_client, admin_user):
    settings.FOUR_EYES = {"take": 0}
    asker = get_user_model().objects.create_superuser("asker")
    desk.clock.shift(700)
    with pytest.raises(SystemExit):
        call_command("take", "C1", *seen(held_file()), reason="已查看", by=asker.username)
    row = AskedAct.objects.get()
    assert (row.act, row.decision, desk.troubles("C1")) == ("take", "look_up", ["look_up"])
    shown = admin_client.get(reverse("admin:orders_askedact_change", args=[row.pk]))
    assert "T1 1 a.example.com 1 20230920" in shown.content.decode()
    told = {"told": shown.context["preview"].told, "seen": shown.context["preview"].last_event_id}
    admin_client.post(reverse("admin:orders_askedact_confirm", args=[row.pk]), told)
    assert desk.troubles("C1") == []

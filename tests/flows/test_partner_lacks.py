"""A big-data side without a delete or without traffic, or with a limit for the records in a call (contract 7.1)."""

import json

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from integrations import tasks
from integrations.partners.profile import read_profile
from orders.actions.take import take
from orders.models import Dispatch, OrderEvent
from orders.replanning.withdrawal import withdraw_by_staff
from tests.flows.conftest import BILLING, BPM, DELETE, USAGE, now, seen
from tests.flows.contents import activation, change, trial, withdrawal

A, B = "a.example.com", "b.example.com"
NO_DELETE = '[bigdata]\ndelete.path = ""'
FOREIGN = {"cancelStatus": "1", "domain": B}


@pytest.fixture
def no_delete(settings):
    settings.PARTNERS = read_profile(NO_DELETE)
    return settings


def deleted_there(desk, number: str) -> list[str]:
    """Returns the domains for which the big-data side has a record that is cancelled as of its creation."""
    rows = desk.held_there(number).items()
    return sorted(d for d, row in rows if row["cancelStatus"] == "2" and row["cancelTime"] == row["createTime"])


def compared(books, number: str) -> list[str]:
    code, lines = books.reconcile(number)
    assert code == 0, lines
    return lines


# --- no delete


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("more", [{}, {"start": "20230930"}])
def test_without_a_delete_records_are_cancelled_as_of_their_creation(desk, books, no_delete, trialing, strict, more):
    desk.sandbox.partners.strict = strict
    desk.sandbox.fault(path=BPM, kind="refusal")
    desk.clock.shift(60)
    desk.play(activation("A1", **more))
    step = desk.step("A1", "delete_billing", undo=True)
    created = json.loads(Dispatch.objects.get(order__number="A1", step="create_billing").payload)["productInfos"][0]
    gone = created | {"cancelStatus": "2", "cancelTime": created["createTime"]}
    assert json.loads(step.payload) == {"productInfos": [gone]}
    assert (desk.held_there("A1"), desk.sent(DELETE)) == ({A: gone}, [])
    assert (desk.state("A1"), desk.records("A1")) == ("failed", {A: "deleted"})
    assert (desk.state("T1"), desk.alive_there("T1")) == ("trialing", [A])
    compared(books, "A1")
    compared(books, "T1")
    desk.command("resend", "A1")
    assert desk.state("A1") == ("scheduled" if more else "active")
    assert (desk.alive_there("A1"), desk.records("A1")) == ([A], {A: "live"})
    compared(books, "A1")


def test_a_withdrawal_without_a_delete(desk, books, no_delete, active):
    desk.play(withdrawal("A1"))
    assert (desk.state("A1"), desk.records("A1"), deleted_there(desk, "A1")) == ("withdrawn", {A: "deleted"}, [A])
    compared(books, "A1")


def test_a_late_undoing_without_a_delete(desk, books, no_delete, active):
    desk.at("2023-10-20 09:00:00")
    withdraw_by_staff(number="A1", how="delete", reason="客户要求", by="command:test", now=timezone.now())
    desk.deliver()
    assert (desk.state("A1"), deleted_there(desk, "A1"), desk.state("T1")) == ("withdrawn", [A], "ended")
    compared(books, "A1")


def test_a_cancel_in_the_second_of_the_creation_is_no_deletion(desk, books, no_delete, trialing):
    """Without a delete, a record that is cancelled as of its creation counts as deleted. So a cancel in the second of
    the creation has a cancelTime one second later, and the books agree. With a delete, the cancelTime is the time of
    the first attempt."""
    desk.play(withdrawal("T1"))
    row = desk.held_there("T1")[A]
    assert int(row["cancelTime"]) - int(row["createTime"]) == 1
    assert (desk.state("T1"), desk.records("T1")) == ("withdrawn", {A: "cancelled"})
    compared(books, "T1")


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("late", [False, True])
def test_looks_after_an_unanswered_create_without_a_delete(desk, books, settings, no_delete, trialing, strict, late):
    """A create that never arrived leaves nothing to cancel, and a strict partner refuses to cancel it. If the partner
    carries the create out late, the second query finds the record, and it is cancelled."""
    settings.DISPATCH_RETRY_SECONDS = [30]
    desk.sandbox.partners.strict = strict
    desk.sandbox.fault(path=BILLING, kind="slow", seconds=0)
    desk.sandbox.fault(path=BILLING, kind="503", count=2)
    desk.play(activation("A1", A, B))
    desk.wait()
    assert (desk.state("A1"), desk.records("A1")) == ("compensating", {A: "unknown", B: "unknown"})
    if late:
        body = json.loads(Dispatch.objects.get(order__number="A1", step="create_billing").payload)
        desk.sandbox.partners.store.put_record(body["productInfos"][1])
    desk.wait_out()
    assert (desk.state("A1"), desk.records("A1")) == ("failed", {A: "deleted", B: "deleted"})
    assert (desk.alive_there("A1"), desk.alive_there("T1"), desk.sent(DELETE)) == ([], [A], [])
    compared(books, "A1")


def test_a_fix_without_a_delete(desk, books, no_delete, active):
    """A record that must not be there is posted as deleted. A deleted record that we bill is missing, and is sent
    again."""
    stranger = books.held("A1") | FOREIGN
    books.put("A1", cancelStatus="2", cancelTime=books.held("A1")["createTime"])
    books.store.put_record(stranger)
    code, lines = books.reconcile("A1")
    assert code == 1
    assert [line for line in lines if A in line and "missing" in line], lines
    books.fix("A1", "--reason", "对账")
    assert (desk.alive_there("A1"), deleted_there(desk, "A1"), desk.sent(DELETE)) == ([A], [B], [])
    compared(books, "A1")


def test_take_without_a_delete(desk, books, no_delete, trialing):
    """Without a delete, `take` reads a record that is cancelled as of its creation as gone."""
    desk.sandbox.fault(path=BPM, kind="refusal")
    desk.play(activation("A1"))
    books.put("A1", cancelTime="20330920000000", cancelStatus="1")
    assert books.reconcile("A1")[0] == 1
    books.put("A1", cancelTime=books.held("A1")["createTime"], cancelStatus="2")
    compared(books, "A1")


def test_a_step_without_an_answer_is_taken_as_deleted(desk, no_delete, active):
    desk.sandbox.fault(path=BILLING, kind="garbage", count=8)
    desk.post(withdrawal("A1"))
    desk.wait_out()
    assert desk.step("A1", "delete_billing", undo=True).error_code == "not_understood"
    store = desk.sandbox.partners.store
    store.put_record(store.records("A1")[0] | {"cancelStatus": "2", "cancelTime": store.records("A1")[0]["createTime"]})
    take(number="A1", reason="已核对", by="command:test", now=timezone.now())
    assert desk.records("A1") == {A: "deleted"}


@pytest.fixture
def withdrawn(desk, no_delete, active):
    """A1 is withdrawn by a posted cancel whose answer the desk did not understand, and the partner can't be queried.
    The cancel did act."""
    no_delete.PARTNERS = read_profile(f'{NO_DELETE}\nquery.path = ""')
    desk.sandbox.fault(path=BILLING, kind="garbage", count=8)
    desk.post(withdrawal("A1"))
    desk.wait_out()
    assert desk.step("A1", "delete_billing", undo=True).error_code == "not_understood"
    row = desk.held_there("A1")[A]
    desk.sandbox.partners.store.put_record(row | {"cancelStatus": "2", "cancelTime": row["createTime"]})
    desk.clock.shift(700)


@pytest.mark.parametrize("way", ["file", "form"])
def test_what_a_person_saw_deleted_is_taken_as_gone(desk, withdrawn, held_file, admin_client, way):
    if way == "file":
        desk.command("take", "A1", *seen(held_file()), reason="已查看", by="test")
    else:
        page = reverse("admin:orders_order_decide", args=[desk.order("A1").pk, "look_up"])
        row, pk = desk.held_there("A1")[A], desk.order("A1").billing_records.get().pk
        typed = {f"there_{pk}": "2", f"createTime_{pk}": row["createTime"], f"cancelTime_{pk}": row["cancelTime"]}
        about = {"reason": "已查看", "as_of": now(), "seen": OrderEvent.objects.last().pk}
        assert admin_client.post(page, typed | about).status_code == 302
    desk.wait_out()
    assert (desk.state("A1"), desk.records("A1"), desk.troubles("A1")) == ("withdrawn", {A: "deleted"}, [])
    assert (desk.state("T1"), desk.alive_there("T1")) == ("trialing", [A])


def test_a_file_with_what_is_deleted_there_agrees(desk, books, withdrawn, held_file):
    """A file agrees with our records if its record of A1 is deleted. A deleted record of an order that we do not know
    is no difference either."""
    desk.command("take", "A1", *seen(held_file()), reason="已查看", by="test")
    desk.wait_out()
    desk.clock.shift(700)
    gone = desk.held_there("A1")[A]
    rows = [*desk.sandbox.partners.store.records(), gone | {"jobId": "X9"}]
    code, lines = books.reconcile(*seen(held_file(rows)))
    assert (code, lines[-1].split(":")[0]) == (0, "2 orders, 2 records"), lines


def test_a_posted_deletion_is_read_as_a_post(desk, no_delete, active):
    """Without a delete, a deletion is sent as a post. Its answer is read by the rules for posts, also when the stored
    answer is read again."""
    no_delete.PARTNERS = read_profile(f"{NO_DELETE}\npost.answer.success = [{{ code = [200, 0] }}]")
    desk.sandbox.fault(path=BILLING, kind="refusal", code=0)
    desk.play(withdrawal("A1"))
    assert (desk.state("A1"), desk.step("A1", "delete_billing", undo=True).attempts) == ("withdrawn", 1)


@pytest.mark.parametrize("had", ["delete", "post"])
def test_the_call_is_frozen_with_the_payload(desk, settings, active, had):
    """The first attempt freezes the payload and the call. If the profile no longer has the frozen call for a deletion,
    the step fails, and `resend` computes it anew. A deletion that was begun as a post is still sent as a post."""
    settings.DISPATCH_RETRY_SECONDS = [30, 30]
    profiles = [read_profile(""), read_profile(NO_DELETE)]
    settings.PARTNERS, then = profiles if had == "delete" else reversed(profiles)
    desk.sandbox.fault(path=DELETE if had == "delete" else BILLING, kind="503")
    desk.play(withdrawal("A1"))
    settings.PARTNERS = then
    desk.wait()
    if had == "post":
        assert (desk.state("A1"), deleted_there(desk, "A1"), desk.sent(DELETE)) == ("withdrawn", [A], [])
        return
    step = desk.step("A1", "delete_billing", undo=True)
    assert (step.state, step.error_code, desk.state("A1")) == ("failed", "no_such_call", "compensating")
    assert (desk.troubles("A1"), desk.alive_there("A1")) == (["no_such_call"], [A])
    desk.command("resend", "A1")
    desk.wait_out()
    assert (desk.state("A1"), deleted_there(desk, "A1"), desk.troubles("A1")) == ("withdrawn", [A], [])


def test_with_a_delete_such_a_record_is_a_cancelled_one(desk, books, active):
    books.put("A1", cancelStatus="2", cancelTime=books.held("A1")["createTime"])
    assert [line for line in books.reconcile("A1")[1] if "cancelled" in line]


# --- no traffic


@pytest.mark.parametrize("more", [{}, {"start": "20230930"}])
def test_without_traffic_the_step_is_left_out(desk, settings, trialing, more):
    settings.PARTNERS = read_profile('[bigdata]\ntraffic.path = ""')
    desk.play(activation("A1", **more))
    assert desk.state("A1") == ("scheduled" if more else "active")
    assert [row for row in desk.steps("A1") if "usage" in row] == []
    assert tasks.nightly_usage() == "0 trials asked for"
    with pytest.raises(CommandError, match=r"no bigdata\.traffic"):
        call_command("fetch_usage")
    assert desk.sent(USAGE) == []


@pytest.mark.parametrize("begun", [False, True])
def test_a_step_for_traffic_that_was_planned_before(desk, settings, trialing, begun):
    """The profile loses the traffic query after the step was planned. A step that was not begun ends without a call. A
    step whose bytes are frozen fails, and ends when it is resent."""
    settings.DISPATCH_RETRY_SECONDS = [30, 30]
    if begun:
        desk.sandbox.fault(path=USAGE, kind="503")
        desk.play(activation("A1"))
    else:
        desk.post(activation("A1"))
    settings.PARTNERS = read_profile('[bigdata]\ntraffic.path = ""')
    desk.wait_out()
    step = desk.step("A1", "fetch_usage")
    assert (desk.state("A1"), len(desk.sent(USAGE))) == ("active", int(begun))
    if begun:
        assert (step.state, step.error_code) == ("failed", "no_such_call")
        desk.command("resend", "A1")
        step = desk.step("A1", "fetch_usage")
    assert (step.state, desk.troubles("A1")) == ("done", [])


def test_the_page_says_that_there_is_no_traffic(desk, settings, trialing, admin_client):
    settings.PARTNERS = read_profile('[bigdata]\ntraffic.path = ""')
    page = admin_client.get(reverse("admin:orders_order_change", args=[desk.order("T1").pk]), {"tab": "usage"})
    assert "大数据侧没有查询流量的接口。" in page.content.decode()


# --- few records in a call

MANY = [f"d{n:02}.example.com" for n in range(47)]


@pytest.fixture
def most(settings):
    """Returns a function that sets the largest number of records in a call."""
    return lambda number, more="": setattr(
        settings, "PARTNERS", read_profile(f"[bigdata]\npost.most = {number}\n{more}")
    )


def sizes(desk, path: str = BILLING, status: str = "") -> list[int]:
    """Returns the number of records of each call."""
    bodies = [body["productInfos"] for body in desk.sent(path)]
    return [len(rows) for rows in bodies if status in {"", rows[0].get("cancelStatus")}]


@pytest.mark.parametrize(
    "before, content",
    [
        ([], trial("X", *MANY)),
        ([trial()], activation("X", *MANY)),
        ([trial(), activation("A1")], activation("X", *MANY)),
        ([trial("T1", *MANY)], activation("X")),
        ([trial()], change("X", "a.example.com", *MANY)),
        ([trial("T1", *MANY)], change("X", BizEnd="20301231")),
    ],
    ids=["trial", "first", "subsequent", "first of a large trial", "change", "extension"],
)
def test_an_order_with_more_records_than_a_call_takes_is_held(desk, most, before, content):
    desk.play(*before)
    calls = len(desk.sandbox.calls())
    most(20)
    desk.play(content)
    assert (desk.state("X"), desk.order("X").held_because) == ("held", "too_many")
    assert (desk.troubles("X"), desk.steps("X"), desk.mails("X", "mail_held")) == (["too_many"], [], 1)
    said = desk.order("X").troubles.get().detail_params
    assert (said["code"], said["number"] >= 47, said["most"]) == ("too_many", True, 20)
    most(30)
    desk.sweep()
    assert (desk.state("X"), len(desk.sandbox.calls())) == ("held", calls)
    most(50)
    desk.sweep()
    assert (desk.state("X"), desk.troubles("X")) != ("held", ["too_many"])
    desk.wait_out()
    if desk.state("X") == "awaiting_approval":
        desk.decided("X")
    assert desk.state("X") in {"trialing", "active", "applied"}
    assert max(sizes(desk)[len(before) :]) >= 47


def test_the_page_says_how_many_records_are_too_many(desk, most, admin_client):
    most(20)
    desk.play(trial("T1", *MANY))
    page = admin_client.get(reverse("admin:orders_order_change", args=[desk.order("T1").pk])).content.decode()
    assert "共 47 条话单，大数据侧一次最多收 20 条。" in page


def test_a_held_order_can_be_withdrawn_and_its_followers_wait(desk, most):
    most(20)
    desk.play(trial("T1", *MANY), activation("A1", A))
    assert desk.order("A1").held_because == "trial_held"
    desk.play(withdrawal("A1"), withdrawal("T1"))
    assert (desk.state("T1"), desk.state("A1"), desk.sandbox.calls()) == ("withdrawn", "withdrawn", [])


@pytest.fixture
def large(desk):
    """A trial and its activation of 47 domains. Both were billed before the profile limited the records of a call."""
    desk.play(trial("T1", *MANY), activation("A1"))


def test_an_order_with_too_many_is_not_opened_again(desk, most, large):
    """An order that has more records than a call may have is not reopened, because it would be held and lose its
    process at BPM."""
    desk.command("compensate", "A1", reason="客户要求")
    most(20)
    with pytest.raises(CommandError, match="declined"):
        call_command("resend", "A1")
    assert (desk.state("A1"), len(desk.sent(BPM))) == ("failed", 1)
    most(47)
    desk.command("resend", "A1")
    assert (desk.state("A1"), desk.alive_there("A1"), desk.alive_there("T1")) == ("active", MANY, [])


@pytest.mark.parametrize("lacking", ["", 'delete.path = ""'])
def test_what_takes_back_goes_out_in_parts(desk, books, most, large, lacking):
    """Undo steps go out in parts, one after the other, each with its own key. No later step begins before the last
    part is done."""
    most(20, lacking)
    desk.play(withdrawal("A1"))
    path = BILLING if lacking else DELETE
    deleted = [row for verb, number, row in desk.billed() if number == "A1"][1:]
    assert ([len(row) for row in deleted], sorted(sum(deleted, []))) == ([20, 20, 7], MANY)
    rows = Dispatch.objects.filter(order__number="A1", step="delete_billing")
    assert [row.state for row in rows] == ["done"] * 3
    calls = desk.sandbox.calls()
    assert len({row.key for row in rows}) == 3
    restored = [len(row) for verb, number, row in desk.billed()[-3:] if (verb, number) == ("create", "T1")]
    assert restored == [20, 20, 7]
    assert [call["path"] for call in calls[-6:]] == [path] * 3 + [BILLING] * 3
    assert (desk.state("A1"), set(desk.records("A1").values())) == ("withdrawn", {"deleted"})
    assert (desk.state("T1"), desk.alive_there("T1"), desk.alive_there("A1")) == ("trialing", MANY, [])
    compared(books, "A1")
    compared(books, "T1")


def test_the_undoing_waits_for_all_parts(desk, most, large):
    """If a part of the deletion is refused, the undoing stops. `resend` goes on with the records that are left."""
    most(20)
    desk.sandbox.fault(path=DELETE, kind="slow", seconds=0)
    desk.sandbox.fault(path=DELETE, kind="refusal")
    desk.play(withdrawal("A1"))
    assert (desk.state("A1"), sizes(desk, DELETE), len(desk.alive_there("A1"))) == ("compensating", [20, 20], 27)
    assert desk.troubles("A1") == ["code_400"]
    desk.command("resend", "A1")
    assert (desk.state("A1"), sizes(desk, DELETE), desk.alive_there("A1")) == ("withdrawn", [20, 20, 20, 7], [])
    assert desk.troubles("A1") == []


def test_a_part_that_is_given_up_ends_all(desk, most, large):
    most(20)
    desk.sandbox.fault(path=DELETE, kind="refusal")
    desk.play(withdrawal("A1"))
    desk.command("give_up", "A1", reason="对方删不掉")
    assert (desk.state("A1"), desk.troubles("A1")) == ("withdrawn", ["billed_not_active"])
    assert (sizes(desk, DELETE), len(desk.step("A1", "delete_billing", undo=True).records)) == ([20], 47)


def test_a_refused_activation_is_undone_in_parts(desk, books, most):
    """The activation's steps have more records than a call may have now. So the cancel, the create and then the undo
    steps go out in parts."""
    desk.play(trial("T1", *MANY))
    desk.post(activation("A1"))
    most(20)
    desk.sandbox.fault(path=BPM, kind="refusal")
    desk.wait_out()
    assert desk.state("A1") == "failed"
    assert sizes(desk, BILLING)[1:] == [20, 20, 7] * 3
    assert (sizes(desk, DELETE), desk.alive_there("T1"), desk.state("T1")) == ([20, 20, 7], MANY, "trialing")
    compared(books, "A1")
    compared(books, "T1")


def test_a_trial_is_taken_over_once_its_last_part_is_cancelled(desk, most):
    desk.play(trial("T1", *MANY))
    desk.post(activation("A1"))
    most(20)
    for _ in range(3):
        assert desk.state("T1") == "trialing"
        [work] = [work for work in desk.claim("bigdata") if work.step == "cancel_trial_billing"]
        desk.end(work)
    assert (desk.state("T1"), set(desk.records("T1").values())) == ("converted", {"cancelled"})


def test_a_trial_is_withdrawn_in_parts(desk, books, most):
    desk.play(trial("T1", *MANY))
    most(20)
    desk.clock.shift(60)
    desk.sandbox.partners.strict = True
    gone = desk.held_there("T1")[MANY[25]]
    desk.sandbox.partners.store.delete_record(gone)
    desk.play(withdrawal("T1"))
    assert (desk.state("T1"), desk.alive_there("T1")) == ("withdrawn", [])
    # one record is missing there, so the records are queried and the other 19 are sent again
    assert sizes(desk, BILLING, "2") == [20, 20, 19, 7]
    assert desk.troubles("T1") == []
    compared(books, "T1")


def test_a_fix_goes_out_in_parts(desk, books, most, active):
    """The differences that a fix corrects stay open until the last part of the fix is done."""
    desk.play(activation("A2", *MANY))
    desk.decided("A2")
    for row in books.store.records("A2"):
        books.store.delete_record(row)
    mine = books.held("A1")
    for name in MANY:
        books.store.put_record(mine | {"domain": name})
    most(20)
    before = len(sizes(desk))
    books.fix("A2")
    books.fix("A1", "--reason", "对账")
    assert (sizes(desk)[before:], sizes(desk, DELETE)) == ([20, 20, 7], [20, 20, 7])
    compared(books, "A1")
    compared(books, "A2")
    assert (desk.alive_there("A1"), desk.alive_there("A2"), desk.troubles("A2")) == ([A], MANY, [])


@pytest.mark.parametrize("late", [False, True])
def test_looks_after_a_deletion_in_parts(desk, books, settings, most, late):
    settings.DISPATCH_RETRY_SECONDS = [30]
    desk.play(trial("T1", *MANY))
    desk.sandbox.fault(path=BILLING, kind="slow", seconds=0)
    desk.sandbox.fault(path=BILLING, kind="503", count=2)
    desk.play(activation("A1"))
    most(20)
    desk.wait()
    if late:
        body = json.loads(Dispatch.objects.filter(order__number="A1", step="create_billing").first().payload)
        for row in body["productInfos"]:
            desk.sandbox.partners.store.put_record(row)
    desk.wait_out()
    assert (desk.state("A1"), set(desk.records("A1").values())) == ("failed", {"deleted"})
    assert (desk.alive_there("A1"), desk.alive_there("T1")) == ([], MANY)
    assert max(sizes(desk, DELETE)) == 20
    compared(books, "A1")


def test_a_start_is_not_moved_in_parts(desk, most):
    desk.play(trial("T1", *MANY), activation("A1", start="20230930"))
    most(20)
    with pytest.raises(CommandError, match="47 records"):
        call_command("move_start", "A1", "20231010", reason="客户要求")

"""The attribution of a family (a trial, its changes and its activations) is corrected (contract 3.9, 18): at the desk
at once, and at the big-data side by one more call for each order."""

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from integrations.partners.profile import read_profile
from notifications.models import Mail
from orders.history.owners import counts
from orders.models import Customer, Order, OrderEvent
from orders.people.ownership import set_owner
from orders.search import index as search_index
from orders.start_day.move_attribution import move_attribution
from project.observability.status_report import desk_status
from tests import factories as make
from tests.admin.orders import staff
from tests.flows.conftest import BILLING, BPM, DELETE, QUERY, code_of
from tests.flows.contents import activation, change, trial, withdrawal

A, B, X = "a.example.com", "b.example.com", "x.example.com"
STEP = "move_attribution_billing"
BEIJING, GUANGDONG = "100", "200"


def moved(desk, number: str = "T1", code: str = "GD", *more: str) -> None:
    desk.command("attribute", number, code, "--move", *more, reason="客户归属有误")


def letters() -> dict[str, str]:
    return dict(Order.objects.values_list("number", "attribution_id"))


def provinces_there(desk, *numbers: str) -> dict[str, set[str]]:
    return {number: {row["province"] for row in desk.held_there(number).values()} for number in numbers}


def posted(desk) -> list[dict]:
    """Returns the records of the last call, which must have been a POST of billing records."""
    call = desk.sandbox.calls()[-1]
    assert call["path"] == BILLING
    return call["body"]["productInfos"]


# --- the effects of a move


def test_a_trial_is_posted_again_as_it_is_with_the_new_province(desk, books, trialing, capsys):
    """One call under another key posts the same record with another province. Both sides' records agree before and
    after it."""
    [before], calls = desk.held_there("T1").values(), len(desk.sandbox.calls())
    desk.clock.shift(3600)
    moved(desk)
    told = capsys.readouterr().out
    assert "T1: These orders get the attribution, and mails, limits and lists follow: T1" in told
    assert "T1: 1 live billing record is sent again with the new province; its times stay." in told
    assert "T1: BPM is not told: tell the people there." in told
    assert "T1: attribution GD given to it and its family by command:" in told
    assert posted(desk) == [before | {"province": GUANGDONG}]
    assert len(desk.sandbox.calls()) == calls + 1
    keys = [call["key"] for call in desk.sandbox.calls(path=BILLING)]
    assert len(set(keys)) == len(keys)
    assert (desk.state("T1"), desk.step("T1", STEP).state, desk.troubles("T1")) == ("trialing", "done", [])
    assert desk.events("T1", "attribution_moved") == [{"old": "BJ", "new": "GD", "reason": "客户归属有误"}]
    assert books.reconcile()[0] == 0


@pytest.mark.parametrize("of", ["T1", "C1", "A1", "A2"])
def test_the_whole_family_moves_whichever_order_is_named(desk, books, of):
    """Each order's own live records are posted under its own jobId. Cancelled records stay as they are at the partner,
    and the comparison finds no difference."""
    desk.play(
        trial("T1", A), change("C1", A, B), activation("A1"), activation("A2", X), trial("T9", "other.example.com")
    )
    desk.decided("A2")
    calls = len(desk.sandbox.calls())
    moved(desk, of)
    assert letters() == dict.fromkeys(["T1", "C1", "A1", "A2"], "GD") | {"T9": "BJ"}
    assert all(len(desk.events(number, "attribution_moved")) == 1 for number in ("T1", "C1", "A1", "A2"))
    assert desk.billed()[-2:] == [("create", "A1", [A, B]), ("create", "A2", [X])]
    assert len(desk.sandbox.calls()) == calls + 2
    assert len(desk.sent(BPM)) == 2
    found = provinces_there(desk, "T1", "A1", "A2", "T9")
    assert found == {"T1": {BEIJING}, "A1": {GUANGDONG}, "A2": {GUANGDONG}, "T9": {BEIJING}}
    assert books.reconcile()[0] == 0


def test_what_comes_later_has_it_whatever_the_enterprise_id_begins_with(desk, books, trialing):
    """After the move, changes, activations and restored records have the new attribution at BPM and at the big-data
    side, whatever the EnterpriseID begins with."""
    moved(desk)
    desk.play(change("C1", A, B), activation("A1"), activation("A2", X))
    desk.decided("A2")
    assert letters() == dict.fromkeys(["T1", "C1", "A1", "A2"], "GD")
    of_first, of_second = desk.sent(BPM)
    assert (of_first["data"]["tyywrwlcdx"]["province"], of_second["province"]) == ("GD", "GD")
    assert provinces_there(desk, "T1", "A1", "A2") == dict.fromkeys(["T1", "A1", "A2"], {GUANGDONG})
    desk.play(withdrawal("A1"))
    desk.wait_out()
    assert provinces_there(desk, "T1") == {"T1": {GUANGDONG}}  # the restored record has the new province
    assert desk.alive_there("T1") == [A, B]
    desk.post(trial())  # BBOSS sends its first message once more
    assert (letters()["T1"], books.reconcile()[0]) == ("GD", 0)


def test_a_record_cancelled_before_is_restored_and_sent_under_the_new_province(desk, books, active):
    """A second move does not forget the province that a cancelled record has at the partner."""
    moved(desk)
    moved(desk, "A1", "210")
    assert letters() == {"T1": "SH", "A1": "SH"}
    assert (provinces_there(desk, "T1", "A1"), books.reconcile()[0]) == ({"T1": {BEIJING}, "A1": {"210"}}, 0)
    desk.play(withdrawal("A1"))
    desk.wait_out()
    assert (provinces_there(desk, "T1"), desk.alive_there("T1")) == ({"T1": {"210"}}, [A])
    assert desk.sent(DELETE)[0]["productInfos"][0].keys() == {
        "jobId",
        "productId",
        "domain",
        "enterpriseId",
        "infoType",
    }
    assert (desk.held_there("A1"), books.reconcile()[0]) == ({}, 0)
    books.put("T1", province=BEIJING)
    assert "province: ours 210, theirs 100" in books.reconcile()[1][0]


def test_an_order_that_waits_for_its_day_keeps_its_times(desk, books):
    """The trial's record is posted first in the trial's line of steps, before the cancel of the start day."""
    desk.play(trial(), activation(start="20230930"))
    before = desk.held_there("A1")[A], desk.held_there("T1")[A]
    moved(desk, "A1")
    assert [desk.held_there(number)[A] for number in ("A1", "T1")] == [row | {"province": GUANGDONG} for row in before]
    assert (desk.state("A1"), desk.step("A1", "cancel_trial_billing").state) == ("scheduled", "waiting")
    desk.sweep("2023-09-30 00:00:00")
    assert (desk.state("A1"), desk.alive_there("T1"), books.reconcile()[0]) == ("active", [], 0)


def test_what_staff_accepted_of_the_province_counts_no_more(desk, books, active):
    """A province that staff accepted before no longer counts. Records that already agree with the new attribution are
    not sent again."""
    books.put("A1", province=GUANGDONG)
    assert books.reconcile()[0] == 1
    desk.command("accept", "A1", reason="当地已改")
    calls = len(desk.billed())
    moved(desk, "A1")
    assert (len(desk.billed()), books.reconcile()[0]) == (calls, 0)
    moved(desk, "A1", "SH")
    assert posted(desk)[0]["province"] == "210"


def test_limits_owners_mails_and_customers_follow(desk, client, trialing):
    """Limits, owners and mails follow a move at once. The customer's attributions follow when the search index is
    updated, half a minute later."""
    people = {}
    for place in ("BJ", "GD"):
        people[place] = staff("choose_attribution", "own_order", "view_customer", name=place)
        people[place].limited = True
        people[place].save()
        people[place].attributions.set([place])
    make.ContactFactory(attribution_id="GD", mail="sa-gd@example.com")
    desk.play(activation("A1"), activation("A2", X))
    assert set_owner(kind="order", pk=desk.order("A2").pk, to=people["BJ"], by="staff:x", now=timezone.now())
    search_index.index_orders(now=timezone.now(), seconds=60)
    page = reverse("admin:orders_order_change", args=[desk.order("T1").pk])
    client.force_login(people["BJ"])
    address = reverse("admin:orders_order_decide", args=[desk.order("T1").pk, "move_attribution"])
    last = OrderEvent.objects.filter(order=desk.order("T1")).latest("pk").pk
    answer = client.post(address, {"letters": "GD", "reason": "归属有误", "seen": last})
    assert answer.url == reverse("admin:orders_order_changelist")  # the order is no longer visible to this person
    assert client.get(page).status_code == 404
    # the former owner no longer counts as its owner
    assert desk.order("A2") not in Order.objects.filter(counts(Order))
    client.force_login(people["GD"])
    assert "归属更正：BJ → GD。未告知 BPM" in client.get(page, {"tab": "events"}).content.decode()
    desk.deliver()
    desk.decided("A2")
    assert Mail.objects.get(order__number="A2", kind="mail_billed").recipients == ["sa-gd@example.com"]
    desk.clock.shift(60)
    search_index.index_orders(now=timezone.now(), seconds=60)
    assert list(Customer.objects.get().attributions.values_list("letters", flat=True)) == ["GD"]


# --- refused moves


def test_it_is_refused_while_a_step_is_under_way(desk):
    desk.post(trial())
    for _ in ("due", "sending"):
        with pytest.raises(CommandError, match="a billing step of T1 is under way"):
            moved(desk)
        desk.claim()
    assert letters() == {"T1": "BJ"}
    assert not OrderEvent.objects.filter(kind="attribution_moved").exists()


@pytest.mark.parametrize("number", ["T1", "A1"])
def test_it_is_refused_while_nobody_knows_what_a_step_did(desk, settings, number):
    """The move is refused while a step is retried or has used up its retries. It is also refused for ten minutes after
    a call without an answer, whatever the answer to its repeat was."""
    settings.DISPATCH_RETRY_SECONDS = [30]
    desk.play(trial())
    desk.sandbox.fault(path=BILLING, kind="slow", seconds=0)
    desk.sandbox.fault(path=BILLING, kind="reset_after")
    desk.play(activation())
    assert desk.step("A1", "create_billing").state == "retrying"
    assert code_of("attribute", number, "GD", "--move", reason="x") == 1
    desk.wait()
    assert (desk.state("A1"), desk.step("A1", "create_billing").state) == ("active", "done")
    assert code_of("attribute", number, "GD", "--move", reason="x") == 1
    desk.wait_out()
    desk.clock.shift(601)
    moved(desk, number)
    assert provinces_there(desk, "A1") == {"A1": {GUANGDONG}}
    desk.sandbox.fault(path=BILLING, kind="reset", count=2)
    moved(desk, number, "SH")
    desk.wait()
    assert (desk.step("A1", STEP).state, desk.troubles("A1")) == ("failed", ["broken"])
    desk.clock.shift(601)
    assert code_of("attribute", number, "BJ", "--move", reason="x") == 1
    assert letters() == {"T1": "SH", "A1": "SH"}


@pytest.mark.parametrize(
    "code, told",
    [("BJ", "order T1 and its family belong to BJ already"), ("100", "belong to BJ already"), ("XX", "is unknown")],
)
def test_it_is_refused_where_there_is_nothing_to_correct(trialing, code, told):
    with pytest.raises(CommandError, match=told):
        call_command("attribute", "T1", code, "--move", reason="x")


def test_what_is_held_for_its_attribution_is_chosen(desk):
    desk.play(trial("T1", EnterpriseID="555A23100079275183"), activation(), activation("A9", X, of="T9"))
    for number, told in (("T1", "choose it, without --move"), ("A1", "choose it"), ("A9", "has no attribution yet")):
        with pytest.raises(CommandError, match=told):
            moved(desk, number)
    with pytest.raises(CommandError, match="--dry-run goes with --move"):
        call_command("attribute", "T1", "GD", "--dry-run", reason="x")
    desk.command("attribute", "T1", "200", reason="x")
    assert (letters()["A1"], provinces_there(desk, "A1")) == ("GD", {"A1": {GUANGDONG}})


def test_an_order_that_is_held_for_something_else_moves(desk, trialing):
    desk.play(withdrawal("T1"), activation())
    assert desk.state("A1") == "held"
    moved(desk, "A1")
    assert letters() == {"T1": "GD", "A1": "GD"}


def test_a_dry_run_changes_nothing(desk, trialing, capsys):
    moved(desk, "T1", "GD", "--dry-run")
    assert "dry run: nothing was changed" in capsys.readouterr().out
    assert (letters(), provinces_there(desk, "T1")) == ({"T1": "BJ"}, {"T1": {BEIJING}})


# --- the step of a move


def test_a_refused_step_compensates_nothing_and_holds_up_nobody(desk, books, active, admin_client):
    """The incident of a refused step stays until the step is sent again. The resend uses a new key and the records
    that are live then."""
    desk.sandbox.fault(path=BILLING, kind="refusal")
    moved(desk, "A1")
    assert (desk.state("A1"), desk.step("A1", STEP).state, len(desk.troubles("A1"))) == ("active", "failed", 1)
    assert (desk.alive_there("A1"), desk.sent(DELETE)) == ([A], [])
    page = admin_client.get(reverse("admin:orders_order_change", args=[desk.order("A1").pk])).content.decode()
    assert "按更正后的归属重发话单" in page
    assert reverse("admin:orders_order_decide", args=[desk.order("A1").pk, "resend"]) in page
    desk.play(activation("A2", X))
    assert desk.decided("A2") is None
    assert desk.state("A2") == "active"  # the next activation of the family goes on
    key = desk.step("A1", STEP).key
    assert code_of("give_up", "A1", "--step", STEP, reason="x") == 1
    desk.command("resend", "A1")
    assert (desk.step("A1", STEP).state, desk.troubles("A1")) == ("done", [])
    assert desk.step("A1", STEP).key != key
    assert (provinces_there(desk, "A1"), books.reconcile()[0]) == ({"A1": {GUANGDONG}}, 0)


def test_the_comparison_finds_what_a_refused_step_left(desk, books, active):
    """The comparison leaves the order out while the step is retried. Then it compares with the new province and finds
    the difference, and a fix corrects the record."""
    desk.sandbox.fault(path=BILLING, kind="500")
    moved(desk, "A1")
    code, lines = books.reconcile()
    assert (code, desk.step("A1", STEP).state) == (0, "retrying")
    desk.sandbox.fault(path=BILLING, kind="refusal")
    desk.wait()
    desk.wait_out()
    code, lines = books.reconcile()
    assert code == 1
    assert "province: ours 200, theirs 100" in lines[0]
    assert desk.troubles("A1") == ["difference"]
    books.fix("A1", "--reason", "x")
    assert (provinces_there(desk, "A1"), desk.troubles("A1"), books.reconcile()[0]) == ({"A1": {GUANGDONG}}, [], 0)


def test_what_was_refused_after_an_unanswered_call_is_looked_up(desk, active):
    desk.sandbox.fault(path=BILLING, kind="reset_after")
    moved(desk, "A1")
    desk.sandbox.fault(path=BILLING, kind="refusal")
    asked = len(desk.sent(QUERY))
    desk.wait()
    assert len(desk.sent(QUERY)) == asked + 1
    assert (desk.step("A1", STEP).state, desk.troubles("A1")) == ("done", [])


def test_a_resend_revives_nothing_that_was_cancelled_since(desk, settings, trialing):
    """The calls of a move were never answered, and the trial is withdrawn meanwhile. `resend` makes no cancelled
    record live again. If a late call of the move does, the desk finds the record by its query and cancels it."""
    settings.DISPATCH_RETRY_SECONDS = [30]
    desk.sandbox.fault(path=BILLING, kind="reset", count=2)
    moved(desk)
    [late] = [row | {"province": GUANGDONG} for row in desk.held_there("T1").values()]
    desk.wait()
    assert desk.step("T1", STEP).state == "failed"
    desk.play(withdrawal("T1"))
    assert desk.alive_there("T1") == []
    desk.sandbox.partners.store.put_record(late)  # the late call arrives
    code_of("resend", "T1")
    desk.wait_out()
    assert (desk.state("T1"), desk.alive_there("T1")) == ("withdrawn", [])


def test_a_step_in_the_air_is_undone_by_nothing_and_the_undoing_waits_for_it(desk, active):
    desk.sandbox.fault(path=BILLING, kind="reset_after")
    moved(desk, "A1")
    desk.play(withdrawal("A1"))
    desk.wait_out()
    assert (desk.state("A1"), desk.held_there("A1"), desk.alive_there("T1")) == ("withdrawn", {}, [A])


@pytest.mark.parametrize("refused", [False, True])
def test_a_call_carries_only_so_many_records(desk, books, settings, refused):
    """A move of more records than a call may have goes out in parts, one after the other. If a part is refused,
    `resend` sends all records that are left (contract 7.1, most)."""
    desk.play(trial("T1", A, B, X))
    settings.PARTNERS = read_profile("[bigdata]\npost.most = 2")
    if refused:
        desk.sandbox.fault(path=BILLING, kind="refusal")
        moved(desk)
        assert provinces_there(desk, "T1") == {"T1": {BEIJING}}
        desk.command("resend", "T1")
    else:
        moved(desk)
    assert desk.billed()[-2:] == [("create", "T1", [A, B]), ("create", "T1", [X])]
    assert (provinces_there(desk, "T1"), desk.troubles("T1")) == ({"T1": {GUANGDONG}}, [])
    assert (desk.records("T1"), books.reconcile()[0]) == ({A: "live", B: "live", X: "live"}, 0)


def test_status_says_that_the_release_before_cannot_send_it(desk, trialing):
    move_attribution(number="T1", letters="GD", reason="客户归属有误", by="test", now=timezone.now())
    assert desk_status(timezone.now())["way_back"] == ["let move_attribution_billing end"]
    desk.deliver()
    assert desk_status(timezone.now())["way_back"] == []


def test_the_service_needs_a_reason(trialing):
    with pytest.raises(Exception, match="reason"):
        move_attribution(number="T1", letters="GD", reason=" ", by="staff:x", now=timezone.now())

"""Staff who accept the big-data side's records accept only what the page showed (contract 3.9, 14)."""

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from orders.actions.accept import accept
from orders.actions.take import take
from orders.models import AskedAct, BillingRecord, Difference
from orders.texts.errors import NotAllowedError
from orders.trials.expired_trials import end_trials
from tests import factories
from tests.admin.orders import PERMISSIONS, deciding, filled, page, staff
from tests.flows.conftest import BILLING, QUERY
from tests.flows.contents import activation, trial, withdrawal
from tests.flows.test_acted_before import acted, forget_violations, record

A, B = "a.example.com", "b.example.com"
WHO = {"reason": "客户经理确认", "by": "staff:lisi"}


def accepted(number: str, incident: str = "") -> str:
    """Returns the code of the refusal, or an empty text if `accept` succeeds."""
    try:
        accept(number=number, incident=incident, now=timezone.now(), **WHO)
    except NotAllowedError as error:
        return error.code
    return ""


def standing(number: str) -> list[str]:
    rows = Difference.objects.filter(job_id=number, state="open").order_by("domain")
    return [f"{row.domain} {row.kind} {row.detail['theirs']}" for row in rows]


@pytest.fixture
def clerk(client):
    client.force_login(staff(*PERMISSIONS.values(), name="boss"))
    return client


@pytest.fixture
def both(desk):
    desk.play(trial("T1", A, B), activation("A1"))
    assert desk.alive_there("A1") == [A, B]
    return desk


def lose(desk, number: str, domain: str) -> dict:
    row = desk.held_there(number)[domain]
    desk.sandbox.partners.store.delete_record(row)
    return row


# --- records that are no longer as shown


def test_a_loss_behind_another_difference_is_shown_first(desk, books, active):
    books.put("A1", createTime="20230901000000")
    books.reconcile()
    assert standing("A1") == [f"{A} fields live"]
    books.lose("A1")
    assert accepted("A1") == "books_otherwise"
    assert standing("A1") == [f"{A} not_billed missing"]
    assert (desk.records("A1"), desk.troubles("A1")) == ({A: "live"}, ["difference"])
    assert desk.events("A1", "accepted") == []
    assert [event["differences"] for event in desk.events("A1", "compared")] == [1, 1]


@pytest.mark.parametrize("act", [accept, take])
def test_what_joins_what_was_shown_is_shown_first(both, books, act):
    store = both.sandbox.partners.store
    store.put_record(both.held_there("A1")[A] | {"createTime": "20230901000000"})
    books.reconcile()
    store.put_record(both.held_there("A1")[B] | {"createTime": "20230801000000"})
    with pytest.raises(NotAllowedError) as error:
        act(number="A1", now=timezone.now(), **WHO)
    assert (error.value.code, len(standing("A1"))) == ("books_otherwise", 2)
    act(number="A1", now=timezone.now(), **WHO)
    assert (standing("A1"), both.troubles("A1"), books.reconcile()[0]) == ([], [], 0)


def test_what_is_right_again_by_the_click_is_over(desk, books, active):
    lost = books.lose("A1")
    books.reconcile()
    books.store.put_record(lost)
    assert accepted("A1") == "books_otherwise"
    assert (standing("A1"), desk.troubles("A1"), desk.records("A1")) == ([], [], {A: "live"})
    assert accepted("A1") == "nothing_to_accept"


def test_as_it_was_shown_its_rows_stay(desk, books, active):
    books.lose("A1")
    books.reconcile()
    ids = list(Difference.objects.values_list("pk", flat=True))
    assert accepted("A1") == ""
    assert list(Difference.objects.values_list("pk", "state")) == [(pk, "accepted") for pk in ids]


@pytest.mark.parametrize("act", [accept, take])
def test_without_an_answer_nothing_is_changed(desk, books, active, act):
    books.put("A1", province="200")
    books.reconcile()
    desk.sandbox.fault(path="*", kind="503", count=9)
    with pytest.raises(NotAllowedError, match="does not answer"):
        act(number="A1", now=timezone.now(), **WHO)
    assert (standing("A1"), desk.troubles("A1")) == ([f"{A} fields live"], ["difference"])


def test_what_is_not_about_records_needs_no_answer(desk, active):
    factories.AffectedOrderFactory(
        order=desk.order("A1"), incident__partner="bpm", incident__step="start_bpm", incident__code="process_differs"
    )
    desk.sandbox.fault(path="*", kind="503", count=9)
    assert accepted("A1") == ""
    assert desk.sent(QUERY) == []


def test_a_number_that_we_do_not_know_is_looked_at_too(desk, books, trialing):
    stranger = books.held("T1") | {"jobId": "X9", "cancelStatus": "2"}
    books.store.put_record(stranger)
    row = factories.ReconciliationFactory()
    held = {name: stranger[name] for name in ("infoType", "enterpriseId", "createTime", "cancelTime")}
    Difference.objects.create(
        reconciliation=row,
        kind="unknown_order",
        job_id="X9",
        product_id="1",
        domain=A,
        detail={"ours": "none", "theirs": "cancelled", "held": held},
    )
    books.store.put_record(stranger | {"cancelStatus": "1"})
    assert accepted("X9") == "books_otherwise"
    assert standing("X9") == [f"{A} unknown_order live"]
    assert accepted("X9") == ""
    assert standing("X9") == []


def test_what_is_gone_of_an_ended_trial_is_shown_first(desk, books, clerk):
    """A record disappears after the page showed it as live. The trial has ended, so its missing record is no
    difference. `accept` refuses once and shows the change first."""
    desk.play(trial("T1", A, B, BizEnd="20230921"))
    desk.at("2023-09-23 09:00:00")
    end_trials(now=timezone.now())
    assert desk.state("T1") == "ended"
    store = desk.sandbox.partners.store
    store.put_record(desk.held_there("T1")[A] | {"createTime": "20230901000000"})
    books.reconcile()
    form = filled(desk.order("T1"), "accept")
    store.put_record(desk.held_there("T1")[B] | {"cancelStatus": "2"})
    answer = clerk.post(deciding(desk.order("T1"), "accept"), form)
    assert (answer.status_code, len(answer.context["news"]), desk.events("T1", "accepted")) == (409, 1, [])
    assert (standing("T1"), desk.records("T1")) == ([f"{A} fields live"], {A: "live", B: "cancelled"})
    clerk.post(deciding(desk.order("T1"), "accept"), filled(desk.order("T1"), "accept"))
    assert (standing("T1"), desk.troubles("T1"), books.reconcile()[0]) == ([], [], 0)


# --- incidents that `accept` must name


def test_a_loss_is_accepted_by_its_name_is_never_called_billed_and_can_be_left(desk, books, clerk, capsys, active):
    books.lose("A1")
    books.reconcile()
    said = " ".join(clerk.get(deciding(desk.order("A1"), "accept")).context["will"])
    assert "不计费" in said
    assert A in said
    with pytest.raises(CommandError, match="accept A1 not_billed"):
        call_command("accept", "A1", reason="x")
    call_command("accept", "A1", "not_billed", reason="x")
    assert (desk.troubles("A1"), desk.state("A1"), books.reconcile()[0]) == ([], "active", 0)
    text = clerk.get(page(desk.order("A1"))).content.decode()
    listed = clerk.get(reverse("admin:orders_order_changelist")).content.decode()
    for shown in (text, listed):
        assert "不计费，已认可" in shown
    assert "客户已开通并计费" not in text
    assert "已开通并计费" not in text
    assert "客户正在使用并计费" not in text
    books.fix("A1", "--reason", "再计费")
    desk.deliver()
    assert (desk.alive_there("A1"), desk.records("A1"), desk.troubles("A1")) == ([A], {A: "live"}, [])
    assert books.reconcile()[0] == 0
    assert "客户已开通并计费" in clerk.get(page(desk.order("A1"))).content.decode()
    assert BillingRecord.objects.get(order__number="A1").accepted == {}


def test_what_is_live_of_a_withdrawn_order_is_accepted_by_its_name_and_can_be_left(desk, books, clerk, active):
    kept = books.held("A1")
    desk.play(withdrawal("A1"))
    books.store.put_record(kept | {"cancelStatus": "2"})
    books.reconcile()
    books.store.put_record(kept)
    assert accepted("A1") == "books_otherwise"
    assert standing("A1") == [f"{A} not_ours live"]
    with pytest.raises(CommandError, match="accept A1 billed_not_active"):
        call_command("accept", "A1", reason="x")
    call_command("accept", "A1", "billed_not_active", reason="x")
    assert (desk.troubles("A1"), desk.records("A1"), books.reconcile()[0]) == ([], {A: "live"}, 0)
    assert "仍有有效话单，已认可" in clerk.get(page(desk.order("A1"))).content.decode()
    for act in ("withdraw", "compensate"):
        with pytest.raises(CommandError, match="reconcile A1 --fix --reason"):
            call_command(act, "A1", reason="x")
    books.fix("A1", "--reason", "不再计费")
    desk.deliver()
    assert (desk.alive_there("A1"), desk.records("A1"), desk.troubles("A1")) == ([], {A: "deleted"}, [])
    assert (books.live(), books.reconcile()[0]) == (["T1"], 0)


def test_what_was_accepted_of_a_withdrawn_order_is_over_once_it_is_gone(desk, books, active):
    kept = books.held("A1")
    desk.play(withdrawal("A1"))
    books.store.put_record(kept)
    books.reconcile()
    assert accepted("A1") == ""
    books.store.delete_record(kept)
    assert (books.reconcile()[0], desk.records("A1")) == (0, {A: "deleted"})


def test_an_order_with_an_accepted_loss_can_be_withdrawn(desk, books, active):
    books.lose("A1")
    books.reconcile()
    assert accepted("A1") == ""
    desk.play(withdrawal("A1"))
    assert (desk.state("A1"), desk.state("T1"), books.live()) == ("withdrawn", "trialing", ["T1"])
    assert (desk.troubles("A1"), books.reconcile()[0]) == ([], 0)


def test_what_is_there_again_of_an_accepted_loss_can_be_taken(desk, books, active):
    lost = books.lose("A1")
    books.reconcile()
    assert accepted("A1") == ""
    books.store.put_record(lost)
    assert books.reconcile()[0] == 1
    desk.staff(take, "A1")
    assert (desk.records("A1"), desk.troubles("A1"), books.reconcile()[0]) == ({A: "live"}, [], 0)


def test_what_was_accepted_is_put_right_from_the_page_too(desk, books, clerk, active):
    books.lose("A1")
    books.reconcile()
    assert accepted("A1") == ""
    assert clerk.get(deciding(desk.order("A1"), "fix")).context["why_not"] is None
    clerk.post(deciding(desk.order("A1"), "fix"), filled(desk.order("A1"), "fix"))
    desk.deliver()
    assert (desk.alive_there("A1"), desk.troubles("A1")) == ([A], [])


def test_an_accepted_field_is_ours_again_after_a_fix_with_a_reason(desk, books, trialing):
    books.put("T1", province="200")
    books.reconcile()
    assert accepted("T1") == ""
    assert books.reconcile("--fix")[0] == 0
    books.fix("T1", "--reason", "x")
    desk.deliver()
    assert (books.held("T1")["province"], books.reconcile()[0]) == ("100", 0)


def test_an_activation_whose_records_are_not_there_is_not_accepted_as_made(desk):
    """If `accept` succeeded here, the order would be active although no record bills it."""
    other = record("A1", B, infoType="2", productId="P-A1")
    acted(desk, "A1", "create_billing", BILLING, {"productInfos": [other]})
    desk.play(trial("T1", A), activation("A1"))
    assert desk.troubles("A1") == ["acted_before"]
    assert accepted("A1") == "books_otherwise"
    assert accepted("A1") == "step_not_there"
    assert (desk.state("A1"), standing("A1")) == ("failed", [f"{B} not_ours live"])
    forget_violations(desk)


def test_a_deletion_that_nobody_knows_of_does_not_pass_for_billed_still(desk, books, settings, active):
    """`accept` gives up a deletion of unknown outcome. The record is still live, and `accept` must name
    `billed_not_active` to end that incident."""
    settings.DISPATCH_RETRY_SECONDS = []
    desk.sandbox.fault(path="/bigdata/productInfos/delete", kind="503", count=9)
    desk.play(withdrawal("A1"))
    assert desk.troubles("A1") == ["http_503"]
    assert accepted("A1") == ""
    desk.wait_out()  # the last deletion without an answer may still act: the undoing ends only after the query for it
    assert (desk.state("A1"), desk.troubles("A1")) == ("withdrawn", ["billed_not_active"])
    settings.FOUR_EYES = {"accept": 0}
    # without the incident's name, no second person is asked either
    with pytest.raises(CommandError, match="accept A1 billed_not_active"):
        call_command("accept", "A1", reason="x", by="li")
    settings.FOUR_EYES = {}
    assert accepted("A1", "billed_not_active") == ""
    assert (desk.troubles("A1"), books.live()) == ([], ["A1"])


@pytest.fixture
def billed_still(desk, settings, active):
    """A1 is withdrawn, and staff gave up its deletion, which had no answer."""
    settings.DISPATCH_RETRY_SECONDS = []
    desk.sandbox.fault(path="/bigdata/productInfos/delete", kind="503")
    desk.play(withdrawal("A1"))
    assert accepted("A1") == ""
    desk.wait_out()
    assert (desk.state("A1"), desk.troubles("A1")) == ("withdrawn", ["billed_not_active"])


def test_what_is_gone_by_the_click_is_not_accepted_as_billed_still(desk, books, clerk, billed_still):
    """The page said that the order is still billed. To accept this would end its trial. The record is gone by the
    click, so `accept` refuses, and the trial runs again."""
    form = filled(desk.order("A1"), "accept")
    books.lose("A1")
    answer = clerk.post(deciding(desk.order("A1"), "accept"), form)
    assert (answer.status_code, bool(answer.context["news"])) == (409, True)
    desk.deliver()
    assert (desk.troubles("A1"), desk.records("A1"), books.live()) == ([], {A: "deleted"}, ["T1"])
    assert (desk.state("T1"), len(desk.events("A1", "accepted"))) == ("trialing", 1)


def test_what_is_billed_still_of_a_withdrawn_order_is_over_with_the_answer_to_its_fix(desk, books, clerk, billed_still):
    """A record of a withdrawn order is still billed, and nobody accepts this. Another withdrawal is refused and names
    `reconcile --fix`. The fix deletes the record, and the trial runs again at once."""
    with pytest.raises(CommandError, match="reconcile A1 --fix --reason"):
        call_command("withdraw", "A1", reason="x")
    order = desk.order("A1")
    for act in ("withdraw", "compensate"):
        assert "修正" in clerk.get(deciding(order, act)).context["why_not"]
    assert "删除大数据侧不应存在的 1 条话单" in " ".join(clerk.get(deciding(order, "fix")).context["will"])
    clerk.post(deciding(order, "fix"), filled(order, "fix"))
    desk.deliver()
    assert (desk.troubles("A1"), desk.records("A1"), books.live()) == ([], {A: "deleted"}, ["T1"])
    assert desk.state("T1") == "trialing"
    with pytest.raises(CommandError, match="withdrawn already$"):
        call_command("withdraw", "A1", reason="x")


# --- four eyes


@pytest.fixture
def people(client, settings):
    settings.FOUR_EYES = dict.fromkeys(("accept", "take"), 0)

    def acts(name: str, *roles: str):
        user = factories.UserFactory(username=name, email="")
        user.groups.set(Group.objects.filter(name__in=roles))
        client.force_login(user)
        return client

    return acts


@pytest.mark.parametrize("key", ["accept", "take"])
def test_the_second_person_sees_what_joined_since_it_was_asked(both, books, people, key):
    store = both.sandbox.partners.store
    put = {A: {"createTime": "20230901000000"}, B: {"createTime": "20230801000000"}}
    if key == "accept":
        lose(both, "A1", A)
    else:
        store.put_record(both.held_there("A1")[A] | put[A])
    books.reconcile()
    order = both.order("A1")
    people("asker", "业务人员", "工程师").post(deciding(order, key), filled(order, key))
    row = AskedAct.objects.get()
    if key == "accept":
        lose(both, "A1", B)
    else:
        store.put_record(both.held_there("A1")[B] | put[B])
    judge = people("judge", "审批主管")
    shown = judge.get(reverse("admin:orders_askedact_change", args=[row.pk])).context["preview"]
    assert (shown.before, shown.news) == ([], [])
    url = reverse("admin:orders_askedact_confirm", args=[row.pk])
    answer = judge.post(url, {"seen": shown.last_event_id, "told": shown.told})
    assert answer.status_code == 409
    again = answer.context["preview"]
    assert (bool(again.before), len(again.news)) == (True, 1)
    assert any(B in sentence for sentence in again.will)
    assert (both.records("A1"), both.troubles("A1")) == ({A: "live", B: "live"}, ["difference"])
    answer = judge.post(url, {"seen": again.last_event_id, "told": again.told})
    assert (answer.status_code, both.troubles("A1")) == (302, [])


def test_what_a_comparison_finds_while_a_page_is_open_is_told_first(both, books, clerk):
    lose(both, "A1", A)
    books.reconcile()
    order = both.order("A1")
    form = filled(order, "accept")
    lose(both, "A1", B)
    books.reconcile()
    answer = clerk.post(deciding(order, "accept"), form)
    assert (answer.status_code, len(answer.context["news"])) == (409, 1)
    assert both.troubles("A1") == ["difference"]

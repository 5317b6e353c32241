"""Acts on many rows: which rows are chosen, what would happen, what each act does, and how to try the failed rows
again.
"""

import datetime
import re

import pytest
from django.urls import reverse
from django.utils import timezone

from integrations import tasks
from orders.actions.step_acts import VERDICTS
from orders.models import Dispatch, Incident, Order, OrderEvent
from orders.office.bulk import bulk_runs as bulk_runs
from orders.office.bulk import page as bulk_page
from orders.office.bulk import selection as bulk_selection
from orders.office.bulk.models import BulkItem, BulkRun
from orders.sending.resend import Selection, resend
from tests import factories as make
from tests.admin.orders import billed, failed, held_for_attribution, in_conflict, step
from tests.office.bulking import NOTE, begin, confirm, new, notes, outcomes, page, picked

pytestmark = pytest.mark.django_db
ORDERS = "/admin/orders/order/"


# --- which rows are chosen, and what would happen


def test_three_ticked_orders_get_a_note_at_once(staff):
    one, two, three, other = (make.OrderFactory() for _ in range(4))
    run = begin(staff, new("note", picked(one, two, three)))
    assert outcomes(run) == ("done", 3, 0)
    assert notes(one, two, three, other) == [1, 1, 1, 0]
    event = one.events.get(kind="note")
    kept = {"reason": NOTE, "run": run.pk, "caller": "127.0.0.1"}
    assert (event.actor, event.data) == (f"staff:{staff.person.username}", kept)
    assert run.words == [["勾选", "3 行"]]
    events = staff.get(reverse("admin:orders_order_change", args=[one.pk]) + "?tab=events").content.decode()
    assert f"批量操作 #{run.pk}" in events


def test_the_list_offers_ticks_and_acts_to_those_who_may(member):
    order = make.OrderFactory()
    url = reverse("admin:orders_order_changelist") + "?state__exact=in_progress"
    text = member("业务人员").get(url).content.decode()
    assert f'name="pick" value="{order.pk}" form="bulk"' in text
    assert '<input type="hidden" name="state__exact" value="in_progress">' in text
    assert set(re.findall(r'formaction="[^"]*/new/(\w+)/"', text)) == {"resend", "attribute", "note", "own_orders"}
    text = member("审计员").get(url).content.decode()
    assert 'name="pick"' not in text
    assert "formaction" not in text


@pytest.mark.parametrize("model, keys", [("conflict", {"conflicts"}), ("incident", {"incidents", "own_incidents"})])
def test_other_lists_offer_their_own(staff, model, keys):
    make.AffectedOrderFactory(order=in_conflict())
    text = staff.get(reverse(f"admin:orders_{model}_changelist")).content.decode()
    assert set(re.findall(r'formaction="[^"]*/new/(\w+)/"', text)) == keys


def test_without_ticks_nothing_is_chosen(staff):
    make.OrderFactory()
    answer = staff.get(new("note", "state__exact=in_progress"), follow=True)
    assert answer.redirect_chain[0][0].endswith("/order/?state__exact=in_progress")
    assert "勾选" in answer.content.decode()


@pytest.mark.parametrize("pick", ["x", "", "0", "-1", "99999999999999999999"])
def test_a_tick_that_means_no_row_does_not_mean_all(staff, pick):
    failed()
    assert staff.get(new("resend", f"pick={pick}")).context["count"] == 0


def test_the_dry_run_says_what_would_change_per_kind_with_a_sample(staff):
    held = [held_for_attribution() for _ in range(2)]
    rest = [billed() for _ in range(11)]
    context = staff.get(new("attribute", picked(*held, *rest))).context
    assert (context["count"], context["acts"], [number for _, number in context["verdicts"]]) == (13, True, [11, 2])
    assert len(context["sample"]) == 10
    assert {name for _address, name, _words in context["sample"][:2]} == {order.number for order in held}
    assert not OrderEvent.objects.filter(kind="attribution_chosen").exists()


def test_of_very_many_only_the_first_are_judged_and_others_may_change_all_the_same(staff, monkeypatch):
    monkeypatch.setattr(bulk_page, "JUDGED", 2)
    for _ in range(2):
        billed()
    held = held_for_attribution()
    context = staff.get(new("attribute")).context
    assert (context["count"], context["estimated"]) == (5, 2)
    run = begin(staff, new("attribute"), letters="SH")
    assert (make.fresh(held).attribution_id, outcomes(run)[1]) == ("SH", 1)


def test_attributions_that_a_second_person_confirms_are_not_chosen_in_bulk(staff, settings):
    settings.FOUR_EYES = {"attribute": 0}
    text = staff.get(new("attribute", picked(held_for_attribution()))).content.decode()
    assert "需另一人逐单复核" in text
    assert 'name="draft"' not in text


def test_whom_it_is_handed_over_to_may_not_see_all_and_the_page_says_what_comes_of_these(staff):
    """The page that says what will happen also has the choice of the new owner. It warns that rows stay unchanged if
    the new owner may not see them.
    """
    order = make.OrderFactory(state="failed")
    assert "对方看不到的行保持不变。" in staff.get(new("own_orders", picked(order))).text


def test_where_nothing_would_change_there_is_no_button(staff):
    text = staff.get(new("attribute", picked(billed()))).content.decode()
    assert "不会有任何变化" in text
    assert 'name="draft"' not in text


@pytest.mark.parametrize(
    "key, allowed", [("note", "add_note"), ("attribute", "choose_attribution"), ("resend", "resend_order")]
)
def test_each_act_has_its_permission(member, key, allowed):
    client = member()
    assert client.get(new(key)).status_code == 403
    assert client.post(new(key), {"reason": "x"}).status_code == 403
    assert not BulkRun.objects.exists()


def test_rows_out_of_scope_can_t_be_ticked(member):
    staff, own, other = member("业务人员", letters=["BJ"]), make.OrderFactory(), make.OrderFactory(attribution_id="SH")
    begin(staff, new("note", picked(own, other)))
    assert notes(own, other) == [1, 0]


def test_a_reason_is_needed_where_the_single_act_needs_one(staff):
    order, incident = make.OrderFactory(), make.AffectedOrderFactory().incident
    assert confirm(staff, new("note", picked(order)), reason=" ").status_code == 200
    begin(staff, new("incidents", picked(incident)), reason="")
    assert (notes(order), make.fresh(incident).state, incident.owner) == ([0], "acknowledged", staff.person)


# --- what each act does


def test_a_ticked_conflict_is_seen_to_and_the_order_s_other_one_is_not(staff):
    order = in_conflict()
    ticked = make.ConflictFactory(order_number=order.number)
    run = begin(staff, new("conflicts", picked(ticked)))
    assert (make.fresh(ticked).seen.data["reason"], ticked.seen.data["run"]) == (NOTE, run.pk)
    assert type(ticked).objects.filter(seen=None).count() == 1
    unknown = make.ConflictFactory(order_number="100A29990101000001")
    assert not staff.get(new("conflicts", picked(unknown))).context["acts"]


def test_incidents_that_are_over_are_left(staff):
    open_one, over = (make.AffectedOrderFactory().incident for _ in range(2))
    Incident.objects.filter(pk=over.pk).update(state="resolved")
    run = begin(staff, new("incidents", picked(open_one, over)))
    assert outcomes(run) == ("done", 1, 1)
    assert run.items.get(state="failed").why["code"] == "owned_over"


def test_a_step_that_a_colleague_has_sent_meanwhile_is_not_sent_twice(staff, slow):
    one, two = failed(), failed()
    run = begin(staff, new("resend", "partner=bpm"))
    resend(Selection(numbers=(one.number,)), by="staff:li", reason="x", now=timezone.now())
    tasks.bulk(run.pk)
    assert outcomes(run) == ("done", 1, 1)
    assert run.items.get(target=one.pk).why["code"] == "resend_nothing_failed"
    assert [order.events.filter(kind="resend").count() for order in (one, two)] == [1, 1]


def two_failed(second="fix_create_billing", **more):
    order = failed()
    step(order, second, "failed", position=9, **{"error_code": "code_500"} | more)
    return order


def test_a_dry_run_counts_orders_and_only_the_steps_with_the_chosen_error_code_are_sent(staff):
    order = two_failed("create_billing")
    context = staff.get(new("resend", picked(order))).context
    assert [number for _, number in context["verdicts"]] == [1]
    [(_address, _name, words)] = context["sample"]
    assert [str(Dispatch.Step(row.step).label) in words for row in order.dispatches.all()] == [True, True]
    begin(staff, new("resend", "code=timeout"))
    assert set(order.dispatches.values_list("error_code", "state")) == {("timeout", "due"), ("code_500", "failed")}


def test_a_refused_resend_names_each_step_and_why(staff, slow):
    order = two_failed()
    run = begin(staff, new("resend", picked(order)))
    order.dispatches.filter(step="start_bpm").update(step="fix_delete_billing", channel="billing")
    tasks.bulk(run.pk)
    words = [str(Dispatch.Step(name).label) for name in ("fix_create_billing", "fix_delete_billing")]
    assert outcomes(run) == ("done", 0, 1)
    for url in (reverse("admin:orders_bulkrun_change", args=[run.pk]), reverse("admin:orders_bulkitem_changelist")):
        text = staff.get(url).content.decode()
        assert [word in text for word in words] == [True, True]
        assert str(VERDICTS["refused"]) in text


@pytest.mark.parametrize(
    "changed, code",
    [
        ({"state": "withdrawn"}, "resend_withdrawn"),
        ({"state": "held", "held_because": "files"}, "resend_held_for_files"),
        ({"state": "rejected", "undo_since": timezone.now()}, "resend_taken_back"),
    ],
)
def test_what_the_order_s_page_does_not_resend_is_not_resent_in_bulk(staff, slow, changed, code):
    order = failed()
    run = begin(staff, new("resend", picked(order)))
    Order.objects.filter(pk=order.pk).update(**changed)
    assert not staff.get(new("resend", picked(order))).context["acts"]
    tasks.bulk(run.pk)
    assert (outcomes(run), run.items.get().why["code"]) == (("done", 0, 1), code)
    assert order.dispatches.get().state == "failed"


def test_the_page_says_what_became_of_resent_orders(staff):
    fixed, again, waiting = failed(), failed(), failed()
    run = begin(staff, new("resend", "partner=bpm"))
    fixed.dispatches.update(state="done", next_try_at=None)
    again.dispatches.update(state="failed", next_try_at=None, error_code="code_400", error="域名未备案")
    context = page(staff, run).context
    found = context["resent"]
    assert (found.fixed, found.failed, found.waiting, context["busy"]) == (1, 1, 1, True)
    assert [row.order.pk for row in found.orders] == [again.pk, waiting.pk]


# --- confirming, and trying the failed rows again


def test_a_double_click_is_one_run(staff, slow):
    order = make.OrderFactory()
    url = new("note", picked(order))
    shown = staff.get(url).context["form"]
    form = {"reason": NOTE, "draft": shown["draft"].value()}
    answers = [staff.post(url, form) for _ in range(2)]
    assert answers[0]["Location"] == answers[1]["Location"]
    assert BulkRun.objects.count() == 1


def test_the_rows_are_those_that_the_page_showed(staff):
    old = make.OrderFactory()
    shown = staff.get(new("note")).context["form"]["draft"].value()
    later = make.OrderFactory()
    staff.post(new("note"), {"reason": NOTE, "draft": shown})
    assert notes(old, later) == [1, 0]


def test_a_person_has_one_draft_and_an_hour_for_it(staff, clock):
    order = make.OrderFactory()
    first, second = (staff.get(new("note")).context["form"]["draft"].value() for _ in range(2))
    assert _refused(staff, first)
    clock.shift(bulk_runs.DRAFT_KEPT + datetime.timedelta(seconds=1))
    assert _refused(staff, second)
    assert notes(order) == [0]
    tasks.tidy()
    left = BulkRun.objects.get()  # the draft of the last request to the page
    assert (left.pk > second, BulkItem.objects.exclude(run=left).count()) == (True, 0)


def _refused(client, draft):
    answer = client.post(new("note"), {"reason": NOTE, "draft": draft}, follow=True)
    return "重新查看" in answer.content.decode()


def test_nobody_confirms_or_sees_a_colleague_s_draft(member):
    order = make.OrderFactory()
    drafted = member("业务人员").get(new("note")).context["form"]["draft"].value()
    other = member("业务人员")
    assert _refused(other, drafted)
    assert other.get(new("note") + f"&draft={drafted}").context["form"]["draft"].value() != drafted
    assert page(other, BulkRun(pk=drafted)).status_code == 404
    assert notes(order) == [0]
    for name in ("bulkrun", "bulkitem"):
        assert not other.get(reverse(f"admin:orders_{name}_changelist")).context["cl"].result_list


def test_what_came_since_the_page_was_shown_is_not_in_the_run(staff, slow):
    orders = [make.OrderFactory(state="scheduled") for _ in range(5)]
    url = new("note", "every=1&state__exact=scheduled")
    shown = staff.get(url).context
    later = make.OrderFactory(state="scheduled")
    staff.post(url, {"reason": NOTE, "draft": shown["form"]["draft"].value()})
    tasks.bulk(BulkRun.objects.get().pk)
    assert (shown["count"], notes(*orders), notes(later)) == (5, [1] * 5, [0])


@pytest.fixture
def at_most_two(monkeypatch):
    for module in (bulk_page, bulk_selection):
        monkeypatch.setattr(module, "MAX_ROWS", 2)


def test_too_many_rows_are_no_draft_and_the_page_says_what_to_do(staff, at_most_two):
    for _ in range(4):
        make.OrderFactory(state="scheduled")
    shown = staff.get(new("note", "every=1&state__exact=scheduled"))
    text = shown.content.decode()
    assert (shown.context["count"], BulkRun.objects.count()) == (0, 0)
    assert "共 4 行，一次最多处理 2 行，没有做任何操作。" in text
    assert "请缩小列表的筛选范围" in text
    assert 'name="draft"' not in text
    assert f'href="{ORDERS}?state__exact=scheduled"' in text


def test_as_many_as_a_run_takes_are_one_draft(staff, at_most_two):
    for _ in range(2):
        make.OrderFactory()
    run = begin(staff, new("note"))
    assert outcomes(run) == ("done", 2, 0)


def test_a_person_has_three_unfinished_runs(staff, slow):
    order = make.OrderFactory()
    for _ in range(3):
        begin(staff, new("note", picked(order)))
    answer = staff.post(new("note"), {"reason": NOTE, "draft": staff.get(new("note")).context["form"]["draft"].value()})
    assert (answer.status_code, BulkRun.objects.filter(state="waiting").count()) == (302, 3)
    assert "3" in staff.get(new("note")).content.decode()


def test_all_that_fit_the_filter_of_which_paging_sorting_and_columns_are_no_parts(staff):
    order, other = make.OrderFactory(state="scheduled"), make.OrderFactory()
    run = begin(staff, new("note", "every=1&state__exact=scheduled&p=2&o=-1&columns=number&view=3&_facets=True"))
    assert (notes(order, other), run.query, run.words) == ([1, 0], "state__exact=scheduled", [["状态", "待生效"]])


@pytest.mark.parametrize("named", ["pick={}", "every=1"])
def test_an_order_that_leaves_rows_out_leaves_them_out_of_the_run(staff, named):
    """Sorted by attempts or by next try, the list shows only orders that have a step with such a value. The button for
    all rows counts these orders, and the run acts only on them.
    """
    stopped, fine = failed(), make.OrderFactory()
    order = "&o=-attempts.-received"
    assert "全部 1 条订单" in staff.get(f"{ORDERS}?{order}").content.decode()
    run = begin(staff, new("note", named.format(stopped.pk) + order))
    assert notes(stopped, fine) == [1, 0]
    run = begin(staff, new("note", "every=1" + order), reason="another note")
    assert (notes(stopped, fine), run.query) == ([2, 0], "o=-attempts.-received")
    assert run.words == [["排序", "按此列排序时，只显示有步骤失败或正在重试的订单。"]]
    assert staff.get(f"{ORDERS}?{run.query}").context["cl"].result_count == 1


def test_what_failed_in_the_list_is_what_the_list_shows(staff):
    """Sorted by next try, the list does not show an order whose step has failed for good, so its link to resend does
    not choose that order.
    """
    failed()
    link = staff.get(f"{ORDERS}?o=next_try&kind__exact=activation").context["cl"].resend_query
    assert staff.get(new("resend", link.removeprefix("?"))).context["count"] == 0


@pytest.mark.parametrize("act", ["note", "resend"])
def test_a_number_that_no_column_can_hold_is_an_unknown_list(staff, act):
    """SQLite refuses such a number, and on PostgreSQL no row has it. Neither causes an error."""
    make.OrderFactory()
    for value in ("99999999999999999999", "9" * 400):
        address = new(act, f"every=1&incident={value}")
        answers = [staff.get(address), staff.post(address, {"reason": "x", "draft": "1"})]
        assert {answer.status_code for answer in answers} <= {200, 302, 404}
    assert not BulkRun.objects.exists()


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"reason": "\0"},
        {"reason": "x" * 501},
        {"reason": "x"},
        {"reason": "x", "draft": "x" * 5000},
        {"reason": "x", "draft": "9999999999999999999999"},
        {"reason": "x", "draft": "-1"},
    ],
)
def test_nonsense_in_the_form_does_nothing(staff, form):
    make.OrderFactory()
    assert staff.post(new("note"), form).status_code == 200
    assert not BulkRun.objects.exclude(state=BulkRun.State.DRAFT).exists()


def test_attributions_are_chosen_each_refusal_has_its_reason_and_the_failed_ones_are_tried_again(staff, member):
    """The failed rows can be tried again. The form then keeps the reason, but a colleague who tries them again has to
    enter a new one.
    """
    held, running, maker, phone = held_for_attribution(), billed(), staff.person, "13712345678"
    run = begin(staff, new("attribute", picked(held, running)), letters="SH", reason=phone)
    assert (make.fresh(held).attribution_id, outcomes(run)) == ("SH", ("done", 1, 1))
    item = run.items.get(target=running.pk)
    assert (item.state, item.why["code"]) == ("failed", "not_held_for_attribution")
    assert running.number in page(staff, run).content.decode()
    Order.objects.filter(pk=running.pk).update(state="held", held_because="attribution_unknown", attribution=None)
    again = page(staff, run).context["again"]
    shown = staff.get(again).context
    assert (shown["count"], shown["form"]["letters"].value(), shown["form"]["reason"].value()) == (1, "SH", phone)
    assert phone not in member("业务人员").get(again).content.decode()
    staff.force_login(maker)
    second = begin(staff, again, letters="SH")
    assert outcomes(second) == ("done", 1, 0)


def test_the_rest_of_a_resend_keeps_its_filter(staff, slow):
    order = failed()
    run = begin(staff, new("resend", "partner=bpm&code=timeout"))
    order.dispatches.update(state="done", next_try_at=None)
    tasks.bulk(run.pk)
    assert page(staff, run).context["again"].endswith(f"?again={run.pk}&partner=bpm&code=timeout")


@pytest.mark.parametrize("done, words", [(0, "排队中"), (3, "进行中")])
def test_a_run_between_two_turns_is_under_way(member, done, words):
    staff = member("业务人员")
    run = make.BulkRunFactory(by=f"staff:{staff.person.username}", state="waiting", total=9, done=done)
    text = staff.get(reverse("admin:orders_bulkrun_change", args=[run.pk])).content.decode()
    assert {word for word in ("排队中", "进行中") if f">{word}<" in text} == {words}

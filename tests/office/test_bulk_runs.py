"""Acts on many rows: ticked or by a filter, what would happen, at once or in the background, and what came of each."""

import datetime
import functools
import re

import pytest
from django.contrib.auth.models import Group
from django.db import OperationalError
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from integrations import tasks
from orders.admin.office import bulk_acts, bulk_page, bulk_selection, run_bulk
from orders.models import BulkItem, BulkRun, Dispatch, Incident, Order, OrderEvent, Timeline
from orders.restored_guard import note_restored, read_restore_state
from orders.services.office import bulk_runs
from orders.services.office.exports import LeftError
from orders.services.outbox.resend import Selection, resend
from orders.services.restores import release_restored
from tests import factories as make
from tests.admin.orders import billed, failed, held_for_attribution, in_conflict
from tests.office.conftest import body, read_csv

pytestmark = pytest.mark.django_db
DEAD = bulk_runs.LEASE + datetime.timedelta(seconds=1)
NOTE = "客户来电，已核实"


@pytest.fixture
def staff(member):
    return member("业务人员")


@pytest.fixture
def slow(monkeypatch):
    """No run is so short that a request carries it out."""
    monkeypatch.setattr(bulk_page, "AT_ONCE", 0)


def new(key, query="every=1"):
    return reverse("admin:orders_bulkrun_new", args=[key]) + f"?{query}"


def picked(*rows):
    return "&".join(f"pick={row.pk}" for row in rows)


def confirm(client, url, **form):
    """Looks, then confirms what the page showed."""
    shown = client.get(url).context["form"]
    given = {"reason": NOTE, "seen": shown["seen"].value(), "token": shown["token"].value()} | form
    return client.post(url, given)


def begin(client, url, **form):
    """Confirms it; the run."""
    answer = confirm(client, url, **form)
    assert answer.status_code == 302, answer.context["form"].errors
    return BulkRun.objects.latest("pk")


def page(client, run):
    return client.get(reverse("admin:orders_bulkrun_change", args=[run.pk]))


def notes(*orders):
    return [order.events.filter(kind="note").count() for order in orders]


def outcomes(run):
    run.refresh_from_db()
    return run.state, run.done, run.failed


# --- which rows, and what would happen


def test_three_ticked_orders_get_a_note_at_once(staff):
    one, two, three, other = (make.OrderFactory() for _ in range(4))
    run = begin(staff, new("note", picked(one, two, three)))
    assert outcomes(run) == ("done", 3, 0)
    assert notes(one, two, three, other) == [1, 1, 1, 0]
    event = one.events.get(kind="note")
    assert (event.actor, event.data) == (f"staff:{staff.person.username}", {"reason": NOTE, "run": run.pk})
    assert run.words == [["勾选", "3 行"]]


def test_the_list_offers_ticks_and_acts_to_those_who_may(member):
    order = make.OrderFactory()
    url = reverse("admin:orders_order_changelist") + "?state__exact=in_progress"
    text = member("业务人员").get(url).content.decode()
    assert f'name="pick" value="{order.pk}" form="bulk"' in text
    assert '<input type="hidden" name="state__exact" value="in_progress">' in text
    assert set(re.findall(r'formaction="[^"]*/new/(\w+)/"', text)) == {"resend", "attribute", "note"}
    text = member("审计员").get(url).content.decode()
    assert 'name="pick"' not in text
    assert "formaction" not in text


@pytest.mark.parametrize("model, keys", [("conflict", {"conflicts"}), ("incident", {"incidents"})])
def test_other_lists_offer_their_own(staff, model, keys):
    make.AffectedOrderFactory(order=in_conflict())
    text = staff.get(reverse(f"admin:orders_{model}_changelist")).content.decode()
    assert set(re.findall(r'formaction="[^"]*/new/(\w+)/"', text)) == keys


def test_all_that_match_the_filter(staff):
    mine, other = make.OrderFactory(state="scheduled"), make.OrderFactory()
    run = begin(staff, new("note", "every=1&state__exact=scheduled"))
    assert (notes(mine, other), run.query, run.words) == ([1, 0], "state__exact=scheduled", [["状态", "待生效"]])


def test_without_ticks_nothing_is_chosen(staff):
    make.OrderFactory()
    answer = staff.get(new("note", "state__exact=in_progress"), follow=True)
    assert answer.redirect_chain[0][0].endswith("/order/?state__exact=in_progress")
    assert "勾选" in answer.content.decode()


def test_the_dry_run_says_what_would_change_per_kind_with_a_sample(staff):
    held = [held_for_attribution() for _ in range(2)]
    rest = [billed() for _ in range(11)]
    context = staff.get(new("attribute", picked(*held, *rest))).context
    assert (context["count"], context["acts"], [number for _, number in context["verdicts"]]) == (13, True, [11, 2])
    assert len(context["sample"]) == 10
    assert {name for _address, name, _words in context["sample"][:2]} == {order.number for order in held}
    assert not OrderEvent.objects.filter(kind="attribution_chosen").exists()


def test_of_very_many_only_the_first_are_judged(staff, monkeypatch):
    monkeypatch.setattr(bulk_selection, "JUDGED", 2)
    for _ in range(5):
        make.OrderFactory()
    context = staff.get(new("note")).context
    assert (context["count"], context["estimated"]) == (5, 2)


def test_where_none_of_the_first_would_change_others_still_may(staff, monkeypatch):
    monkeypatch.setattr(bulk_selection, "JUDGED", 2)
    for _ in range(2):
        billed()
    held = held_for_attribution()
    run = begin(staff, new("attribute"), letters="SH")
    held.refresh_from_db()
    assert (held.attribution_id, outcomes(run)[1]) == ("SH", 1)


def test_where_nothing_would_change_there_is_no_button(staff):
    text = staff.get(new("attribute", picked(billed()))).content.decode()
    assert "不会有任何变化" in text
    assert 'name="token"' not in text


@pytest.mark.parametrize("key, allowed", [
    ("note", "add_note"), ("attribute", "choose_attribution"), ("resend", "resend_order"),
])  # fmt: skip
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
    incident.refresh_from_db()
    assert (notes(order), incident.state, incident.owner) == ([0], "acknowledged", staff.person)


# --- what each act does


def test_attributions_are_chosen_and_each_refusal_has_its_reason(staff):
    held, running = held_for_attribution(), billed()
    run = begin(staff, new("attribute", picked(held, running)), letters="SH")
    held.refresh_from_db()
    assert (held.attribution_id, outcomes(run)) == ("SH", ("done", 1, 1))
    item = run.items.get(target=running.pk)
    assert (item.state, item.why["code"]) == ("failed", "not_held_for_attribution")
    assert running.number in page(staff, run).content.decode()


def test_a_ticked_conflict_is_seen_to_and_the_order_s_other_one_is_not(staff):
    order = in_conflict()
    ticked = make.ConflictFactory(order_number=order.number)
    run = begin(staff, new("conflicts", picked(ticked)))
    ticked.refresh_from_db()
    assert (ticked.seen.data["reason"], ticked.seen.data["run"]) == (NOTE, run.pk)
    assert type(ticked).objects.filter(seen=None).count() == 1


def test_incidents_that_are_over_are_left(staff):
    open_one, over = (make.AffectedOrderFactory().incident for _ in range(2))
    Incident.objects.filter(pk=over.pk).update(state="resolved")
    run = begin(staff, new("incidents", picked(open_one, over)))
    assert outcomes(run) == ("done", 1, 1)
    assert run.items.get(state="failed").why["code"] == "incident_state"


def test_a_step_that_a_colleague_has_sent_meanwhile_is_not_sent_twice(staff, slow):
    one, two = failed(), failed()
    run = begin(staff, new("resend", "partner=bpm"))
    resend(Selection(numbers=(one.number,)), by="staff:li", reason="x", now=timezone.now())
    tasks.bulk(run.pk)
    assert outcomes(run) == ("done", 1, 1)
    assert run.items.get(target=one.pk).why["code"] == "resend_nothing_failed"
    assert [order.events.filter(kind="resend").count() for order in (one, two)] == [1, 1]


def test_the_page_says_what_became_of_resent_orders(staff):
    fixed, again, waiting = failed(), failed(), failed()
    run = begin(staff, new("resend", "partner=bpm"))
    fixed.dispatches.update(state="done", next_try_at=None)
    again.dispatches.update(state="failed", next_try_at=None, error_code="code_400", error="域名未备案")
    context = page(staff, run).context
    found = context["resent"]
    assert (found.fixed, found.failed, found.waiting, context["busy"]) == (1, 1, 1, True)
    assert [row.order.pk for row in found.orders] == [again.pk, waiting.pk]


# --- in the background


def test_many_rows_wait_for_a_worker(staff, monkeypatch):
    monkeypatch.setattr(bulk_page, "AT_ONCE", 2)
    orders = [make.OrderFactory() for _ in range(3)]
    run = begin(staff, new("note", picked(*orders)))
    assert (outcomes(run), OrmQ.objects.count()) == (("waiting", 0, 0), 1)
    assert 'http-equiv="refresh"' in page(staff, run).content.decode()
    tasks.bulk(run.pk)
    assert (outcomes(run), notes(*orders)) == (("done", 3, 0), [1, 1, 1])
    assert 'http-equiv="refresh"' not in page(staff, run).content.decode()
    tasks.bulk(run.pk)
    assert notes(*orders) == [1, 1, 1]


def test_the_rows_are_those_of_the_confirmation(staff, slow):
    order = make.OrderFactory(state="scheduled")
    run = begin(staff, new("note", "every=1&state__exact=scheduled"))
    later = make.OrderFactory(state="scheduled")
    Order.objects.filter(pk=order.pk).update(state="active")
    tasks.bulk(run.pk)
    assert notes(order, later) == [1, 0]


def test_a_part_ends_in_time_and_runs_take_turns(staff, slow, monkeypatch, clock):
    first = begin(staff, new("note", picked(*(make.OrderFactory() for _ in range(3)))))
    clock.shift(datetime.timedelta(seconds=5))
    second = begin(staff, new("note", picked(make.OrderFactory())))
    clock.shift(datetime.timedelta(seconds=5))
    OrmQ.objects.all().delete()
    monkeypatch.setattr(tasks, "run_part", functools.partial(run_bulk.run_part, seconds=-1))
    tasks.bulk(first.pk)
    assert outcomes(first)[0] == "waiting"
    assert [row.task["args"] for row in OrmQ.objects.all()] == [(second.pk,)]


def test_a_worker_that_ends_leaves_the_run_to_the_next(staff, slow):
    run = begin(staff, new("note", picked(make.OrderFactory())))
    run_bulk.run_part(run.pk, now=timezone.now(), stop=lambda: True)
    assert outcomes(run) == ("waiting", 0, 0)


def test_a_dead_worker_s_run_goes_on_where_it_was(staff, slow, clock):
    orders = [make.OrderFactory() for _ in range(3)]
    run = begin(staff, new("note", picked(*orders)))
    taken = bulk_runs.claim_run(run.pk, now=timezone.now())
    bulk_runs._carry_out_one(taken, lambda pk: _note(staff, pk, run), orders[0].pk)
    OrmQ.objects.all().delete()
    clock.shift(DEAD)
    bulk_runs.resume_runs(now=timezone.now())
    assert OrmQ.objects.count() == 1
    tasks.bulk(run.pk)
    assert (outcomes(run), notes(*orders)) == (("done", 3, 0), [1, 1, 1])
    with pytest.raises(LeftError):  # the first process wakes up again, and its act is undone
        bulk_runs._carry_out_one(taken, lambda pk: _note(staff, pk, run), orders[1].pk)
    assert notes(*orders) == [1, 1, 1]


def _note(client, pk, run):
    bulk_acts.ACTS["note"].carry_out(Order.objects.get(pk=pk), run, owner=client.person.pk)


def test_one_that_kills_its_workers_is_stopped(staff, slow, clock):
    run = begin(staff, new("note", picked(make.OrderFactory())))
    for _ in range(bulk_runs.MOST_ATTEMPTS):
        assert bulk_runs.claim_run(run.pk, now=timezone.now())
        clock.shift(DEAD)
    tasks.bulk(run.pk)
    assert (outcomes(run)[0], run.error["code"]) == ("stopped", "bulk_given_up")


def test_a_fault_of_ours_is_one_row_s_outcome(staff, monkeypatch):
    one, two = make.OrderFactory(), make.OrderFactory()

    def broken(self, row, run, *, owner):
        if row.pk == one.pk:
            raise ZeroDivisionError
        bulk_acts.add_note(number=row.number, reason=run.reason, by=run.by, now=timezone.now())

    monkeypatch.setattr(bulk_acts.Note, "carry_out", broken)
    run = begin(staff, new("note", picked(one, two)))
    assert (outcomes(run), run.items.get(target=one.pk).why) == (("done", 1, 1), {"code": "bulk_broken"})


def test_a_database_that_goes_away_leaves_the_rest_for_later(staff, slow, monkeypatch, clock):
    orders = [make.OrderFactory() for _ in range(2)]
    run = begin(staff, new("note", picked(*orders)))
    act, told = bulk_acts.Note.carry_out, []

    def away(self, row, run, *, owner):
        act(self, row, run, owner=owner)
        told.append(row.pk)
        if len(told) == 2:
            raise OperationalError("database is locked")

    with monkeypatch.context() as patched:
        patched.setattr(bulk_acts.Note, "carry_out", away)
        assert tasks.bulk(run.pk) == "the database is away"
    assert outcomes(run) == ("running", 1, 0)
    clock.shift(DEAD)
    tasks.bulk(run.pk)
    assert (outcomes(run), notes(*orders)) == (("done", 2, 0), [1, 1])


# --- rights, stopping, going on


@pytest.mark.parametrize("lose", [
    lambda user: user.groups.clear(),
    lambda user: type(user).objects.filter(pk=user.pk).update(is_active=False),
    lambda user: user.delete(),
])  # fmt: skip
def test_the_maker_s_rights_at_that_moment_count(member, slow, lose):
    staff, order = member("业务人员"), make.OrderFactory()
    run = begin(staff, new("note", picked(order)))
    lose(staff.person)
    tasks.bulk(run.pk)
    assert (outcomes(run)[0], run.error, notes(order)) == ("stopped", {"code": "bulk_not_allowed"}, [0])
    text = page(member("审计员"), run).content.decode()
    assert "已没有权限" in text


def test_the_maker_s_attributions_at_that_moment_count(staff, slow):
    own, other = make.OrderFactory(), make.OrderFactory(attribution_id="SH")
    run = begin(staff, new("note", picked(own, other)))
    make.limit_to(staff.person, ["BJ"])
    tasks.bulk(run.pk)
    assert (outcomes(run), notes(own, other)) == (("done", 1, 1), [1, 0])
    assert run.items.get(target=other.pk).why["code"] == "bulk_not_there"
    text = page(staff, run).content.decode()
    assert (own.number in text, other.number in text) == (False, False)


def test_its_maker_stops_it_and_lets_it_go_on(staff, slow):
    orders = [make.OrderFactory() for _ in range(2)]
    run = begin(staff, new("note", picked(*orders)))
    stop = reverse("admin:orders_bulkrun_stop", args=[run.pk])
    assert staff.get(stop).status_code == 405
    staff.post(stop)
    tasks.bulk(run.pk)
    assert (outcomes(run), notes(*orders)) == (("stopped", 0, 0), [0, 0])
    staff.post(reverse("admin:orders_bulkrun_go_on", args=[run.pk]))
    tasks.bulk(run.pk)
    assert (outcomes(run), notes(*orders)) == (("done", 2, 0), [1, 1])
    kinds = OrderEvent.objects.filter(order=None, data__run=run.pk).order_by("pk").values_list("kind", flat=True)
    assert list(kinds) == ["bulk_begun", "bulk_stopped", "bulk_went_on", "bulk_done"]


def test_a_stop_in_the_middle_of_a_row_undoes_that_row(staff, slow):
    order = make.OrderFactory()
    run = begin(staff, new("note", picked(order)))
    taken = bulk_runs.claim_run(run.pk, now=timezone.now())

    def stopped_meanwhile(pk):
        _note(staff, pk, run)
        bulk_runs.stop_run(pk=run.pk, by="staff:li", now=timezone.now())

    bulk_runs.carry_out(taken, stopped_meanwhile, seconds=60)
    assert (run.items.get().state, notes(order)) == ("waiting", [0])


@pytest.mark.parametrize("role, status", [("业务人员", 403), ("工程师", 403), ("审计员", 403), ("管理员", 302)])
def test_a_colleague_s_run_is_stopped_by_administrators_only(member, slow, role, status):
    run = begin(member("业务人员"), new("note", picked(make.OrderFactory())))
    other = member(role)
    for act in ("stop", "go_on"):
        assert other.post(reverse(f"admin:orders_bulkrun_{act}", args=[run.pk])).status_code == status
    assert page(other, run).status_code == 200


def test_limited_staff_see_their_own_runs_only(member, slow):
    run = begin(member("业务人员"), new("note", picked(make.OrderFactory())))
    limited = member("管理员", letters=["BJ"])
    assert page(limited, run).status_code == 302
    assert limited.post(reverse("admin:orders_bulkrun_stop", args=[run.pk])).status_code == 404
    own = begin(limited, new("note", picked(make.OrderFactory())))
    assert page(limited, own).status_code == 200


def test_a_double_click_is_one_run(staff, slow):
    order = make.OrderFactory()
    url = new("note", picked(order))
    shown = staff.get(url).context["form"]
    form = {"reason": NOTE, "seen": shown["seen"].value(), "token": shown["token"].value()}
    answers = [staff.post(url, form) for _ in range(2)]
    assert answers[0]["Location"] == answers[1]["Location"]
    assert BulkRun.objects.count() == 1


def test_a_selection_that_changed_is_shown_again(staff):
    make.OrderFactory()
    seen = staff.get(new("note")).context["form"]["seen"].value()
    make.OrderFactory()
    answer = staff.post(new("note"), {"reason": NOTE, "seen": seen})
    assert (answer.status_code, BulkRun.objects.count()) == (200, 0)
    assert answer.context["form"].non_field_errors()
    assert staff.post(new("note"), {"reason": NOTE, "seen": answer.context["form"]["seen"].value()}).status_code == 302


def test_of_very_many_those_that_came_since_are_left_out(staff, slow, monkeypatch):
    monkeypatch.setattr(bulk_selection, "JUDGED", 2)
    old = [make.OrderFactory(state="scheduled") for _ in range(4)]
    shown = staff.get(new("note", "every=1&state__exact=scheduled")).context["form"]["seen"].value()
    new_one = make.OrderFactory(state="scheduled")
    Order.objects.filter(pk=old[-1].pk).update(state="active")
    staff.post(new("note", "every=1&state__exact=scheduled"), {"reason": NOTE, "seen": shown})
    run = BulkRun.objects.get()
    assert set(run.items.values_list("target", flat=True)) == {order.pk for order in old[:3]}
    assert new_one.pk not in set(run.items.values_list("target", flat=True))


def test_of_very_many_others_in_front_are_a_change(staff, monkeypatch):
    monkeypatch.setattr(bulk_selection, "JUDGED", 2)
    old = [make.OrderFactory(state="scheduled") for _ in range(4)]
    url = new("note", "every=1&state__exact=scheduled")
    shown = staff.get(url).context["form"]["seen"].value()
    Order.objects.filter(pk=old[0].pk).update(state="active")
    assert staff.post(url, {"reason": NOTE, "seen": shown}).status_code == 200
    assert not BulkRun.objects.exists()


@pytest.mark.parametrize("form", [
    {}, {"reason": "\0"}, {"reason": "x" * 501}, {"reason": "x"}, {"reason": "x", "seen": "x" * 5000},
    {"reason": "x", "seen": "a.9999999999999999999999.1"}, {"reason": "x", "seen": "..", "token": "x"},
])  # fmt: skip
def test_nonsense_in_the_form_does_nothing(staff, form):
    make.OrderFactory()
    assert staff.post(new("note"), form).status_code == 200
    assert not BulkRun.objects.exists()


def test_the_failed_ones_are_tried_again_as_a_new_run(staff):
    held, running = held_for_attribution(), billed()
    run = begin(staff, new("attribute", picked(held, running)), letters="SH")
    Order.objects.filter(pk=running.pk).update(state="held", held_because="attribution_unknown", attribution=None)
    again = page(staff, run).context["again"]
    shown = staff.get(again).context
    assert (shown["count"], shown["form"]["letters"].value(), shown["form"]["reason"].value()) == (1, "SH", NOTE)
    second = begin(staff, again, letters="SH")
    assert outcomes(second) == ("done", 1, 0)


def test_a_colleague_s_reason_is_not_taken_over(member):
    held, running = held_for_attribution(), billed()
    run = begin(member("业务人员"), new("attribute", picked(held, running)), letters="SH", reason="电话 13712345678")
    again = page(member("业务人员"), run).context["again"]
    text = member("管理员").get(again).content.decode()
    assert "13712345678" not in text


def test_the_rest_of_a_resend_keeps_its_filter(staff, slow):
    order = failed()
    run = begin(staff, new("resend", "partner=bpm&code=timeout"))
    order.dispatches.update(state="done", next_try_at=None)
    tasks.bulk(run.pk)
    assert page(staff, run).context["again"].endswith(f"?again={run.pk}&partner=bpm&code=timeout")


# --- a restored database, a large one, an old one


@pytest.fixture
def restore():
    def now_restored():
        name = Timeline.objects.latest("pk").name
        note_restored(name=name, about={"machine": "m1", "seen": 900, "newest": 5, "event": 0}, by="guard",
                      now=timezone.now())  # fmt: skip
        read_restore_state()

    yield now_restored
    Timeline.objects.update(restored_at=None)
    read_restore_state()


def test_in_a_restored_database_nothing_goes_on_by_itself(staff, slow, restore):
    order = make.OrderFactory()
    run = begin(staff, new("note", picked(order)))
    restore()
    tasks.bulk(run.pk)
    assert (outcomes(run)[0], run.error["code"], notes(order)) == ("stopped", "bulk_restored", [0])
    answer = confirm(staff, new("note", picked(order)))
    assert (answer.status_code, BulkRun.objects.count()) == (302, 1)
    staff.post(reverse("admin:orders_bulkrun_go_on", args=[run.pk]))
    assert outcomes(run)[0] == "stopped"


def test_a_run_from_the_copy_waits_for_a_person_after_the_release(staff, slow, restore):
    run = begin(staff, new("note", picked(make.OrderFactory())))
    restore()
    release_restored(reason="x", by="staff:li", now=timezone.now())
    read_restore_state()
    assert (outcomes(run)[0], run.error["code"]) == ("stopped", "bulk_restored")


def test_rows_are_noted_in_chunks(staff, slow, monkeypatch):
    monkeypatch.setattr(bulk_runs, "NOTED_AT_ONCE", 2)
    orders = [make.OrderFactory() for _ in range(5)]
    run = begin(staff, new("note", picked(*orders)))
    assert list(run.items.order_by("target").values_list("target", flat=True)) == [order.pk for order in orders]
    assert run.total == 5


def test_rows_of_old_runs_are_removed_and_the_runs_stay(staff, clock):
    run = begin(staff, new("note", picked(make.OrderFactory())))
    broken = make.BulkRunFactory(state="collecting", finished_at=None, worked_at=timezone.now())
    make.BulkItemFactory(run=broken, state="waiting")
    clock.shift(bulk_runs.KEPT + datetime.timedelta(days=1))
    tasks.tidy()
    assert (list(BulkRun.objects.all()), BulkItem.objects.count()) == ([run], 0)
    text = page(staff, run).content.decode()
    assert "不再保留" in text


def test_the_result_is_exported_like_any_list(staff):
    held, running = held_for_attribution(), billed()
    run = begin(staff, new("attribute", picked(held, running)), letters="SH")
    link = reverse("admin:orders_export_new", args=["bulk"]) + f"?run={run.pk}"
    columns = ["row", "outcome", "reason"]
    answer = staff.post(link, {"format": "csv", "columns": columns})
    rows = read_csv(body(answer).read().decode())
    assert {(row["对象"], row["结果"]) for row in rows} == {
        (held.number, "已执行"), (running.number, "未执行"),
    }  # fmt: skip
    assert [bool(row["原因"]) for row in rows if row["结果"] == "未执行"] == [True]


def test_a_list_of_items_without_a_number_shows_all(staff):
    run = begin(staff, new("note", picked(make.OrderFactory())))
    url = reverse("admin:orders_bulkitem_changelist")
    assert len(staff.get(url + f"?run={run.pk}").context["cl"].result_list) == 1
    assert len(staff.get(url + "?run=0").context["cl"].result_list) == 0


def test_a_history_leads_to_its_page(staff):
    run = begin(staff, new("note", picked(make.OrderFactory())))
    assert staff.get(reverse("admin:orders_bulkrun_history", args=[run.pk])).status_code == 200
    staff.person.groups.set(Group.objects.none())
    assert staff.get(reverse("admin:orders_bulkrun_history", args=[run.pk])).status_code == 403


def test_no_dispatch_is_left_behind_by_a_refusal(staff):
    order = failed()
    begin(staff, new("resend", "partner=bpm"))
    assert list(order.dispatches.values_list("state", flat=True)) == [Dispatch.State.DUE]

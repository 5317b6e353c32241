"""Bulk runs in the background: each row is handled once and with the maker's rights. A run can be stopped and
continued, and is kept.
"""

import datetime
import functools

import pytest
from django.contrib.auth.models import Group
from django.db import OperationalError
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from integrations import tasks
from notifications.models import Mail
from orders.actions.all_actions import BULK_ACTS
from orders.models import Incident, Message, Order, OrderEvent, Timeline
from orders.office.bulk import bulk_runs as bulk_runs
from orders.office.bulk import page as bulk_page
from orders.office.bulk import run_parts as run_bulk
from orders.office.bulk.bulk_runs import stop_runs
from orders.office.bulk.models import BulkItem, BulkRun
from orders.office.jobs import MAX_ATTEMPTS
from orders.outbox.leases import JOB_LEASE, LeftError
from orders.outbox.retry_schedule import WAITS
from orders.pauses.release_restored import release_restored
from orders.people.staff_events import add_note
from orders.restore.detect_restore import note_restored, read_restore_state
from orders.texts.errors import NotAllowedError
from tests import factories as make
from tests.admin.orders import billed, held_for_attribution
from tests.admin.orders import staff as allowed
from tests.admin.walking import colleague
from tests.office.bulking import NOTE, begin, confirm, new, notes, outcomes, page, picked
from tests.office.conftest import body, read_csv

pytestmark = pytest.mark.django_db
INBOX = "/admin/inbox/"
OVER = {"order": {"state": "active"}, "incident": {"state": "resolved"}, "difference": {"state": "over"}}
MANY = {"order": "个订单", "incident": "个异常", "difference": "处差异"}
DEAD = JOB_LEASE + datetime.timedelta(seconds=1)


def begun(client, number=1):
    """Returns a run that adds a note to `number` orders, and these orders."""
    orders = [make.OrderFactory() for _ in range(number)]
    return begin(client, new("note", picked(*orders))), orders


def _owned(kind, owner):
    """Returns a failed order, or its incident or difference, with this owner."""
    order = make.OrderFactory(state="failed")
    rows = {
        "order": lambda: order,
        "incident": lambda: make.AffectedOrderFactory(order=order).incident,
        "difference": lambda: make.DifferenceFactory(order=order),
    }
    row = rows[kind]()
    type(row).objects.filter(pk=row.pk).update(owner=owner, owner_since=timezone.now() if owner else None)
    return row


# --- in the background


def test_many_rows_wait_for_a_worker(staff, monkeypatch):
    monkeypatch.setattr(bulk_page, "MAX_ROWS_AT_ONCE", 2)
    run, orders = begun(staff, 3)
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
    run, orders = begun(staff, 3)
    for _ in range(MAX_ATTEMPTS + 1):
        run_bulk.run_part(run.pk, now=timezone.now(), stop=lambda: True)
        run_bulk.run_part(run.pk, now=timezone.now(), stop=iter([False, True]).__next__)
    assert outcomes(run) == ("waiting", 0, 0)
    run_bulk.run_part(run.pk, now=timezone.now(), stop=iter([False, False, True]).__next__)
    assert (outcomes(run), run.attempts) == (("waiting", 1, 0), 0)


def test_a_run_that_was_stopped_keeps_no_other_waiting(staff, slow):
    first, second = (begin(staff, new("note", picked(make.OrderFactory()))) for _ in range(2))
    bulk_runs.stop_run(pk=second.pk, by="staff:li", now=timezone.now())
    OrmQ.objects.all().delete()
    tasks.bulk(second.pk)
    assert [row.task["args"] for row in OrmQ.objects.all()] == [(first.pk,)]


def test_a_dead_worker_s_run_goes_on_where_it_was(staff, slow, clock):
    run, orders = begun(staff, 3)
    taken = bulk_runs.claim_run(run.pk, now=timezone.now())
    bulk_runs._carry_out_one(taken, lambda pk: _note(staff, pk, run), orders[0].pk)
    OrmQ.objects.all().delete()
    clock.shift(DEAD)
    bulk_runs.resume_runs(now=timezone.now())
    assert OrmQ.objects.count() == 1
    tasks.bulk(run.pk)
    assert (outcomes(run), notes(*orders)) == (("done", 3, 0), [1, 1, 1])
    with pytest.raises(LeftError):  # the first process goes on again, and its act is rolled back
        bulk_runs._carry_out_one(taken, lambda pk: _note(staff, pk, run), orders[1].pk)
    assert notes(*orders) == [1, 1, 1]


def _note(client, pk, run):
    BULK_ACTS["note"].carry_out(Order.objects.get(pk=pk), run, owner=client.person.pk)


def test_one_that_kills_its_workers_is_stopped(staff, slow, clock):
    run = begin(staff, new("note", picked(make.OrderFactory())))
    for _ in range(MAX_ATTEMPTS):
        assert bulk_runs.claim_run(run.pk, now=timezone.now())
        clock.shift(DEAD)
    tasks.bulk(run.pk)
    assert (outcomes(run)[0], run.error["code"]) == ("stopped", "bulk_given_up")


def test_a_fault_of_ours_is_one_row_s_outcome(staff, monkeypatch):
    one, two = make.OrderFactory(), make.OrderFactory()

    def broken(row, run, *, owner):
        if row.pk == one.pk:
            raise ZeroDivisionError
        add_note(number=row.number, reason=run.reason, by=run.by, now=timezone.now())

    monkeypatch.setattr(BULK_ACTS["note"], "carry_out", broken)
    run = begin(staff, new("note", picked(one, two)))
    assert (outcomes(run), run.items.get(target=one.pk).why) == (("done", 1, 1), {"code": "bulk_broken"})


@pytest.fixture
def fails(monkeypatch):
    """Returns a function. After `fails(orders, times)` the database fails `times` times for each of these orders when
    the run adds its note.
    """

    def failing(orders, times):
        monkeypatch.setitem(WAITS, "row_of_bulk_run", (0, 0))
        act, left = BULK_ACTS["note"].carry_out, {order.pk: times for order in orders}

        def carry_out(row, run, *, owner):
            act(row, run, owner=owner)
            if left.get(row.pk, 0):
                left[row.pk] -= 1
                raise OperationalError("deadlock detected")

        monkeypatch.setattr(BULK_ACTS["note"], "carry_out", carry_out)

    return failing


def test_a_row_at_which_the_database_failed_is_tried_again(staff, slow, fails):
    run, orders = begun(staff, 3)
    fails(orders, 2)
    tasks.bulk(run.pk)
    assert (outcomes(run), notes(*orders)) == (("done", 3, 0), [1, 1, 1])


def test_where_it_fails_again_and_again_the_run_waits_for_its_next_turn(staff, slow, fails):
    run, orders = begun(staff, 3)
    fails(orders[1:], 6)
    OrmQ.objects.all().delete()
    tasks.bulk(run.pk)
    assert (outcomes(run), OrmQ.objects.count()) == (("waiting", 1, 0), 1)
    for _ in range(4):
        tasks.bulk(run.pk)
    assert (outcomes(run), notes(*orders)) == (("done", 3, 0), [1, 1, 1])


def test_a_row_at_which_it_always_fails_keeps_no_other_waiting(staff, slow, fails):
    run, orders = begun(staff, 3)
    fails(orders[:2], 1000)
    for _ in range(2 * bulk_runs.MAX_FAILED_PARTS):
        tasks.bulk(run.pk)
    assert (outcomes(run), notes(*orders)) == (("done", 1, 2), [0, 0, 1])
    assert run.items.get(target=orders[0].pk).why == {"code": "bulk_broken"}


def test_a_database_that_goes_away_leaves_the_rest_for_later(staff, slow, fails, monkeypatch, clock):
    run, orders = begun(staff, 2)
    with monkeypatch.context() as patched:
        away = OperationalError("the connection is lost")
        patched.setattr(bulk_runs, "give_back", lambda *args, **more: (_ for _ in ()).throw(away))
        fails(orders[1:], 3)
        assert tasks.bulk(run.pk) == "the database is away"
    assert outcomes(run) == ("running", 1, 0)
    clock.shift(DEAD)
    tasks.bulk(run.pk)
    assert (outcomes(run), notes(*orders)) == (("done", 2, 0), [1, 1])


# --- rights, stopping, continuing


@pytest.mark.parametrize(
    "lose",
    [
        lambda user: user.groups.clear(),
        lambda user: type(user).objects.filter(pk=user.pk).update(is_active=False),
        lambda user: user.delete(),
    ],
)
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
    staff.force_login(staff.person)  # the session ended when the person lost the attribution
    tasks.bulk(run.pk)
    assert (outcomes(run), notes(own, other)) == (("done", 1, 1), [1, 0])
    assert run.items.get(target=other.pk).why["code"] == "bulk_not_there"
    text = page(staff, run).content.decode()
    assert (own.number in text, other.number in text) == (False, False)


def test_its_maker_stops_it_and_lets_it_go_on(staff, slow):
    run, orders = begun(staff, 2)
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


def test_a_handing_over_tells_at_a_stop_what_it_did_and_later_the_rest(staff, slow):
    wang, li = colleague("wang"), colleague("li")
    orders = [make.OrderFactory(state="failed", owner=li) for _ in range(3)]
    run = begin(staff, new("own_orders", picked(*orders)), to=wang.pk)
    run_bulk.run_part(run.pk, now=timezone.now(), stop=iter([False, False, True]).__next__)
    assert not Mail.objects.exists()
    staff.post(reverse("admin:orders_bulkrun_stop", args=[run.pk]))
    told = Mail.objects.order_by("pk").values_list("kind", "recipients", "subject")
    assert list(told) == [
        ("notice_owner_all", ["wang@x.cn"], "【IBS 订单台】1 项工作已转交给您"),
        ("notice_owner_gone", ["li@x.cn"], "【IBS 订单台】不再由您负责：1 项工作"),
    ]
    staff.post(reverse("admin:orders_bulkrun_go_on", args=[run.pk]))
    tasks.bulk(run.pk)
    assert [subject for *_whom, subject in told.all()][2:] == [
        "【IBS 订单台】2 项工作已转交给您",
        "【IBS 订单台】不再由您负责：2 项工作",
    ]


@pytest.mark.parametrize("kind", ["order", "incident", "difference"])
def test_a_handing_over_in_parts_is_one_message_with_what_was_handed_over(staff, slow, client, kind):
    wang, li = colleague("wang", display_name="王敏"), colleague("li", display_name="李娜")
    rows = [_owned(kind, owner=owner) for owner in (li, li, None, None)]
    type(rows[0]).objects.filter(pk=rows[-1].pk).update(**OVER[kind])
    run = begin(staff, new(f"own_{kind}s", picked(*rows)), to=wang.pk)
    for _part in range(5):
        run_bulk.run_part(run.pk, now=timezone.now(), stop=iter([False, False, True, True]).__next__)
    assert outcomes(run) == ("done", 3, 1)
    message, lost = Message.objects.order_by("recipient__username", "pk").reverse()
    assert (message.recipient, lost.recipient) == (wang, li)
    client.force_login(wang)
    page_text, link = client.get(INBOX).text, reverse("admin:inbox_open", args=[message.pk])
    assert f'<a href="{link}">3 {MANY[kind]}</a>' in page_text
    assert f"转交给 王敏：3 {MANY[kind]}" in page_text
    assert NOTE in page_text
    shown = client.get(client.get(link)["Location"])
    assert {row.pk for row in shown.context["cl"].result_list} == {row.pk for row in rows[:3]}
    client.force_login(li)
    assert f"从 李娜 转走：2 {MANY[kind]}" in client.get(INBOX).text


def test_a_handing_over_of_one_row_reads_like_a_single_one(staff, client):
    wang, order = colleague("wang"), make.OrderFactory(state="failed")
    mine = make.OrderFactory(state="failed", owner=wang)
    begin(staff, new("own_orders", picked(order, mine)), to=wang.pk)
    [message] = Message.objects.all()
    assert (message.model, message.row, message.event.kind) == ("order", order.pk, "owner_given")
    assert Mail.objects.get().subject == "【IBS 订单台】1 项工作已转交给您"


def test_who_takes_up_incidents_of_a_colleague_tells_them_once(staff):
    li = colleague("li")
    rows = [make.AffectedOrderFactory().incident for _ in range(2)]
    Incident.objects.update(owner=li, owner_since=timezone.now())
    begin(staff, new("incidents", picked(*rows)))
    assert Message.objects.get().recipient == li
    assert Mail.objects.get().subject == "【IBS 订单台】不再由您负责：2 项工作"


def test_a_run_in_two_goes_is_a_message_for_each(staff, slow):
    wang, orders = colleague("wang"), [make.OrderFactory(state="failed") for _ in range(4)]
    run = begin(staff, new("own_orders", picked(*orders)), to=wang.pk)
    run_bulk.run_part(run.pk, now=timezone.now(), stop=iter([False, False, False, True]).__next__)
    staff.post(reverse("admin:orders_bulkrun_stop", args=[run.pk]))
    staff.post(reverse("admin:orders_bulkrun_go_on", args=[run.pk]))
    tasks.bulk(run.pk)
    assert [message.event.data["count"] for message in Message.objects.order_by("pk")] == [2, 2]


def test_a_stop_in_the_middle_of_a_row_undoes_that_row(staff, slow):
    run, [order] = begun(staff)
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
    limited = member("业务人员", letters=["BJ"])
    assert page(limited, run).status_code == 404
    assert limited.post(reverse("admin:orders_bulkrun_stop", args=[run.pk])).status_code == 404
    own = begin(limited, new("note", picked(make.OrderFactory())))
    assert page(limited, own).status_code == 200


# --- a restored database, a large run, an old run


@pytest.fixture
def restore():
    def now_restored():
        name = Timeline.objects.latest("pk").name
        note_restored(
            name=name, about={"machine": "m1", "seen": 900, "newest": 5, "event": 0}, by="guard", now=timezone.now()
        )
        read_restore_state()

    yield now_restored
    Timeline.objects.update(restored_at=None)
    read_restore_state()


def test_in_a_restored_database_nothing_goes_on_by_itself(staff, slow, restore):
    run, [order] = begun(staff)
    restore()
    tasks.bulk(run.pk)
    assert (outcomes(run)[0], run.error["code"], notes(order)) == ("stopped", "bulk_restored", [0])
    answer = confirm(staff, new("note", picked(order)))
    assert (answer.status_code, BulkRun.objects.exclude(state=BulkRun.State.DRAFT).count()) == (302, 1)
    staff.post(reverse("admin:orders_bulkrun_go_on", args=[run.pk]))
    assert outcomes(run)[0] == "stopped"


def test_a_run_from_the_copy_waits_for_a_person_after_the_release(staff, slow, restore):
    run = begin(staff, new("note", picked(make.OrderFactory())))
    restore()
    release_restored(reason="x", by="staff:li", now=timezone.now(), stop_runs=stop_runs)
    read_restore_state()
    assert (outcomes(run)[0], run.error["code"]) == ("stopped", "bulk_restored")


def test_rows_of_old_runs_are_removed_and_the_runs_stay(staff, clock):
    run = begin(staff, new("note", picked(make.OrderFactory())))
    clock.shift(bulk_runs.ITEMS_KEPT + datetime.timedelta(days=1))
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
    assert {(row["对象"], row["结果"]) for row in rows} == {(held.number, "已执行"), (running.number, "跳过")}
    assert [bool(row["原因"]) for row in rows if row["结果"] == "跳过"] == [True]


def test_the_list_of_items_keeps_to_a_run_and_no_number_breaks_it(staff):
    run = begin(staff, new("note", picked(make.OrderFactory())))
    url = reverse("admin:orders_bulkitem_changelist")
    for number, shown in ((run.pk, 1), (0, 0)):
        assert len(staff.get(url, {"run": number}).context["cl"].result_list) == shown
    for value in ("9" * 5000, "9" * 19, "\0", "é", "-1"):
        assert staff.get(url, {"run": value}).status_code in {200, 302}, value


def test_names_of_rows_are_for_those_who_may_see_them(client):
    incident = make.AffectedOrderFactory().incident
    run = make.BulkRunFactory(act="incidents", failed=1)
    make.BulkItemFactory(run=run, target=incident.pk, state="failed", why={"code": "bulk_broken"})
    name = BULK_ACTS["incidents"].name_of(incident)
    for permissions, shown in ((["add_note", "view_bulkrun"], False), (["view_incident", "view_bulkrun"], True)):
        client.force_login(allowed("view_bulkitem", *permissions, name=permissions[0]))
        text = client.get(reverse("admin:orders_bulkitem_changelist")).content.decode()
        assert (name in text) == shown
        assert (name in page(client, run).content.decode()) == shown


def test_what_the_act_was_told_is_masked(member):
    run = make.BulkRunFactory(act="resend", details={"code": "13912345678"})
    assert "13912345678" not in page(member("审计员"), run).content.decode()


def test_a_history_leads_to_its_page(staff):
    run = begin(staff, new("note", picked(make.OrderFactory())))
    assert staff.get(reverse("admin:orders_bulkrun_history", args=[run.pk])).status_code == 200
    staff.person.groups.set(Group.objects.none())
    staff.force_login(staff.person)  # the session ended when the person lost the role
    assert staff.get(reverse("admin:orders_bulkrun_history", args=[run.pk])).status_code == 403


# --- a run whose old rows are being removed


def test_who_goes_on_while_old_rows_are_removed_is_refused(staff, slow, monkeypatch, clock):
    run = begin(staff, new("note", picked(make.OrderFactory())))
    bulk_runs.stop_run(pk=run.pk, by="staff:li", now=timezone.now())
    clock.shift(bulk_runs.ITEMS_KEPT + datetime.timedelta(days=1))
    monkeypatch.setattr(bulk_runs, "REMOVE_SECONDS", -1)
    bulk_runs.remove_old_items(now=timezone.now())
    with pytest.raises(NotAllowedError):
        bulk_runs.go_on(pk=run.pk, by="staff:li", now=timezone.now())

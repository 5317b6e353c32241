"""Two people or workers act on a bulk run at the same moment.

There are two clicks, two workers, a colleague who resends the same orders, and a stop.
"""

import statistics
import threading
import time
from functools import partial

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from orders.models import Dispatch, Order, OrderEvent
from orders.office.bulk.bulk_runs import begin_draft, confirm_draft, stop_run
from orders.office.bulk.models import BulkRun
from orders.office.bulk.run_parts import run_part
from orders.sending.resend import Selection, resend
from tests import factories as make
from tests.admin.orders import failed, staff
from tests.races.conftest import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def begun(act, orders, user):
    by, now = f"staff:{user.username}", timezone.now()
    targets = [order.pk for order in orders]
    draft = begin_draft(by=by, act=act, targets=targets, query="", words=[], details={}, now=now)
    return confirm_draft(pk=draft.pk, by=by, act=act, details={}, reason="BPM 已恢复", now=now)


def test_two_clicks_are_one_run():
    orders, client = [make.OrderFactory() for _ in range(3)], Client()
    client.force_login(staff("add_note"))
    url = reverse("admin:orders_bulkrun_new", args=["note"]) + "?every=1"
    form = client.get(url).context["form"]
    given = {"reason": "x", "draft": form["draft"].value()}
    clients = [Client() for _ in range(2)]
    for one in clients:
        one.cookies = client.cookies
    answers = at_once(*(partial(one.post, url, given) for one in clients))
    assert len({answer["Location"] for answer in answers}) == 1
    assert BulkRun.objects.count() == 1
    assert OrderEvent.objects.filter(kind="note").count() == len(orders)


def test_two_workers_do_nothing_twice():
    orders = [make.OrderFactory() for _ in range(10)]
    run = begun("note", orders, staff("add_note"))
    at_once(*(partial(run_part, run.pk, now=timezone.now()) for _ in range(2)))
    run.refresh_from_db()
    assert (run.state, run.done) == ("done", 10)
    assert OrderEvent.objects.filter(kind="note").count() == 10


def test_a_colleague_resends_the_same_orders():
    orders = [failed() for _ in range(5)]
    run = begun("resend", orders, staff("resend_order"))
    colleague = partial(
        resend,
        Selection(numbers=tuple(order.number for order in orders)),
        by="staff:li",
        reason="x",
        now=timezone.now(),
    )
    at_once(partial(run_part, run.pk, now=timezone.now()), colleague)
    run.refresh_from_db()
    assert run.done + run.failed == 5
    assert OrderEvent.objects.filter(kind="resend", order__isnull=False).count() == 5
    assert set(Dispatch.objects.values_list("state", flat=True)) == {"due"}


def test_a_stop_comes_between_two_rows():
    orders = [make.OrderFactory() for _ in range(30)]
    run = begun("note", orders, staff("add_note"))
    at_once(partial(run_part, run.pk, now=timezone.now()), partial(_stop, run.pk))
    run.refresh_from_db()
    assert run.state in {"stopped", "done"}
    assert OrderEvent.objects.filter(kind="note").count() == run.done == run.items.filter(state="done").count()


def _stop(pk):
    stop_run(pk=pk, by="staff:li", now=timezone.now())


def test_other_writers_get_their_turn_between_two_rows():
    run = begun("note", [make.OrderFactory() for _ in range(150)], staff("add_note"))
    order, waits, over = make.OrderFactory(), [], threading.Event()

    def carry_out():
        run_part(run.pk, now=timezone.now(), seconds=60)
        over.set()

    def write():
        while not over.is_set():
            began = time.monotonic()
            with transaction.atomic():
                Order.objects.filter(pk=order.pk).update(received_at=timezone.now())
            waits.append(time.monotonic() - began)
            time.sleep(0.02)

    at_once(carry_out, write)
    assert len(waits) > 5
    assert statistics.median(waits) < 0.5  # a single wait may be long on a busy machine

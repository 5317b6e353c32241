"""If no worker is alive, the pages about work that waits for a worker say so in the same words as the dashboard."""

import datetime

import pytest
from django.urls import reverse
from django.utils import timezone

from orders.office.bulk.models import BulkRun
from orders.office.exports.models import Export
from tests import factories as make
from tests.admin.orders import failed
from tests.office.bulking import begin, new, page, picked

pytestmark = pytest.mark.django_db
SILENT, NONE = "后台程序已两分钟没有响应", "没有后台程序在运行"


def run_of(staff, state):
    row = make.BulkRunFactory(by=f"staff:{staff.person.username}", state=state, total=3)
    return reverse("admin:orders_bulkrun_change", args=[row.pk])


def export_of(staff, state):
    row = make.ExportFactory(by=f"staff:{staff.person.username}", state=state, file="")
    return reverse("admin:orders_export_change", args=[row.pk])


def worker_seen(ago):
    make.HeartbeatFactory(seen_at=timezone.now() - datetime.timedelta(seconds=ago))


WAITING = [
    (run_of, BulkRun.State.WAITING),
    (run_of, BulkRun.State.RUNNING),
    (export_of, Export.State.WAITING),
    (export_of, Export.State.RUNNING),
]
NOT_WAITING = [
    (run_of, BulkRun.State.DONE),
    (run_of, BulkRun.State.STOPPED),
    (export_of, Export.State.DONE),
    (export_of, Export.State.FAILED),
    (export_of, Export.State.ASKED),
]


@pytest.mark.parametrize(("made", "state"), WAITING)
def test_what_waits_says_that_no_worker_lives(staff, made, state):
    address = made(staff, state)
    assert f"<strong>{NONE}</strong>；有后台程序运行后才会继续。" in staff.get(address).content.decode()
    worker_seen(ago=200)
    text = staff.get(address).content.decode()
    assert SILENT in text
    assert NONE not in text
    worker_seen(ago=60)
    text = staff.get(address).content.decode()
    assert SILENT not in text
    assert NONE not in text


@pytest.mark.parametrize(("made", "state"), NOT_WAITING)
def test_what_waits_for_no_worker_says_nothing_of_it(staff, made, state):
    assert NONE not in staff.get(made(staff, state)).content.decode()


def test_steps_that_were_sent_again_wait_for_a_worker_too(staff):
    run = begin(staff, new("resend", picked(failed())))
    assert run.state == BulkRun.State.DONE
    assert NONE in page(staff, run).content.decode()


def test_an_order_whose_step_is_due_does_not_say_that_a_worker_has_it(staff):
    order = make.OrderFactory(state="in_progress")
    make.DispatchFactory(order=order, state="due", next_try_at=timezone.now())
    address = reverse("admin:orders_order_change", args=[order.pk])
    worker_seen(ago=200)
    text = staff.get(address).content.decode()
    assert f"<strong>{SILENT}</strong>；有后台程序运行后才会继续。" in text
    assert "刷新本页可看到结果" not in text
    assert SILENT in staff.get(reverse("admin:index")).content.decode()  # the dashboard shows the same text
    worker_seen(ago=10)
    text = staff.get(address).content.decode()
    assert SILENT not in text
    assert "刷新本页可看到结果" in text

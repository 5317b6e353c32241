"""A separate attachment folder for each test, and orders that are held for their files."""

import datetime
import uuid

import pytest
from django.utils import timezone

from integrations.bboss.order_fields import read_order
from orders.intake.receive import receive_order
from orders.models import Dispatch, InboundMessage, Order
from orders.sending.record import Outcome
from tests.factories import NOW, AffectedOrderFactory, AttemptFactory, DispatchFactory, IncidentFactory, OrderFactory

FILE = "{}_50004020027_20230920170126.xlsx"


@pytest.fixture
def folder(tmp_path, settings):
    """An empty folder as ATTACHMENT_DIR."""
    settings.ATTACHMENT_DIR = tmp_path / "attachments"
    settings.ATTACHMENT_DIR.mkdir()
    return settings.ATTACHMENT_DIR


@pytest.fixture
def held(db, folder):
    """Returns a function. `held()` makes an activation whose only file is missing. Its files are checked again at NOW
    + 5 minutes, and billing waits.
    """
    return _held_order


@pytest.fixture
def order(held):
    return held()


def _held_order(**fields) -> Order:
    order = OrderFactory(state="held", held_because="files", planned_at=NOW, **fields)
    order.info_security = FILE.format(order.number)
    order.save()
    check = {"step": "check_files", "channel": "files", "state": "retrying", "attempts": 1, "frozen_at": NOW}
    payload = f'{{"order_number": "{order.number}", "files": {{"info_security": "{order.info_security}"}}}}'
    DispatchFactory(order=order, payload=payload, next_try_at=NOW + datetime.timedelta(minutes=5), **check)
    DispatchFactory(order=order, position=2, state="waiting", next_try_at=None)
    incident = IncidentFactory(partner="files", step="check_files", code=f"missing-{order.pk}")
    AffectedOrderFactory(order=order, incident=incident)
    return order


def check_of(order: Order) -> Dispatch:
    """Returns the order's step that checks its files, read anew."""
    return order.dispatches.get(step="check_files")


def outcome_under_way(order: Order, **found: object) -> Outcome:
    """Puts the order's check under way, as if a worker had begun it, and returns the outcome that the worker will
    record.
    """
    check = check_of(order)
    check.state, check.lease_token = "sending", uuid.uuid4()
    check.save()
    attempt = AttemptFactory(dispatch=check, number=2)
    return Outcome(dispatch_id=check.pk, attempt_id=attempt.pk, token=check.lease_token, **found)


def receive(content: dict) -> Order:
    """Receives an order as the endpoint does, without the envelope."""
    message = InboundMessage(
        received_at=timezone.now(),
        trans_ido=content["OrderNum"],
        trans_idh=uuid.uuid4().hex,
        order_number=content["OrderNum"],
        http_status=200,
        rsp_code="00000",
        rsp_desc="Success",
        body="{}",
    )
    receive_order(read_order(content), raw=content, trans_ido=content["OrderNum"], message=message)
    return Order.objects.get(number=content["OrderNum"])

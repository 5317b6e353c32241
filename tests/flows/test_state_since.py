"""Since when orders are in their state is noted of those that got it before the desk noted it."""

import datetime
import importlib

import pytest
from django.apps import apps
from django.db import connection
from django.utils import timezone

from orders.models import Order
from tests import factories as make

HOUR = datetime.timedelta(hours=1)
migration = importlib.import_module("orders.migrations.0039_state_since_filled")


@pytest.mark.django_db
@pytest.mark.parametrize("batch", [1, 500])
def test_an_upgrade_notes_it_from_the_last_move_or_when_the_order_came(monkeypatch, batch):
    monkeypatch.setattr(migration, "BATCH", batch)
    now = timezone.now()
    make.OrderFactory(number="noted", state_since=now - 3 * HOUR, received_at=now - 90 * HOUR)
    told = make.OrderFactory(number="told", received_at=now - 90 * HOUR)
    for hours in (20, 5):
        make.OrderEventFactory(order=told, kind="state", at=now - hours * HOUR)
    make.OrderEventFactory(order=told, kind="note", at=now - HOUR)
    make.OrderFactory(number="never moved", received_at=now - 7 * HOUR)
    for _ in range(2):
        migration.fill(apps, connection.schema_editor())
        assert dict(Order.objects.values_list("number", "state_since")) == {
            "noted": now - 3 * HOUR,
            "told": now - 5 * HOUR,
            "never moved": now - 7 * HOUR,
        }

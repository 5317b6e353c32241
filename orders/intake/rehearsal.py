"""Tests whether orders can be stored. Intake writes some orders of each kind, and the transaction is rolled back.

The test uses sequences, triggers, constraints, permissions and locks as a real order does. It uses up some numbers of
each sequence, and leaves no task, mark or file.
"""

import datetime
import uuid
from collections.abc import Iterator

from django.db import connection, transaction

from orders.intake.receive import store_new
from orders.models import InboundMessage, Order, Province, ServiceType
from orders.models.inbound import ACCEPTED
from orders.rules.content import OrderContent
from orders.rules.local_time import SHANGHAI

BEGINS = "desk-try-"  # prefix of the numbers; the rest is random, so that no two tests wait for each other
ROOM = "CREATE TEMPORARY TABLE IF NOT EXISTS desk_write_try ON COMMIT DROP AS SELECT 1 AS one"


@transaction.atomic
def rehearse(*, now: datetime.datetime, lock_timeout: str) -> None:
    """Writes orders of each kind and rolls them back. Raises any error that prevents storing an order.

    Also creates a temporary table, since it needs a new page: on a full disk, rows may still fit into old pages.
    PostgreSQL's checks at commit are made before the rollback.
    """
    postgres = connection.vendor == "postgresql"
    if postgres:
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{lock_timeout}'")
            cursor.execute(ROOM)
    for content in _contents(now.astimezone(SHANGHAI).date()):
        message = InboundMessage(
            received_at=now,
            trans_ido=content.number,
            trans_idh=uuid.uuid4().hex,
            order_number=content.number,
            http_status=200,
            rsp_code=ACCEPTED,
            body="{}",
        )
        store_new(content, raw={"OrderNum": content.number}, trans_ido=content.number, message=message)
    if postgres:
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    transaction.set_rollback(True)


def _contents(today: datetime.date) -> Iterator[OrderContent]:
    """Yields a trial, a change that replaces the trial's domain, an activation that starts later, an activation that
    starts today, and an order that is held. The held order comes last, since it locks its incident."""
    tried = f"{BEGINS}{uuid.uuid4().hex}"
    trial, domain = f"{tried}-1", "a.desk-try.example"
    service = ServiceType.objects.values_list("code", flat=True).first() or ""
    attribution = Province.objects.values_list("letters", flat=True).first() or ""
    given = {"biz_start": today, "product_id": "desk-try", "service_type": service}
    yield OrderContent(kind=Order.Kind.TRIAL, number=trial, domains=(domain,), attribution=attribution, **given)
    yield OrderContent(kind=Order.Kind.CHANGE, number=f"{tried}-2", trial_number=trial, domains=(f"b.{domain}",))
    later = given | {"biz_start": today + datetime.timedelta(days=2)}
    yield OrderContent(kind=Order.Kind.ACTIVATION, number=f"{tried}-3", trial_number=trial, **later)
    yield OrderContent(kind=Order.Kind.ACTIVATION, number=f"{tried}-4", trial_number=trial, domains=(domain,), **given)
    yield OrderContent(kind=Order.Kind.ACTIVATION, number=f"{tried}-5", trial_number=f"{tried}-0", **given)

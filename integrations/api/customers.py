"""What a customer is billed now: since when, by which orders, for which domains and product."""

from django.db.models import Q
from django.http import Http404
from django.utils import timezone
from rest_framework.request import Request

from integrations.api.answers import CURSOR, LIMIT, check_names, next_address, page_asked
from orders.customer_page.billed_now import Counted, count_by_type, records_of, tell_theirs
from orders.lists import scope
from orders.models import BillingRecord, Order
from orders.queries.customer_names import name_of
from orders.queries.status_report import iso_time


def billed_now(request: Request, enterprise_id: str) -> dict:
    """A page of the records that are live, or may be: by order, then as they were made. The first counts them all.

    Raises Http404 where the token sees no order of the customer.
    """
    check_names(request, [LIMIT, CURSOR])
    asked = page_asked(request, keys=2)
    orders = scope.limit(Order.objects.filter(enterprise_id=enterprise_id), request.user, "attribution")
    named = None if "\0" in enterprise_id or not enterprise_id else _name_in(orders)
    if named is None:
        raise Http404("no customer of this id")
    now = timezone.now()
    records = records_of(orders, now=now)
    page = _page(records, asked.after, asked.rows + 1)
    rows, more = page[: asked.rows], len(page) > asked.rows
    tell_theirs(rows)
    return {
        "customer": {"id": enterprise_id, "name": named},
        "billed": None if asked.after else [_counted(row) for row in count_by_type(records, now=now)],
        "results": [_record(row) for row in rows],
        "next": next_address(request, rows[-1].order_id, rows[-1].pk) if more else None,
    }


def _counted(row: Counted) -> dict:
    return {
        "info_type": row.info_type.value, "label": str(row.info_type.label), "records": row.number,
        "since": iso_time(row.since), "later": row.later, "begins": iso_time(row.begins),
    }  # fmt: skip


def _name_in(orders) -> str | None:
    """What the customer is called; None without any order."""
    return name_of(orders) or ("" if orders.exists() else None)


def _page(records, after: tuple[int, ...], most: int) -> list[BillingRecord]:
    if after:
        order, record = after
        records = records.filter(Q(order__gt=order) | Q(order=order, pk__gt=record), order__gte=order)  # for the index
    rows = records.order_by("order_id", "pk").select_related("order", "dispatch")
    return list(rows.defer("order__content", "dispatch__payload")[:most])


def _record(row: BillingRecord) -> dict:
    return {
        "order": row.order.number,
        "info_type": row.info_type,
        "info_type_label": row.get_info_type_display(),
        "product_id": row.product_id,
        "domain": row.domain,
        "state": row.state,
        "state_label": row.get_state_display(),
        "since": iso_time(row.create_time),
        "until": iso_time(row.cancel_time),
        "theirs": {
            "said": str(row.theirs.word),
            "at": iso_time(row.theirs.at),
            "differs": row.theirs.differs,
            "compared": row.theirs.compared,
        },
    }

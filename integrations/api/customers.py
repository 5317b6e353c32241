"""What a customer is billed now: since when, by which orders, for which domains and product."""

from django.db.models import Q
from django.http import Http404
from rest_framework.request import Request

from integrations.api.answers import CURSOR, LIMIT, check_names, next_address, page_asked
from orders.admin.scope import limit
from orders.customer_page.billed_now import count_by_type, records_of, tell_theirs
from orders.models import BillingRecord, Order
from orders.queries.status_report import iso_time


def billed_now(request: Request, enterprise_id: str) -> dict:
    """The counts of all records that are live, or may be, and a page of them: by order, then as they were made.

    Raises Http404 where the token sees no order of the customer.
    """
    check_names(request, [LIMIT, CURSOR])
    asked = page_asked(request, keys=2)
    orders = limit(Order.objects.filter(enterprise_id=enterprise_id), request.user, "attribution")
    named = None if "\0" in enterprise_id or not enterprise_id else _name_in(orders)
    if named is None:
        raise Http404("no customer of this id")
    records = records_of(orders)
    page = _page(records, asked.after, asked.limit + 1)
    rows, more = page[: asked.limit], len(page) > asked.limit
    tell_theirs(rows)
    return {
        "customer": {"id": enterprise_id, "name": named},
        "billed": [
            {"info_type": kind.value, "label": str(kind.label), "records": number, "since": iso_time(since)}
            for kind, number, since in count_by_type(records)
        ],
        "results": [_record(row) for row in rows],
        "next": next_address(request, rows[-1].order_id, rows[-1].pk) if more else None,
    }


def _name_in(orders) -> str | None:
    """The customer's newest name; None without any order."""
    rows = orders.order_by("-pk").values_list("enterprise_name", flat=True)
    name = rows.exclude(enterprise_name="").first()
    return "" if name is None and rows.exists() else name


def _page(records, after: tuple[int, ...], most: int) -> list[BillingRecord]:
    if after:
        order, record = after
        records = records.filter(Q(order__gt=order) | Q(order=order, pk__gt=record))
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

"""Orders as other systems read them. The facts are those of `show` and of the pages, in the same words."""

import datetime
from collections.abc import Callable
from functools import partial

from django.contrib import admin
from django.db import Error
from django.db.models import Count, QuerySet
from django.http import Http404
from django.urls import reverse
from django.utils import timezone
from rest_framework.request import Request

from approvals.models import ApprovalRecord
from integrations.api.answers import (
    CURSOR,
    LIMIT,
    TWICE,
    UNKNOWN,
    BadParameterError,
    check_names,
    next_address,
    page_asked,
)
from integrations.api.authentication import Reader
from integrations.database_deadline import database_deadline, is_away
from notifications.masks import head, mask_mail, mask_name, mask_phone
from orders.admin import scope
from orders.admin.order_list import mark_words, tell_services
from orders.admin.personal import PERMISSION as SEE_PERSONAL_DATA
from orders.admin.service_names import service_name
from orders.db.odd_values import NONSENSE
from orders.errors import ExportError
from orders.incident_causes import cause_of
from orders.lists.list_query import (
    COLUMNS,
    ORDER_VAR,
    SEARCH_VAR,
    VIEW,
    Condition,
    day_words,
    filter_titles,
    filter_values,
    read_query,
    unread_list,
)
from orders.models import Dispatch, Order
from orders.order_page.ladder.ladder import Rung, build_ladder, current
from orders.order_page.order_facts import facts_of
from orders.order_page.page_context import mask_for
from orders.queries.doubts import mark_orders
from orders.queries.shapes import shape_row
from orders.queries.status_report import iso_time, order_status
from orders.services.audit import note_personal_data_seen
from orders.services.incidents import SAID_BY_STAFF

RELATED, LARGE = ["attribution", "service_type", "shape"], ["content", "given", "shape__domains"]
PERSONAL = "personal"  # as on the pages: people's data are shown to who asks for them
NOTING = 1.0  # seconds that a call waits for another writer to note that it reads people's data
OPINION, BYTES = 2000, 4  # characters of an approval's opinion that are told; bytes that one may take


def filters() -> dict[str, str]:
    """The filters of the orders' list, which this API takes too: what each is about, by name."""
    return filter_titles(admin.site.get_model_admin(Order))


def choices() -> dict[str, list[str]]:
    """The values that these filters take, of those that take no others."""
    return filter_values(admin.site.get_model_admin(Order))


def days() -> dict[str, list[str]]:
    """The words that those of them take that are about days."""
    return day_words(admin.site.get_model_admin(Order))


def orders_page(request: Request) -> dict:
    """A page of the orders under the filter, the newest first.

    A page begins behind the last row of the one before. So no order comes twice or is left out while others arrive.
    """
    asked, rows = page_asked(request), _filtered(request)
    if asked.after:
        rows = rows.filter(pk__lt=asked.after[0])
    try:
        found = list(rows.order_by("-pk").select_related(*RELATED).defer(*LARGE)[: asked.rows + 1])
    except NONSENSE as error:
        raise BadParameterError("", "a value of the filter can't be read") from error
    page = found[: asked.rows]
    mark_orders(page)
    tell_services(page)
    more = len(found) > asked.rows
    return {
        "results": [{**_summary(order), "doubt": _doubt(order), "url": _address(request, order)} for order in page],
        "next": next_address(request, page[-1].pk) if more else None,
    }


def _filtered(request: Request) -> QuerySet[Order]:
    query, names = request.GET.copy(), [*filters(), SEARCH_VAR, LIMIT, CURSOR]
    if ORDER_VAR in query:
        raise BadParameterError(ORDER_VAR, f"orders come the newest first; parameters are: {', '.join(names)}")
    if name := next((name for name in (COLUMNS, VIEW) if name in query), None):
        raise BadParameterError(name, UNKNOWN.format(names=", ".join(names)))
    for name in (LIMIT, CURSOR):
        query.pop(name, None)
    model_admin = admin.site.get_model_admin(Order)
    try:
        conditions = read_query(model_admin, query.urlencode())
        _check_each_once(conditions)
        return unread_list(model_admin, conditions, request.user).queryset
    except ExportError as error:
        said = str(error)
        if error.code == "export_filter_unknown":
            said = UNKNOWN.format(names=", ".join(names))
        raise BadParameterError(str(error.params.get("name", "")), said) from error


def _check_each_once(conditions: list[Condition]) -> None:
    """Raises BadParameterError for a filter that is set by both of its names."""
    known: set[str] = set()
    for one in conditions:
        if one.name in known:
            raise BadParameterError(one.given, TWICE)
        known.add(one.name)


def order_facts(request: Request, number: str) -> tuple[dict, dict | None]:
    """All that this API tells about an order; and, where people's data are in it, the same without them, else None.

    Raises Http404 where the token sees no such order. `trial` is a number that the order itself names, so it is told
    also where the token does not see the trial.
    """
    check_names(request, [PERSONAL])
    reader: Reader = request.user
    rows = Order.objects.select_related(*RELATED, "trial").defer(*LARGE, "trial__content")
    rows = scope.limit(rows, reader, "attribution")
    order = None if "\0" in number else rows.filter(number=number).first()
    if order is None:
        raise Http404("no order of this number")
    tell_services([order])
    facts, rung = order_status(order, whole=False), current(build_ladder(facts_of(order, now=timezone.now())))
    facts["records"] = dict(order.billing_records.order_by().values_list("state").annotate(number=Count("pk")))
    tell = partial(_tell, order, reader, facts, rung)
    masked = tell(shown=False)
    return (tell(shown=True), masked) if _shows_people(request, order) else (masked, None)


def _tell(order: Order, reader: Reader, facts: dict, rung: Rung, *, shown: bool) -> dict:
    mask = mask_for(shown)
    return {
        **_summary(order),
        "doubt": _doubt(order),
        "first": order.first,
        "trial": order.trial_number or None,
        "stands": _stands(rung, reader, mask),
        "steps": [_step(row, mask) for row in facts["steps"]],
        "approvals": [_approval(row, mask, shown) for row in facts["approvals"]],
        "incidents": [_incident(row, mask) for row in facts["incidents"]],
        "records": facts["records"],
        "bpm_process": facts["bpm_process"],
        "schedule": facts["schedule"],
        "operator": _operator(order, shown),
    }


def _summary(order: Order) -> dict:
    """What the list and the order's own address tell alike; the words are those of the pages."""
    return {
        "order": order.number,
        "kind": order.kind,
        "kind_label": order.get_kind_display(),
        "state": order.state,
        "state_label": order.get_state_display(),
        "since": iso_time(order.state_since),
        "held_because": order.held_because or None,
        "held_label": order.get_held_because_display() if order.held_because else None,
        "customer": {"id": order.enterprise_id, "name": order.enterprise_name},
        "attribution": order.attribution_id,
        "attribution_label": order.attribution and order.attribution.name,
        "service": order.service_now and order.service_now.pk,
        "service_label": service_name(order.service_now) or None,
        "product_id": order.product_id or None,
        "start": iso_time(order.start_at) or _day(order.biz_start),
        "end": _day(_last_day(order)),
        "received_at": iso_time(order.received_at),
        "live_at": iso_time(order.live_at),
    }


def _last_day(order: Order) -> datetime.date | None:
    """Of a trial the day that is meant now; else the one that the order's message gave."""
    shape = shape_row(order)
    return shape.ends_on if shape else order.biz_end


def _address(request: Request, order: Order) -> str:
    return request.build_absolute_uri(reverse("api-order", args=[order.number]))


def _day(day: datetime.date | None) -> str | None:
    return day.isoformat() if day else None


def _doubt(order: Order) -> str | None:
    """Why the order is not as fine as its state says, in words; else null."""
    marks = order.marks
    return str(mark_words(marks)) if marks.doubt or marks.behind else None


def _stands(rung: Rung, reader: Reader, mask: Callable[[str], str]) -> dict:
    """Where it stands: the rung of its page, since when, why, and what happens next or must be done.

    `behind` is the order that it waits for, if the token sees that one.
    """
    return {
        "at": str(rung.title),
        "result": str(rung.result),
        "since": iso_time(rung.at),
        "cause": str(rung.cause.what) if rung.cause else None,
        "behind": rung.other.number if rung.other and scope.sees(reader, rung.other) else None,
        "next": (str(rung.cause.next) if rung.cause else mask(str(rung.note))) or None,
    }


def _step(row: dict, mask: Callable[[str], str]) -> dict:
    code = row["error"].partition(": ")[0] if row["error"] else ""
    return {
        **row,
        "label": str(Dispatch.Step(row["name"]).label),
        "status_label": str(Dispatch.State(row["status"]).label),
        "error": mask(row["error"]) if row["error"] else None,
        "cause": str(cause_of(code).what) if code else None,
    }


def _approval(row: dict, mask: Callable[[str], str], shown: bool) -> dict:
    return {
        **row,
        "node": mask(row["node"]),
        "result_label": str(ApprovalRecord.Result(row["result"]).label),
        "operator": row["operator"] if shown else mask_name(row["operator"]),
        "opinion": mask(head(row["opinion"], OPINION * BYTES)[0])[:OPINION],
    }


def _incident(row: dict, mask: Callable[[str], str]) -> dict:
    cause = cause_of(row["code"])
    detail = None if row["code"] in SAID_BY_STAFF else mask(row["detail"])
    return {**row, "detail": detail, "cause": str(cause.what), "next": str(cause.next)}


def _operator(order: Order, shown: bool) -> dict:
    if shown:
        return {"name": order.oper_user, "phone": order.oper_tel, "mail": order.oper_mail}
    return {
        "name": mask_name(order.oper_user),
        "phone": mask_phone(order.oper_tel),
        "mail": mask_mail(order.oper_mail),
    }


def _shows_people(request: Request, order: Order) -> bool:
    """Whether people's data are shown: to a token that may see them, where the call asks for them.

    Each showing is noted, that of a HEAD too; where that can't be written soon, they stay masked.
    """
    asked = request.GET.get(PERSONAL)
    if asked not in {None, "1"}:
        raise BadParameterError(PERSONAL, "must be 1, or left out")
    reader: Reader = request.user
    if asked is None or not reader.has_perm(SEE_PERSONAL_DATA):
        return False
    try:
        with database_deadline(NOTING):
            note_personal_data_seen(order, by=reader.actor, where="API", now=timezone.now())
    except Error as error:
        if not is_away(error):
            raise
        return False
    return True

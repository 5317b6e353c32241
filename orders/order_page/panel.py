"""An order in brief: the preview beside the list of orders, and the facts beside the reason on a decision's page.

It never shows personal data unmasked.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db.models import Count, QuerySet, Window
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils import timezone

from orders.db.unstorable_values import is_id
from orders.lists.overtime_marks import overtime_mark
from orders.lists.service_names import service_name
from orders.models import BillingRecord, Dispatch, Order
from orders.order_page.advice_buttons import Advised, Ways
from orders.order_page.page_context import is_behind_shown, other_troubles, shown_facts
from orders.order_page.tabs import tabs_of
from orders.order_page.trial_shape import service_words
from orders.order_words.history import describe
from orders.order_words.ladder.ladder import build_ladder, current
from orders.order_words.ladder.step_stages import Facts
from orders.order_words.trial_family import family_of
from orders.trials.trial_state_reads import shape_of

PREVIEW = "preview"
"""The parameter of the list's URL with the id of the order beside the list."""
TEMPLATE = "includes/order/panel.html"
EVENTS_SHOWN, DOMAINS_SHOWN, ORDERS_SHOWN = 6, 6, 5
RECORDS = "orders.view_billingrecord"


@dataclass(frozen=True)
class Relative:
    """Another order of the same trial. `records`: how many of the order's billing records count at the big-data side,
    if the user may see records. If the order is the trial, `domains` are the first domains that are on trial now, and
    `number` is the number of all these domains."""

    order: Order
    records: int
    domains: Sequence[str] = ()
    number: int = 0


def panel_of(request: HttpRequest, order: Order, orders, facts: Facts, *, acts: bool = True) -> dict:
    """Returns the panel's data. `orders`: the ModelAdmin. `facts`: from `shown_facts`. `acts`: with the recommended
    action."""
    visible = orders.get_queryset(request)
    tabs, ladder = tabs_of(facts, request.user.has_perms), build_ladder(facts)
    here = current(ladder)
    with_events = any(tab.key == "events" for tab in tabs)
    return {
        "order": order,
        "overtime": overtime_mark(order.overtime),
        "ladder": ladder,
        "here": here,
        "others": other_troubles(facts, ladder),
        "behind_here": is_behind_shown(facts, visible),
        "acts": acts,
        "advised": Ways(request.user, facts).of_stage(here) if acts else Advised([(here.note, ())]),
        "query": f"?{orders.get_preserved_filters(request)}",
        **_content(order, facts),
        "relatives": list(_relatives(request, order, visible)),
        "events": [describe(row) for row in order.events.order_by("-pk")[:EVENTS_SHOWN]] if with_events else [],
    }


def _content(order: Order, facts: Facts) -> dict:
    """Returns the content that is billed or, for a trial, the content that is intended now: the service, the first
    domains and the number of domains.

    `at_once`: billing begins as soon as the order is carried out, since its start day is not in the future. Records
    that are sent are billed already.
    """
    if shape := facts.shape:
        names, service = list(shape.domains.values()), service_words(order, shape.service)
        return {"service": service, "domains": names[:DOMAINS_SHOWN], "number": len(names), "last_day": shape.end}
    named = order.domains.order_by("pk").annotate(number=Window(Count("pk")))  # the number of all, in the same query
    rows = list(named.values_list("name", "number")[:DOMAINS_SHOWN])
    billed = (Dispatch.Step.CREATE_BILLING, Dispatch.State.DONE) in {(step.step, step.state) for step in facts.steps}
    begun = billed or order.live_at is not None or order.undo_since is not None
    not_begun = order.kind == Order.Kind.ACTIVATION and not begun
    return {
        "service": service_name(order.service_type),
        "domains": [name for name, _number in rows],
        "number": rows[0][1] if rows else 0,
        "last_day": order.biz_end,
        "at_once": not_begun and order.biz_start is not None and order.biz_start <= timezone.localdate(facts.now),
    }


def _relatives(request: HttpRequest, order: Order, orders: QuerySet[Order]) -> Iterator[Relative]:
    """Yields the first orders of the same trial, which show the history before this order. Makes at most three
    queries."""
    family = [member for member in family_of(order, orders).members if not member.here][:ORDERS_SHOWN]
    counts: dict[int, int] = {}
    if family and request.user.has_perm(RECORDS):
        records = BillingRecord.objects.filter(order__in=[member.order.pk for member in family])
        records = records.filter(state__in=BillingRecord.THERE).order_by().values_list("order")
        counts = dict(records.annotate(number=Count("pk")))
    for member in family:
        names = list(shape_of(member.order).domains.values()) if member.root else []
        yield Relative(member.order, counts.get(member.order.pk, 0), names[:DOMAINS_SHOWN], len(names))


def answer_preview(orders, request: HttpRequest, order: Order) -> TemplateResponse:
    """Returns the panel alone, for project/static/desk/preview.js."""
    panel = panel_of(request, order, orders, shown_facts(request, order))
    return TemplateResponse(request, TEMPLATE, {"panel": panel})


def panel_of_id(orders, request: HttpRequest, pk: int | str | None, *, acts: bool = True) -> dict | None:
    """Returns the panel of the order with this id, or None if the user may not see the order or there is no such
    order."""
    if not is_id(str(pk)) or not orders.has_view_permission(request):
        return None
    order = orders.with_head(request).filter(pk=pk).first()
    return order and panel_of(request, order, orders, shown_facts(request, order), acts=acts)


def add_preview(orders, request: HttpRequest, response, pk: str) -> None:
    """Adds the panel of the order with this id to the list's page."""
    context = getattr(response, "context_data", None)
    if pk and context is not None and response.status_code == 200:
        context |= {"preview": pk, "panel": panel_of_id(orders, request, pk)}

"""What the order's page shows, gathered in at most 20 queries."""

from collections.abc import Callable

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from orders.admin.personal import PERMISSION, asks_to_see, masked_text, note_seen
from orders.foreign_json import bounded
from orders.models import Order
from orders.pages.decisions import DECISIONS, Decision, offered
from orders.pages.facts import facts_of
from orders.pages.ladder import build_ladder, current
from orders.pages.rungs import Facts, Rung
from orders.pages.tabs import Ask, open_tab, tabs_of
from orders.services.incidents import BREAKER_OPEN
from orders.services.schedules import find_schedule


def actor(request: HttpRequest) -> str:
    """Who it is, as events name them."""
    return f"staff:{request.user.get_username()}"


def page_context(request: HttpRequest, order: Order, orders: QuerySet[Order]) -> dict:
    """All that the templates need. Opening people's data is noted."""
    facts = facts_of(order, now=timezone.now())
    tab = open_tab(order, request.GET.get("tab"))
    shown = asks_to_see(request) and tab.personal
    if shown:
        note_seen(request, order, f"order {tab.key}")
    ask = Ask(facts=facts, params=request.GET, mask=mask_for(shown), orders=orders)
    ladder = build_ladder(facts)
    return {
        "order": order,
        "ladder": ladder,
        "here": current(ladder),
        "others": _other_troubles(facts, ladder),
        "tab": tab,
        "tabs": tabs_of(order),
        "steps": facts.steps,
        "schedule": find_schedule(order),
        "personal": {"shown": shown, "allowed": request.user.has_perm(PERMISSION), "there": tab.personal},
        **_buttons(request, facts, current(ladder)),
        **tab.load(ask),
    }


def mask_for(shown: bool) -> Callable[[str], str]:
    """Those who opened people's data see them; a text that is too long is cut for everybody."""
    return bounded if shown else masked_text


def _buttons(request: HttpRequest, facts: Facts, here: Rung) -> dict:
    """The one right decision beside the cause, the rest for the menu."""
    may = offered(facts, request.user.has_perm)
    right: Decision | None = DECISIONS.get(here.action)
    right = right if right in may else None
    return {"right": right, "menu": [row for row in may if row is not right]}


def _other_troubles(facts: Facts, ladder: list[Rung]) -> list:
    """Open incidents that no rung speaks of: a mail without recipients, for instance."""
    told = {rung.code for rung in ladder if rung.cause} | {facts.order.held_because, BREAKER_OPEN if facts.shut else ""}
    return [row for row in facts.troubles if row.code not in told]

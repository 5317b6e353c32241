"""Looks a customer up for the form of a trial, among those that the person may see."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from orders.admin.order_search import limit_customers
from orders.lists.scope import limit, seen_orders
from orders.models import Customer, Order
from orders.office.trials.columns import ATTRIBUTION, CUSTOMER, CUSTOMER_NAME
from orders.queries.customer_names import name_of
from orders.search.find import find_customers
from orders.search.page import why_not

MAX_CHOICES = 8
PERMISSION = "orders.view_customer"


@dataclass(frozen=True)
class LookedUp:
    """`facts`: {member: text} of the only one, for the form. Else `choices`: (enterprise id, name), and whether there
    are `more`."""

    facts: dict[str, str] = field(default_factory=dict)
    choices: list[tuple[str, str]] = field(default_factory=list)
    more: bool = False


def look_up(user, typed: Mapping[str, str]) -> LookedUp:
    """The customers that the typed enterprise id means, or else the typed name.

    Nothing tells a customer whom the person may not see from one that is not there.
    """
    term = (typed.get(CUSTOMER, "") or typed.get(CUSTOMER_NAME, "")).strip()
    if why_not(term):
        return LookedUp()
    if facts := _facts_of(user, term):
        return LookedUp(facts)
    customers = limit_customers(Customer.objects.all(), user)
    found = find_customers(term, customers, MAX_CHOICES, seen_orders(user))
    if len(found.rows) == 1 and not found.more:
        return LookedUp(_facts_of(user, found.rows[0].pk))
    return LookedUp(choices=[(row.pk, row.shown_name) for row in found.rows], more=found.more)


def _facts_of(user, enterprise_id: str) -> dict[str, str]:
    """What the form takes from a customer: nothing about people. Empty where the person sees no order of it."""
    orders = limit(Order.objects.filter(enterprise_id=enterprise_id), user, "attribution")
    newest = orders.order_by("-pk").only("cp_id", "user_id", "attribution_id").first()
    if newest is None:
        return {}
    return {
        CUSTOMER: enterprise_id,
        CUSTOMER_NAME: name_of(orders),
        "CpID": newest.cp_id,
        "UserID": newest.user_id,
        ATTRIBUTION: newest.attribution_id or "",
    }

"""The family of an order: its trial, with the changes and activations based on it."""

from dataclasses import dataclass

from django.db.models import Q, QuerySet

from orders.models import Order

MAX_MEMBERS = 60
COLUMNS = ["number", "kind", "state", "first", "received_at", "held_because", "trial_number", "shape__ends_on"]


@dataclass(frozen=True)
class Member:
    order: Order
    here: bool
    root: bool


@dataclass(frozen=True)
class Family:
    """The orders of one trial: first the trial order, then the others in order of arrival.

    `missing`: the number of the trial order if it is unknown, otherwise empty.
    """

    members: list[Member]
    missing: str = ""
    more: bool = False


def family_of(order: Order, orders: QuerySet[Order]) -> Family:
    """Returns at most MAX_MEMBERS of the orders that the reader may see; `more`: there are others. One query."""
    root = order.number if order.kind == Order.Kind.TRIAL else order.trial_number
    same = Q(number=root) | Q(trial_number=root) if root else Q(pk=order.pk)
    rows = orders.filter(same).order_by("pk").select_related(None).select_related("shape")
    rows = list(rows.only(*COLUMNS)[: MAX_MEMBERS + 1])
    rows.sort(key=lambda row: (row.number != root, row.pk))
    members = [Member(row, row.pk == order.pk, row.number == root) for row in rows[:MAX_MEMBERS]]
    known = any(member.root for member in members)
    return Family(members, "" if known else root, len(rows) > MAX_MEMBERS)

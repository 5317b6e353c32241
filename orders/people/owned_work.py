"""Owned work: what a user owns and is not done with, and what needs somebody and is nobody's.

`stuck`, the lists' filter, the dashboard, the API and the digest all ask here, so that they agree.
"""

from collections.abc import Iterable
from typing import Any

from django.db.models import Exists, Model, OuterRef, Q

from orders.history.owners import Absent, counts
from orders.incidents.order_warnings import failed_steps, open_differences, open_troubles
from orders.incidents.stuck import STOPPED, is_stuck, is_undone_late
from orders.models import Difference, Incident, Order
from orders.models.querysets import UNRESOLVED
from orders.outbox.due_steps import blocked_steps

UNDER_WAY = [Order.State.IN_PROGRESS, Order.State.AWAITING_APPROVAL, Order.State.COMPENSATING]
"""States of orders that nobody must own, and that somebody may: they wait, or what was repaired goes its way."""
OPEN_DIFFERENCE, OPEN_INCIDENT = Q(state=Difference.State.OPEN), Q(state__in=UNRESOLVED)


def wants_somebody(model: type[Model]) -> Q:
    """The rows that need somebody, whoever owns them."""
    if model is Order:
        return is_stuck()
    return OPEN_INCIDENT if model is Incident else OPEN_DIFFERENCE


def may_have_owner(model: type[Model]) -> Q:
    """The rows that somebody may own: those that need somebody, and orders under way. For a few rows only, such as
    those that have an owner: of each order it looks at all that belongs to it."""
    if model is not Order:
        return wants_somebody(model)
    found = Q(state__in=[*STOPPED, *UNDER_WAY]) | is_undone_late()
    for rows in (open_troubles(), failed_steps(), open_differences(), blocked_steps()):
        found |= Q(Exists(rows.filter(order=OuterRef("pk")).order_by()))
    return found


def is_of(model: type[Model], account: Any) -> Q:
    """Returns the condition for what the account of this id owns and is not done with."""
    return Q(owner=account) & counts(model) & may_have_owner(model)


def is_nobodys(model: type[Model], *, absent: Absent | None = None) -> Q:
    """Returns the condition for what needs somebody and is nobody's; also what is with one of the `absent`, where no
    deputy can act on it."""
    alone = absent.alone_with(model) if absent else Q(pk__in=[])
    return wants_somebody(model) & (Q(owner=None) | ~counts(model) | alone)


def set_owners(rows: Iterable[Any]) -> None:
    """Sets `owned_by`, the id of the account whose each row is, or None. One query where any has an owner. An order
    that needs nobody any more is nobody's; an incident or a difference that is over keeps its last owner."""
    rows = list(rows)
    named = [row.pk for row in rows if row.owner_id is not None]
    model = type(rows[0]) if rows else Order
    has_one = counts(model) & may_have_owner(Order) if model is Order else counts(model)
    held = dict(model._base_manager.filter(has_one, pk__in=named).values_list("pk", "owner_id")) if named else {}
    for row in rows:
        row.owned_by = held.get(row.pk)

"""Owned work: unfinished rows of a user, and rows that need an owner and have none.

`stuck`, the lists' filter, the dashboard, the API and the digest all use this module, so that their results agree.
"""

from collections.abc import Iterable
from typing import Any

from django.db.models import Exists, Model, OuterRef, Q

from orders.history.owners import Absent, counts
from orders.incidents.order_warnings import failed_steps, open_differences, open_troubles
from orders.incidents.stuck import STOPPED, is_stuck, is_undone_late
from orders.models import Difference, Incident, Order
from orders.models.querysets import UNRESOLVED
from orders.outbox.release_steps import blocked_steps

UNDER_WAY = [Order.State.IN_PROGRESS, Order.State.AWAITING_APPROVAL, Order.State.COMPENSATING]
"""States in which an order may have an owner but needs none: it waits, or proceeds after a repair."""
OPEN_DIFFERENCE, OPEN_INCIDENT = Q(state=Difference.State.OPEN), Q(state__in=UNRESOLVED)


def wants_somebody(model: type[Model]) -> Q:
    """Returns the condition for rows that need an owner, including rows that have one."""
    if model is Order:
        return is_stuck()
    return OPEN_INCIDENT if model is Incident else OPEN_DIFFERENCE


def may_have_owner(model: type[Model]) -> Q:
    """Returns the condition for rows that may have an owner: rows that need one, and orders under way.

    Use this condition only for a few rows, such as rows with an owner, since it checks all related rows of each order.
    """
    if model is not Order:
        return wants_somebody(model)
    found = Q(state__in=[*STOPPED, *UNDER_WAY]) | is_undone_late()
    for rows in (open_troubles(), failed_steps(), open_differences(), blocked_steps()):
        found |= Q(Exists(rows.filter(order=OuterRef("pk")).order_by()))
    return found


def is_of(model: type[Model], account: Any) -> Q:
    """Returns the condition for unfinished rows owned by the account with this id."""
    return Q(owner=account) & counts(model) & may_have_owner(model)


def is_nobodys(model: type[Model], *, absent: Absent | None = None) -> Q:
    """Returns the condition for rows that need an owner and have none. Also matches rows whose owner is `absent`, if no
    deputy can act on these rows."""
    alone = absent.alone_with(model) if absent else Q(pk__in=[])
    return wants_somebody(model) & (Q(owner=None) | ~counts(model) | alone)


def set_owners(rows: Iterable[Any]) -> None:
    """Sets `owned_by`, the id of the effective owner or None. Makes one query if any row has an owner.

    An order that no longer needs an owner has no owner. An incident or a difference that has ended keeps its last
    owner.
    """
    rows = list(rows)
    named = [row.pk for row in rows if row.owner_id is not None]
    model = type(rows[0]) if rows else Order
    has_one = counts(model) & may_have_owner(Order) if model is Order else counts(model)
    held = dict(model._base_manager.filter(has_one, pk__in=named).values_list("pk", "owner_id")) if named else {}
    for row in rows:
        row.owned_by = held.get(row.pk)

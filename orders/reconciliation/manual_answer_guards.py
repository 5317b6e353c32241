"""Guards for manual look-ups. They decide when, and for which records, a look-up replaces a query (contract 7.2)."""

import datetime
from collections.abc import Collection, Iterable

from orders.books.books import Look, has_look_up
from orders.history.order_locks_and_events import load_records
from orders.models import Dispatch, Order
from orders.outbox.billing_effects import called_after
from orders.rules.steps import Step
from orders.texts.errors import NotAllowedError

MAX_NAMED = 5


def check_look(look: Look | None, now: datetime.datetime) -> None:
    """Raises NotAllowedError if the partner can be queried without a manual look-up, or if the look-up's time is in the
    future."""
    if look and has_look_up():
        raise NotAllowedError("look_needless")
    if look and look.as_of > now:
        raise NotAllowedError("look_ahead")


def called_too_late(domains: Collection[str]) -> dict[str, str]:
    """Returns the reason why the records of these domains are left out, as a code with parameters."""
    more = f" … {len(domains)}" if len(domains) > MAX_NAMED else ""
    return {"code": "called_after", "domains": ", ".join(list(domains)[:MAX_NAMED]) + more}


def check_not_called(order: Order, look: Look) -> None:
    """Raises NotAllowedError if a call for a record of the order was made later than ten minutes before the look-up."""
    if young := called_after([order.pk], look.as_of).get(order.pk):
        raise _left_out(name for _product, name in sorted(young))


def without_called(rows: Iterable[Dispatch], look: Look) -> tuple[list[Dispatch], list[str]]:
    """Returns the steps whose records are covered by the look-up, and the domains of the other steps.

    Raises NotAllowedError if no step is covered.
    """
    young = called_after({row.lane or row.order_id for row in rows}, look.as_of)
    kept, left = [], set[str]()
    for row in rows:
        own = young.get(row.lane or row.order_id, set())
        if row.records and row.step != Step.ASK_BILLING:
            found = {name for product, name in own & _names(row.records)}
        else:
            found = {name for _product, name in own}
        left |= found
        if not found:
            kept.append(row)
    if left and not kept:
        raise _left_out(sorted(left))
    return kept, sorted(left)


def _left_out(domains: Iterable[str]) -> NotAllowedError:
    why = called_too_late(list(domains))
    return NotAllowedError(why["code"], domains=why["domains"])


def _names(records: Iterable[int]) -> set[tuple[str, str]]:
    return {(one.product_id, one.domain_key) for one in load_records(records).values()}

"""Checks that `take` and `accept` change only records that staff were shown (contract 3.9, 14). Reads only rows."""

import contextlib
import datetime
from collections.abc import Iterator

from django.db.models import Q

from orders.models import BillingRecord, Difference, Dispatch, Order
from orders.rules.host_names import domain_key
from tests.model.acts import WrongError

STOPPED = ["failed", "given_up"]
SETTLED = {"live", "cancelled", "deleted"}  # states of a record about which the desk is certain


@contextlib.contextmanager
def only_what_was_shown(number: str) -> Iterator[None]:
    """Checks an act in the `with` block that takes or accepts the partner's records of an order. Raises WrongError.

    The act may change a record only if an open difference is about the record, or if a failed or given-up step is. A
    live record may become missing or cancelled only if its difference says so. Changes that an answer to a step makes
    are ignored. For a change of a trial, the trial's records are checked. An order may be accepted as still billed
    only while a record of a failed or given-up step exists.
    """
    order = Order.objects.select_related("trial").filter(number=number).first()
    owner = order and (order.trial if order.kind == Order.Kind.CHANGE and order.trial else order)
    if owner is None:
        yield
        return
    before, told, stopped = _records(owner), _told(owner), _of_steps(order, owner)
    billed = _billed_still(order)
    yield
    if _billed_still(order, accepted=True) & billed and not stopped & _there():
        raise WrongError("what is accepted as billed still is there", number)
    for pk, now in _records(owner).items():
        name, was = now[0], before.get(pk, (now[0], "none", *now[2:]))
        if now == was or now[-1] != was[-1] or pk in stopped or (pk in before and was[1] not in SETTLED):
            continue
        if name not in told:
            raise WrongError("only what was shown is taken", number, name, was[1:], now[1:])
        if was[1] == "live" and now[1] != "live" and not told[name] & {"missing", "cancelled"}:
            raise WrongError("a loss is taken by its name alone", number, name, told[name])


def _records(owner: Order) -> dict[int, tuple]:
    """Returns the records by id.

    A value has the record's name, state and times, and the step that changed the record last.
    """
    rows = BillingRecord.objects.filter(order=owner)
    return {
        row.pk: (
            (row.product_id, row.domain_key),
            row.state,
            *map(_second, (row.create_time, row.cancel_time, row.cancelled_at)),
            row.dispatch_id,
        )
        for row in rows
    }


def _second(moment: datetime.datetime | None) -> datetime.datetime | None:
    """Returns the time without fractions of a second, which the wire does not have."""
    return moment and moment.replace(microsecond=0)


def _told(owner: Order) -> dict[tuple[str, str], set[str]]:
    """Returns {name of a record: its states at the partner according to the open differences}."""
    found: dict[tuple[str, str], set[str]] = {}
    for row in Difference.objects.filter(order=owner, state="open"):
        found.setdefault((row.product_id, domain_key(row.domain)), set()).add(row.detail.get("theirs", ""))
    return found


def _billed_still(order: Order, *, accepted: bool = False) -> set[int]:
    """Returns the ids of the order's rows in open incidents with the code `billed_not_active`.

    With `accepted`, returns the ids of the closed rows that staff accepted. Trials are ignored, because such an
    incident names a trial only beside another order.
    """
    if order.kind == Order.Kind.TRIAL:
        return set()
    rows = order.troubles.filter(incident__code="billed_not_active", closed_at__isnull=not accepted)
    return set((rows.exclude(accepted_by="") if accepted else rows).values_list("pk", flat=True))


def _there() -> set[int]:
    return set(BillingRecord.objects.filter(state__in=BillingRecord.THERE).values_list("pk", flat=True))


def _of_steps(order: Order, owner: Order) -> set[int]:
    """Returns the ids of the records of billing steps that failed or were given up."""
    rows = Dispatch.objects.filter(Q(order=order) | Q(lane=owner.pk), channel="billing", state__in=STOPPED)
    return {pk for records in rows.values_list("records", flat=True) for pk in records}

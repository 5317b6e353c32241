"""Stuck orders with their reasons (contract section 5, `stuck`). The reasons are the findings of order_warnings.py, and
decisions of staff.

The number of queries is fixed. Each query uses its own index.
"""

import datetime
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Min, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from orders.history.owners import counts
from orders.incidents.incident_codes import BILLED_NOT_ACTIVE
from orders.incidents.incident_codes import DIFFERENCE as DIFFERS
from orders.incidents.order_warnings import SERVED, failed_mails, failed_steps, open_differences, open_troubles
from orders.models import Attempt, Difference, Dispatch, Order
from orders.models.querysets import STOPPED_BY
from orders.outbox.release_steps import blocked_steps, stopped_before, stopped_in_line
from orders.rules.local_time import midnight

STOPPED = [Order.State.HELD, Order.State.FAILED]
UNKNOWN = "unknown"
"""The state shown for a number without an order."""
URGENCY = ("unbilled", "late_undo", "step", "held", "incident", "difference", "behind", "state")
UNBILLED, LATE_UNDO, STEP, HELD, INCIDENT, DIFFERENCE, BEHIND, STATE = URGENCY


@dataclass(frozen=True, kw_only=True)
class Reason:
    """A reason why an order is stuck. `kind` is one of URGENCY.

    `code`: the code of the incident, the step's error or the hold, or the kind of difference. `step`: the failed step
    or the step concerned. `other`: the number of the order that the stuck order waits for.
    """

    kind: str
    since: datetime.datetime
    code: str = ""
    step: str = ""
    other: str = ""


@dataclass(frozen=True, kw_only=True)
class StuckOrder:
    """A stuck order. `reasons` begin with the most urgent one. `owner` is a user name, or empty."""

    number: str
    customer: str
    state: str
    reasons: tuple[Reason, ...]
    owner: str = ""

    @property
    def since(self) -> datetime.datetime:
        return min(reason.since for reason in self.reasons)


def needs_somebody() -> QuerySet[Order]:
    """Returns the stuck orders.

    An order is stuck if it has failed or is held (even if it will proceed by itself). It is also stuck if it has an
    open incident, a failed step or an open difference, awaits a late undoing, or waits for another order's stopped
    step.
    """
    return Order.objects.filter(is_stuck())


def is_stuck() -> Q:
    differing = open_differences().filter(order__isnull=False)
    troubled = [open_troubles(), failed_steps(), failed_mails(), differing, blocked_steps()]
    ids = [rows.order_by().values("order_id") for rows in troubled]
    conditions = (Q(state__in=STOPPED), is_undone_late())
    ids += [Order.objects.filter(condition).order_by().values("pk") for condition in conditions]
    return Q(pk__in=ids[0].union(*ids[1:]))


def is_undone_late() -> Q:
    """Returns the condition for orders that wait until staff decide about a late undoing. After the decision they
    proceed by themselves."""
    return Q(undo_asked_at__isnull=False, undo_since=None, kind=Order.Kind.ACTIVATION)


def stuck(since: datetime.date | None = None) -> list[StuckOrder]:
    """Returns all stuck orders and unknown numbers, the longest stuck first. `since` (a day in Asia/Shanghai) leaves
    out those that got stuck earlier."""
    reasons, unknown = _reasons()
    owners = dict(Order.objects.filter(counts(Order)).values_list("pk", "owner__username"))
    named = open_differences().filter(counts(Difference), order=None)
    of_numbers = dict(named.values_list("job_id", "owner__username")) if unknown else {}
    rows = needs_somebody().order_by().values(
        "pk", "number", "kind", "state", "enterprise_name", "enterprise_id", "held_because", "undo_asked_at",
        "undo_since", "received_at",
    )  # fmt: skip
    found = [_stuck(row, reasons[row["pk"]], owners.get(row["pk"], "")) for row in rows]
    found += [
        StuckOrder(number=number, customer="", state=UNKNOWN, reasons=_in_order(own), owner=of_numbers.get(number, ""))
        for number, own in unknown.items()
    ]
    if since:
        found = [row for row in found if row.since >= midnight(since)]
    return sorted(found, key=lambda row: (row.since, row.reasons[0].kind == BEHIND, row.number))


def _stuck(row: dict, reasons: list[Reason], owner: str) -> StuckOrder:
    reasons = list(reasons)
    if row["undo_asked_at"] and not row["undo_since"] and row["kind"] == Order.Kind.ACTIVATION:
        reasons = [reason for reason in reasons if reason.code != LATE_UNDO]
        reasons.append(Reason(kind=LATE_UNDO, code=LATE_UNDO, since=row["undo_asked_at"]))
    if because := row["held_because"]:
        begun = (reason.since for reason in reasons if _belongs_to_hold(reason, because))
        since = min(begun, default=row["received_at"])
        reasons = [reason for reason in reasons if reason.code != because]
        reasons.append(Reason(kind=HELD, code=because, since=since))
    customer = row["enterprise_name"] or row["enterprise_id"]
    alone = [Reason(kind=STATE, code=row["state"], since=row["received_at"])]
    return StuckOrder(
        number=row["number"],
        customer=customer,
        state=row["state"],
        reasons=_in_order(reasons or alone),
        owner=owner,
    )


def _belongs_to_hold(reason: Reason, because: str) -> bool:
    """Returns True if an incident belongs to the hold. For a hold because of files, the incident has the finding's code
    instead of the hold's."""
    files = because == Order.Held.FILES and reason.step == Dispatch.Step.CHECK_FILES
    return files or reason.code == because


def _in_order(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    found = {}
    for reason in sorted(reasons, key=lambda reason: (URGENCY.index(reason.kind), reason.since)):
        found.setdefault((reason.kind, reason.code, reason.step, reason.other), reason)
    return tuple(found.values())


def _reasons() -> tuple[dict[int, list[Reason]], dict[str, list[Reason]]]:
    """Returns reasons by order, and reasons by unknown number."""
    reasons: dict[int, list[Reason]] = defaultdict(list)
    unknown: dict[str, list[Reason]] = defaultdict(list)
    steps = _steps_by_order()
    rows = open_troubles().values_list("order_id", STOPPED_BY, "incident__code", "since")
    for order, step, code, since in rows.order_by("pk"):
        failed = steps[order].pop(step, None)
        reasons[order].append(Reason(kind=STEP if failed else INCIDENT, code=code, step=step, since=since))
    for order, failed in steps.items():
        reasons[order] += failed.values()
    rows = open_differences().values_list("order_id", "order__state", "job_id", "kind").annotate(since=Min("found_at"))
    differing = set()
    for order, state, number, code, since in rows.order_by("since"):
        unbilled = code == Difference.Kind.NOT_BILLED and state in SERVED
        reason = Reason(kind=UNBILLED if unbilled else DIFFERENCE, code=code, since=since)
        (reasons[order] if order else unknown[number]).append(reason)
        differing.add(order)
    for order in differing - {None}:  # the incident adds nothing to the difference
        reasons[order] = [reason for reason in reasons[order] if reason.code != DIFFERS]
    for order, reason in _waiting_behind():
        reasons[order].append(reason)
    return reasons, unknown


def _steps_by_order() -> dict[int, dict[str, Reason]]:
    found: dict[int, dict[str, Reason]] = defaultdict(dict)
    rows = _with_since(failed_steps()).order_by("position", "pk")
    for order, step, code, since in rows.values_list("order_id", "step", "error_code", "since"):
        found[order].setdefault(step, Reason(kind=STEP, code=code, step=step, since=since))
    mails = failed_mails().order_by("pk").values_list("order_id", "kind", "error_code", "frozen_at", "written_at")
    for order, kind, code, tried, written in mails:
        found[order].setdefault(kind, Reason(kind=STEP, code=code, step=kind, since=tried or written))
    return found


def _with_since(rows: QuerySet[Dispatch]) -> QuerySet[Dispatch]:
    ended = Attempt.objects.filter(dispatch=OuterRef("pk")).order_by("-pk").values("finished_at")[:1]
    return rows.annotate(since=Coalesce(Subquery(ended), "frozen_at", "created_at"))


def blocker_of(order: Order) -> Dispatch | None:
    """Returns the failed step of another order of the trial that this order waits for, if any."""
    ids = blocked_steps().filter(order=order).order_by("position", "pk").values_list("blocker", flat=True)
    blocker = ids.first()
    return blocker and Dispatch.objects.select_related("order").defer("payload", "order__content").get(pk=blocker)


def _waiting_behind() -> Iterable[tuple[int, Reason]]:
    """Yields orders that wait for another order's stopped step, with the reason. The wait begins when the other step
    stopped or the order's own step was created, whichever is later."""
    waiting = list(blocked_steps().order_by("position", "pk").values_list("order_id", "blocker", "created_at"))
    if not waiting:
        return
    before = stopped_before().filter(state=Dispatch.State.FAILED).values("error_code")[:1]
    rows = _with_since(stopped_in_line()).annotate(before=Subquery(before))
    failed = {
        row[0]: row[1:] for row in rows.values_list("pk", "order__number", "step", "error_code", "before", "since")
    }
    for order, blocker, created in waiting:
        if blocker in failed:
            number, step, code, before, since = failed[blocker]
            why = code or before or BILLED_NOT_ACTIVE
            yield order, Reason(kind=BEHIND, code=why, step=step, other=number, since=max(since, created))

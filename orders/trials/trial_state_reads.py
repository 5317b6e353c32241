"""Reads trials' shapes (target states) and their ends (contract 3.9, 19). orders.rules.trial_shape computes them."""

import datetime
from collections import defaultdict
from collections.abc import Collection, Iterable

from django.db.models import CharField, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from orders.models import BillingRecord, Dispatch, Order, OrderDomain, TrialClaim, TrialEnd, TrialShape
from orders.rules.local_time import SHANGHAI
from orders.rules.steps import Channel, Step
from orders.rules.trial_shape import AcceptedEndDate, ChangeRequest, Ending, Entry, Shape, fold

AT_PARTNERS = [Channel.BILLING, Channel.BPM]  # calls on other channels do not affect a trial
SHAPED_BY = ["pk", "trial_id", "kind", "change_number", "given", "service_type_id", "biz_end", "given_up"]
SERVICE_NOW = Coalesce("changed_service_id", "service_type_id", output_field=CharField())
"""An order's service: of a trial the one that is meant, else the one that the order was sent with. In the words of the
index `order_service` (orders.db.indexes), so that counting a service's orders reads nothing else."""
NOTHING_SENT = Q(state__in=[Dispatch.State.WAITING, Dispatch.State.DUE], attempts=0)


def entries_of(trials: Iterable[int], *, without: Collection[int] = ()) -> dict[int, list[Entry]]:
    """Returns the entries of each trial from which its shape is computed. Leaves out the changes in `without`. Makes
    three queries."""
    trials = list(trials)
    changes = Q(trial__in=trials, kind=Order.Kind.CHANGE, in_effect=True, change_number__isnull=False)
    orders = Order.objects.filter(changes | Q(pk__in=trials)).exclude(pk__in=without).order_by()
    rows = list(orders.values(*SHAPED_BY))
    listing = {row["pk"] for row in rows if row["kind"] == Order.Kind.TRIAL or "domains" in row["given"]}
    names = defaultdict(list)
    for order, name in OrderDomain.objects.filter(order__in=listing).order_by("pk").values_list("order_id", "name"):
        names[order].append(name)
    found: dict[int, list[Entry]] = {pk: [] for pk in trials}
    for row in rows:
        listed = tuple(names[row["pk"]]) if row["pk"] in listing else None
        found[row["trial_id"] or row["pk"]].append(_change_request(row, listed))
    for trial, number, kind, day in TrialEnd.objects.filter(trial__in=trials).values_list(
        "trial_id", "number", "kind", "ends_on"
    ):
        ending = kind == TrialEnd.Kind.ENDING
        found[trial].append(Ending(number=number) if ending else AcceptedEndDate(number=number, end=day))
    return found


def _change_request(row: dict, domains: tuple[str, ...] | None) -> ChangeRequest:
    """Returns the request of a trial or change, without the parts that staff gave up."""
    own, gone = row["kind"] == Order.Kind.TRIAL, row["given_up"] or {}
    service = (own or "service_type" in row["given"]) and not gone.get("service")
    end = (own or "biz_end" in row["given"]) and not gone.get("end")
    return ChangeRequest(
        number=0 if own else row["change_number"],
        domains=domains,
        service=row["service_type_id"] or "" if service else "",
        end=row["biz_end"] if end else None,
        not_done=frozenset(gone.get("domains", ())),
    )


def said_by(order: Order, domains: Iterable[str], number: int) -> ChangeRequest:
    """Returns the request of an order that is being planned. `domains` are the domains of its message."""
    row = {name: getattr(order, name) for name in SHAPED_BY} | {"change_number": number}
    listed = tuple(domains) if order.kind == Order.Kind.TRIAL or "domains" in order.given else None
    return _change_request(row, listed)


def read_shape(kept: TrialShape) -> Shape:
    return shape_from(kept.domains, kept.service, kept.ends_on, kept.closed)


def shape_row(order: Order) -> TrialShape | None:
    """Returns the row of a trial's shape, from `select_related("shape")`, or None.

    The result is None for other orders, and for a trial without a stored shape from an earlier version.
    """
    return getattr(order, "shape", None)


def shape_from(domains: Iterable[str], service: str, end: datetime.date | None, closed: bool) -> Shape:
    listed = fold([ChangeRequest(number=0, domains=tuple(domains))]).domains
    return Shape(domains=listed, service=service, end=end, closed=bool(closed))


def shapes_of(trials: Iterable[int]) -> dict[int, Shape]:
    """Returns the shape of each trial. If a trial from an earlier version has no stored shape, its shape is
    computed."""
    trials = list(trials)
    found = {row.pk: read_shape(row) for row in TrialShape.objects.filter(pk__in=trials)}
    if missing := [pk for pk in trials if pk not in found]:
        found |= {pk: fold(entries) for pk, entries in entries_of(missing).items()}
    return found


def shape_of(trial: Order) -> Shape:
    return shapes_of([trial.pk])[trial.pk]


def not_begun(trial: Order) -> list[int]:
    """Returns the ids of the orders that wait in a trial's line and have sent nothing to BPM or the big-data side, in
    the sequence of the line."""
    sent = Dispatch.objects.current().filter(order=OuterRef("order"), plan=OuterRef("plan"), undo=False, attempts__gt=0)
    rows = Dispatch.objects.current().filter(NOTHING_SENT, lane=trial.pk, undo=False, order__undo_since=None)
    rows = rows.exclude(order=trial.pk).filter(~Exists(sent.filter(channel__in=AT_PARTNERS, repeat=False)))
    turns = rows.filter(repeat=False).order_by().values_list("place", "pk", "order_id")
    return list(dict.fromkeys(order for _turn, order in sorted((place or pk, order) for place, pk, order in turns)))


def begun_shape(trial: Order, *, of: Order | None = None, gone: Order | None = None) -> Shape:
    """Returns a trial's shape according to the orders that have begun. Counts the order `of` even if it has not begun,
    and does not count `gone`."""
    without = set(not_begun(trial)) - {of.pk if of else None} | {order.pk for order in (gone,) if order}
    return fold(entries_of([trial.pk], without=without)[trial.pk])


def started(trials: Iterable[int], *, gone: Order | None = None) -> set[int]:
    """Returns the ids of claimed trials if the activation with the claim has begun to cancel their records. An
    activation that is being undone does not count, and neither does `gone`.
    """
    claims = TrialClaim.objects.filter(trial__in=list(trials), released_at=None, activation__undo_since=None)
    claims = claims.exclude(activation=gone) if gone else claims
    cancels = Dispatch.objects.current().filter(
        order=OuterRef("activation"), step=Step.CANCEL_TRIAL, undo=False, repeat=False, attempts__gt=0
    )
    return set(claims.filter(Exists(cancels)).order_by().values_list("trial_id", flat=True))


def meant_now(trial: Order, shape: Shape, *, now: datetime.datetime, gone: Order | None = None) -> Shape | None:
    """Returns `shape` if the trial's records should be live. Returns None if the trial has ended, is withdrawn or is
    taken over."""
    return shape if _runs(trial, shape, now) and not started([trial.pk], gone=gone) else None


def _runs(trial: Order, shape: Shape, now: datetime.datetime) -> bool:
    over = trial.undo_since is not None or trial.state == Order.State.WITHDRAWN
    return not over and not shape.is_over(now.astimezone(SHANGHAI).date())


def meant_of(trials: Collection[Order], *, now: datetime.datetime) -> dict[int, Shape | None]:
    """Returns each trial's shape according to the orders that have begun, or None for a trial without records that
    should be live.

    Makes five queries, and more for each trial with waiting steps.
    """
    ids = [trial.pk for trial in trials]
    shapes, over = shapes_of(ids), started(ids)
    waiting = Dispatch.objects.current().filter(NOTHING_SENT, lane__in=ids, undo=False)
    waiting = set(waiting.order_by().values_list("lane", flat=True))
    found: dict[int, Shape | None] = {}
    for trial in trials:
        shape = begun_shape(trial) if trial.pk in waiting else shapes[trial.pk]
        found[trial.pk] = shape if _runs(trial, shape, now) and trial.pk not in over else None
    return found


def is_meant(record: BillingRecord, shape: Shape | None) -> bool:
    """Returns True if a trial's record should be live. `shape` is None if no record should be live."""
    return shape is not None and record.product_id == shape.service and record.domain_key in shape.domains


def running_trials() -> QuerySet[Order]:
    return Order.objects.filter(kind=Order.Kind.TRIAL, state=Order.State.TRIALING)


def trials_ending(**days: datetime.date) -> QuerySet[Order]:
    """Returns running trials without a claim. The arguments are lookups of the last day (`gte=monday, lte=sunday`)."""
    claims = TrialClaim.objects.filter(trial=OuterRef("pk"), released_at=None)
    running = running_trials().filter(~Exists(claims))
    return running.filter(**{f"shape__ends_on__{lookup}": day for lookup, day in days.items()})


def is_ending(**days: datetime.date) -> Q:
    return Q(pk__in=trials_ending(**days).order_by().values("pk"))

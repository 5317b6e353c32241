"""Adds steps to the outbox, and wakes the workers, now or on a start day. Only this module creates a Dispatch.

A step is built first. `enqueue` then saves the step with its idempotency key (contract 3.5). Steps with `derived_key`
create, extend or cancel records, or start a process. Their keys can be computed again. All other keys are random.
"""

import datetime
import uuid
from collections.abc import Iterable
from functools import lru_cache

from django.conf import settings
from django.utils import timezone
from django_q.models import OrmQ, Schedule
from django_q.signing import SignedPackage

from orders.db.compiled_sql import insert_rows
from orders.models import OF_ITS_ATTEMPT, OF_ITS_CALL, Difference, Dispatch, Order, notes_of
from orders.rules.steps import STEPS, Channel, Step

DRAIN = "integrations.tasks.drain"  # a dotted path, since the core must not import integrations
WAKE_KEY, SETTLE_KEY = "wake-up", "settle"  # keys of identical drains: one does the work of all
START_DAY_JOB = "orders.activation.run_job"


def build_step(
    order: Order, step: str, /, *, now: datetime.datetime, records: Iterable[int] = (), due: bool = False, **fields
) -> Dispatch:
    """Builds a step of an order, without saving it.

    Fields that are not in `fields` get the values of `orders.rules.steps`.

    `records` are the ids of the step's billing records. With `due`, the step may be claimed at once. Without it,
    `release` makes the step due. If an order has several steps of one phase, each needs its own `position`.
    """
    kind, records = STEPS[step], list(records)
    usual = {
        "channel": kind.channel,
        "position": kind.phase,
        "blocking": kind.blocking,
        "lane": (order.trial_id or order.pk) if kind.serialised_per_trial else None,
        "plan": order.plans or 1,
        "size": len(records),
    }
    if due:
        usual |= {"state": Dispatch.State.DUE, "next_try_at": now}
    return Dispatch(order=order, step=step, records=records, created_at=now, **(usual | fields))


def build_questions(
    row: Dispatch, asked: dict, *, again: datetime.datetime | None, now: datetime.datetime
) -> list[Dispatch]:
    """Builds queries about a step's records, in the step's place. The first query is due now. If `again` is given, a
    last query is due at that time. `asked`: the fields of `question_about`."""
    place = {
        "position": row.position,
        "lane": row.lane,
        "place": row.place or row.pk,
        "size": len(row.records),
        "undo": row.order.undo_since is not None,
    }
    first = build_step(row.order, Step.ASK_BILLING, now=now, due=True, is_last=again is None, **asked, **place)
    if again is None:
        return [first]
    later = {"gate": Dispatch.Gate.START, "not_before": again} | place | asked
    return [first, build_step(row.order, Step.ASK_BILLING, now=now, is_last=True, **later)]


def build_replacement(row: Dispatch, *, now: datetime.datetime, behind: bool = False) -> Dispatch:
    """Builds a replacement of a step, with its own T and key. The replacement gets the place of the step or, with
    `behind`, the end of the line. It also gets the records in `rest`, which further parts of the step would have
    carried."""
    rest = row.rest or []
    return _copy(
        row,
        now,
        size=row.size + len(rest),
        blocking=row.blocking,
        gate=row.gate,
        not_before=row.not_before,
        place=None if behind else row.place or row.pk,
        **notes_of(row, but=OF_ITS_ATTEMPT),
        **{row.carried_in: [*getattr(row, row.carried_in), *rest]},
    )


def build_next_part(row: Dispatch, *, now: datetime.datetime) -> Dispatch:
    """Builds the next part of a step, in the step's place. It gets the records in `rest`, which did not fit into the
    call."""
    return _copy(
        row,
        now,
        size=len(row.rest),
        blocking=row.blocking,
        gate=row.gate,
        not_before=row.not_before,
        place=row.place or row.pk,
        repeat=row.repeat,
        rest=[],
        **notes_of(row, but=OF_ITS_CALL),
        **{"records": [], row.carried_in: row.rest},
    )


def build_repeat(row: Dispatch, *, now: datetime.datetime) -> Dispatch:
    """Builds a repeat of an accepted step. The repeat takes its turn in the trial's line.

    A step with `keeps_key` is sent with the same key and bytes, so that the partner does not act twice. For other
    steps, the big-data side gets a random key and the records' current values.
    """
    kept = STEPS[row.step].keeps_key
    same = {"key": row.key, "payload": row.payload, "frozen_at": row.frozen_at} if kept else {}
    return _copy(row, now, blocking=row.channel == Channel.BILLING, repeat=True, **notes_of(row), **same)


def _copy(row: Dispatch, now: datetime.datetime, **fields) -> Dispatch:
    same = {"records": row.records, "position": row.position, "undo": row.undo, "lane": row.lane}
    return build_step(row.order, row.step, now=now, **same | {"plan": row.plan, "size": row.size} | fields)


def enqueue(rows: Iterable[Dispatch], *, random_keys: bool = False) -> None:
    """Saves steps of locked orders, with their keys. `random_keys`: use random keys, since the partner may have seen
    the derived keys."""
    rows = list(rows)
    if not random_keys:
        give_keys(rows)
    insert_rows(rows)


def enqueue_next_parts(done: Iterable[Dispatch], *, now: datetime.datetime) -> None:
    """Saves the next part of each done step that has records left in `rest`. The orders must be locked."""
    for row in done:
        if row.rest and not row.superseded and (row.undo or row.order.undo_since is None):
            part = build_next_part(row, now=now)
            enqueue([part], random_keys=bool(row.puts_back or row.from_look))
            Difference.objects.filter(fix=row.pk).update(fix=part.pk)


def give_keys(rows: Iterable[Dispatch], *, new: bool = False) -> None:
    """Gives unsaved steps their derived keys. `new`: the order has no steps yet, so no used keys need to be read."""
    derived = [row for row in rows if STEPS[row.step].derived_key and not row.repeat and not _moves_end(row)]
    for order in {row.order_id: row.order for row in derived}.values():
        _give_keys(order, [row for row in derived if row.order_id == order.pk], new)


def _moves_end(row: Dispatch) -> bool:
    """Returns True if the step sends a trial's end that staff moved. Such a step gets a random key: after a restore,
    staff may choose another day, and the partner already knows other bytes under the derived key."""
    return row.step == Step.EXTEND_TRIAL and row.order.kind == Order.Kind.TRIAL


def _give_keys(order: Order, rows: list[Dispatch], new: bool) -> None:
    used = set() if new else _used_keys(order, {row.step for row in rows})
    for row in rows:
        n = 1
        while (key := derived_key(order.number, row.step, n)) in used:
            n += 1
        row.key = key
        used.add(key)


def _used_keys(order: Order, steps: set[str]) -> set[uuid.UUID]:
    """Returns the keys of an order's dispatches of these steps.

    A dispatch that was superseded before its first attempt gives its key to its successor. After a restore the order
    arrives again and gets the first key, so this key must be the one that the partner received (contract 3.5).
    """
    rows = Dispatch.objects.filter(order=order, step__in=steps)
    for row in rows.filter(superseded=True, attempts=0, repeat=False).only("pk"):
        Dispatch.objects.filter(pk=row.pk).update(key=uuid.uuid4())
    return set(rows.order_by().values_list("key", flat=True))


def derived_key(number: str, step: str, n: int) -> uuid.UUID:
    """Returns the key of an order's n-th dispatch of a step, where n starts at 1. The key does not depend on the
    database, so a restore does not change the key."""
    parts = (settings.BBOSS_DOMAIN, settings.BBOSS_ROUTE_VALUE, settings.BBOSS_ENV_FLAG, number, step, str(n))
    return uuid.uuid5(uuid.NAMESPACE_URL, "|".join(parts))


def start_plan(rows: list[Dispatch], *, now: datetime.datetime, line_moves: bool) -> None:
    """Sets the states of the unsaved steps of a new order as `release` would.

    The steps up to the first blocking step become due. A step that waits for a gate does not become due. If the trial's
    line is blocked, the steps of the line wait. `rows` are in order of position.
    """
    for row in rows:
        if row.gate == Dispatch.Gate.NONE and (line_moves or row.lane is None):
            row.state, row.next_try_at = Dispatch.State.DUE, now
        if row.blocking:
            return


def wake(*, settle: bool = False) -> None:
    """Queues a drain in the caller's transaction. Workers see it after the commit."""
    insert_rows([wake_up(settle=settle)])


def wake_up(*, settle: bool = False) -> OrmQ:
    """Returns the unsaved queue row that makes a worker drain the outbox.

    The row is only a hint. If a row is lost, the sweep drains the outbox within a minute. With `settle`, the worker
    also plans held orders again if their trial has arrived in the meantime.
    """
    now = timezone.now()
    key = SETTLE_KEY if settle else WAKE_KEY
    return OrmQ(key=key, payload=_packed_drain(settle, now.replace(second=0, microsecond=0)), lock=now)


def schedule_name(order: Order) -> str:
    """Returns `BBossOrderJob_<OrderNum>_<start in UTC, YYYYMMDDHHMMSS>` (contract 3.2). The order must have a later
    start."""
    return f"BBossOrderJob_{order.number}_{order.start_at.astimezone(datetime.UTC):%Y%m%d%H%M%S}"


def build_schedule(order: Order) -> Schedule:
    """Returns the unsaved schedule of the order's start day. If the schedule is lost, the sweep will find the order
    later."""
    return Schedule(
        name=schedule_name(order),
        func=START_DAY_JOB,
        args=repr((order.number,)),
        schedule_type=Schedule.ONCE,
        next_run=order.start_at.astimezone(datetime.UTC),
    )


def find_schedule(order: Order) -> Schedule | None:
    """Returns the order's pending schedule, or None."""
    return Schedule.objects.filter(name=schedule_name(order)).first() if order.start_at else None


@lru_cache(maxsize=2)
def _packed_drain(settle: bool, minute: datetime.datetime) -> str:
    """Returns the signed task of a drain. The task is cached for a minute, so that no order has to wait for the
    signing."""
    return _packed(DRAIN, minute, *((True,) if settle else ()))


def _packed(func: str, minute: datetime.datetime, *args) -> str:
    """Returns a task, packed and signed as by django-q2's `async_task`. The task is not saved, since saving would be
    one more query."""
    name = func.rpartition(".")[2]
    task = {"id": uuid.uuid4().hex, "name": name, "func": func, "args": args, "kwargs": {}}
    return SignedPackage.dumps(task | {"started": minute, "ack_failure": settings.Q_CLUSTER["ack_failures"]})

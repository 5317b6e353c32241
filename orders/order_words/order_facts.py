"""Reads the input of the ladder and the decisions, in a small and fixed number of queries."""

import datetime
import json
from collections.abc import Mapping

from django.db.models import Q
from django.utils import timezone

from approvals.models import ApprovalRecord
from notifications.models import Mail
from orders.bpm.pushing import pushed_today
from orders.history.actors import actor_of
from orders.incidents.incident_codes import BOOKS_ONLY
from orders.incidents.order_warnings import Open, count_open, mark_orders
from orders.incidents.stuck import blocker_of
from orders.models import AffectedOrder, Dispatch, Order, Pause, TrialClaim
from orders.models.proxies import open_conflicts
from orders.models.querysets import OPEN_STATES, UNRESOLVED
from orders.order_words.ladder.step_rungs import Facts, Trouble, Waiver
from orders.outbox.outcome import ACTED_BEFORE
from orders.pauses.breaker_incidents import partners_down
from orders.rules.steps import Partner, Phase
from orders.trials.trial_state_reads import shape_of
from orders.trials.trial_state_sources import why_over
from orders.undoing.late import is_late

MAX_STEPS, MAX_SEEN = 200, 20
STOPPED = [Dispatch.State.FAILED, Dispatch.State.RETRYING]


def facts_of(order: Order, *, now: datetime.datetime, paused: Mapping[str, Pause] | None = None) -> Facts:
    """Reads the order's facts for the ladder, and sets its `marks`. `paused`: the pauses in force, if already read."""
    steps, troubles = shown_steps(order), troubles_of(order)
    record = order.approvals.filter(source=ApprovalRecord.Source.BPM).order_by("-pk").first()
    mark_orders([order])
    trial = order.kind == Order.Kind.TRIAL
    shape = shape_of(order) if trial else None
    ended = shape is not None and order.state == Order.State.ENDED
    opened = count_open(order.differences)
    accepted = any(row.channel == Dispatch.Channel.BPM and row.state == Dispatch.State.DONE for row in steps)
    return Facts(
        order=order,
        steps=steps,
        now=now,
        troubles=troubles,
        shut=frozenset(partners_down()),
        paused={row.partner: row for row in Pause.objects.in_force(now)} if paused is None else paused,
        opinion=opinion_of(record),
        returned=record is not None and record.result == ApprovalRecord.Result.RETURN,
        waiver=waiver_of(order),
        conflicts=list(open_conflicts().filter(order_number=order.number).values_list("pk", "received_at")[:MAX_SEEN]),
        late=accepted and is_late(order, now),
        open=opened,
        behind=blocker_of(order) if any(row.state == Dispatch.State.WAITING and row.lane for row in steps) else None,
        marks=order.marks,
        shape=shape,
        over=why_over(order, shape, timezone.localdate(now)) if ended else "",
        beside=_stopped_beside(order, troubles) if any(row.beside for row in troubles) else None,
        claimed=trial and TrialClaim.objects.filter(trial=order, released_at=None).exists(),
        pushed=pushed_today(order, now) if order.state == Order.State.AWAITING_APPROVAL else None,
        moving=_may_be_taken(steps, troubles, opened) and _is_moving(order, steps),
        mails=_stopped_mails(order) if any(row.partner == Partner.MAIL for row in troubles) else (),
    )


def _may_be_taken(steps: list[Dispatch], troubles: list[Trouble], opened: Open) -> bool:
    """Returns True if the order has a finding that staff can `take` or `accept`, which they can't while a step is
    under way.
    """
    unsure = any(
        row.state == Dispatch.State.FAILED and (row.may_have_acted or row.error_code == ACTED_BEFORE) for row in steps
    )
    return opened.number > 0 or unsure or any(row.code in BOOKS_ONLY for row in troubles)


def _is_moving(order: Order, steps: list[Dispatch]) -> bool:
    """Returns True if a billing step of the order or its trial is under way. At most one query."""
    billing = Dispatch.Channel.BILLING
    own = any(row.channel == billing and row.state in OPEN_STATES for row in steps)
    lane = Dispatch.objects.current().open().filter(channel=billing, lane=order.trial_id or order.pk)
    return own or lane.exists()


def _stopped_beside(trial: Order, troubles: list[Trouble]) -> Order | None:
    incidents = [row.incident_id for row in troubles if row.beside and not row.ignored]
    stopped = AffectedOrder.objects.unresolved().filter(incident__in=incidents, order__trial=trial)
    row = stopped.order_by("pk").select_related("order").defer("order__content").first()
    return row and row.order


def _stopped_mails(order: Order) -> list[Mail]:
    """Returns mails that were given up or are being retried."""
    stopped = order.mails.beside_steps().filter(state__in=[Mail.State.FAILED, Mail.State.RETRYING])
    return list(stopped.order_by("pk").defer("body")[:MAX_SEEN])


def shown_steps(order: Order) -> list[Dispatch]:
    """Returns the steps of the plan and the undoing, and other stopped steps (trial traffic)."""
    rows = order.dispatches.current().filter(Q(position__lt=Phase.AFTER) | Q(state__in=STOPPED))
    return list(rows.order_by("position", "pk").defer("payload")[:MAX_STEPS])


def troubles_of(order: Order) -> list[Trouble]:
    rows = order.troubles.unresolved().select_related("incident")[:20]
    return [
        Trouble(
            row.incident.code,
            row.own_step,
            row.incident.partner,
            row.detail,
            row.since,
            row.incident_id,
            row.detail_params,
            beside=row.beside,
            ignored=row.incident.state not in UNRESOLVED,
        )
        for row in rows
    ]


def waiver_of(order: Order) -> Waiver | None:
    """Returns who waived the file check, and why. Queries only if the order has file names."""
    if not order.file_names:
        return None
    row = order.approvals.filter(result=ApprovalRecord.Result.WAIVE).order_by("-pk").first()
    return row and Waiver(str(actor_of(row.operator, at=row.time)[0]), row.opinion, row.time)


def opinion_of(row: ApprovalRecord | None) -> str:
    if row is None:
        return ""
    said = row.opinion or row.get_result_display()
    return f"{row.node_name or row.node} {row.operator}: {said}"


def last_event(order: Order) -> int:
    return order.events.order_by("-pk").values_list("pk", flat=True).first() or 0


def content_text(order: Order) -> str:
    return json.dumps(order.content, ensure_ascii=False)

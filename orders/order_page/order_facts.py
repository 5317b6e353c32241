"""Reads what the ladder and the decisions depend on: at most ten queries, however long an order's history."""

import datetime
import json
from collections.abc import Mapping

from django.db.models import Q

from approvals.models import ApprovalRecord
from orders.models import Dispatch, Order, Pause
from orders.models.proxies import open_conflicts
from orders.order_page.ladder.steps import Facts, Trouble, Waiver
from orders.people import actor_of
from orders.queries.doubts import count_open
from orders.queries.stuck import blocker_of
from orders.services.breakers import partners_down
from orders.services.compensation.late import is_late
from orders.steps import Phase

MOST_STEPS, MOST = 200, 20
State = Dispatch.State
STOPPED = [State.FAILED, State.RETRYING]


def facts_of(order: Order, *, now: datetime.datetime, paused: Mapping[str, Pause] | None = None) -> Facts:
    """The order's steps that count, what stops it, which partners are down or paused, BPM's last word, whether it is
    late, how the partner's books differ, and which failed step of another order it waits behind.
    `paused`: the pauses that stand, where the caller has read them."""
    steps, troubles, record = shown_steps(order), troubles_of(order), last_record(order)
    accepted = any(row.channel == Dispatch.Channel.BPM and row.state == Dispatch.State.DONE for row in steps)
    return Facts(
        order=order,
        steps=steps,
        now=now,
        troubles=troubles,
        shut=frozenset(partners_down()),
        paused={row.partner: row for row in Pause.objects.standing(now)} if paused is None else paused,
        opinion=opinion_of(record),
        returned=record is not None and record.result == ApprovalRecord.Result.RETURN,
        waiver=waiver_of(order),
        conflicts=list(open_conflicts().filter(order_number=order.number).values_list("pk", "received_at")[:MOST]),
        late=accepted and is_late(order, now),
        open=count_open(order.differences),
        behind=blocker_of(order) if any(row.state == State.WAITING and row.lane for row in steps) else None,
    )


def shown_steps(order: Order) -> list[Dispatch]:
    """The steps of plan and undoing, and what else is stuck (mails, traffic)."""
    rows = order.dispatches.current().filter(Q(position__lt=Phase.AFTER) | Q(state__in=STOPPED))
    return list(rows.order_by("position", "pk").defer("payload")[:MOST_STEPS])


def troubles_of(order: Order) -> list[Trouble]:
    """The open incidents that stop the order, newest first."""
    rows = order.troubles.unresolved().select_related("incident")[:20]
    return [
        Trouble(
            row.incident.code,
            row.incident.step,
            row.incident.partner,
            row.detail,
            row.since,
            row.incident_id,
            row.detail_params,
        )
        for row in rows
    ]


def last_record(order: Order) -> ApprovalRecord | None:
    """BPM's last word."""
    return order.approvals.filter(source=ApprovalRecord.Source.BPM).order_by("-pk").first()


def waiver_of(order: Order) -> Waiver | None:
    """Who waived what was wrong with the order's files, and why. A query only where it names files."""
    if not order.file_names:
        return None
    row = order.approvals.filter(result=ApprovalRecord.Result.WAIVE).order_by("-pk").first()
    return row and Waiver(str(actor_of(row.operator)[0]), row.opinion, row.time)


def opinion_of(row: ApprovalRecord | None) -> str:
    """Who said what in a record."""
    if row is None:
        return ""
    said = row.opinion or row.get_result_display()
    return f"{row.node_name or row.node} {row.operator}: {said}"


def last_event(order: Order) -> int:
    """The number of the newest event: what a form has seen."""
    return order.events.order_by("-pk").values_list("pk", flat=True).first() or 0


def content_text(order: Order) -> str:
    """The content as it came, as a text."""
    return json.dumps(order.content, ensure_ascii=False)

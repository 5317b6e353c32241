"""Reads what the ladder and the decisions depend on: at most seven queries, however long an order's history."""

import datetime
import json

from django.db.models import Q

from orders.models import Dispatch, Order
from orders.pages.rungs import Facts, Trouble
from orders.queries.doubts import count_open
from orders.queries.stuck import blocker_of
from orders.services.breakers import partners_down
from orders.services.late_undo import is_late
from orders.services.mails import AFTER_THE_PLAN

MOST_STEPS = 200
State = Dispatch.State
STOPPED = [State.FAILED, State.RETRYING]


def facts_of(order: Order, *, now: datetime.datetime) -> Facts:
    """The order's steps that count, what stops it, which partners are down, BPM's last word, whether it is late, how
    the partner's books differ, and which failed step of another order it waits behind."""
    steps, troubles = steps_of(order), troubles_of(order)
    accepted = any(row.channel == Dispatch.Channel.BPM and row.state == Dispatch.State.DONE for row in steps)
    return Facts(
        order=order,
        steps=steps,
        now=now,
        troubles=troubles,
        shut=frozenset(partners_down()),
        opinion=last_opinion(order),
        late=accepted and is_late(order, now),
        open=count_open(order.differences),
        behind=blocker_of(order) if any(row.state == State.WAITING and row.lane for row in steps) else None,
    )


def steps_of(order: Order) -> list[Dispatch]:
    """The steps of plan and undoing, and what else is stuck (mails, traffic)."""
    rows = order.dispatches.filter(Q(position__lt=AFTER_THE_PLAN) | Q(state__in=STOPPED), superseded=False)
    return list(rows.order_by("position", "pk").defer("payload")[:MOST_STEPS])


def troubles_of(order: Order) -> list[Trouble]:
    """The open incidents that stop the order, newest first."""
    rows = order.troubles.filter(closed_at=None).select_related("incident")[:20]
    return [
        Trouble(row.incident.code, row.incident.step, row.incident.partner, row.detail, row.since, row.incident_id)
        for row in rows
    ]


def last_opinion(order: Order) -> str:
    """Who said what in BPM's last record."""
    row = order.approvals.filter(source="bpm").order_by("-pk").first()
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

"""An order's status as plain data, for `show`, mails and pages (contract section 5, `show`)."""

import datetime

from approvals.models import ApprovalRecord
from notifications.models import Mail
from orders.erasing.erased_orders import erased_at
from orders.erasing.over_lines import is_over
from orders.history.actors import operator_of, user_name
from orders.models import AffectedOrder, Dispatch, Order
from orders.outbox.enqueue import find_schedule
from orders.people.owned_work import set_owners
from orders.rules.local_time import SHANGHAI

MAX_APPROVALS = 50  # unless all are asked for
RECORD = ("product_id", "domain", "info_type", "state")


def order_status(order: Order, *, whole: bool = True) -> dict:
    """Returns an order's status, JSON-able, times in ISO 8601 of Asia/Shanghai. `whole`: with its steps, its records
    and all its approvals."""
    return {
        "order": order.number,
        "kind": order.kind,
        "state": order.state,
        "first": order.first,
        "attribution": order.attribution_id,
        "start": iso_time(order.start_at) or (order.biz_start.isoformat() if order.biz_start else None),
        "held_because": order.held_because or None,
        **({"steps": list(map(_step, current_steps(order))), "billing": _billing(order)} if whole else {}),
        "bpm_process": order.bpm_process or None,
        "incidents": [_trouble(row) for row in order.troubles.unresolved().select_related("incident")],
        "approvals": [_approval(row) for row in _approvals(order, whole)],
        "schedule": _schedule(order),
        "erased_at": iso_time(erased_at(order.number)) if is_over(order) else None,
    }


def owner_of(order: Order) -> str | None:
    """Returns the owner's user name while the order needs an owner or is in progress; None if it has no owner."""
    set_owners([order])
    return user_name(order.owned_by)


def current_steps(order: Order) -> list[Dispatch | Mail]:
    """Returns the steps that are not superseded, then the mails about the order."""
    mails = order.mails.beside_steps().order_by("pk").defer("body")
    return [*order.dispatches.current().order_by("position", "pk").defer("payload"), *mails]


def iso_time(moment: datetime.datetime | None) -> str | None:
    """Returns a time in the format of status reports."""
    if moment is None:
        return None
    return moment.astimezone(SHANGHAI).isoformat(timespec="seconds")


def _step(row: Dispatch | Mail) -> dict:
    return {
        "name": row.step,
        "channel": row.channel,
        "status": row.state,
        "attempts": row.attempts,
        "next_try": iso_time(row.next_try_at),
        "error": logged_error(row),
    }


def logged_error(row: Dispatch | Mail) -> str | None:
    """Returns a step's error with its code, in the format of status reports; None without an error."""
    return f"{row.error_code}: {row.error}" if row.error_code else None


def _billing(order: Order) -> list[dict]:
    names = ("productId", "domain", "infoType", "state")
    rows = order.billing_records.values_list(*RECORD)
    return [{"jobId": order.number, **dict(zip(names, row, strict=True))} for row in rows]


def _trouble(row: AffectedOrder) -> dict:
    cause = row.incident
    return {
        "partner": cause.partner,
        "step": cause.step,
        "code": cause.code,
        "detail": row.detail,
        "state": cause.state,
        "since": iso_time(row.since),
    }


def _approvals(order: Order, whole: bool) -> list[ApprovalRecord]:
    rows = order.approvals.order_by("-pk")
    return list(rows if whole else rows[:MAX_APPROVALS])[::-1]


def _approval(row: ApprovalRecord) -> dict:
    return {
        "recordId": row.record_id,
        "node": row.node_name or row.node,
        "result": row.result,
        "operator": operator_of(row),
        "opinion": row.opinion,
        "time": iso_time(row.time),
        "finished": row.finished,
    }


def _schedule(order: Order) -> dict | None:
    found = find_schedule(order)
    return {"name": found.name, "next_run": iso_time(found.next_run)} if found else None

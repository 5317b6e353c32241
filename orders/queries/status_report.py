"""An order's status as plain data, for `show`, mails and pages (contract section 5, `show`)."""

import datetime

from orders.local_time import SHANGHAI
from orders.models import AffectedOrder, Dispatch, Order
from orders.services.start_day_schedule import find_schedule

RECORD = ("product_id", "domain", "info_type", "state")


def order_status(order: Order) -> dict:
    """An order's whole status, JSON-able. Times are ISO 8601 in Asia/Shanghai (contract section 5)."""
    return {
        "order": order.number,
        "kind": order.kind,
        "state": order.state,
        "first": order.first,
        "attribution": order.attribution_id,
        "start": _time(order.start_at) or (order.biz_start.isoformat() if order.biz_start else None),
        "held_because": order.held_because or None,
        "steps": [_step(row) for row in current_steps(order)],
        "billing": [_record(order, row) for row in order.billing_records.values_list(*RECORD)],
        "bpm_process": order.bpm_process or None,
        "incidents": [_trouble(row) for row in order.troubles.unresolved().select_related("incident")],
        "approvals": [_approval(row) for row in order.approvals.all()],
        "schedule": _schedule(order),
        "customer": order.enterprise_name or None,
        "enterprise_id": order.enterprise_id or None,
    }


def current_steps(order: Order) -> list[Dispatch]:
    """The order's current steps, in the order in which they are carried out."""
    return list(order.dispatches.current().order_by("position", "pk").defer("payload"))


def _time(moment: datetime.datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(SHANGHAI).isoformat(timespec="seconds")


def _step(row: Dispatch) -> dict:
    return {
        "name": row.step,
        "channel": row.channel,
        "status": row.state,
        "attempts": row.attempts,
        "next_try": _time(row.next_try_at),
        "error": f"{row.error_code}: {row.error}" if row.error_code else None,
    }


def _record(order: Order, row: tuple[str, ...]) -> dict:
    return {"jobId": order.number, **dict(zip(("productId", "domain", "infoType", "state"), row, strict=True))}


def _trouble(row: AffectedOrder) -> dict:
    cause = row.incident
    return {
        "partner": cause.partner,
        "step": cause.step,
        "code": cause.code,
        "detail": row.detail,
        "state": cause.state,
        "since": _time(row.since),
    }


def _approval(row) -> dict:
    return {
        "recordId": row.record_id,
        "node": row.node_name or row.node,
        "result": row.result,
        "operator": row.operator,
        "opinion": row.opinion,
        "time": _time(row.time),
        "finished": row.finished,
    }


def _schedule(order: Order) -> dict | None:
    found = find_schedule(order)
    return {"name": found.name, "next_run": _time(found.next_run)} if found else None

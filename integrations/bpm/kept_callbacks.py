"""Stores refused callbacks, and callbacks that wait until an order has their process id (contract 3.6, 7.2)."""

import datetime
import hashlib
import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import Error, transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from integrations.base.old_secrets import CALLBACK_SECRET
from integrations.base.strict_json import STRANGER_BOUNDS, BadJsonError, parse_bytes
from integrations.bboss.caller_limits import may_store_refused
from integrations.bboss.compute_signature import MASK
from integrations.bpm.callback_reading import CODE, PROCESS, Approval
from integrations.models import BpmCallback
from integrations.partners.answers import parse_object
from integrations.partners.profile import SECRET_NAMES
from notifications.masks import head, mask_name
from orders.bpm.received_decisions import receive_approval
from orders.erasing.erased_orders import erased_at, without_people
from orders.queries.order_of_process import order_of_process
from orders.restore.detect_restore import is_restored
from orders.texts.errors import RecordConflictError

logger = logging.getLogger(__name__)
OPERATOR = "operator"
SIGNATURES = {"sign", "signature", "x-signature"}
MAX_UNSIGNED_BYTES, MAX_SIGNED_BYTES = 4096, 65_536  # stored bytes of a refused body
LONGEST_NUMBER = 64
ROWS_AT_ONCE = 500


@dataclass
class Call:
    """The known facts of a callback while it is processed."""

    address: str = ""
    body: bytes = b""
    signed: bool = False
    members: dict[str, Any] = field(default_factory=dict)


def keep_refused(call: Call, status: int, why: str) -> None:
    """Stores a refused callback. If the rate of such callbacks is exceeded, nothing is stored. Database errors are only
    logged, because the response must not depend on them."""
    if not may_store_refused("callbacks" if call.signed else "strangers' callbacks"):
        return
    number = call.members.get(CODE)
    try:
        with transaction.atomic():
            row = _row(call, status, why, order_number=number if isinstance(number, str) else "")
            row.body = without_people(row.body) if erased_at(row.order_number) else row.body
            row.save()
    except Error as error:
        logger.warning("a refused callback was not kept: %s", error)


def keep_until_known(call: Call, said: Approval) -> None:
    """Stores a callback with a process id that no order has yet. A callback that is already stored is not stored again.
    Raises RecordConflictError if the callback's record is already stored with another body."""
    record = said.record | {"time": said.record["time"].isoformat(), "body_hash": said.body_hash}
    for waiting in BpmCallback.objects.filter(process=said.process, record__isnull=False).values_list(
        "record", flat=True
    ):
        if waiting["record_id"] == record["record_id"]:
            if waiting["body_hash"] != record["body_hash"]:
                raise RecordConflictError("record_conflict", record=record["record_id"])
            return
    _row(call, 200, "no order has this process yet", process=said.process, record=record).save()


def apply_kept(*, now: datetime.datetime, processes: Iterable[str] | None = None) -> int:
    """Applies stored callbacks once an order has their process id. Returns the number of applied callbacks. With
    `processes`, only callbacks with these ids are applied."""
    if settings.PARTNERS.bpm.callback.identifies != PROCESS or is_restored():
        return 0
    waiting = BpmCallback.objects.filter(record__isnull=False)
    if processes is not None:
        waiting = waiting.filter(process__in=list(processes))
    applied = 0
    for row in waiting.order_by("-pk")[:ROWS_AT_ONCE][::-1]:
        if order := order_of_process(row.process, now=now):
            _apply(row, order.number, now)
            applied += 1
    return applied


def apply_new_processes(processes: Iterable[str]) -> None:
    """Applies stored callbacks with process ids that BPM has just returned. Errors are only logged, because the next
    sweep applies the callbacks again."""
    try:
        apply_kept(now=timezone.now(), processes=processes)
    except Exception:
        logger.exception("kept callbacks can't be applied now")


def _apply(row: BpmCallback, number: str, now: datetime.datetime) -> None:
    record = row.record | {"time": parse_datetime(row.record["time"])}
    row.why, row.order_number, row.applied_at, row.record = "", number, now, None
    with transaction.atomic():
        try:
            with transaction.atomic():  # a savepoint: after a conflict the row is still saved
                receive_approval(number=number, **record)
        except RecordConflictError as error:
            row.http_status, row.why = 409, str(error)
        row.save(update_fields=["why", "order_number", "applied_at", "record", "http_status"])


def _row(call: Call, status: int, why: str, *, order_number: str = "", process: str = "", **more: Any) -> BpmCallback:
    return BpmCallback(
        received_at=timezone.now(),
        remote_address=call.address,
        http_status=status,
        why=_storable(why),
        order_number=_storable(order_number)[:LONGEST_NUMBER],
        process=process,
        signed=call.signed,
        body=masked(call),
        length=len(call.body),
        sha256=hashlib.sha256(call.body).hexdigest(),
        **more,
    )


def masked(call: Call) -> str:
    """Returns the beginning of a callback's body with secrets masked, for storage."""
    most = MAX_SIGNED_BYTES if call.signed else MAX_UNSIGNED_BYTES
    try:
        members = call.members or parse_bytes(call.body, STRANGER_BOUNDS)
        names = {*SIGNATURES, settings.PARTNERS.bpm.callback.header.lower(), *settings.PARTNERS.bboss.secret_names}
        text = json.dumps(_masked(members, names), ensure_ascii=False)
    except BadJsonError:
        text = call.body[: 2 * most].decode("utf-8", "replace")
    for secret in filter(None, [CALLBACK_SECRET.current(), *CALLBACK_SECRET.old_values()]):
        text = text.replace(secret, MASK)
    return head(_storable(text), most)[0]


def _masked(value: Any, names: set[str]) -> Any:
    if isinstance(value, dict):
        return {
            name: MASK if name.lower() in names or SECRET_NAMES.search(name) else _masked(inner, names)
            for name, inner in value.items()
        }
    return [_masked(one, names) for one in value] if isinstance(value, list) else value


def without_operators(body: str) -> str:
    """Returns a stored body with the operators' names masked, whether the member has our name or BPM's."""
    theirs = {path[-1] for path, name in settings.PARTNERS.bpm.callback.paths_of_ours if name == OPERATOR}
    members = parse_object(body)
    return body if members is None else json.dumps(_without(members, {OPERATOR, *theirs}), ensure_ascii=False)


def _without(value: Any, names: set[str]) -> Any:
    if isinstance(value, dict):
        return {
            name: mask_name(inner) if name in names and isinstance(inner, str) else _without(inner, names)
            for name, inner in value.items()
        }
    return [_without(one, names) for one in value] if isinstance(value, list) else value


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", "\\u0000")

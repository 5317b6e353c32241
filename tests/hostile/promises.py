"""Promises that hold for any input. Each check yields the broken promises in words."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.db import models

from approvals.models import ApprovalRecord
from integrations.bboss.reply_codes import Code
from orders.models import InboundMessage, Order
from tests.hostile.mutations import BBOSS
from tests.hostile.wire import Request
from tests.release_again import not_as_released

SLOWEST, SLOWEST_OF_ALL = 2.0, 20.0  # seconds of our own work, and in all on a busy machine
HEAD = 4096  # largest number of stored bytes of an unsigned message
LONGEST_ANSWER = 2000
MEMBERS = {"transIDO", "transIDH", "transIDHTime", "cutOffDay", "providePartyID", "response", "result"}
ROWS = {(code.value.http, code.value.number): code.value.desc for code in Code}
# Only these statuses are possible without an address list, a rate limit and a broken database.
STATUSES = {BBOSS: {200, 400, 405, 413, 415}, "": {200, 400, 401, 404, 405, 409, 413}}


@dataclass(frozen=True)
class Counts:
    """The numbers of rows of the tables that requests can change."""

    orders: int
    messages: int
    approvals: int

    @classmethod
    def now(cls) -> "Counts":
        return cls(*(model.objects.count() for model in (Order, InboundMessage, ApprovalRecord)))

    def since(self, before: "Counts") -> "Counts":
        return Counts(self.orders - before.orders, self.messages - before.messages, self.approvals - before.approvals)


@dataclass(frozen=True)
class Answer:
    """The desk's answer, the time of our own work and of the clock in seconds, the numbers of stored rows, and the log
    lines."""

    status: int
    content_type: str
    content: bytes
    worked: float
    seconds: float
    stored: Counts
    log: str


def broken(request: Request, answer: Answer) -> list[str]:
    """Returns every promise that this request broke."""
    checks = [_status, _speed, _log, _form_of_order if request.path == BBOSS else _form_of_approval]
    checks.append(_stored_by_order if request.path == BBOSS else _stored_by_approval)
    return [fault for check in checks for fault in check(request, answer)]


def _status(request: Request, answer: Answer) -> Iterator[str]:
    if answer.status not in STATUSES[request.path if request.path == BBOSS else ""]:
        yield f"status {answer.status}"


def _speed(request: Request, answer: Answer) -> Iterator[str]:
    if answer.worked > SLOWEST or answer.seconds > SLOWEST_OF_ALL:
        yield f"took {answer.worked:.1f} s of work in {answer.seconds:.1f} s"


def _log(request: Request, answer: Answer) -> Iterator[str]:
    if [secret for secret in secrets() if secret in answer.log]:
        yield "a secret was logged"
    if any(not character.isprintable() for line in answer.log.split("\n") for character in line):
        yield "a control character was logged"


def secrets() -> list[str]:
    """Returns the texts that must never be stored or logged."""
    return [settings.BBOSS_APP_SECRET, settings.BPM_CALLBACK_SECRET, *settings.BBOSS_ACCESS_TOKENS]


def _form_of_order(request: Request, answer: Answer) -> Iterator[str]:
    """Checks that the answer is the envelope of contract 2.3, and that its code is a row of the code table."""
    if request.method == "HEAD":
        return
    body = _object(answer)
    if body.keys() != MEMBERS or not all(isinstance(body[name], str) for name in MEMBERS - {"response"}):
        yield f"not the envelope: {answer.content[:200]!r}"
        return
    yield from _row(answer.status, body["response"])
    if body["result"] and json.loads(body["result"]).keys() != {"OrderNum", "BizCode", "BizDesc"}:
        yield f"result is {body['result'][:200]}"


def _row(status: int, response: dict) -> Iterator[str]:
    desc = ROWS.get((status, response["rspCode"]))
    if desc is None or not response["rspDesc"].startswith(desc):
        yield f"not in the table: {status} {str(response)[:200]}"
    if len(response["rspDesc"]) > LONGEST_ANSWER:
        yield f"a description of {len(response['rspDesc'])} characters"


def _form_of_approval(request: Request, answer: Answer) -> Iterator[str]:
    if request.method == "HEAD":
        return
    body = _object(answer)
    if body.keys() != {"code", "message"} or body["code"] != answer.status or not isinstance(body["message"], str):
        yield f"not BPM's form: {answer.content[:200]!r}"
    elif len(body["message"]) > LONGEST_ANSWER:
        yield f"a message of {len(body['message'])} characters"


def _object(answer: Answer) -> dict:
    try:
        body = json.loads(answer.content) if answer.content_type == "application/json" else None
    except ValueError:
        body = None
    return body if isinstance(body, dict) else {}


def _stored_by_order(request: Request, answer: Answer) -> Iterator[str]:
    """Checks that an order is stored only with 00000 and a right signature, and that each readable request is stored
    as one message."""
    accepted = b'"rspCode":"00000"' in answer.content
    stored = answer.stored
    if stored.orders not in ((0, 1) if accepted else (0,)) or stored.approvals:
        yield f"stored {stored}, accepted: {accepted}"
    if request.method != "HEAD" and stored.messages != int(answer.status == 200):
        yield f"kept {stored.messages} messages with status {answer.status}"
    if accepted and not _order_is_signed(request.body):
        yield "accepted without a right signature"
    if stored.messages:
        yield from _kept(InboundMessage.objects.order_by("-pk")[0], request.body)
    if stored.orders:
        order = Order.objects.order_by("-pk")[0]
        yield from _unstorable(order)
        yield from filter(None, [not_as_released(order)])


def _order_is_signed(body: bytes) -> bool:
    """Checks the signature by contract 2.2, independently of the desk's code."""
    members = json.loads(body)
    given = members.pop("sign")
    plain = {"sort_keys": True, "separators": (",", ":"), "ensure_ascii": False}
    texts = {name: value if isinstance(value, str) else json.dumps(value, **plain) for name, value in members.items()}
    text = "".join(name + texts[name] for name in sorted(texts))
    text = settings.BBOSS_APP_SECRET + text + settings.BBOSS_APP_SECRET
    return hashlib.md5(text.encode()).hexdigest() == given.lower()


def _stored_by_approval(request: Request, answer: Answer) -> Iterator[str]:
    """Checks that an approval record is stored only with status 200 and a right signature."""
    stored = answer.stored
    if stored.orders or stored.messages or stored.approvals not in ((0, 1) if answer.status == 200 else (0,)):
        yield f"stored {stored} with status {answer.status}"
    if answer.status == 200 and not _approval_is_signed(request):
        yield "received without a right signature"
    if stored.approvals:
        yield from _unstorable(ApprovalRecord.objects.order_by("-pk")[0])


def _approval_is_signed(request: Request) -> bool:
    right = hmac.new(settings.BPM_CALLBACK_SECRET.encode(), request.body, hashlib.sha256).hexdigest()
    return request.meta.get("HTTP_X_SIGNATURE", "").lower().strip() == right


def _kept(message: InboundMessage, sent: bytes) -> Iterator[str]:
    """Checks that the stored message is masked and storable. A signed message is stored as whole JSON, any other one
    as its head, length and hash."""
    yield from _unstorable(message)
    if message.signed:
        body = json.loads(message.body)
        if any(value != "***" for name, value in body.items() if name.lower() in {"accesstoken", "sign"}):
            yield "token or signature kept"
    elif len(message.body.encode()) > HEAD:
        yield f"{len(message.body)} characters of a stranger's message kept"
    elif (message.length, message.sha256) != (len(sent), hashlib.sha256(sent).hexdigest()):
        yield f"length {message.length} and hash {message.sha256} kept of {len(sent)} bytes"
    text = " ".join(str(value) for value in _values(message))
    if [secret for secret in secrets() if secret in text]:
        yield "a secret was kept"


def _unstorable(row: models.Model) -> Iterator[str]:
    """Yields the values that PostgreSQL refuses, although SQLite stores them: U+0000, and texts longer than their
    column."""
    for field, value in zip(row._meta.concrete_fields, _values(row), strict=True):
        if isinstance(value, str) and ("\0" in value or len(value) > (field.max_length or len(value))):
            yield f"{row._meta.object_name}.{field.name} cannot be stored everywhere"
        elif isinstance(field, models.JSONField) and has_nul(value):
            yield f"{row._meta.object_name}.{field.name} holds U+0000"


def _values(row: models.Model) -> list:
    return [getattr(row, field.attname) for field in row._meta.concrete_fields]


def has_nul(value) -> bool:
    """Returns True if a JSON value contains U+0000 anywhere."""
    parts = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return isinstance(value, str) and "\0" in value or any(map(has_nul, parts))

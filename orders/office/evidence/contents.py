"""The files of an order's evidence archive (contract 5, `evidence`).

Each part is included only if the user may see its kind of data. If personal data are not requested, they are masked and
info-security files are left out. Tokens and signatures are always masked.
"""

import datetime
import json
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

from django.conf import settings
from django.db.models import Model, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from notifications.models import Mail
from orders.attachments.check import FILE_TYPES
from orders.attachments.preview import own_file
from orders.history.actors import actor_of
from orders.lists.personal_data import mask_members, mask_text_or_json, may_open
from orders.lists.scope import visible_orders
from orders.models import Attempt, InboundMessage, Order
from orders.office.evidence.archive import Entry
from orders.office.exports.export_jobs import Table
from orders.order_words.history import describe
from orders.order_words.ladder.ladder import build_ladder
from orders.order_words.order_facts import facts_of
from orders.people.staff_events import note_evidence
from orders.texts.errors import ExportError
from orders.trials.trial_state_reads import shape_of

PEOPLE = "People's data"
EXPORT = "orders.export_list"
CALLS = ("orders.view_dispatch", "orders.view_attempt")
SECRETS = ("accessToken", "token", "sign", "signature", "authorization", "secret")
# Names that the mask recognizes.
PEOPLE_KEYS = {"oper_user": "operUser", "oper_tel": "operTel", "oper_mail": "operMail"}
LEFT_OUT = {"order", "dispatch", "content_hash", "body_hash", "lease_token", "message"}


def order_for(number: str, user, *, personal: bool) -> Order:
    """Returns the order. Raises ExportError if the user may not export its evidence."""
    visible = visible_orders(user)
    orders = (Order.objects.all() if visible is None else visible).select_related(
        "attribution", "trial", "service_type"
    )
    order = orders.filter(number=number).first()
    if order is None or not user.has_perms([EXPORT, "orders.view_order"]) or (personal and not may_open(user)):
        raise ExportError("export_not_allowed")
    return order


def evidence_of(number: str, user, *, personal: bool, by: str, reason: str) -> Table:
    """Returns the archive's files that the user may see. The files are read while the archive is written. First records
    the export in the order's history. Raises ExportError."""
    order, now = order_for(number, user, personal=personal), timezone.now()
    note_evidence(order, personal=personal, reason=reason, by=by, now=now)
    about = {
        "order": order.number,
        "made_at": _time_text(now),
        "made_by": by,
        "personal_data": personal,
        "reason": reason,
    }
    parts = [part for part in PARTS if user.has_perms(part[1])]
    files = _files(order) if personal and user.has_perm("orders.view_orderfiles") else iter(())
    entries = (Entry(name, _bytes(read(order), personal)) for name, _rights, read in parts)

    def rows() -> Iterator[Entry]:
        yield Entry("report.txt", _report(order, user, by=by, personal=personal, now=now).encode())
        yield from entries
        yield from files

    return Table(f"{_('Evidence')} {order.number}", [json.dumps(about, ensure_ascii=False)], len(parts) + 1, rows())


def _rows(rows: QuerySet) -> Iterator[dict]:
    for row in rows.iterator(500):
        yield _row(row)


def _row(row: Model) -> dict:
    fields = [field for field in row._meta.concrete_fields if field.name not in LEFT_OUT]
    return {PEOPLE_KEYS.get(field.attname, field.attname): getattr(row, field.attname) for field in fields}


def _attempts(order: Order) -> Iterator[dict]:
    for row in Attempt.objects.filter(dispatch__order=order).select_related("dispatch").order_by("pk").iterator(200):
        yield {"step": row.dispatch.step, **_row(row)}


def _troubles(order: Order) -> Iterator[dict]:
    for row in order.troubles.select_related("incident").order_by("pk"):
        yield {
            "incident": row.incident_id,
            "partner": row.incident.partner,
            "step": row.own_step,
            "code": row.incident.code,
            **_row(row),
        }


PARTS: list[tuple[str, tuple[str, ...], Callable[[Order], Any]]] = [
    ("order.json", ("orders.view_order",), lambda order: _row(order)),
    ("domains.json", ("orders.view_orderdomain",), lambda order: [row.name for row in order.domains.all()]),
    (
        "messages.json",
        ("orders.view_inboundmessage",),
        lambda order: _rows(InboundMessage.objects.filter(order_number=order.number).order_by("pk")),
    ),
    ("steps.json", CALLS, lambda order: _rows(order.dispatches.order_by("pk"))),
    ("attempts.json", CALLS, _attempts),
    ("billing.json", ("orders.view_billingrecord",), lambda order: _rows(order.billing_records.order_by("pk"))),
    ("differences.json", ("orders.view_difference",), lambda order: _rows(order.differences.order_by("pk"))),
    ("approvals.json", ("approvals.view_approvalrecord",), lambda order: _rows(order.approvals.order_by("pk"))),
    ("incidents.json", ("orders.view_incident",), _troubles),
    ("events.json", ("orders.view_orderevent",), lambda order: _rows(order.events.order_by("pk"))),
    ("mails.json", ("notifications.view_mail",), lambda order: _rows(Mail.objects.filter(order=order).order_by("pk"))),
]
"""Each file, the permissions that it needs, and the function that reads its content."""


def _bytes(value: Any, personal: bool) -> bytes:
    """Returns readable JSON. A text that contains JSON is written as JSON itself."""
    plain = [_plain(one) for one in value] if not isinstance(value, dict) else _plain(value)
    shown = plain if personal else mask_members(plain)
    names = "|".join(map(re.escape, [*SECRETS, *settings.PARTNERS.bboss.secret_names]))
    secret = re.compile(rf'(?i)(\\*"(?:{names})\\*"\s*:\s*\\*")[^"\\]+')
    return secret.sub(r"\1***", json.dumps(shown, ensure_ascii=False, indent=1)).encode("utf-8", "replace")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, datetime.datetime):
        return _time_text(value)
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _time_text(at: datetime.datetime) -> str:
    return timezone.localtime(at).isoformat(" ", "seconds")


def _report(order: Order, user, *, by: str, personal: bool, now: datetime.datetime) -> str:
    mask = str if personal else mask_text_or_json
    shape = shape_of(order) if order.kind == Order.Kind.TRIAL else None
    stages = build_ladder(facts_of(order, now=now))
    names = list(shape.domains.values()) if shape else [row.name for row in order.domains.all()]
    lines = [
        f"{_('Evidence')} {order.number}",
        f"{_('Exported by')}{_(': ')}{actor_of(by)[0]} · {_time_text(now)}",
        f"{_(PEOPLE)}{_(': ')}{_('unmasked') if personal else _('masked')}",
        "",
        f"{_('Customer')}{_(': ')}{order.enterprise_name} {order.enterprise_id}",
        f"{_('Attribution')}{_(': ')}{order.attribution.name if order.attribution else '-'}",
        f"{_('Kind')}{_(': ')}{order.get_kind_display()}",
        f"{_('State')}{_(': ')}{order.get_state_display()} {order.get_held_because_display()}",
        f"{_('Received')}{_(': ')}{_time_text(order.received_at)}",
        f"{_('Domains')}{_(': ')}{len(names)}",
        "",
        *(f"{stage.title}{_(': ')}{stage.result} {_time_text(stage.at) if stage.at else ''}" for stage in stages),
    ]
    if user.has_perm("orders.view_orderevent"):
        lines += ["", _("Events"), *(_event(row, mask) for row in order.events.order_by("pk").iterator(500))]
    return "\n".join(lines) + "\n"


def _event(row, mask: Callable[[str], str]) -> str:
    words = describe(row)
    return f"{_time_text(row.at)}  {words.who}  {words.what}  {mask(words.more)}".rstrip()


def _files(order: Order) -> Iterator[Entry]:
    for field in FILE_TYPES:
        name = getattr(order, field)
        try:
            with own_file(order, field) as handle:
                yield Entry(f"files/{name}", os.dup(handle))
        except OSError:
            continue

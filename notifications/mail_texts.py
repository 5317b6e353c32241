"""Writes mails about orders and notices to staff.

Recipients and text of a mail are decided once, at the first attempt (contract 3.9, Mail). Notices are sent from their
own rows (orders/services/notices.py).
"""

import datetime
import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from django.conf import settings
from django.db import DatabaseError, transaction
from django.template import Context
from django.template.loader import get_template
from django.utils import timezone, translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from notifications.masks import mask_text
from notifications.models import Mail, Notice
from notifications.recipients import addressees

LANGUAGE = "zh-hans"  # SAs read this language, whoever caused the mail
LONGEST_SUBJECT = 200
DOMAINS_NAMED = 20
LONGEST_TEXT = 2000


@dataclass(frozen=True, kw_only=True)
class MailFacts:
    """One order as its SA reads it. Labels may be lazily translated. An empty value leaves its line out or blank.

    `domains` holds all domains, `start` is an aware time, `cause` and `next_step` are sentences, and `admin_path` is
    the page of the order. `outcome`: what became of an incident's orders, if not all of them go on.
    """

    order_number: str
    kind_label: str
    state_label: str
    enterprise_name: str = ""
    attribution: str = ""
    domains: Sequence[str] = ()
    start: datetime.datetime | None = None
    cause: str = ""
    next_step: str = ""
    admin_path: str = ""
    outcome: str = ""

    def for_template(self) -> dict:
        """The values that the templates name, each on one line, so that no value can begin a line of its own."""
        texts = ("order_number", "kind_label", "state_label", "enterprise_name", "attribution")
        more = ("cause", "next_step", "admin_path", "outcome")
        return {
            **{name: one_line(getattr(self, name)) for name in texts + more},
            "start": f"{timezone.localtime(self.start):%Y-%m-%d %H:%M:%S}" if self.start else "",
            "domains": [one_line(name) for name in self.domains[:DOMAINS_NAMED]],
            "domain_count": len(self.domains),
            "domains_left_out": max(len(self.domains) - DOMAINS_NAMED, 0),
        }


def one_line(value: object) -> str:
    """The text without line breaks and other control characters, at most LONGEST_TEXT characters long."""
    text = str(value)
    if not text.isprintable():
        text = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(text.split())[:LONGEST_TEXT]


@dataclass(frozen=True, kw_only=True)
class MailRequest:
    """A mail to be written for a dispatch.

    `kind` names the template (one of Dispatch.Step's MAIL_*). `letters` is the attribution whose contacts get the mail;
    if empty, the default contact gets it. The Message-ID comes from the dispatch's key.
    """

    dispatch_id: int
    dispatch_key: uuid.UUID
    order_id: int | None
    kind: str
    facts: MailFacts
    letters: str


def write_mails(requests: Iterable[MailRequest], *, now: datetime.datetime) -> dict[int, Mail | Exception]:
    """Writes these mails, unless they were written before. Gives them by dispatch.

    A mail that can't be written is its exception (TemplateDoesNotExist for an unknown kind), and the others are
    written.
    """
    requests = {request.dispatch_id: request for request in requests}
    found: dict[int, Mail | Exception] = {row.dispatch_id: row for row in Mail.objects.filter(dispatch__in=requests)}
    chosen, new = cache(addressees), []  # contacts don't change within a batch
    for pk, request in requests.items():
        if pk in found:
            continue
        try:
            found[pk] = _write(request, chosen(request.letters), now)
            new.append(found[pk])
        except Exception as error:  # no mail may stop the others
            found[pk] = error
    return found | _save(new)


def _write(request: MailRequest, chosen: Mapping[str, str | Promise], now: datetime.datetime) -> Mail:
    """`chosen`: the recipients, and as what each gets it. All read one text, so it names every rule that chose one."""
    subject, body = render(request.kind, request.facts.for_template() | {"why": _why(chosen.values())})
    return Mail(
        dispatch_id=request.dispatch_id,
        order_id=request.order_id,
        kind=request.kind,
        message_id=f"<{request.dispatch_key}@ibs-order-desk>",
        recipients=list(chosen),
        subject=subject,
        body=body,
        written_at=now,
    )


def _why(rules: Iterable[str | Promise]) -> str:
    """Why a mail comes to its recipients, as one sentence. Empty if it has none."""
    with translation.override(LANGUAGE):
        words = _(" or ").join(dict.fromkeys(map(str, rules)))
        return one_line(_("You get this mail because you are %(rules)s.") % {"rules": words}) if words else ""


def _save(mails: list[Mail]) -> dict[int, Exception]:
    """Saves the mails together, or if the database refuses one, each alone. Returns the errors by dispatch."""
    try:
        with transaction.atomic():
            Mail.objects.bulk_create(mails)
        return {}
    except DatabaseError as error:
        if len(mails) == 1:
            return {mails[0].dispatch_id: error}
    return {pk: error for mail in mails for pk, error in _save([mail]).items()}


def mail_payload(mail: Mail | Notice) -> dict:
    return {
        "subject": mail.subject,
        "body": mail.body,
        "to": mail.recipients,
        "message_id": mail.message_id,
        "from": settings.DEFAULT_FROM_EMAIL,
    }


def recipients_in_words(mail: Mail, show: Callable[[str], str]) -> list[str]:
    """Each recipient by `show`, and whether the mail was refused or has yet to come, unless all fare alike."""
    sent = json.loads(mail.dispatch.payload or "{}")
    if "got" not in sent:
        return list(map(show, mail.recipients))
    said = dict.fromkeys(sent["refused"], _("%(address)s (refused)"))
    said |= dict.fromkeys(sent["to"], _("%(address)s (not delivered yet)"))
    return [said.get(address, "%(address)s") % {"address": show(address)} for address in mail.recipients]


def render(kind: str, known: Mapping) -> tuple[str, str]:
    """(subject, text) of a template, masked. `known["admin_path"]` becomes a whole address."""
    with translation.override(LANGUAGE):
        template = get_template(f"notifications/{kind}.txt").template
        path = known["admin_path"]
        known = {**known, "admin_path": f"{settings.SITE_URL}{path}" if path else ""}
        text = template.render(Context(known, autoescape=False))  # the mail is not HTML
    subject, _, body = mask_text(text).strip().partition("\n")
    return one_line(subject)[:LONGEST_SUBJECT], body.strip() + "\n"


def write_notices(
    *, kind: str, mails: Iterable[str], facts: Mapping[str, object], path: str, now: datetime.datetime
) -> list[Notice]:
    """Writes each address a notice, in the caller's transaction. `kind` names the template, `path` a page of ours."""
    subject, body = render(kind, {name: one_line(value) for name, value in facts.items()} | {"admin_path": path})
    return [
        Notice.objects.create(
            kind=kind,
            message_id=f"<{uuid.uuid4()}@ibs-order-desk>",
            recipients=[mail],
            subject=subject,
            body=body,
            written_at=now,
            next_try_at=now,
        )
        for mail in mails
    ]

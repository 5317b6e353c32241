"""Renders the texts of mails and describes their recipients.

Mails are rows of the outbox (orders/mails/mail_creation.py).
"""

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.template import Context
from django.template.loader import get_template
from django.utils import timezone, translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from notifications.contacts_and_recipients import Choice
from notifications.masks import mask_text
from notifications.models import Mail

LANGUAGE = "zh-hans"  # the recipients' language, independent of the user or process that causes a mail
LONGEST_SUBJECT = 200
DOMAINS_NAMED = 20
LONGEST_TEXT = 2000
ENDINGS: dict[str, Callable[[Any], str]] = {}
"""By kind of mail: a function that returns a text to append when the mail is sent. The text contains a secret, which no
row may store. The function may raise MailError."""


@dataclass(frozen=True, kw_only=True)
class MailFacts:
    """The facts of one order for the SA. Labels may be lazily translated. The line of an empty value is left out or
    blank.

    `domains` has all domains. `start` is an aware time. `cause` and `next_step` are sentences. `admin_path` is the path
    of the order's page. `outcome` describes the states of an incident's orders. If all of them continue, `outcome` is
    empty. `since` is the start of a closed incident that no earlier mail reported. For other incidents it is None.
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
    since: datetime.datetime | None = None

    def for_template(self) -> dict:
        """Returns the values for the templates. Each value is on one line, so that no value can insert lines."""
        texts = ("order_number", "kind_label", "state_label", "enterprise_name", "attribution")
        more = ("cause", "next_step", "admin_path", "outcome")
        return {
            **{name: one_line(getattr(self, name)) for name in texts + more},
            "start": f"{timezone.localtime(self.start):%Y-%m-%d %H:%M:%S}" if self.start else "",
            "since": f"{timezone.localtime(self.since):%Y-%m-%d %H:%M}" if self.since else "",
            "domains": [one_line(name) for name in self.domains[:DOMAINS_NAMED]],
            "domain_count": len(self.domains),
            "domains_left_out": max(len(self.domains) - DOMAINS_NAMED, 0),
        }


def one_line(value: object) -> str:
    """Returns the text without line breaks and other control characters, at most LONGEST_TEXT characters long."""
    text = str(value)
    if not text.isprintable():
        text = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(text.split())[:LONGEST_TEXT]


def _on_lines(value: object) -> str | list[str]:
    """Returns the value on one line. For a list, returns a list with each of its values on one line."""
    return list(map(one_line, value)) if isinstance(value, list) else one_line(value)


def write_text(mail: Mail, facts: MailFacts, chosen: Choice) -> None:
    """Sets the recipients, `chosen`, and the text of a mail, without saving it.

    All recipients get the same text. So the text names every role for which a recipient was chosen.
    """
    why = _why(one.is_a for one in chosen.people)
    mail.subject, mail.body = render(mail.kind, facts.for_template() | {"why": why})
    mail.recipients, mail.chosen = [one.mail.strip() for one in chosen.people], chosen.kept()


def _why(rules: Iterable[str | Promise]) -> str:
    """Returns the sentence that says why the recipients get the mail. If there are no reasons, returns ""."""
    with translation.override(LANGUAGE):
        words = _(" or ").join(dict.fromkeys(map(str, rules)))
        return one_line(_("You get this mail because you are %(rules)s.") % {"rules": words}) if words else ""


def mail_payload(mail: Mail) -> dict:
    """Returns the payload for `sending.send`.

    `got` lists the recipients for whom the server accepted the mail in an earlier attempt. `refused` lists those for
    whom the server permanently refused the mail. `to` lists all others. If a mail rule without recipients applies,
    `off` is set and nothing is sent.
    """
    fate = mail.fate
    over = {*fate.get("got", ()), *fate.get("refused", ())}
    off = {"off": True} if (mail.chosen or {}).get("off") else {}
    return off | {
        "subject": mail.subject,
        "body": mail.body + _ending(mail),
        "to": [address for address in mail.recipients if address not in over],
        "message_id": mail.message_id,
        "from": settings.DEFAULT_FROM_EMAIL,
        **fate,
    }


def _ending(mail: Mail) -> str:
    if mail.kind not in ENDINGS:
        return ""
    with transaction.atomic():  # a failed query of the function must not abort the caller's transaction
        return ENDINGS[mail.kind](mail)


def recipients_in_words(mail: Mail, show: Callable[[str], str]) -> list[str]:
    """Returns each recipient, formatted with `show`. Once an attempt has stored a result for each recipient, the
    recipients that were refused or have not received the mail yet get a note."""
    if "got" not in mail.fate:
        return list(map(show, mail.recipients))
    said = dict.fromkeys(mail.recipients, _("%(address)s (not delivered yet)"))
    said |= dict.fromkeys(mail.fate["got"], "%(address)s") | dict.fromkeys(
        mail.fate["refused"], _("%(address)s (refused)")
    )
    return [said[address] % {"address": show(address)} for address in mail.recipients]


def render(kind: str, known: Mapping) -> tuple[str, str]:
    """Returns (subject, text) rendered from the template of this kind, with personal data masked. The path
    `known["admin_path"]` becomes an absolute URL."""
    with translation.override(LANGUAGE):
        template = get_template(f"notifications/{kind}.txt").template
        path = known["admin_path"]
        known = {**known, "admin_path": f"{settings.SITE_URL}{path}" if path else ""}
        text = template.render(Context(known, autoescape=False))  # the mail is plain text
    subject, _, body = mask_text(text).strip().partition("\n")
    return one_line(subject)[:LONGEST_SUBJECT], body.strip() + "\n"


def render_notice(kind: str, facts: Mapping[str, object], path: str) -> tuple[str, str]:
    """Returns (subject, text) of a mail that is rendered when it is created.

    `kind` is the template's name. `path` is the path of a page of the desk. A fact is a text or a list of texts. Each
    text is put on one line.
    """
    return render(kind, {name: _on_lines(value) for name, value in facts.items()} | {"admin_path": path})

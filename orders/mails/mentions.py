"""Notifies accounts mentioned in a note with `@` and their user name or display name, once each (contract 3.12).

Sends a mail, or leaves it to the digest if the writer has caused MAILS_AN_HOUR already. Names that match no account, or
one that may not see the object, stay plain text, and the writer is informed.
"""

import datetime
import re
from collections import defaultdict
from dataclasses import dataclass, field

from django.contrib.auth import get_user_model
from django.db.models import Model

from notifications.models import Mail
from orders.history.actors import account_id_of, actor_of, name_of
from orders.history.order_locks_and_events import add_event
from orders.history.owners import sees_it
from orders.mails.inbox import send_message
from orders.mails.notices import notify_staff
from orders.models import Message, Order, OrderEvent

AT = re.compile(r"(?<![A-Za-z0-9_.+-])[@＠]([^\s@＠]{1,150})")  # in a mail address it follows a letter
WORD = re.compile(r"[\w.+-]+")
LATIN = re.compile(r"[a-z0-9_]")
MAX_NAMED = 20
MAILS_AN_HOUR, HOUR = 30, datetime.timedelta(hours=1)
MENTION, LEFT = "notice_mention", "mentions_left"  # the kind of the mails, and of the event for the digest
LONGEST_UNKNOWN = 30


@dataclass(frozen=True)
class Mentions:
    """The result of the mentions: accounts notified, accounts left to the digest, and names not used.

    `unknown`: no account; `several`: ambiguous; `blind`: accounts that may not see the object.
    """

    told: list[str] = field(default_factory=list)
    later: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    several: list[str] = field(default_factory=list)
    blind: list[str] = field(default_factory=list)


def tell_mentioned(
    text: str, row: Model, event: OrderEvent, *, title: str, about: str, path: str, by: str, now: datetime.datetime
) -> Mentions:
    """Notifies the mentioned accounts, in the caller's transaction. `title`, `path`: the object of the note. `event`:
    the note's.

    `about`: its name in the mail's subject, without text written by others (contract 3.12).
    """
    found = Mentions()
    if not AT.search(text):
        return found
    known = _names()
    people: dict[int, None] = {}
    for match in list(AT.finditer(text))[:MAX_NAMED]:
        name = _name_at(match[1], known)
        if name is None:
            if word := WORD.match(match[1]):
                found.unknown.append(word[0][:LONGEST_UNKNOWN])
        elif len(known[name]) > 1:
            found.several.append(match[1][: len(name)])
        else:
            people[known[name][0]] = None
    right = f"orders.view_{row._meta.model_name}"
    facts = {"who": actor_of(by)[0], "what": title, "about": about, "text": text}
    left, later = _mails_left(by, now) if people else 0, []
    for user in get_user_model().objects.filter(pk__in=people).order_by("pk"):
        name = name_of(user.username, user.pk)
        if user.pk == account_id_of(by):
            continue
        if not (user.is_active and user.is_staff and user.has_perm(right) and sees_it(row, user)):
            found.blind.append(name)
            continue
        send_message(Message.Kind.MENTION, event, row, [user.pk], at=now)
        if left <= 0:
            later.append(user.pk)
            found.later.append(name)
        else:
            for mail in notify_staff([user], MENTION, facts=facts, path=path, now=now):
                mail.about = {"by": str(by)}
                mail.save(update_fields=["about"])
                left -= 1
            found.told.append(name)
    if later:
        order, names = row if isinstance(row, Order) else None, ", ".join(found.later)
        about_it = {"model": row._meta.model_name, "row": row.pk, "people": later, "names": names}
        add_event(order, LEFT, by=by, now=now, **about_it)
    return found


def _mails_left(by: str, now: datetime.datetime) -> int:
    """Returns how many mails the writer may still cause within this hour. Locks the writer's account."""
    list(get_user_model().objects.filter(pk=account_id_of(by)).select_for_update(no_key=True).values_list("pk"))
    return MAILS_AN_HOUR - Mail.objects.filter(written_at__gt=now - HOUR, kind=MENTION, about__by=str(by)).count()


def _names() -> dict[str, list[int]]:
    """Returns {name: [account id]}. The names are the user names and the display names, in lower case."""
    found: dict[str, list[int]] = defaultdict(list)
    for pk, username, display in get_user_model().objects.values_list("pk", "username", "display_name"):
        for name in {username.lower(), display.lower()} - {""}:
            found[name].append(pk)
    return found


def _name_at(text: str, known: dict[str, list[int]]) -> str | None:
    """Returns the longest name at the beginning of the text.

    Chinese names need no space after them; in `@lina` the name `li` does not match.
    """
    text = text.lower()
    for length in range(len(text), 0, -1):
        name, rest = text[:length], text[length:]
        if name in known and not (LATIN.match(name[-1]) and rest and LATIN.match(rest[0])):
            return name
    return None

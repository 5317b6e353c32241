"""Actors (who did something): their stored form and display names. Also the leave of accounts.

A row stores an actor (`staff:ACCOUNT`) and, for staff, the account's id. A row without an id belongs to the account of
that name only if the account is older than the row.
"""

import contextlib
import datetime
import functools
from collections import Counter
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass

from django.contrib.auth import get_user_model
from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from approvals.models import ApprovalRecord
from notifications.masks import mask_text

STAFF, COMMAND, API = "staff", "command", "api"
ACCOUNTS = "django.contrib.auth.backends.ModelBackend"  # the backend that stores the permissions of accounts
ACTORS = {
    "bboss": "BBOSS",
    "bpm": "BPM",
    "worker": gettext_lazy("worker"),
    "system": gettext_lazy("system"),
    "company": gettext_lazy("company log-in"),
    "watchdog": gettext_lazy("watchdog"),
    "sweep": gettext_lazy("sweep"),
}
LEAVE = ("away_from", "away_until", "deputy_id", "deputy__is_active", "deputy__is_staff")


class Actor(str):
    """An actor with the id of its account. Services take it as the argument `by`. Rows store the actor and the id."""

    account_id: int

    def __new__(cls, actor: str, account_id: int):
        made = super().__new__(cls, actor)
        made.account_id = account_id
        return made


def staff_actor(user) -> Actor:
    return Actor(f"{STAFF}:{user.get_username()}", user.pk)


def actor_kept(actor: str, account_id: int | None) -> str:
    """Returns the actor stored in these two columns of a row."""
    return actor if account_id is None else Actor(actor, account_id)


def account_id_of(actor: str) -> int | None:
    """Returns the id of the actor's account, for a row's column, or None if the actor is not staff."""
    return actor.account_id if isinstance(actor, Actor) else None


def is_of(user, actor: str, account_id: int | None, at: datetime.datetime) -> bool:
    """Returns True if a row with these columns, created at `at`, belongs to the user."""
    if account_id is not None:
        return account_id == user.pk
    return actor == staff_actor(user) and user.date_joined <= at


def rows_of(user, *, actor: str, account_id: str, at: str) -> tuple[Q, Q]:
    """Returns two conditions for the user's rows: for rows with and for rows without an account id.

    Each condition uses an index of its own. A query that joins them by OR would scan the table.
    """
    named = {account_id: None, actor: str(staff_actor(user)), f"{at}__gte": user.date_joined}
    return Q(**{account_id: user.pk}), Q(**named)


@dataclass(frozen=True)
class Leave:
    """A person's absence and deputy. The last day is included.

    `fits`: the deputy's account may log in.
    """

    account_id: int
    first: datetime.date | None
    last: datetime.date
    deputy_id: int | None
    fits: bool

    def holds(self, day: datetime.date) -> bool:
        return (self.first is None or self.first <= day) and day <= self.last


@dataclass(frozen=True)
class _Accounts:
    """All accounts: user names by id, display names by user name, and leaves by id.

    `often`: the number of accounts with the same display name.
    """

    ids: dict[int, str]
    names: dict[str, tuple[str, datetime.datetime]]
    often: Counter[str]
    leaves: dict[int, Leave]

    def words(self, account: str) -> str:
        """Returns an account's display name, followed by its user name if another account has the same display name."""
        name = self.names[account][0]
        if not name or self.often[name] == 1:
            return name or account
        return _("%(name)s (%(account)s)") % {"name": name, "account": account}


def _read() -> _Accounts:
    rows = list(get_user_model().objects.values_list("pk", "username", "display_name", "date_joined", *LEAVE))
    return _Accounts(
        ids={row[0]: row[1] for row in rows},
        names={row[1]: (row[2], row[3]) for row in rows},
        often=Counter(row[2] or row[1] for row in rows),
        leaves={
            row[0]: Leave(row[0], first, last, deputy, bool(active and staff))
            for row in rows
            for first, last, deputy, active, staff in [row[4:]]
            if last
        },
    )


_accounts: ContextVar[Callable[[], _Accounts]] = ContextVar("accounts", default=_read)


@contextlib.contextmanager
def names_read_once() -> Iterator[None]:
    """Read the accounts at most once within the block, at first use. Each request runs in such a block."""
    token = _accounts.set(functools.cache(_read))
    try:
        yield
    finally:
        _accounts.reset(token)


def name_of(account: str, account_id: int | None = None, at: datetime.datetime | None = None) -> str:
    """Returns the display name of an account, or its user name if it has no display name.

    `account_id`, `at`: the account id and the time of the row that names the account.
    """
    known = _accounts.get()()
    if account_id is not None:
        return known.words(known.ids[account_id]) if account_id in known.ids else account
    if account not in known.names or (at is not None and known.names[account][1] > at):
        return account
    return known.words(account)


def user_name(account_id: int | None) -> str | None:
    """Returns the user name of an account, or None if there is no such account. The user name never changes."""
    return _accounts.get()().ids.get(account_id) if account_id is not None else None


def leave_of(account_id: int, day: datetime.date) -> Leave | None:
    """Returns the leave of an account on that day, or None if the person is not away."""
    found = _accounts.get()().leaves.get(account_id)
    return found if found and found.holds(day) else None


def stands_in_for(account_id: int, day: datetime.date) -> list[int]:
    """Returns the ids of the accounts that are away on that day and have this account as deputy."""
    leaves = _accounts.get()().leaves.values()
    return sorted(row.account_id for row in leaves if row.deputy_id == account_id and row.holds(day))


def person_words(account_id: int, day: datetime.date) -> str:
    """Returns an account's display name, with the leave and the deputy if the person is away on that day."""
    known = _accounts.get()()
    name = known.words(known.ids[account_id]) if account_id in known.ids else "-"
    leave = leave_of(account_id, day)
    if leave is None:
        return name
    facts = {"name": name, "last": f"{leave.last:%m-%d}" if leave.last.year == day.year else f"{leave.last:%Y-%m-%d}"}
    if leave.deputy_id not in known.ids:
        return _("%(name)s (away until %(last)s)") % facts
    facts["deputy"] = known.words(known.ids[leave.deputy_id])
    if not leave.fits:
        return _("%(name)s (away until %(last)s; the deputy %(deputy)s has no account any more)") % facts
    if leave_of(leave.deputy_id, day):
        return _("%(name)s (away until %(last)s; the deputy %(deputy)s is away too)") % facts
    return _("%(name)s (away until %(last)s, deputy %(deputy)s)") % facts


def actor_of(
    actor: str, account_id: int | None = None, at: datetime.datetime | None = None
) -> tuple[str | Promise, bool]:
    """Returns the actor's display name, and whether the actor is a person.

    `account_id`, `at`: as in `name_of`.
    """
    kind, _colon, name = actor.partition(":")
    if kind == STAFF and name:
        return name_of(name, account_id, at), True
    person = kind == COMMAND and bool(name)
    return (name if name and kind in {COMMAND, API} else ACTORS.get(actor, actor)), person


def find_account(actor: str, account_id: int | None, at: datetime.datetime):
    """Returns the account of a row with these columns, created at `at`. Returns None if the actor is not staff or the
    account no longer exists."""
    accounts = get_user_model().objects
    if account_id is not None:
        return accounts.filter(pk=account_id).first()
    kind, _colon, name = actor.partition(":")
    return accounts.filter(username=name, date_joined__lte=at).first() if kind == STAFF else None


def account_of(actor: str, account_id: int | None, at: datetime.datetime):
    """Returns the account that `find_account` finds, or None if that account may not log in."""
    found = find_account(actor, account_id, at)
    return found if found is not None and found.is_active and found.is_staff else None


def limits_of(actor: str, now: datetime.datetime) -> list[str] | None:
    """Returns the letters of the actor's attributions, or None if the actor is not limited or has no account."""
    account = account_of(actor, account_id_of(actor), now)
    if account is None or not account.limited:
        return None
    return sorted(account.attributions.values_list("letters", flat=True))


def actors_named(term: str) -> list[str]:
    """Returns the actors of at most 20 accounts with exactly this display name or user name."""
    accounts = get_user_model().objects
    term = term.strip()[:150]
    if not term or "\0" in term:
        return []
    named = accounts.filter(Q(display_name=term) | Q(username=term)).values_list("username", flat=True)
    return [f"{STAFF}:{name}" for name in named[:20]]


def operator_of(record: ApprovalRecord) -> str:
    """Returns the name of the person who decided, from an approval record.

    A record from staff stores an actor. A text from BPM is masked.
    """
    staff = record.source == ApprovalRecord.Source.STAFF
    return str(actor_of(record.operator, at=record.time)[0]) if staff else mask_text(record.operator)


def node_of(record: ApprovalRecord) -> str:
    """Returns the BPM node of an approval record, in BPM's words and masked."""
    return mask_text(record.node_name or record.node)


def spoken(actor: str) -> str:
    """Returns an actor's name for a terminal: staff by display name, any other actor as stored."""
    return str(actor_of(actor)[0]) if actor.startswith(f"{STAFF}:") else actor

"""Queries over the whole trail (contract 5, `audit`), for the page, the command and AUDIT_SYSLOG.

The trail consists of three tables. The first has the trail's own rows. The second has events of people, other systems
and the company log-in. The third has Django's log entries. Each act is in exactly one of these tables.
"""

import datetime
import heapq
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter
from typing import NamedTuple

from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, Q, QuerySet
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifications.masks import mask_text
from orders.admin.journal_values import entry_words
from orders.db.expressions import IsInTrail
from orders.history.actors import COMMAND, STAFF, actors_named
from orders.lists.personal_data import mask_text_or_json
from orders.models import Order, OrderEvent, TrailEntry
from orders.order_words.history import describe
from project.models import User
from project.trail.trail_words import more_words

FLAGS = {ADDITION: "added", CHANGE: "changed"}
ROWS_A_READ = 500
CLOCK_TOLERANCE = datetime.timedelta(hours=1)  # the largest difference of two machines' clocks
EPOCH, MICROSECOND = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC), datetime.timedelta(microseconds=1)


class TrailPosition(NamedTuple):
    """The unique position of an act in the trail. `source` is an index in SOURCES."""

    at: datetime.datetime
    source: int
    pk: int

    def __str__(self):
        return f"{(self.at - EPOCH) // MICROSECOND}-{self.source}-{self.pk}"


def parse_position(text: str) -> TrailPosition | None:
    """Returns the position that a text represents. If the text is malformed, returns None."""
    found = re.fullmatch(r"(\d{1,17})-(\d)-(\d{1,18})", text, re.ASCII)
    return TrailPosition(EPOCH + int(found[1]) * MICROSECOND, int(found[2]), int(found[3])) if found else None


@dataclass(frozen=True)
class Act:
    """An entry of the trail.

    `who` is an actor, or empty. `what` is a code, and `words` its label. `more` is a reason or detail. `order` is the
    id of the order concerned. Texts are masked.
    """

    position: TrailPosition
    who: str
    account_id: int | None
    address: str
    what: str
    about: str
    words: str
    more: str
    order: int | None = None
    run: int | None = None

    @property
    def at(self) -> datetime.datetime:
        return self.position.at

    @property
    def same(self) -> tuple:
        return self.who, self.account_id, self.address, self.words, self.more

    @property
    def details(self) -> str:
        return _joined(self.words, self.more)

    def as_json(self) -> dict[str, str]:
        """Returns the act as a JSON object with the keys that contract 5 defines."""
        at = timezone.localtime(self.at).isoformat()
        row = {"at": at, "who": self.who, "from": self.address, "what": self.what, "about": self.about}
        return {**row, "details": self.details}


class Source(NamedTuple):
    """A table with acts: the name of its time field, a query for the rows that are acts, and a function that converts a
    row to an act.
    """

    moment: str
    rows: Callable[[], QuerySet]
    read: Callable[[Model], Act]


class Kind(NamedTuple):
    """The filters for a kind of acts, by source. None means that the source has no such rows."""

    label: str | Promise
    entries: Q | None = None
    events: Q | None = None
    journal: Q | None = None


PERSONAL = Q(
    kind__in=["personal_data_seen", "phone_searched", "evidence_personal", "evidence_taken", "attachment_downloaded"]
)
SECOND_FACTOR_CODES = ["second_factor_set", "second_factor_reset", "recovery_codes_made", "recovery_code_used"]
ACCOUNTS = Q(kind__startswith="account_") | Q(kind__startswith="emergency_") | Q(kind__in=SECOND_FACTOR_CODES)
TOKENS = Q(kind__startswith="api_token_")
OF_ACCOUNTS, OF_TOKENS = Q(content_type__model__in=["user", "group"]), Q(content_type__model="apitoken")
ACT_KINDS = {
    **{str(code.value): Kind(code.label, entries=Q(code=code.value)) for code in TrailEntry.Code},
    "accounts": Kind(gettext_lazy("Accounts, roles, permissions and limits"), None, ACCOUNTS, OF_ACCOUNTS),
    "tokens": Kind(gettext_lazy("Tokens of other systems"), None, TOKENS, OF_TOKENS),
    "personal": Kind(gettext_lazy("Personal data opened, files fetched"), None, PERSONAL),
    "decisions": Kind(gettext_lazy("Decisions and other acts on an order"), None, Q(order__isnull=False) & ~PERSONAL),
    "rest": Kind(
        gettext_lazy("Other acts"), None, Q(order=None) & ~(PERSONAL | ACCOUNTS | TOKENS), ~(OF_ACCOUNTS | OF_TOKENS)
    ),
}
ANY = Kind("", Q(), Q(), Q())


@dataclass(frozen=True)
class TrailFilter:
    """A filter of acts by time, user, order, customer, kind or text.

    `user` is a display name, a user name or a command's `--by`. Acts about that account are found too. `text` must
    equal `about` or the address.
    """

    since: datetime.datetime | None = None
    until: datetime.datetime | None = None
    user: str = ""
    order: Order | None = None
    customer: str = ""
    kind: str = ""
    text: str = ""


def acts_oldest_first(asked: TrailFilter) -> Iterator[Act]:
    """Yields the acts, oldest first. Rows are read as needed."""
    parts = [
        map(SOURCES[source].read, _between(source, rows, asked).iterator(ROWS_A_READ)) for source, rows in _parts(asked)
    ]
    return heapq.merge(*parts, key=attrgetter("position"))


def newest_acts(asked: TrailFilter, *, before: TrailPosition | None = None, number: int) -> list[Act]:
    """Returns the newest `number` acts. With `before`, returns the newest acts before that position. Reads no further
    rows."""
    parts = [
        [*map(SOURCES[source].read, _before(source, _between(source, rows, asked), before)[:number])]
        for source, rows in _parts(asked)
    ]
    return list(islice(heapq.merge(*parts, key=attrgetter("position"), reverse=True), number))


def _between(source: int, rows: QuerySet, asked: TrailFilter) -> QuerySet:
    moment = SOURCES[source].moment
    bounds = {f"{moment}__gte": asked.since, f"{moment}__lt": asked.until}
    return rows.filter(**{name: at for name, at in bounds.items() if at}).order_by(moment, "pk")


def _before(source: int, rows: QuerySet, position: TrailPosition | None) -> QuerySet:
    moment = SOURCES[source].moment
    if position and source > position.source:
        rows = rows.filter(**{f"{moment}__lt": position.at})
    elif position:
        rows = rows.filter(**{f"{moment}__lte": position.at})
        if source == position.source:
            rows = rows.exclude(**{moment: position.at, "pk__gte": position.pk})
    return rows.order_by(f"-{moment}", "-pk")


def _parts(asked: TrailFilter) -> Iterator[tuple[int, QuerySet]]:
    """Yields the queries for a filter, each with its source. A source has several queries if each of them can then use
    an index."""
    kind = ACT_KINDS[asked.kind] if asked.kind else ANY
    parts = [(ENTRIES, kind.entries, _entries(asked))]
    parts += [(EVENTS, kind.events, part) for part in _events(asked)]
    parts += [(JOURNAL, kind.journal, _journal(asked))]
    for source, of_kind, condition in parts:
        if of_kind is not None and condition is not None:
            yield source, SOURCES[source].rows().filter(of_kind, condition)


def _entries(asked: TrailFilter) -> Q | None:
    if asked.customer:
        return None
    found = Q()
    if asked.user:
        mine = Q(account_id__in=_accounts(asked.user).values("pk"))
        found &= mine | Q(actor__in=_actors(asked.user)) | Q(about__in=[asked.user, *_names(asked.user)])
    if asked.order:
        named = Q(code=TrailEntry.Code.COMMAND, at__gte=asked.order.received_at - CLOCK_TOLERANCE)
        named &= Q(data__words__regex=rf"(^|[ =,]){re.escape(asked.order.number)}($|[ ,])")
        found &= named | Q(about=asked.order.number)
    if asked.text:
        found &= Q(about=asked.text) | Q(address=asked.text)
    return found


def _events(asked: TrailFilter) -> list[Q]:
    found = Q()
    if asked.order:
        found &= Q(order=asked.order)
    if asked.text:
        found &= Q(order__number=asked.text)
    parts = [found]
    if asked.customer:
        noted = Q(order=None, kind__startswith="customer_", data__customer=asked.customer)
        parts = [found & Q(order__enterprise_id=asked.customer), found & noted]
    if not asked.user:
        return parts
    actors = _actors(asked.user)
    about = ACCOUNTS & Q(data__account__in=_names(asked.user)) & ~Q(actor__in=actors)
    mine = [*(Q(actor=actor) for actor in actors), about]  # each in the order of `event_of_actor`
    return [part & one for part in parts for one in mine]


def _journal(asked: TrailFilter) -> Q | None:
    if asked.order or asked.customer:
        return None
    found = Q()
    if asked.user:
        kind = ContentType.objects.get_for_model(User)
        accounts = list(_accounts(asked.user).values_list("pk", flat=True))
        found &= Q(user__in=accounts) | Q(content_type=kind, object_id__in=[str(pk) for pk in accounts])
    if asked.text:
        found &= Q(object_repr=asked.text)
    return found


def _actors(user: str) -> list[str]:
    return list(dict.fromkeys([f"{STAFF}:{user}", f"{COMMAND}:{user}", *actors_named(user)]))


def _names(user: str) -> list[str]:
    return [actor.partition(":")[2] for actor in actors_named(user)]


def _accounts(user: str) -> QuerySet[User]:
    return User.objects.filter(username__in=_names(user))


def _of_row(row: TrailEntry) -> Act:
    position, words = TrailPosition(row.at, ENTRIES, row.pk), row.get_code_display()
    return Act(position, row.actor, row.account_id, row.address, row.code, mask_text(row.about), words, more_words(row))


def _of_event(row: OrderEvent) -> Act:
    words, data = describe(row), row.data if isinstance(row.data, dict) else {}
    about = row.order.number if row.order else str(data.get("account") or data.get("customer") or "")
    position, more = TrailPosition(row.at, EVENTS, row.pk), mask_text_or_json(words.more)
    address = str(data.get("caller", ""))
    about = mask_text(about)
    return Act(position, row.actor, row.account_id, address, row.kind, about, words.what, more, row.order_id, words.run)


def _of_entry(row: LogEntry) -> Act:
    kind = ContentType.objects.get_for_id(row.content_type_id) if row.content_type_id else None  # kept in memory
    what = f"{FLAGS.get(row.action_flag, 'deleted')} {f'{kind.app_label}.{kind.model}' if kind else '-'}"
    words = _joined(row.get_action_flag_display(), capfirst(kind.name) if kind else "")
    position, who = TrailPosition(row.action_time, JOURNAL, row.pk), f"{STAFF}:{row.user.get_username()}"
    return Act(position, who, row.user_id, "", what, mask_text_or_json(row.object_repr), words, entry_words(row))


def _joined(*words: object) -> str:
    return _("; ").join(str(word) for word in words if word)


ENTRIES, EVENTS, JOURNAL = range(3)
SOURCES = (
    Source("at", TrailEntry.objects.all, _of_row),
    Source(
        "at",
        lambda: OrderEvent.objects.filter(IsInTrail("actor")).select_related("order").defer("order__content"),
        _of_event,
    ),
    Source("action_time", lambda: LogEntry.objects.select_related("user"), _of_entry),
)

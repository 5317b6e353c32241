"""The whole trail (contract 5, `audit`): its own rows, events of people, other systems and the company log-in, and
Django's log entries. Each act stands in one of the three, and is read from there."""

import datetime
import heapq
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from operator import attrgetter

from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from notifications.masks import mask_text
from orders.admin.journal_values import entry_words
from orders.db.expressions import IsOfStaff
from orders.lists.personal_data import mask_text_or_json
from orders.models import Order, OrderEvent, TrailEntry
from orders.order_page.history import describe
from project.accounts.company.admission import COMPANY
from project.accounts.trail_words import more_words
from project.models import User

FLAGS = {ADDITION: "added", CHANGE: "changed"}
BATCH = 500


@dataclass(frozen=True)
class Act:
    """One line of the trail. `who`: an actor, or empty; `what`: a code; `details`: what it was, in words, masked."""

    at: datetime.datetime
    who: str
    address: str
    what: str
    about: str
    details: str

    def as_json(self) -> dict[str, str]:
        """As contract 5 names the members."""
        at, who, address, what, about, details = astuple(self)
        at = timezone.localtime(at).isoformat()
        return {"at": at, "who": who, "from": address, "what": what, "about": about, "details": details}


@dataclass(frozen=True)
class Asked:
    """Which acts: of these moments, of a person by user name (or of a command's `--by`), about an order."""

    since: datetime.datetime | None = None
    until: datetime.datetime | None = None
    user: str = ""
    order: Order | None = None

    def between(self, rows: QuerySet, moment: str) -> QuerySet:
        """The rows in the order of their moments, a part at a time."""
        bounds = {f"{moment}__gte": self.since, f"{moment}__lt": self.until}
        return rows.filter(**{name: at for name, at in bounds.items() if at}).order_by(moment, "pk")


def trail(asked: Asked) -> Iterator[Act]:
    """The acts, the oldest first. Reads rows as they are asked for."""
    return heapq.merge(*_parts(asked), key=attrgetter("at"))


def _parts(asked: Asked) -> Iterator[Iterator[Act]]:
    rows, events = TrailEntry.objects.all(), OrderEvent.objects.select_related("order").defer("order__content")
    if asked.user:
        account = User.objects.filter(username=asked.user).first()
        mine = Q(account_id=account.pk) if account else Q(pk=None)
        rows = rows.filter(mine | Q(actor__in=_actors(asked.user)) | Q(about=asked.user))
    if asked.order:
        rows = rows.filter(about=asked.order.number)
        events = events.filter(order=asked.order)
    yield (_of_row(row) for row in asked.between(rows, "at").iterator(BATCH))
    others = Q(actor__startswith="command:") | Q(actor__startswith="api:") | Q(actor=COMPANY)
    for some in (events.filter(IsOfStaff("actor")), events.filter(others)):
        some = some.filter(actor__in=_actors(asked.user)) if asked.user else some
        yield (_of_event(row) for row in asked.between(some, "at").iterator(BATCH))
    if not asked.order:
        entries = LogEntry.objects.select_related("user", "content_type")
        entries = entries.filter(user__username=asked.user) if asked.user else entries
        yield (_of_entry(row) for row in asked.between(entries, "action_time").iterator(BATCH))


def _actors(user: str) -> list[str]:
    return [f"staff:{user}", f"command:{user}"]


def _of_row(row: TrailEntry) -> Act:
    details = _joined(row.get_code_display(), more_words(row))
    return Act(row.at, row.actor, row.address, row.code, mask_text(row.about), details)


def _of_event(row: OrderEvent) -> Act:
    told, data = describe(row), row.data if isinstance(row.data, dict) else {}
    about = row.order.number if row.order else str(data.get("account") or data.get("customer") or "")
    return Act(row.at, row.actor, "", row.kind, mask_text(about), _joined(told.what, mask_text_or_json(told.more)))


def _of_entry(row: LogEntry) -> Act:
    kind = f"{row.content_type.app_label}.{row.content_type.model}" if row.content_type else "-"
    code, who = FLAGS.get(row.action_flag, "deleted"), f"staff:{row.user.get_username()}"
    about = mask_text_or_json(f"{row.content_type.name if row.content_type else ''} {row.object_repr}".strip())
    return Act(row.action_time, who, "", f"{code} {kind}", about, entry_words(row))


def _joined(*words: object) -> str:
    return _("; ").join(str(word) for word in words if word)

"""The user's own work, and that of absent people for whom the user stands in, own work first."""

import datetime
from dataclasses import dataclass

from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone

from orders.history.actors import person_words, stands_in_for
from orders.history.owners import counts, seen_by
from orders.models import Difference, Incident, Order
from orders.people.owned_work import may_have_owner
from orders.texts.incident_texts import title_of
from project.dashboard.number_tiles import Number, listing

SHOWN, MAX_COUNTED = 8, 200
TEXTS = {
    Order: ("number", "enterprise_name", "received_at"),
    Incident: ("code", "words", "first_at"),
    Difference: ("kind", "job_id", "found_at"),
}


@dataclass(frozen=True)
class WorkItem:
    """A row of the block. `mono`: a number, written as one."""

    text: str
    more: str
    since: datetime.datetime
    url: str
    mono: bool


@dataclass(frozen=True)
class PersonsWork:
    """The work of one person. `whose`: the absent person, empty for the user. `outside`: the number of their orders
    that the user can't see.

    `numbers`: orders, incidents and differences, each with the link to its list.
    """

    whose: str
    rows: list[WorkItem]
    numbers: list[Number]
    outside: int

    @property
    def total(self) -> int:
        return sum(number.number for number in self.numbers)


def work_of(user, *, now: datetime.datetime) -> list[PersonsWork]:
    """The user's block, and one for each absent person who has something. Two queries."""
    absent = stands_in_for(user.pk, today := timezone.localdate(now))
    found = list(_rows(user, [user.pk, *absent]))
    blocks = [_block("", "me", [row for row in found if row[2] == user.pk])]
    for pk in absent:
        if theirs := [row for row in found if row[2] == pk]:
            blocks.append(_block(person_words(pk, today), str(pk), theirs))
    return blocks


def _rows(user, ids: list[int]) -> QuerySet:
    """(model's name, id, owner, text, more, since, whether the user sees it)."""
    parts = [_part(model, user, ids) for model in TEXTS if user.has_perm(f"orders.view_{model._meta.model_name}")]
    return parts[0].union(*parts[1:], all=True) if parts else Order.objects.none().values_list()


def _part(model, user, ids: list[int]) -> QuerySet:
    """SQLite allows no LIMIT in a union, but it allows one in an IN."""
    text, more, began = TEXTS[model]
    own = model._base_manager.filter(counts(model) & may_have_owner(model), owner__in=ids).order_by()
    own = own.annotate(since=Coalesce("owner_since", began))
    first = own.order_by("since", "pk").values("pk")[:MAX_COUNTED]
    if user.limited:
        seen: Case | Value = Case(When(seen_by(model, user), then=1), default=0, output_field=IntegerField())
    else:
        seen = Value(1)
    rows = own.filter(pk__in=first).annotate(what=Value(model._meta.model_name), seen=seen)
    return rows.values_list("what", "pk", "owner_id", text, more, "since", "seen")


def _block(whose: str, owner: str, rows: list[tuple]) -> PersonsWork:
    seen = sorted((row for row in rows if row[6]), key=lambda row: (row[5], row[1]))
    numbers = []
    for model in TEXTS:
        name = model._meta.model_name
        if number := sum(row[0] == name for row in seen):
            numbers.append(Number(model._meta.verbose_name_plural, number, listing(f"orders_{name}", owner=owner)))
    return PersonsWork(whose, [_thing(row) for row in seen[:SHOWN]], numbers, len(rows) - len(seen))


def _thing(row: tuple) -> WorkItem:
    what, pk, _owner, text, more, since, _seen = row
    url = reverse(f"admin:orders_{what}_change", args=[pk])
    if what == "incident":
        return WorkItem(str(title_of(text, more)), "", since, url, mono=False)
    if what == "difference":
        return WorkItem(more, str(Difference.Kind(text).label), since, url, mono=True)
    return WorkItem(text, more, since, url, mono=True)

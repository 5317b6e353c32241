"""The dashboard's blocks of open work by owner, sorted by urgency.

The blocks are the user's work, the work of absent people for whom the user is deputy, and work without an owner.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Case, F, IntegerField, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from orders.admin.incident import asleep_words, sleeps, step_words
from orders.history.actors import person_words, stands_in_for
from orders.history.owners import OWN, counts, seen_by
from orders.incidents.incident_codes import DIFFERENCE
from orders.incidents.order_warnings import UNBILLED, is_unbilled, open_troubles
from orders.lists.chips import TONES, toned_chip
from orders.models import Difference, Incident, Order
from orders.order_words.history import PARTNER_NAMES
from orders.people.owned_work import is_nobodys, may_have_owner
from orders.texts.incident_texts import title_of
from project.dashboard.number_tiles import Number, listing

SHOWN, MAX_COUNTED = 8, 200
NOT_BILLED, STOPPED, OPEN, UNDER_WAY, SNOOZED = range(5)
"""The urgency of a row: served but not billed; failed orders and incidents; held orders and differences; orders in
progress; snoozed incidents."""
COLUMNS = {
    Order: ("number", "enterprise_name", "received_at"),
    Incident: ("code", "words", "first_at"),
    Difference: ("kind", "job_id", "found_at"),
}
NOBODY = 0


@dataclass(frozen=True)
class WorkItem:
    """A row of a block. `mono` is True if the text is an identifier. `stopped` is the number of orders that an incident
    stops."""

    text: str
    more: str
    since: datetime.datetime
    url: str
    urgency: int
    mono: bool = False
    chip: str = ""
    stopped: Number | None = None


@dataclass(frozen=True)
class Work:
    """A block. `numbers` are the numbers of orders, incidents and differences, with links to their lists.

    `outside` is the number of the owner's rows that the user can't see. `for_me` is True if the work is the user's own,
    or that of a person for whom the user is deputy.
    """

    title: str
    rows: list[WorkItem]
    numbers: list[Number]
    outside: int = 0
    for_me: bool = True


def work_of(user, *, now: datetime.datetime, causes: Sequence[Incident], alone: int) -> list[Work]:
    """Returns the user's block, a block for each absent person with open work, and the block of work without an owner.
    Runs at most two queries.

    `causes` are the open incidents without an owner. `alone` is the number of orders that need an owner and have none.
    That block has no row for an order that an incident stops, because it has a row for the incident.
    """
    absent = stands_in_for(user.pk, today := timezone.localdate(now)) if user.has_perm(OWN) else []
    found = list(_rows(user, [user.pk, *absent]))
    own = [row for row in found if row[2] == user.pk]
    blocks = [_block(_("Mine"), "me", own)] if user.has_perm(OWN) else []
    for pk in absent:
        if theirs := [row for row in found if row[2] == pk]:
            title = _("In place of %(name)s") % {"name": person_words(pk, today)}
            blocks.append(_block(title, str(pk), theirs))
    rows = [_item(row) for row in found if row[2] == NOBODY] + [_incident_item(row) for row in causes]
    counted = [(Order, alone), (Incident, len(causes))]
    numbers = [_number(model, number, "nobody") for model, number in counted if number]
    nobodys = Work(_("Nobody's"), _most_urgent(rows), numbers, for_me=False)
    return [*blocks, nobodys] if numbers else blocks


def _most_urgent(rows: list[WorkItem]) -> list[WorkItem]:
    return sorted(rows, key=lambda row: (row.urgency, -(row.stopped.number if row.stopped else 0), row.since))[:SHOWN]


def _rows(user, ids: list[int]) -> QuerySet:
    """Returns (model's name, id, owner, text, more, since, urgency, 1 if the user may see the row, otherwise 0)."""
    models = [model for model in COLUMNS if user.has_perm(f"orders.view_{model._meta.model_name}")]
    parts = [
        _rows_of_model(model, user, counts(model) & may_have_owner(model) & Q(owner__in=ids), whose=F("owner"))
        for model in models
    ]
    alone = is_nobodys(Order) & seen_by(Order, user) & ~Q(pk__in=open_troubles().values("order"))
    parts.append(_rows_of_model(Order, user, alone, whose=Value(NOBODY)))
    return parts[0].union(*parts[1:], all=True)


def _rows_of_model(model, user, condition: Q, *, whose: F | Value) -> QuerySet:
    """Returns the query for the MAX_COUNTED most urgent rows of a model that match the condition."""
    text, more, began = COLUMNS[model]
    known = model._base_manager.order_by()
    known = known.annotate(since=Coalesce("owner_since", began), urgency=_urgency(model), whose=whose)
    # LIMIT is in a subquery, because SQLite allows none in the parts of a union.
    first = known.filter(condition).order_by("urgency", "since", "pk").values("pk")[:MAX_COUNTED]
    if user.limited:
        seen: Case | Value = Case(When(seen_by(model, user), then=1), default=0, output_field=IntegerField())
    else:
        seen = Value(1)
    rows = known.filter(pk__in=first).annotate(what=Value(model._meta.model_name), seen=seen)
    return rows.values_list("what", "pk", "whose", text, more, "since", "urgency", "seen")


def _urgency(model) -> Case | Value:
    if model is Incident:
        return Value(STOPPED)
    if model is Difference:
        return Case(When(UNBILLED, then=NOT_BILLED), default=OPEN, output_field=IntegerField())
    return Case(
        When(is_unbilled(), then=NOT_BILLED),
        When(state=Order.State.FAILED, then=STOPPED),
        When(state=Order.State.HELD, then=OPEN),
        default=UNDER_WAY,
        output_field=IntegerField(),
    )


def _block(title: str, owner: str, rows: list[tuple]) -> Work:
    seen = [row for row in rows if row[7]]
    counted = [(model, sum(row[0] == model._meta.model_name for row in seen)) for model in COLUMNS]
    numbers = [_number(model, number, owner) for model, number in counted if number]
    return Work(title, _most_urgent([_item(row) for row in seen]), numbers, len(rows) - len(seen))


def _number(model, number: int, owner: str) -> Number:
    return Number(model._meta.verbose_name_plural, number, listing(f"orders_{model._meta.model_name}", owner=owner))


def _item(row: tuple) -> WorkItem:
    what, pk, _owner, text, more, since, urgency, _seen = row
    about = {"since": since, "url": reverse(f"admin:orders_{what}_change", args=[pk]), "urgency": urgency}
    if what == "incident":
        return WorkItem(str(title_of(text, more)), "", **about)
    chip = toned_chip("red", _("Served, not billed")) if urgency == NOT_BILLED else ""
    if what == "difference":
        return WorkItem(more, str(Difference.Kind(text).label), mono=True, chip=chip, **about)
    if state := {STOPPED: Order.State.FAILED, OPEN: Order.State.HELD}.get(urgency):
        chip = toned_chip(TONES[state], state.label)
    return WorkItem(text, more, mono=True, chip=chip, **about)


def _incident_item(incident: Incident) -> WorkItem:
    partner, step = PARTNER_NAMES.get(incident.partner, incident.partner), step_words(incident)
    return WorkItem(
        str(title_of(incident.code, incident.words)),
        f"{partner} · {step}" if step else str(partner),
        incident.first_at,
        reverse("admin:orders_incident_change", args=[incident.pk]),
        SNOOZED if sleeps(incident) else NOT_BILLED if incident.code == DIFFERENCE else STOPPED,
        chip=toned_chip("grey", asleep_words(incident)) if sleeps(incident) else "",
        stopped=Number("", incident.still, listing("orders_affectedorder", incident=incident.pk, stopped="yes")),
    )

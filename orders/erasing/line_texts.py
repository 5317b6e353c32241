"""The columns that hold texts about a line's orders, and their erasure (contract 3.14)."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from django.apps import apps
from django.db.models import Model, Q, QuerySet

from approvals.models import ApprovalRecord
from notifications.masks import HIDDEN
from orders.erasing.personal_texts import People, forms_of, personal_values
from orders.models import KeptAnswer, Order, OrderEvent, OrderText, TrailEntry

PERSON = ("oper_user", "oper_tel", "oper_mail")
BY_NUMBER, BY_ORDER = "order_number__in", "order__in"
SHORTEST_OPINION = 4  # characters; a shorter one, such as 同意, names nobody


@dataclass(frozen=True)
class Texts:
    """Columns of a table. `rows`: the filter for the line's rows. `whole`: messages and payloads, in which only members
    and known values are erased. `free`: texts that people or partners wrote."""

    model: str
    rows: str
    whole: tuple[str, ...] = ()
    free: tuple[str, ...] = ()


TEXTS = (
    Texts("orders.Order", "pk__in", whole=("content",)),
    Texts("orders.InboundMessage", BY_NUMBER, whole=("body",), free=("hint", "rsp_desc")),
    Texts("orders.Dispatch", BY_ORDER, whole=("payload",), free=("error", "error_params")),
    Texts("orders.Attempt", "dispatch__order__in", free=("answer", "error")),
    Texts("orders.AskedAct", BY_ORDER, free=("reason", "told", "arguments")),
    Texts("orders.AffectedOrder", BY_ORDER, free=("detail", "detail_params", "reason")),
    Texts("orders.Difference", BY_ORDER, free=("reason", "detail")),
    Texts("notifications.Mail", BY_ORDER, free=("subject", "body", "about", "error", "error_params")),
    Texts("integrations.BpmCallback", BY_NUMBER, whole=("body", "record"), free=("why",)),
)
BESIDE = {
    "orders.Incident": ("words", "detail", "detail_params"),
    "orders.IncidentNote": ("text",),
    "orders.CustomerNote": ("text",),
    "orders.PartnerHold": ("detail",),
    "orders.Export": ("query", "reason"),
    "orders.SavedView": ("name", "query"),
    "orders.BulkRun": ("query", "words", "details", "reason"),
    "orders.ScheduledExport": ("name", "reason"),
    "notifications.Mail": ("subject", "body", "about"),
    "integrations.Breaker": ("last_error",),
}
"""Texts about other things than one line, in which only this line's known values are erased. Of the mails, these are
the mails to staff."""
UNIQUE = {"name", "words"}
VALUES_AT_ONCE = 20


def people_of(orders: list[Order]) -> People:
    """Reads the people's values from the orders' columns, messages, payloads, callbacks and approval records."""
    values = {getattr(row, name).strip() for row in orders for name in PERSON}
    for texts in TEXTS:
        for row in _rows(texts, orders) if texts.whole else ():
            for name in texts.whole:
                values.update(personal_values(getattr(row, name)))
    for operator, opinion in ApprovalRecord.objects.filter(order__in=orders).values_list("operator", "opinion"):
        values |= {operator.strip(), opinion.strip() if len(opinion.strip()) >= SHORTEST_OPINION else ""}
    return People(values, {*_codes(), *(row.number for row in orders)})


def _codes() -> Iterator[str]:
    """Yields the words of our own that rows hold, such as states and steps."""
    for model in apps.get_models():
        for column in model._meta.fields:
            yield from (str(value) for value, _label in column.flatchoices)


def erase_texts(orders: list[Order], people: People) -> Counter:
    """Erases the line's texts, except those in append-only tables. Returns the number of changed rows by table."""
    changed: Counter = Counter()
    for texts in TEXTS:
        for row in _rows(texts, orders):
            new = {name: people.erase(getattr(row, name), free=False) for name in texts.whole}
            _save(row, new | {name: people.erase(getattr(row, name)) for name in texts.free}, changed)
    for label, names in BESIDE.items():
        for row in _with_values(apps.get_model(label), names, people):
            _save(row, {name: people.erase(getattr(row, name), free=False) for name in names}, changed)
    changed["order"] = Order.objects.filter(pk__in=[row.pk for row in orders]).update(**dict.fromkeys(PERSON, ""))
    OrderText.objects.filter(order__in=orders).update(phone="")
    # The bytes of answers serve steps that are not finished.
    changed["answer"] = KeptAnswer.objects.filter(attempt__dispatch__order__in=orders).delete()[0]
    return +changed


def append_only_texts(order: Order, people: People) -> dict[str, dict[int, dict]]:
    """Returns the new texts of an order's events, and of the commands in the trail that name the order, as `Erasure`
    holds them."""
    events = OrderEvent.objects.filter(order=order)
    commands = TrailEntry.objects.filter(code=TrailEntry.Code.COMMAND)
    commands = commands.filter(Q(data__words__icontains=order.number) | Q(about="erase"))
    return {"events": _changed(events, people), "trail": _changed(commands, people)}


def _changed(rows: QuerySet, people: People) -> dict[int, dict]:
    found = {pk: (data, people.erase(data)) for pk, data in rows.values_list("pk", "data")}
    return {pk: new for pk, (old, new) in found.items() if new != old}


def _rows(texts: Texts, orders: list[Order]) -> Iterator[Model]:
    """Yields the rows one by one, since a message can have 2 MB."""
    wanted = [row.number if texts.rows == BY_NUMBER else row.pk for row in orders]
    rows = apps.get_model(texts.model)._default_manager.filter(**{texts.rows: wanted}).order_by("pk")
    for pk in list(rows.values_list("pk", flat=True)):
        yield rows.only(*texts.whole, *texts.free).get(pk=pk)


def _with_values(model: type[Model], names: tuple[str, ...], people: People) -> Iterator[Model]:
    rows = model._default_manager.order_by("pk")
    rows = rows.filter(order=None) if model._meta.model_name == "mail" else rows
    for start in range(0, len(people.values), VALUES_AT_ONCE):
        forms = chain.from_iterable(map(forms_of, people.values[start : start + VALUES_AT_ONCE]))
        wanted = [(f"{name}__icontains", form) for form in forms for name in names]
        yield from rows.filter(Q(*wanted, _connector=Q.OR))


def _save(row: Model, new: dict[str, object], changed: Counter) -> None:
    for name, value in new.items():
        longest = row._meta.get_field(name).max_length
        new[name] = value[:longest] if longest and isinstance(value, str) else value
        if name in UNIQUE and isinstance(value, str) and value != getattr(row, name):
            new[name] = f"{HIDDEN} {row.pk}"
    new = {name: value for name, value in new.items() if value != getattr(row, name)}
    if new:
        type(row)._default_manager.filter(pk=row.pk).update(**new)
        changed[type(row)._meta.model_name] += 1

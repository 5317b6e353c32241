"""Reads a list's filter from text: the query string of its URL, or the argument of `export --query`.

Filters have short names, as in `state=held` and `attribution=BJ`. The names in URLs (`state__exact`) work too.
"""

import copy
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from django.contrib.admin.filters import (
    BooleanFieldListFilter,
    ChoicesFieldListFilter,
    RelatedFieldListFilter,
    SimpleListFilter,
)
from django.contrib.admin.options import ModelAdmin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ValidationError
from django.db.models import BooleanField, Model
from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext

from orders.lists.filter_kinds import DayFilter, IncorrectLookupParameters
from orders.texts.errors import ExportError

MAX_PAIRS = 50
MAX_NAMED = 40  # values listed in an error
LONGEST_NAMED = 80
ALL_VAR, ORDER_VAR, PAGE_VAR, SEARCH_VAR = "all", "o", "p", "q"  # Django's URL parameters of a change list
COLUMNS, VIEW = "columns", "view"  # the shown columns and the saved view: not parts of the filter
NOT_OF_THE_FILTER = (PAGE_VAR, "e", ALL_VAR, "_popup", "_to_field", "_facets", "_changelist_filters", VIEW)
"""The parameters of a list's URL other than filter, search, order and columns."""
PAGE, NUMBER, NOTHING = "page", "number", "nothing"  # what a list reads from the database
ALWAYS = (SEARCH_VAR, ORDER_VAR)
DAYS = ["YYYY-MM-DD", "YYYY-MM-DD..YYYY-MM-DD (the first day first; one of them may be missing)"]
REFUSED = (IncorrectLookupParameters, ValidationError)


@dataclass(frozen=True)
class Condition:
    """A condition of the filter. `given`: the filter's name as entered. `name`: its name in the URL."""

    given: str
    name: str
    value: str


def read_query(model_admin: ModelAdmin, query: str) -> list[Condition]:
    """Returns the filter with names as in URLs. Raises ExportError with the name of an unknown filter."""
    own = dict(_own_names(model_admin))
    accepted = {*own.values(), *ALWAYS, *_linked_by(model_admin)}
    found = []
    for given, value in _pairs(query):
        if given in (COLUMNS, VIEW):
            continue
        name = own.get(given, given)
        if name not in accepted and not any(name.startswith(f"{path}__") for path in own):
            raise ExportError("export_filter_unknown", name=shortened(given), names=", ".join([*own, *ALWAYS]))
        found.append(Condition(given, name, value))
    return found


def columns_in(query: str) -> list[str]:
    return names_in(",".join(value for name, value in _pairs(query) if name == COLUMNS))


def names_in(text: str) -> list[str]:
    return list(dict.fromkeys(name for part in text.split(",") if (name := part.strip())))


def address_query(conditions: Sequence[Condition]) -> str:
    return urlencode([(one.name, one.value) for one in conditions])


def changelist_for(model_admin: ModelAdmin, conditions: Sequence[Condition], user, *, reads: str = PAGE) -> ChangeList:
    """Returns the filtered list, as the user sees it. Raises ExportError with the invalid value."""
    try:
        found = _build(model_admin, conditions, user, reads)
    except REFUSED as error:
        wrong = _culprit(model_admin, conditions, user, reads)
        raise _no_such_value(_build(model_admin, [], user, reads), wrong) from error
    for one in conditions:
        if one.name not in {*ALWAYS, *_linked_by(model_admin)}:
            _check_value(found, one)
    return found


def unread_list(model_admin: ModelAdmin, conditions: Sequence[Condition], user) -> ChangeList:
    """Returns the filtered list, without actions and without reading or counting rows. Callers use its `queryset`.

    Raises ExportError as `changelist_for` does. Evaluating `queryset` raises one of NONSENSE if the database refuses a
    value.
    """
    unread = copy.copy(model_admin)
    unread.actions = None
    return changelist_for(unread, conditions, user, reads=NOTHING)


def whole_list(model_admin: ModelAdmin, conditions: Sequence[Condition], user) -> ChangeList:
    """Returns the list for an export, without reading rows. Sorting leaves out no rows. Raises ExportError."""
    return changelist_for(model_admin, conditions, user, reads=NUMBER)


def reads_of(request: HttpRequest) -> str:
    """Returns PAGE if the list reads a page of rows for this request, NUMBER if it only counts them, or NOTHING."""
    return getattr(request, "list_reads", PAGE)


class ReferenceRows(dict[type[Model], dict]):
    """Caches the rows of small reference tables by key. A table is read once, on first access."""

    def __missing__(self, model: type[Model]) -> dict:
        return self.setdefault(model, {str(key): row for key, row in model._default_manager.in_bulk().items()})


def query_words(model_admin: ModelAdmin, query: str, rows: ReferenceRows | None = None) -> list[tuple[str, str]]:
    """Returns (title, value) for each filter in the query, as the list shows them. Order and columns are left out.

    Unknown values and unreadable queries are returned unchanged. `rows`: a cache shared by the filters of a page.
    """
    named = zip(_own_names(model_admin), model_admin.list_filter, strict=True)
    entries = {name: entry for names, entry in named for name in names}
    rows, found = ReferenceRows() if rows is None else rows, {}
    for name, value in parse_qsl(query.removeprefix("?")):
        if name not in (COLUMNS, VIEW, ORDER_VAR):
            title, words = _part_words(model_admin, entries, name, value, rows)
            found.setdefault(title, []).append(words)
    return [(title, gettext(", ").join(values)) for title, values in found.items()]


def in_a_line(pairs: Iterable[tuple[str, str]]) -> str:
    return gettext("; ").join(f"{title}{gettext(': ')}{value}" for title, value in pairs)


def _part_words(model_admin: ModelAdmin, entries: dict, name: str, value: str, rows: ReferenceRows) -> tuple[str, str]:
    if name == SEARCH_VAR:
        return gettext("search"), value
    path, _to, lookup = name.rpartition("__")
    if name not in entries and lookup == "isnull" and path in entries:
        return _title(model_admin, entries[path]), gettext("none") if value in ("True", "1") else gettext("filled in")
    if name not in entries:
        return gettext("belongs to"), value
    return _title(model_admin, entries[name]), _choices_of(model_admin, entries[name], value, rows).get(value, value)


def _choices_of(model_admin: ModelAdmin, entry, value: str, rows: ReferenceRows) -> dict:
    """Returns the choices of a filter as {value: label}.

    Labels of related rows come from `rows`. A filter with `word_of` returns only the label of `value`, since its
    choices may depend on the user.
    """
    if is_simple(entry):
        if word_of := getattr(entry, "word_of", None):
            return {value: str(word_of(value))}
        shown = entry(HttpRequest(), {entry.parameter_name: [value]}, model_admin.model, model_admin).lookup_choices
        return {str(value): str(label) for value, label in shown}
    path, name_of = (entry, str) if isinstance(entry, str) else (entry[0], getattr(entry[1], "name_of", str))
    field = model_admin.opts.get_field(path)
    if field.remote_field:
        return {key: name_of(row) for key, row in rows[field.related_model].items()}
    if isinstance(field, BooleanField):
        return {"0": gettext("No"), "1": gettext("Yes")}
    return {str(value): str(label) for value, label in field.flatchoices or ()}


def _title(model_admin: ModelAdmin, entry) -> str:
    return str(entry.title if is_simple(entry) else model_admin.opts.get_field(said_as(entry)).verbose_name)


def _pairs(query: str) -> list[tuple[str, str]]:
    query = query.removeprefix("?")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, max_num_fields=MAX_PAIRS)
    except ValueError as error:
        if not query:
            return []
        raise ExportError("export_query", query=shortened(query)) from error
    for name, value in pairs:
        if "\0" in name + value:
            raise ExportError("export_value_unknown", name=shortened(name.replace("\0", "")), value="NUL", values="-")
    return pairs


def _own_names(model_admin: ModelAdmin) -> Iterator[tuple[str, str]]:
    for entry in model_admin.list_filter:
        said = said_as(entry)
        if not is_simple(entry):
            field = model_admin.opts.get_field(said)
            yield said, f"{said}__{field.target_field.name}__exact" if field.remote_field else f"{said}__exact"
        else:
            yield said, said


def said_as(entry) -> str:
    """Returns the short name of a filter. For a filter by a field, this is the field's path."""
    return entry.parameter_name if is_simple(entry) else entry if isinstance(entry, str) else entry[0]


def is_simple(entry) -> bool:
    return isinstance(entry, type) and issubclass(entry, SimpleListFilter)


def _linked_by(model_admin: ModelAdmin) -> Sequence[str]:
    return getattr(model_admin, "linked_by", ())


def _build(model_admin: ModelAdmin, conditions: Sequence[Condition], user, reads: str) -> ChangeList:
    request = HttpRequest()
    request.method, request.user, request.GET = "GET", user, QueryDict(mutable=True)
    request.list_reads = reads
    for one in conditions:
        request.GET.appendlist(one.name, one.value)
    return model_admin.get_changelist_instance(request)


def _culprit(model_admin: ModelAdmin, conditions: Sequence[Condition], user, reads: str) -> Condition:
    """Tries each condition separately, and returns the first that the list refuses. If the list accepts each of them,
    returns the last."""
    for one in conditions:
        try:
            _build(model_admin, [one], user, reads)
        except REFUSED:
            break
    return one


def _check_value(found: ChangeList, one: Condition) -> None:
    """Raises ExportError if the value is not one of the filter's choices. Otherwise Django would show an empty list or
    ignore the filter, and the export would be wrong."""
    spec = _spec_of(found, one)
    values = _values_of(spec, one.name) if spec else []
    if values is not None and one.value not in values:
        raise _no_such_value(found, one)


def unoffered(found: ChangeList) -> list[str]:
    """Returns the titles of filters with a value that is not offered to this user. No row that the user may see has
    this value."""
    given = (Condition(name, name, value) for name, values in found.get_filters_params().items() for value in values)
    specs = ((_spec_of(found, one), one) for one in given)
    values = ((spec, _values_of(spec, one.name), one.value) for spec, one in specs if spec)
    return [str(spec.title) for spec, offered, value in values if offered is not None and value not in offered]


def _no_such_value(found: ChangeList, one: Condition) -> ExportError:
    spec = _spec_of(found, one)
    values = (_values_of(spec, one.name) if spec else None) or []
    days = DAYS if isinstance(spec, DayFilter) else []
    words = named_values([*(value for value in values if value != one.value), *days])
    return ExportError("export_value_unknown", name=shortened(one.given), value=shortened(one.value), values=words)


def _spec_of(found: ChangeList, one: Condition):
    return next((spec for spec in found.filter_specs if one.name in spec.expected_parameters()), None)


def _values_of(spec, full: str) -> list[str] | None:
    """Returns the values that a filter offers, or None if the filter itself validates its value."""
    if full.endswith("__isnull"):
        return ["True", "False", "1", "0"]
    if isinstance(spec, SimpleListFilter | RelatedFieldListFilter):
        return [str(value) for value, _label in spec.lookup_choices]
    if isinstance(spec, ChoicesFieldListFilter):
        return [str(value) for value, _label in spec.field.flatchoices]
    return ["0", "1"] if isinstance(spec, BooleanFieldListFilter) else None


def named_values(values: list[str]) -> str:
    """Returns the values of a filter as text for an error."""
    more = len(values) - MAX_NAMED
    return ", ".join(values[:MAX_NAMED]) + (f" (+{more})" if more > 0 else "") or "-"


def shortened(text: str) -> str:
    return text if len(text) <= LONGEST_NAMED else text[:LONGEST_NAMED] + "…"

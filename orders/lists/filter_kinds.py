"""Base classes of list filters. Their values are words and days. So links can be shared."""

import contextlib
import copy
import datetime
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar

from django import forms
from django.contrib.admin import SimpleListFilter
from django.contrib.admin.filters import RelatedFieldListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import DateTimeField, QuerySet
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from orders.db.indexes import leads_an_index
from orders.lists.scope import attributions_of
from orders.models import Province
from orders.rules.local_time import midnight

DAY = datetime.timedelta(days=1)
TO = ".."  # separates the first and the last day of a range; one day may be missing
FIRST, LAST = datetime.date(2000, 1, 1), datetime.date(2999, 12, 31)
LONGEST_SHOWN = 40
BY_ID = ((), ("-pk",))
Days = tuple[datetime.date | None, datetime.date | None]  # first and last day; None: no bound


def _around(first: int, last: int) -> Callable[[datetime.date], Days]:
    """Returns a function that computes the days from today + `first` to today + `last`."""
    return lambda today: (today + first * DAY, today + last * DAY)


def _month(today: datetime.date) -> Days:
    first = today.replace(day=1)
    return first, (first + 31 * DAY).replace(day=1) - DAY


PAST = {
    "today": (_("Today"), _around(0, 0)),
    "yesterday": (_("Yesterday"), _around(-1, -1)),
    "7d": (_("Last 7 days"), _around(-6, 0)),
    "14d": (_("Last 14 days"), _around(-13, 0)),
    "30d": (_("Last 30 days"), _around(-29, 0)),
    "month": (_("This month"), _month),
    "last_month": (_("Last month"), lambda today: _month(today.replace(day=1) - DAY)),
}
AHEAD = {
    "today": (_("Today"), _around(0, 0)),
    "tomorrow": (_("Tomorrow"), _around(1, 1)),
    "week": (_("This week, until Sunday"), lambda today: (today, today + (6 - today.weekday()) * DAY)),
    "7d": (_("Next 7 days"), _around(0, 6)),
    "14d": (_("Next 14 days"), _around(0, 13)),
}


_as_of: ContextVar[datetime.date | None] = ContextVar("days count from", default=None)


@contextlib.contextmanager
def days_as_of(moment: datetime.datetime) -> Iterator[None]:
    """Context manager. Within it, `today`, `this month` and the like are computed from the day of `moment`."""
    token = _as_of.set(timezone.localdate(moment))
    try:
        yield
    finally:
        _as_of.reset(token)


def today() -> datetime.date:
    """Returns the day from which relative ranges are computed: the day set by `days_as_of`, or the current day."""
    return _as_of.get() or timezone.localdate()


class WrongDaysError(IncorrectLookupParameters):
    """The value of a DayFilter is not a range of days. `parameter`: the filter's name in the URL. `words`: the
    message."""

    def __init__(self, parameter: str, words: str):
        super().__init__(words)
        self.parameter, self.words = parameter, words


class DayFilter(SimpleListFilter):
    """Filters `field` by a range of days: a key of `words`, a day such as `2026-11-25`, or two days.

    `2026-11-01..2026-11-25` includes both days. `2026-11-01..` and `..2026-11-25` are open ranges. The filter's form
    has two inputs with the same name. `DeskAdmin` (orders/lists/model_admin.py) joins their values in the URL.
    """

    template = "admin/day_filter.html"
    field = ""
    words = PAST

    def lookups(self, request, model_admin):
        given = self.value()
        shown = [(word, entry[0]) for word, entry in self.words.items()]
        return shown if given is None or given in self.words else [*shown, (given, self._in_words(given))]

    def queryset(self, request, queryset):
        """If the field is a DateTimeField with an index, sorts rows by that field. If the rows were sorted by id,
        PostgreSQL would scan from the newest row to find old rows."""
        if self.value() is None:
            return queryset
        rows = queryset.filter(**self.bounds(queryset.model))
        by_moment = self._is_moment(rows.model) and leads_an_index(rows.model._meta.db_table, self.field)
        return rows.order_by(f"-{self.field}", "-pk") if by_moment and rows.query.order_by in BY_ID else rows

    def choices(self, changelist):
        """Returns the choices, and sets `kept`: the URL's other parameters. The form with the two days submits them
        again."""
        kept = changelist.filter_params.items()
        self.kept = [(name, value) for name, values in kept if name != self.parameter_name for value in values]
        return super().choices(changelist)

    def bounds(self, model) -> dict:
        """Returns the lookups for the range. The last day is included."""
        first, last = self.days()
        if self._is_moment(model):
            found = {"gte": first and midnight(first), "lt": last and midnight(last + DAY)}
        else:
            found = {"gte": first, "lte": last}
        return {f"{self.field}__{lookup}": bound for lookup, bound in found.items() if bound is not None}

    def days(self) -> Days:
        value = self.value()
        if value in self.words:
            return self.words[value][1](today())
        try:
            first, last = _read_range(value)
        except (ValueError, OverflowError) as error:
            raise WrongDaysError(self.parameter_name, self._not_days(value)) from error
        if first and last and first > last:
            words = _("%(filter)s: %(first)s comes after %(last)s, so no day lies between them.")
            raise WrongDaysError(self.parameter_name, words % {"filter": self._title, "first": first, "last": last})
        return first, last

    def _is_moment(self, model) -> bool:
        return isinstance(model._meta.get_field(self.field), DateTimeField)

    @staticmethod
    def joined(values: Sequence[str]) -> str:
        """Joins the values of the two inputs. Equal values mean one day. Two empty values mean no filter."""
        return values[0] if len(set(values)) == 1 else TO.join(values)

    @property
    def given(self) -> dict[str, str]:
        """Returns the initial values of the form's two inputs: the range, or empty strings for other values."""
        try:
            first, last = self.days() if self.value() else (None, None)
        except WrongDaysError:
            first, last = None, None
        return {"first": first.isoformat() if first else "", "last": last.isoformat() if last else ""}

    @property
    def _title(self) -> str:
        return str(capfirst(self.title))

    def _not_days(self, value: str) -> str:
        shown = value.replace("\0", "")
        shown = shown if len(shown) <= LONGEST_SHOWN else shown[:LONGEST_SHOWN] + "…"
        words = _(
            "%(filter)s: “%(value)s” is no range of days. Right are 2026-11-25, 2026-11-01..2026-11-25, "
            "2026-11-01.. and ..2026-11-25."
        )
        return words % {"filter": self._title, "value": shown}

    @staticmethod
    def _in_words(value: str) -> str:
        first, to, last = value.partition(TO)
        if not to:
            return value
        if first and last:
            return f"{first} – {last}"
        return (_("From %(day)s") if first else _("Until %(day)s")) % {"day": first or last}


def _read_range(value: str) -> Days:
    """Returns the range. Raises ValueError, or OverflowError for the first and last possible day, which UTC can't
    represent."""
    if TO not in value:
        value = f"{value}{TO}{value}"
    first, _to, last = value.partition(TO)
    days = [datetime.date.fromisoformat(text) if text else None for text in (first, last)]
    if days == [None, None]:
        raise ValueError("an empty range")
    for day in filter(None, days):
        for bound in (day, day + DAY):
            midnight(bound).astimezone(datetime.UTC)  # the value that the database compares
    return days[0], days[1]


class DayField(forms.DateField):
    def __init__(self, label):
        widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
        errors = {"invalid": _("This is no day. Right is 2026-11-25.")}
        super().__init__(label=label, widget=widget, error_messages=errors, required=False)

    def clean(self, value):
        day = super().clean(value)
        if day and not FIRST <= day <= LAST:
            raise forms.ValidationError(self.error_messages["invalid"])
        return day


class DaysForm(forms.Form):
    """The first and the last day of a history, both included, from the URL. Either may be missing."""

    since = DayField(_("First day"))
    until = DayField(_("Last day"))

    def clean(self):
        given = super().clean()
        first, last = given.get("since"), given.get("until")
        if first and last and first > last:
            self.add_error("until", _("The last day comes before the first."))
        return given

    @property
    def bounds(self) -> dict[str, datetime.datetime | None]:
        """Returns `since` and `until` of the valid form. `until` is the first moment that is no longer included."""
        given = self.cleaned_data
        return {
            "since": given["since"] and midnight(given["since"]),
            "until": given["until"] and midnight(given["until"] + DAY),
        }

    def within(self, rows: QuerySet) -> QuerySet:
        """Filters rows by their field `at`. Returns none if the form is not valid."""
        if not self.is_valid():
            return rows.none()
        lookups = {"since": "at__gte", "until": "at__lt"}
        return rows.filter(**{lookups[name]: at for name, at in self.bounds.items() if at})


def day_filter(name: str, label, *, parameter: str = "", choices: dict = PAST) -> type[DayFilter]:
    """Returns a DayFilter for the field `name`. Its URL parameter is `parameter`, by default the field's name."""

    class FieldFilter(DayFilter):
        field, title, parameter_name, words = name, label, parameter or name, choices

    return FieldFilter


class OwnAttributions(RelatedFieldListFilter):
    name_of = staticmethod(str)

    def field_choices(self, field, request, model_admin):
        letters = attributions_of(request.user)
        choices = super().field_choices(field, request, model_admin)
        return choices if letters is None else [choice for choice in choices if choice[0] in letters]


def names_of(letters: Iterable[str]) -> str:
    rows = Province.objects.filter(letters__in=letters).order_by("letters")
    return ", ".join(rows.values_list("name", flat=True))


class PlacesFilter(SimpleListFilter):
    """Keeps the rows that a user limited to these attributions (such as `BJ,GD`) may see. Only saved views of limited
    users have this filter."""

    title, parameter_name = _("attribution"), "attribution"

    def __init__(self, request, params, model, model_admin):
        self.model_admin = model_admin
        super().__init__(request, params, model, model_admin)

    def lookups(self, request, model_admin):
        if not self.value():
            return []
        letters = attributions_of(request.user)
        names = names_of(self.letters if letters is None else letters.intersection(self.letters))
        return [(self.value(), names)] if names else [("", "-")]  # explains why the list is empty

    @staticmethod
    def word_of(value: str) -> str:
        return names_of(value.split(",")) or value

    def queryset(self, request, queryset):
        if not self.value():
            return queryset
        maker, as_maker = copy.copy(request.user), copy.copy(request)
        maker.desk_attributions, as_maker.user = frozenset(self.letters), maker
        return queryset.filter(pk__in=self.model_admin.get_queryset(as_maker).order_by().values("pk"))

    @property
    def letters(self) -> list[str]:
        return self.value().split(",")


class WordFilter(SimpleListFilter):
    """Filters by one of several conditions: {value: (label, Q or a function that returns a Q)}."""

    conditions: dict = {}

    def lookups(self, request, model_admin):
        return [(word, label) for word, (label, _condition) in self.conditions.items()]

    def queryset(self, request, queryset):
        value = self.value()
        if value is None:
            return queryset
        if value not in self.conditions:
            raise IncorrectLookupParameters(value)
        condition = self.conditions[value][1]
        return queryset.filter(condition() if callable(condition) else condition)


def word_filter(parameter: str, label, words: dict) -> type[WordFilter]:
    class ConditionFilter(WordFilter):
        title, parameter_name, conditions = label, parameter, words

    return ConditionFilter

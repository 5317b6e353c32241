"""Filters of the desk's lists. Their values are words and days, so that a link shows a colleague the same rows."""

import datetime

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.filters import RelatedFieldListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import DateTimeField
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from orders.admin.scope import attributions_of
from orders.admin.service_names import service_name
from orders.local_time import midnight
from orders.models import ServiceType

DAY = datetime.timedelta(days=1)
PAST = {"today": (_("Today"), 0, 0), "yesterday": (_("Yesterday"), -1, -1), "7d": (_("Last 7 days"), -6, 0),
        "14d": (_("Last 14 days"), -13, 0), "30d": (_("Last 30 days"), -29, 0)}  # fmt: skip
AHEAD = {"today": (_("Today"), 0, 0), "tomorrow": (_("Tomorrow"), 1, 1), "7d": (_("Next 7 days"), 0, 6),
         "14d": (_("Next 14 days"), 0, 13)}  # fmt: skip


class DayFilter(SimpleListFilter):
    """Filters `field` by a range of days: a word in `words`, or a single day such as `2026-11-25`."""

    field = ""
    words = PAST

    def lookups(self, request, model_admin):
        given = self.value()
        shown = [(word, entry[0]) for word, entry in self.words.items()]
        return shown if given is None or given in self.words else [*shown, (given, given)]

    def queryset(self, request, queryset):
        return queryset if self.value() is None else queryset.filter(**self.bounds(queryset.model))

    def bounds(self, model) -> dict:
        """The lookups for the range. The last day is included."""
        first, last = self.days()
        if isinstance(model._meta.get_field(self.field), DateTimeField):
            return {f"{self.field}__gte": midnight(first), f"{self.field}__lt": midnight(last + DAY)}
        return {f"{self.field}__gte": first, f"{self.field}__lte": last}

    def days(self) -> tuple[datetime.date, datetime.date]:
        """First and last day. Raises IncorrectLookupParameters."""
        value, today = self.value(), timezone.localdate()
        if value in self.words:
            _word, first, last = self.words[value]
            return today + first * DAY, today + last * DAY
        try:
            day = datetime.date.fromisoformat(value)
            midnight(day + DAY)  # the last possible day has no next day
        except (ValueError, OverflowError) as error:
            raise IncorrectLookupParameters(error) from error
        return day, day


def day_filter(name: str, label, *, parameter: str = "", choices: dict = PAST) -> type[DayFilter]:
    """Makes a DayFilter for the field `name`. In the address it is called `parameter`, or else like the field."""
    facts = {"field": name, "title": label, "parameter_name": parameter or name, "words": choices}
    return type(f"{name.title()}Filter", (DayFilter,), facts)


class OwnAttributions(RelatedFieldListFilter):
    """Offers only the attributions that the user may see."""

    def field_choices(self, field, request, model_admin):
        letters = attributions_of(request.user)
        choices = super().field_choices(field, request, model_admin)
        return choices if letters is None else [choice for choice in choices if choice[0] in letters]


class ServicesInWords(RelatedFieldListFilter):
    """Offers the service types by the names that rows show, not by BPM's word."""

    def field_choices(self, field, request, model_admin):
        return [(service.pk, service_name(service)) for service in ServiceType.objects.order_by("pk")]


class CustomerFilter(SimpleListFilter):
    """Rows of a customer's orders, by the enterprise id. Only links on the customer's page set this filter."""

    title, parameter_name = _("customer"), "customer"
    path = "order__enterprise_id"

    def lookups(self, request, model_admin):
        return [(self.value(), self.value()[:40])] if self.value() else []

    def queryset(self, request, queryset):
        return queryset.filter(**{self.path: self.value()}) if self.value() else queryset


class WordFilter(SimpleListFilter):
    """Offers a few words, each of which stands for a condition.

    `conditions` maps a word to its label and a Q, or to its label and a function that returns a Q.
    """

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


def word_filter(parameter: str, label, conditions: dict) -> type[WordFilter]:
    """Makes a WordFilter."""
    facts = {"title": label, "parameter_name": parameter, "conditions": conditions}
    return type(f"{parameter.title()}Filter", (WordFilter,), facts)


def filters_in_words(changelist) -> list[tuple]:
    """What a list is filtered by: (title, value as it is shown) of the search and of each filter that is set."""
    search = [(_("Search"), changelist.query)] if changelist.query else []
    return [
        *search,
        *((spec.title, _chosen(spec, changelist)) for spec in changelist.filter_specs if _is_set(spec)),
    ]


def _is_set(spec) -> bool:
    return any(name in spec.used_parameters for name in spec.expected_parameters())


def _chosen(spec, changelist) -> str:
    """The display of the choice that is set."""
    choices = list(spec.choices(changelist))
    return next((str(choice["display"]) for choice in choices[1:] if choice["selected"]), "")

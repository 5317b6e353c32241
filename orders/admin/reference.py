"""Reference data that a site may correct (contract 3.1), the working-day calendar and the time limits.

Administrators maintain these data, which apply to the orders of all attributions.
"""

import datetime

from django import forms
from django.contrib import admin, messages
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.admin.journal_values import NotesValues
from orders.admin.names import NamesForm
from orders.limits.working_days import WEEKDAYS
from orders.lists.cells import column
from orders.lists.model_admin import DeskAdmin
from orders.lists.registration import Section, register_list
from orders.lists.scope import UnlimitedWrites
from orders.lists.service_names import service_name
from orders.models import BillingRecord, CalendarDay, Order, Province, ServiceType, TimeLimit

NAMED_ORDERS = 10
FOLLOWING = [
    gettext_lazy("%(n)s orders of %(name)s follow: calls to the big-data side that were not tried yet name %(code)s."),
    gettext_lazy("%(live)s of their records live there with %(before)s; the next comparison names them as different."),
    gettext_lazy("The newest of these orders: %(numbers)s"),
]

MAX_DAYS = 31
NO_DAY = gettext_lazy(
    "No day was entered yet: Mondays to Fridays are working days, Saturdays and Sundays are not. Enter the holidays and"
    " the weekend days that are worked."
)
NO_LIMIT = gettext_lazy("No limit in time: nothing is shown as late.")


class KeyStays:
    """Makes the primary key read-only on existing rows, since Django would save a row with a changed key as a second
    row."""

    def get_readonly_fields(self, request, obj=None):
        return [*super().get_readonly_fields(request, obj), *([self.opts.pk.name] if obj else [])]


@register_list(ServiceType, menu=(Section.SETUP, 30), same_for_all=True)
class ServiceTypeAdmin(NotesValues, KeyStays, UnlimitedWrites, DeskAdmin):
    list_display = ["code", "word", "cdn_type", "plains"]

    word = column(gettext_lazy("name"), service_name)


class ProvinceForm(NamesForm):
    """Asks for confirmation before it changes a code. `confirmed`: the change whose consequences the user has read."""

    confirmed = forms.CharField(required=False, label="", widget=forms.HiddenInput)

    def clean(self):
        found = super().clean()
        code, before = found.get("code"), self.initial.get("code")
        if not before or not code or code == before:
            return found
        change = f"{before}-{code}"
        if found.get("confirmed") != change:
            self.data = self.data.copy()
            self.data[self.add_prefix("confirmed")] = change
            raise forms.ValidationError(what_follows(self.instance, before, code))
        return found


def what_follows(province: Province, before: str, code: str) -> list[str]:
    orders = Order.objects.filter(attribution=province)
    live = BillingRecord.objects.filter(order__attribution=province, state=BillingRecord.State.LIVE)
    numbers = list(orders.order_by("-pk").values_list("number", flat=True)[:NAMED_ORDERS])
    sentences = [
        _("Nothing is changed yet. Read what follows from code %(code)s in place of %(before)s, then save again."),
        _("New trials of enterprises whose id begins with %(code)s belong to %(name)s; those with %(before)s do not."),
        *(FOLLOWING if numbers else [_("No order belongs to %(name)s yet.")]),
    ]
    about = {
        "before": before,
        "code": code,
        "name": province.name,
        "n": orders.count(),
        "live": live.count(),
        "numbers": _(", ").join(numbers),
    }
    return [sentence % about for sentence in sentences]


@register_list(Province, menu=(Section.SETUP, 20), same_for_all=True)
class ProvinceAdmin(NotesValues, KeyStays, UnlimitedWrites, DeskAdmin):
    form = ProvinceForm
    fields = ["letters", "code", "name", "confirmed"]
    list_display = ["letters", "code", "name"]
    search_fields = ["letters__exact", "code__exact", "name__exact"]
    search_help_text = gettext_lazy("the whole name, letters or code")

    def get_fields(self, request, obj=None):
        """Leaves out `confirmed` for users without the permission to change."""
        return self.fields if self.has_change_permission(request, obj) else [n for n in self.fields if n != "confirmed"]


class CalendarDayForm(NamesForm):
    """A calendar day. A new day may have `until`, the last day of a holiday. Then each day up to `until` is stored as a
    row."""

    until = forms.DateField(
        label=gettext_lazy("last day"),
        required=False,
        help_text=gettext_lazy("the last day of several, included; empty: one day"),
        widget=admin.widgets.AdminDateWidget,
    )

    def clean(self):
        found = super().clean()
        day, until = found.get("day"), found.get("until")
        if not day or not until:
            return found
        if not day <= until < day + datetime.timedelta(days=MAX_DAYS):
            self.add_error("until", _("The last day is not before the first, and at most 31 days are entered at once."))
        elif entered := CalendarDay.objects.filter(day__gt=day, day__lte=until).order_by("day").first():
            self.add_error("until", _("%(day)s is in the calendar already.") % {"day": entered})
        return found


@register_list(CalendarDay, menu=(Section.SETUP, 32), empty=NO_DAY, same_for_all=True)
class CalendarDayAdmin(NotesValues, KeyStays, UnlimitedWrites, DeskAdmin):
    form = CalendarDayForm
    fields = ["day", "until", "worked", "name"]
    list_display = ["day", "weekday", "worked", "name"]
    list_filter = ["worked"]
    search_fields = ["name__startswith"]
    search_help_text = gettext_lazy("how the occasion begins")

    weekday = column(gettext_lazy("weekday"), lambda row: WEEKDAYS[row.day.weekday()])

    def get_fields(self, request, obj=None):
        """Leaves out `until` for an existing day."""
        return self.fields if obj is None else [name for name in self.fields if name != "until"]

    def save_model(self, request, obj, form, change):
        super().save_model(request, obj, form, change)
        until = form.cleaned_data.get("until")
        if change or not until:
            return
        days = [obj.day + datetime.timedelta(days=ahead) for ahead in range(1, (until - obj.day).days + 1)]
        rows = [CalendarDay(day=day, worked=obj.worked, name=obj.name) for day in days]
        CalendarDay.objects.bulk_create(rows)
        for row in rows:
            self.log_addition(request, row, [{"added": {}}])
        if rows:
            messages.success(request, _("%(n)d days were entered.") % {"n": 1 + len(rows)})


class TimeLimitForm(forms.ModelForm):
    def clean(self):
        found = super().clean()
        if found.get("state") == TimeLimit.State.CONFLICT and found.get("kind"):
            self.add_error("kind", _("A conflict is of no kind. Leave this empty."))
        return found


@register_list(TimeLimit, menu=(Section.SETUP, 34), empty=NO_LIMIT, same_for_all=True)
class TimeLimitAdmin(NotesValues, UnlimitedWrites, DeskAdmin):
    form = TimeLimitForm
    fields = ["state", "kind", "attribution", "amount", "unit"]
    list_display = ["state", "kind_word", "attribution_word", "limit"]
    list_filter = ["state", "attribution"]
    list_select_related = ["attribution"]

    kind_word = column(gettext_lazy("kind"), lambda row: Order.Kind(row.kind).label if row.kind else _("all kinds"))
    attribution_word = column(gettext_lazy("attribution"), lambda row: row.attribution or _("all attributions"))
    limit = column(gettext_lazy("time limit"), lambda row: f"{row.amount} {row.get_unit_display()}")

    def formfield_for_choice_field(self, db_field, request, **kwargs):
        if db_field.name == "kind":
            kwargs["choices"] = db_field.get_choices(blank_choice=[("", _("all kinds"))])
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    def formfield_for_foreignkey(self, db_field, request, **kwargs):
        return super().formfield_for_foreignkey(db_field, request, empty_label=_("all attributions"), **kwargs)

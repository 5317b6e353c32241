"""The working-day calendar, which administrators keep. It concerns the orders of all attributions."""

import datetime

from django import forms
from django.contrib import admin, messages
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.admin.journal_values import NotesValues
from orders.admin.names import NamesForm
from orders.lists.cells import column
from orders.lists.registration import Section, register_list
from orders.lists.scope import UnlimitedWrites
from orders.models import CalendarDay

MAX_DAYS = 31
EMPTY = gettext_lazy(
    "No day was entered yet: Mondays to Fridays are working days, Saturdays and Sundays are not. Enter the holidays and"
    " the weekend days that are worked."
)
WEEKDAYS = [
    gettext_lazy("Monday"),
    gettext_lazy("Tuesday"),
    gettext_lazy("Wednesday"),
    gettext_lazy("Thursday"),
    gettext_lazy("Friday"),
    gettext_lazy("Saturday"),
    gettext_lazy("Sunday"),
]


class CalendarDayForm(NamesForm):
    """A day. For a new one also `until`, the last day of a holiday: each day of it becomes a row."""

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


@register_list(CalendarDay, menu=(Section.SETUP, 32), empty=EMPTY, same_for_all=True)
class CalendarDayAdmin(NotesValues, UnlimitedWrites, admin.ModelAdmin):
    form = CalendarDayForm
    fields = ["day", "until", "worked", "name"]
    list_display = ["day", "weekday", "worked", "name"]
    list_filter = ["worked"]
    search_fields = ["name__startswith"]
    search_help_text = gettext_lazy("how the occasion begins")

    weekday = column(gettext_lazy("weekday"), lambda row: WEEKDAYS[row.day.weekday()])

    def get_fields(self, request, obj=None):
        """A day that is there has no last day."""
        return self.fields if obj is None else [name for name in self.fields if name != "until"]

    def get_readonly_fields(self, request, obj=None):
        """A key can't be changed: Django would save a second row beside the first."""
        return ["day"] if obj else []

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

"""The limits in time, which administrators keep. They concern the orders of all attributions."""

from django import forms
from django.contrib import admin
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.admin.journal_values import NotesValues
from orders.lists.cells import column
from orders.lists.registration import Section, register_list
from orders.lists.scope import UnlimitedWrites
from orders.models import Order, TimeLimit

EMPTY = gettext_lazy("No limit in time: nothing is shown as late.")


class TimeLimitForm(forms.ModelForm):
    def clean(self):
        found = super().clean()
        if found.get("state") == TimeLimit.State.CONFLICT and found.get("kind"):
            self.add_error("kind", _("A conflict is of no kind. Leave this empty."))
        return found


@register_list(TimeLimit, menu=(Section.SETUP, 34), empty=EMPTY, same_for_all=True)
class TimeLimitAdmin(NotesValues, UnlimitedWrites, admin.ModelAdmin):
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

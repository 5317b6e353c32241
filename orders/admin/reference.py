"""Reference data that a site may correct (contract 3.1). It concerns the orders of all attributions."""

from django import forms
from django.contrib import admin
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.admin.journal_values import NotesValues
from orders.admin.names import NamesForm
from orders.admin.service_names import service_name
from orders.lists.cells import column
from orders.lists.registration import Section, register_list
from orders.lists.scope import UnlimitedWrites
from orders.models import BillingRecord, Order, Province, ServiceType

NAMED_ORDERS = 10
FOLLOWING = [
    gettext_lazy("%(n)s orders of %(name)s follow: calls to the big-data side that were not tried yet name %(code)s."),
    gettext_lazy("%(live)s of their records live there with %(before)s; the next comparison names them as different."),
    gettext_lazy("The newest of these orders: %(numbers)s"),
]


class KeyStays:
    """A key can't be changed: Django would save a second row beside the first."""

    def get_readonly_fields(self, request, obj=None):
        return [*super().get_readonly_fields(request, obj), *([self.opts.pk.name] if obj else [])]


@register_list(ServiceType, menu=(Section.SETUP, 30), same_for_all=True)
class ServiceTypeAdmin(NotesValues, KeyStays, UnlimitedWrites, admin.ModelAdmin):
    list_display = ["code", "word", "cdn_type", "plains"]

    word = column(gettext_lazy("name"), service_name)


class ProvinceForm(NamesForm):
    """Asks before it changes a code. `confirmed` is the change that the person has been told about."""

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
class ProvinceAdmin(NotesValues, KeyStays, UnlimitedWrites, admin.ModelAdmin):
    form = ProvinceForm
    fields = ["letters", "code", "name", "confirmed"]
    list_display = ["letters", "code", "name"]
    search_fields = ["letters__exact", "code__exact", "name__exact"]
    search_help_text = gettext_lazy("the whole name, letters or code")

    def get_fields(self, request, obj=None):
        """Users who may only look have nothing to confirm."""
        return self.fields if self.has_change_permission(request, obj) else [n for n in self.fields if n != "confirmed"]

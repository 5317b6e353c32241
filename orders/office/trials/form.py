"""The form for a single trial. Its fields are a workbook's columns, and the rules are the same service's."""

from django import forms
from django.utils.translation import gettext as _

from orders.admin.service_names import service_name
from orders.models import ServiceType
from orders.office.trials.columns import (
    ATTRIBUTION,
    DOMAINS,
    SERVICE,
    Column,
    attributions,
    coded_choices,
    trial_columns,
)
from orders.office.trials.service import Report
from orders.office.trials.sheet import Entry


def services_in_words() -> list[tuple[str, str]]:
    return [(row.code, service_name(row)) for row in ServiceType.objects.order_by("code")]


class TrialForm(forms.Form):
    """`letters`: the attributions of a limited person. No field is required here, since the service says what is."""

    def __init__(self, *args, letters: frozenset[str] | None, **kwargs):
        super().__init__(*args, **kwargs)
        choices = _choices(letters)
        for member, column in trial_columns().items():
            field = _field(column, choices.get(member))
            field.widget.attrs["data-draft"] = ""
            shows_itself = isinstance(field, forms.ChoiceField | forms.DateField)
            field.label, field.help_text = column.title, "" if shows_itself else column.hint
            field.needed = column.required
            self.fields[member] = field

    def entry(self) -> Entry:
        texts = {
            member: f"{value:%Y%m%d}" if trial_columns()[member].is_day and value else value or ""
            for member, value in self.cleaned_data.items()
        }
        return Entry.of_texts(texts)

    def take_faults(self, report: Report) -> None:
        for fault in report.all_faults:
            self.add_error(fault.member if fault.member in self.fields else None, fault.what())


def _choices(letters: frozenset[str] | None) -> dict[str, list[tuple[str, str]]]:
    coded = {**coded_choices(), SERVICE: services_in_words()}
    in_words = {
        member: [("", "-"), *((code, f"{code} {name}") for code, name in known)] for member, known in coded.items()
    }
    return {**in_words, ATTRIBUTION: [("", _("by the enterprise id")), *attributions(letters)]}


def _field(column: Column, choices: list[tuple[str, str]] | None) -> forms.Field:
    if choices:
        only = choices[-1][0] if len(choices) == 2 and column.required else ""
        return forms.ChoiceField(choices=choices, required=False, initial=only)
    if column.is_day:
        return forms.DateField(widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"), required=False)
    widget = forms.Textarea(attrs={"rows": 5}) if column.member == DOMAINS else forms.TextInput
    return forms.CharField(widget=widget, required=False)

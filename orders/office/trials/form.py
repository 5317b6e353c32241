"""The form for a single trial, and the look-up that fills in a customer.

Its fields are the columns of a workbook, checked by the same service.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from django import forms
from django.forms.boundfield import BoundField
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.intake.customer_names import name_of
from orders.lists.scope import limit, visible_orders
from orders.lists.service_names import service_name
from orders.models import Customer, Order, ServiceType
from orders.office.trials.columns import (
    ATTRIBUTION,
    CUSTOMER,
    CUSTOMER_NAME,
    DOMAINS,
    METHOD,
    NUMBER,
    PRODUCT,
    SERVICE,
    Column,
    attributions,
    coded_choices,
    trial_columns,
)
from orders.office.trials.enter_trials import Report
from orders.office.trials.sheet import Entry
from orders.search.find import find_customers
from orders.search.list_search import limit_customers
from orders.search.page import why_not

MAX_CHOICES = 8
GROUPS: list[tuple[Promise, tuple[str, ...]]] = [
    (gettext_lazy("Customer"), (CUSTOMER_NAME, CUSTOMER, "CpID", "UserID", ATTRIBUTION)),
    (gettext_lazy("What is tried"), (NUMBER, SERVICE, PRODUCT, METHOD, DOMAINS)),
    (gettext_lazy("Volume, time and contact"), ()),
]
"""The form's groups, each with its members; the last has all others. The look-up fills in the first."""


def services_in_words() -> list[tuple[str, str]]:
    return [(row.code, service_name(row)) for row in ServiceType.objects.order_by("code")]


class TrialForm(forms.Form):
    """`letters`: the attributions of a limited user. No field is required here, since the service checks required
    fields."""

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

    @property
    def groups(self) -> list[tuple[Promise, list[BoundField]]]:
        named = {member for _title, members in GROUPS for member in members}
        rest = [member for member in self.fields if member not in named]
        return [(title, [self[member] for member in members or rest]) for title, members in GROUPS]

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


# --- look-up of a customer


@dataclass(frozen=True)
class LookedUp:
    """The result of a look-up. If there is one match, `facts` has its values for the form, {member: text}. Otherwise
    `choices` has (enterprise id, name) of each match, and `more` is True if there are further matches."""

    facts: dict[str, str] = field(default_factory=dict)
    choices: list[tuple[str, str]] = field(default_factory=list)
    more: bool = False


def look_up(user, typed: Mapping[str, str]) -> LookedUp:
    """Finds customers by the typed enterprise id or, without an id, by the typed name.

    The result for a customer that the user may not see is the same as for one that does not exist.
    """
    term = (typed.get(CUSTOMER, "") or typed.get(CUSTOMER_NAME, "")).strip()
    if why_not(term):
        return LookedUp()
    if facts := _facts_of(user, term):
        return LookedUp(facts)
    customers = limit_customers(Customer.objects.all(), user)
    found = find_customers(term, customers, MAX_CHOICES, visible_orders(user))
    if len(found.rows) == 1 and not found.more:
        return LookedUp(_facts_of(user, found.rows[0].pk))
    return LookedUp(choices=[(row.pk, row.shown_name) for row in found.rows], more=found.more)


def _facts_of(user, enterprise_id: str) -> dict[str, str]:
    """Returns a customer's values for the form, without personal data. The result is empty if the user may see no order
    of the customer."""
    orders = limit(Order.objects.filter(enterprise_id=enterprise_id), user, "attribution")
    newest = orders.order_by("-pk").only("cp_id", "user_id", "attribution_id").first()
    if newest is None:
        return {}
    return {
        CUSTOMER: enterprise_id,
        CUSTOMER_NAME: name_of(orders),
        "CpID": newest.cp_id,
        "UserID": newest.user_id,
        ATTRIBUTION: newest.attribution_id or "",
    }

"""Choose where an order belongs."""

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.errors import NotAllowedError
from orders.models import Province
from orders.order_page.decisions.base import Decision, ReasonForm
from orders.order_page.ladder.steps import Facts
from orders.services.holds import choose_attribution, why_not_attribute


def _places() -> list[tuple[str, str]]:
    return [("", "---------"), *((row.pk, str(row)) for row in Province.objects.all())]


class AttributionField(forms.ChoiceField):
    """The places where an order can belong, by their letters."""

    def __init__(self):
        super().__init__(label=gettext_lazy("attribution"), choices=_places)


class AttributionForm(ReasonForm):
    letters = AttributionField()
    field_order = ["letters", "reason"]


class Attribute(Decision):
    key = "attribute"
    place = 30
    label = gettext_lazy("Choose the attribution")
    permission = "orders.choose_attribution"
    done = gettext_lazy("The attribution is chosen; the order goes on.")
    form = AttributionForm

    def why_not(self, facts: Facts) -> NotAllowedError | None:
        return why_not_attribute(facts.order)

    def will(self, facts: Facts) -> list[str]:
        return [_("The order gets this attribution and goes on.")]

    def act(self, facts: Facts, *, by: str, reason: str, letters: str) -> None:
        choose_attribution(number=facts.order.number, letters=letters, by=by, reason=reason, now=facts.now)

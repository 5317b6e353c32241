"""Choose where an order belongs."""

from django import forms
from django.utils.translation import gettext_lazy as _

from orders.models import Province
from orders.order_page.decisions.base import Decision, ReasonForm
from orders.services.holds import choose_attribution, why_not_attribute


def _places() -> list[tuple[str, str]]:
    return [("", "---------"), *((row.pk, str(row)) for row in Province.objects.all())]


class AttributionField(forms.ChoiceField):
    def __init__(self):
        super().__init__(label=_("attribution"), choices=_places)


class AttributionForm(ReasonForm):
    letters = AttributionField()
    field_order = ["letters", "reason"]


class Attribute(Decision):
    key = "attribute"
    place = 30
    label = _("Choose the attribution")
    permission = "orders.choose_attribution"
    done = _("The attribution is chosen; the order goes on.")
    form = AttributionForm
    guard = staticmethod(why_not_attribute)
    service = staticmethod(choose_attribution)
    follows = _("The order gets this attribution and goes on.")

"""Choose where an order belongs, or put right where it and its family do."""

from django import forms
from django.utils.translation import gettext_lazy as _

from orders.models import Province
from orders.order_page.decisions.base import Decision, ReasonForm
from orders.queries import dry_run
from orders.services.attribution import move_attribution, why_not_attributed, why_not_there
from orders.services.holds import choose_attribution, province_of, why_not_attribute


def _places() -> list[tuple[str, str]]:
    return [("", "---------"), *((row.pk, str(row)) for row in Province.objects.all())]


class AttributionField(forms.ChoiceField):
    def __init__(self):
        super().__init__(label=_("attribution"), choices=_places)


class AttributionForm(ReasonForm):
    letters = AttributionField()
    field_order = ["letters", "reason"]


class OtherAttributionForm(AttributionForm):
    def clean_letters(self):
        if why := why_not_there(self.order, province_of(self.cleaned_data["letters"])):
            raise forms.ValidationError(why.words())
        return self.cleaned_data["letters"]


class Attribute(Decision):
    key = "attribute"
    place = 30
    label = _("Choose the attribution")
    permission = "orders.choose_attribution"
    four_eyes = "attribute"
    done = _("The attribution is chosen; the order goes on.")
    form = AttributionForm
    guard = staticmethod(why_not_attribute)
    service = staticmethod(choose_attribution)
    follows = _("The order gets this attribution and goes on.")


class MoveAttribution(Decision):
    key = "move_attribution"
    place = 47
    label = _("Correct the attribution")
    permission = "orders.choose_attribution"
    four_eyes = "attribute"
    done = _("The attribution is corrected. BPM is not told: tell the people there.")
    form = OtherAttributionForm
    guard = staticmethod(why_not_attributed)  # of the family's steps `foresee` tells, which each page need not ask for
    service = staticmethod(move_attribution)
    foresee = staticmethod(dry_run.move_attribution)

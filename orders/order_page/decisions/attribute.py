"""Choose where an order belongs, or put right where it and its family do."""

from django import forms
from django.utils.translation import gettext_lazy as _

from orders.actions import dry_run
from orders.intake.holds import choose_attribution, why_not_attribute
from orders.models import Order, Province
from orders.order_page.decisions.base import Decision, ReasonForm
from orders.order_words.ladder.step_rungs import Facts
from orders.start_day.attribution import move_attribution, why_not_move_attribution
from orders.texts.errors import NotAllowedError


def _places() -> list[tuple[str, str]]:
    return [("", "---------"), *((row.pk, str(row)) for row in Province.objects.all())]


class AttributionField(forms.ChoiceField):
    def __init__(self):
        super().__init__(label=_("attribution"), choices=_places)


class AttributionForm(ReasonForm):
    letters = AttributionField()
    field_order = ["letters", "reason"]


class OtherAttributionForm(AttributionForm):
    """Offers all but the one that the order has."""

    def __init__(self, *args, order: Order, **kwargs):
        super().__init__(*args, order=order, **kwargs)
        if not self.is_bound:
            self.fields["letters"].choices = [row for row in _places() if row[0] != order.attribution_id]

    def said(self, name, value):
        return dict(_places()).get(value, value) if name == "letters" else super().said(name, value)


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
    service = staticmethod(move_attribution)
    foresee = staticmethod(dry_run.move_attribution)

    def why_not(self, facts: Facts) -> NotAllowedError | None:
        return why_not_move_attribution(facts.order, facts.now)

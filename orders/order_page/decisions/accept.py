"""Live with a difference, or with an incident that only the books end."""

from django import forms
from django.utils.translation import gettext_lazy as _

from orders.actions import dry_run
from orders.actions.accept import accept, acceptable, ask_to_accept, ends_by_accept, why_not_accept
from orders.actions.take import why_not_quiet
from orders.order_page.decisions.base import Decision, ReasonForm, failed_billing, offer
from orders.order_words.ladder.step_rungs import Facts
from orders.outbox.moves import unresolved
from orders.start_day.moving import why_unresolved
from orders.texts.errors import NotAllowedError
from orders.texts.incident_causes import cause_of


class AcceptForm(ReasonForm):
    """Which of the order's incidents is meant; not asked where there is one only."""

    incident = forms.ChoiceField(label=_("incident"), required=False)
    field_order = ["incident", "reason"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        troubles, _steps = acceptable(self.order)
        codes = [row.incident.code for row in troubles]
        offer(self, "incident", ((code, cause_of(code).what) for code in codes))

    def said(self, name, value):
        return str(cause_of(value).what) if name == "incident" else super().said(name, value)


class Accept(Decision):
    key = "accept"
    place = 160
    label = _("Live with it")
    permission = "orders.accept_difference"
    four_eyes = "accept"
    done = _("Accepted. It counts as fine and stays listed.")
    form = AcceptForm
    asks = staticmethod(ask_to_accept)
    service = staticmethod(accept)
    foresee = staticmethod(dry_run.accept)

    def why_not(self, facts: Facts) -> NotAllowedError | None:
        unknown = {row.step: row.error_code for row in failed_billing(facts) if row.may_have_acted}
        there = any(ends_by_accept(row.code, row.step, unknown) for row in facts.troubles)
        why = why_not_accept(facts.order, there) or why_not_quiet(facts.order, facts.moving)
        return why or why_unresolved(facts.order, unresolved(facts.steps))

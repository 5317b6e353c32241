"""Withdraw an order as BBOSS would."""

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.actions import dry_run
from orders.models import Order
from orders.order_page.decisions.base import Decision, ReasonForm, sentences, what_became
from orders.order_words.ladder.step_rungs import Facts
from orders.replanning.withdrawal import why_not_withdraw, withdraw_by_staff
from orders.texts.errors import OrderError, TrialClaimedError
from orders.undoing.late import is_late
from orders.undoing.plan import CANCEL, DELETE

HOW = {CANCEL: gettext_lazy("Cancel from now on"), DELETE: gettext_lazy("Delete")}


class WithdrawForm(ReasonForm):
    """How a late undoing is done; not asked otherwise."""

    how = forms.ChoiceField(
        label=gettext_lazy("how it is undone"),
        widget=forms.RadioSelect,
        choices=[
            (CANCEL, gettext_lazy("Cancel from now on: what was used until now is billed")),
            (DELETE, gettext_lazy("Delete: nothing of it is billed")),
        ],
    )
    field_order = ["how", "reason"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if not is_late(self.order, timezone.now()):
            del self.fields["how"]


class Withdraw(Decision):
    key = "withdraw"
    place = 90
    label = gettext_lazy("Withdraw")
    permission = "orders.withdraw_order"
    four_eyes = "withdraw"
    danger = True
    form = WithdrawForm

    def why_not(self, facts: Facts) -> OrderError | None:
        if why := why_not_withdraw(facts.order, facts.now):
            return why
        number = facts.order.number
        if facts.order.kind == Order.Kind.TRIAL and facts.order.state == Order.State.CONVERTED:
            return TrialClaimedError("trial_converted", number=number)
        return TrialClaimedError("trial_claimed", number=number) if facts.claimed else None

    def will(self, facts: Facts, *, how: str = "") -> list[str]:
        return withdrawing(facts, how)

    def act(self, facts: Facts, *, by: str, reason: str, **how: str) -> str:
        withdraw_by_staff(number=facts.order.number, by=by, reason=reason, now=facts.now, **how)
        return what_became(facts)


def withdrawing(facts: Facts, how: str = "") -> list[str]:
    """What follows; for a late undoing of either choice, until one is made."""
    if how or not facts.late:
        return sentences(dry_run.withdraw(facts.order, now=facts.now, how=how))
    foreseen = {how: sentences(dry_run.withdraw(facts.order, now=facts.now, how=how)) for how in HOW}
    common = [sentence for sentence in foreseen[CANCEL] if sentence in foreseen[DELETE]]
    own = [
        _("%(choice)s: %(what)s") % {"choice": word, "what": sentence}
        for how, word in HOW.items()
        for sentence in foreseen[how]
        if sentence not in common
    ]
    return [*own, *common]

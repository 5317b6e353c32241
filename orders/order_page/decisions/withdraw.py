"""Take an order back: withdraw it as BBOSS would, or before its start day, or compensate what it has sent."""

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.errors import NotAllowedError, OrderError, TrialClaimedError
from orders.models import Dispatch, Order
from orders.order_page.decisions.base import Decision, ReasonForm, sentences
from orders.order_page.ladder.steps import Facts
from orders.queries import dry_run
from orders.services.compensation.by_staff import compensate, why_not_compensate
from orders.services.compensation.late import is_late
from orders.services.compensation.plan import CANCEL, DELETE
from orders.services.outbox.effects import may_have_acted
from orders.services.start_day import call_off_start_day, why_not_call_off
from orders.services.withdrawal import why_not_withdraw, withdraw_by_staff

HOW = {CANCEL: gettext_lazy("Cancel from now on"), DELETE: gettext_lazy("Delete")}


class TakesBack(Decision):
    """What the three have in common: they tell what came of it from the order as it is then."""

    danger = True

    def act(self, facts: Facts, *, by: str, reason: str, **more: object) -> str:
        super().act(facts, by=by, reason=reason, **more)
        order = Order.objects.only("state", "undo_since").get(pk=facts.order.pk)
        if order.state == Order.State.COMPENSATING:
            return _("What was sent is being taken back; the result shows here within seconds.")
        if order.state == facts.order.state:
            return _("Noted. The order stays as it is for now: %(state)s.") % {"state": order.get_state_display()}
        return _("Done. The order is now: %(state)s.") % {"state": order.get_state_display()}


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


class Withdraw(TakesBack):
    key = "withdraw"
    place = 90
    label = gettext_lazy("Withdraw")
    permission = "orders.withdraw_order"
    four_eyes = "withdraw"
    form = WithdrawForm
    service = staticmethod(withdraw_by_staff)

    def why_not(self, facts: Facts) -> OrderError | None:
        if why := why_not_withdraw(facts.order):
            return why
        number = facts.order.number
        if facts.order.kind == Order.Kind.TRIAL and facts.order.state == Order.State.CONVERTED:
            return TrialClaimedError("trial_converted", number=number)
        return TrialClaimedError("trial_claimed", number=number) if facts.claimed else None

    def will(self, facts: Facts, *, how: str = "") -> list[str]:
        return _withdrawing(facts, how)


def _withdrawing(facts: Facts, how: str = "") -> list[str]:
    """What follows; for a late undoing of either choice, until one is made."""
    if how or not facts.late:
        return sentences(dry_run.withdraw(facts.order, now=facts.now, how=how))
    told = {how: sentences(dry_run.withdraw(facts.order, now=facts.now, how=how)) for how in HOW}
    common = [sentence for sentence in told[CANCEL] if sentence in told[DELETE]]
    own = [
        _("%(choice)s: %(what)s") % {"choice": word, "what": sentence}
        for how, word in HOW.items()
        for sentence in told[how]
        if sentence not in common
    ]
    return [*own, *common]


class CallOff(TakesBack):
    key = "call_off"
    place = 50
    label = gettext_lazy("Withdraw before the start day")
    permission = "orders.withdraw_order"
    four_eyes = "withdraw"
    service = staticmethod(call_off_start_day)

    def why_not(self, facts: Facts) -> NotAllowedError | None:
        return why_not_call_off(facts.order, facts.now)

    def will(self, facts: Facts, **asked: object) -> list[str]:
        return [_("This withdraws the order: its start day is called off, its job removed."), *_withdrawing(facts)]


class Compensate(TakesBack):
    key = "compensate"
    place = 80
    label = gettext_lazy("Compensate")
    permission = "orders.compensate_order"
    four_eyes = "compensate"
    service = staticmethod(compensate)
    foresee = staticmethod(dry_run.compensate)

    def why_not(self, facts: Facts) -> NotAllowedError | None:
        acted = any(map(may_have_acted, facts.of(lambda row: _counts(row, facts.order))))
        return why_not_compensate(facts.order, late=facts.late, acted=acted)


def _counts(row: Dispatch, order: Order) -> bool:
    """Whether it is a billing call of the present plan that changes something, as in `acts_of`."""
    plan = row.plan == order.plans and not row.undo
    return plan and row.channel == Dispatch.Channel.BILLING and row.step != Dispatch.Step.ASK_BILLING

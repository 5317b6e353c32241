"""Staff actions that undo an order: compensate, withdraw, withdraw before the start day."""

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.actions import action_previews
from orders.actions.action import Action, ReasonForm, sentences
from orders.models import Dispatch, Order
from orders.order_words.ladder.step_stages import Facts
from orders.outbox.billing_effects import may_have_acted
from orders.replanning.withdrawal import why_not_withdraw, withdraw_by_staff
from orders.start_day.start_day import call_off_start_day, why_not_call_off
from orders.texts.errors import NotAllowedError, OrderError, TrialClaimedError
from orders.undoing.by_staff import compensate, why_not_compensate
from orders.undoing.late import is_late
from orders.undoing.undo_steps import CANCEL, DELETE

HOW = {CANCEL: gettext_lazy("Cancel from now on"), DELETE: gettext_lazy("Delete")}


def _what_became(facts: Facts, _found: object) -> str:
    """Returns the message after an order was undone, from the order's present state."""
    order = Order.objects.only("state", "undo_since").get(pk=facts.order.pk)
    if order.state == Order.State.COMPENSATING:
        return _("What was sent is being taken back; the result shows here within seconds.")
    if order.state == facts.order.state:
        return _("Noted. The order stays as it is for now: %(state)s.") % {"state": order.get_state_display()}
    return _("Done. The order is now: %(state)s.") % {"state": order.get_state_display()}


def _why_not_compensate(facts: Facts) -> NotAllowedError | None:
    acted = any(map(may_have_acted, facts.of(lambda row: _counts(row, facts.order) or _is_in_doubt(row))))
    return why_not_compensate(facts.order, late=facts.late, acted=acted, now=facts.now)


def _is_in_doubt(row: Dispatch) -> bool:
    return row.step == Dispatch.Step.START_BPM and row.state == Dispatch.State.FAILED


def _counts(row: Dispatch, order: Order) -> bool:
    """Returns True if the step is a billing call of the present plan that changes records, and no undo step."""
    plan = row.plan == order.plans and not row.undo
    return plan and row.channel == Dispatch.Channel.BILLING and row.step != Dispatch.Step.ASK_BILLING


COMPENSATE = Action(
    key="compensate",
    label=gettext_lazy("Compensate"),
    permission="orders.compensate_order",
    four_eyes="compensate",
    danger=True,
    why_not=_why_not_compensate,
    preview_effects=action_previews.compensate,
    service=compensate,
    became=_what_became,
)


class WithdrawForm(ReasonForm):
    """Form that asks how a late undoing is done. For other withdrawals the field is removed."""

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


def _why_not_withdraw(facts: Facts) -> OrderError | None:
    if why := why_not_withdraw(facts.order, facts.now):
        return why
    number = facts.order.number
    if facts.order.kind == Order.Kind.TRIAL and facts.order.state == Order.State.CONVERTED:
        return TrialClaimedError("trial_converted", number=number)
    return TrialClaimedError("trial_claimed", number=number) if facts.claimed else None


def _withdrawing(facts: Facts, *, how: str = "") -> list[str]:
    """Returns the effects as sentences. For a late undoing without a choice, returns the effects of both choices."""
    if how or not facts.late:
        return sentences(action_previews.withdraw(facts.order, now=facts.now, how=how))
    previews = {how: sentences(action_previews.withdraw(facts.order, now=facts.now, how=how)) for how in HOW}
    common = [sentence for sentence in previews[CANCEL] if sentence in previews[DELETE]]
    own = [
        _("%(choice)s: %(what)s") % {"choice": word, "what": sentence}
        for how, word in HOW.items()
        for sentence in previews[how]
        if sentence not in common
    ]
    return [*own, *common]


WITHDRAW = Action(
    key="withdraw",
    label=gettext_lazy("Withdraw"),
    permission="orders.withdraw_order",
    four_eyes="withdraw",
    danger=True,
    form=WithdrawForm,
    why_not=_why_not_withdraw,
    preview_effects=action_previews.withdraw,
    says=_withdrawing,
    service=withdraw_by_staff,
    became=_what_became,
)
CALL_OFF = Action(
    key="call_off",
    label=gettext_lazy("Withdraw before the start day"),
    permission="orders.withdraw_order",
    four_eyes="withdraw",
    danger=True,
    why_not=lambda facts: why_not_call_off(facts.order, facts.now),
    says=lambda facts: [
        _("This withdraws the order: its start day is called off, its job removed."),
        *_withdrawing(facts),
    ],
    service=call_off_start_day,
    became=_what_became,
)

"""Take back what an activation has sent."""

from django.utils.translation import gettext_lazy as _

from orders.actions import dry_run
from orders.models import Dispatch, Order
from orders.order_page.decisions.base import Decision, what_became
from orders.order_words.ladder.step_rungs import Facts
from orders.outbox.effects import may_have_acted
from orders.texts.errors import NotAllowedError
from orders.undoing.by_staff import compensate, why_not_compensate


class Compensate(Decision):
    key = "compensate"
    place = 80
    label = _("Compensate")
    permission = "orders.compensate_order"
    four_eyes = "compensate"
    danger = True
    foresee = staticmethod(dry_run.compensate)

    def why_not(self, facts: Facts) -> NotAllowedError | None:
        acted = any(map(may_have_acted, facts.of(lambda row: _counts(row, facts.order) or _is_in_doubt(row))))
        return why_not_compensate(facts.order, late=facts.late, acted=acted, now=facts.now)

    def act(self, facts: Facts, *, by: str, reason: str) -> str:
        compensate(number=facts.order.number, by=by, reason=reason, now=facts.now)
        return what_became(facts)


def _is_in_doubt(row: Dispatch) -> bool:
    return row.step == Dispatch.Step.START_BPM and row.state == Dispatch.State.FAILED


def _counts(row: Dispatch, order: Order) -> bool:
    """Whether it is a billing call of the present plan that changes something, as in `acts_of`."""
    plan = row.plan == order.plans and not row.undo
    return plan and row.channel == Dispatch.Channel.BILLING and row.step != Dispatch.Step.ASK_BILLING

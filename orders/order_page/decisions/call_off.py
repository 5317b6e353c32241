"""Withdraw an order before its start day."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.order_page.decisions.base import Decision, what_became
from orders.order_page.decisions.withdraw import withdrawing
from orders.order_words.ladder.step_rungs import Facts
from orders.start_day.start_day import call_off_start_day, why_not_call_off
from orders.texts.errors import NotAllowedError


class CallOff(Decision):
    key = "call_off"
    place = 50
    label = gettext_lazy("Withdraw before the start day")
    permission = "orders.withdraw_order"
    four_eyes = "withdraw"
    danger = True

    def why_not(self, facts: Facts) -> NotAllowedError | None:
        return why_not_call_off(facts.order, facts.now)

    def will(self, facts: Facts, **asked: object) -> list[str]:
        return [_("This withdraws the order: its start day is called off, its job removed."), *withdrawing(facts)]

    def act(self, facts: Facts, *, by: str, reason: str) -> str:
        call_off_start_day(number=facts.order.number, by=by, reason=reason, now=facts.now)
        return what_became(facts)

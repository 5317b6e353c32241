"""Run a start day that has come."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.errors import NotAllowedError
from orders.order_page.decisions.base import Decision
from orders.order_page.ladder.steps import Facts
from orders.services.start_day import run_start_day, why_not_run


class Activate(Decision):
    key = "activate"
    place = 40
    label = gettext_lazy("Run the start day now")
    permission = "orders.run_activation"
    done = gettext_lazy("The start day is under way.")

    def why_not(self, facts: Facts) -> NotAllowedError | None:
        return why_not_run(facts.order, facts.now)

    def will(self, facts: Facts) -> list[str]:
        return [_("The steps that wait for the start day are carried out at once.")]

    def act(self, facts: Facts, *, by: str, reason: str) -> None:
        run_start_day(number=facts.order.number, by=by, reason=reason, now=facts.now)

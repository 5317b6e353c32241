"""Run a start day that has come."""

from django.utils.translation import gettext_lazy as _

from orders.order_page.decisions.base import Decision
from orders.order_words.ladder.step_rungs import Facts
from orders.start_day.start_day import run_start_day, why_not_run
from orders.texts.errors import NotAllowedError


class Activate(Decision):
    key = "activate"
    place = 40
    label = _("Run the start day now")
    permission = "orders.run_activation"
    done = _("The start day is under way.")
    service = staticmethod(run_start_day)
    follows = _("The steps that wait for the start day are carried out at once.")

    def why_not(self, facts: Facts) -> NotAllowedError | None:
        return why_not_run(facts.order, facts.now)

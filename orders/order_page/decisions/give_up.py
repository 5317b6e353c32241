"""Give up a billing step that failed for good."""

from django.utils.translation import gettext_lazy as _

from orders.actions import dry_run
from orders.order_page.decisions.base import Decision, StepForm
from orders.order_words.ladder.step_rungs import Facts
from orders.replanning.giving_up import give_up, steps_to_give_up, why_not_give_up
from orders.texts.errors import NotAllowedError


class GiveUpForm(StepForm):
    def rows(self):
        try:
            return steps_to_give_up(self.order)
        except NotAllowedError:
            return []


class GiveUp(Decision):
    key = "give_up"
    place = 150
    label = _("Give the step up")
    permission = "orders.give_up_step"
    four_eyes = "give_up"
    done = _("Given up. What waited behind it goes on.")
    danger = True
    form = GiveUpForm
    service = staticmethod(give_up)
    foresee = staticmethod(dry_run.give_up)

    def why_not(self, facts: Facts) -> NotAllowedError | None:
        return why_not_give_up(facts.order, facts.steps)

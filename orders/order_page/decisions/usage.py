"""Ask the big-data side for a trial's traffic."""

from django.utils.translation import gettext_lazy as _

from orders.models import Dispatch
from orders.order_page.decisions.base import Decision
from orders.order_words.ladder.step_rungs import Facts
from orders.sending.usage import ask_for_usage, why_not_ask
from orders.texts.errors import NotAllowedError


class Usage(Decision):
    key = "usage"
    place = 60
    label = _("Fetch trial traffic")
    permission = "orders.fetch_usage"
    done = _("Asked. The answer shows under trial traffic.")
    follows = _("The big-data side is asked for this trial's traffic; it holds up nothing.")

    def why_not(self, facts: Facts) -> NotAllowedError | None:
        if why := why_not_ask(facts.order):
            return why
        asked = facts.order.dispatches.open().filter(step=Dispatch.Step.FETCH_USAGE).exists()
        return NotAllowedError("usage_asked") if asked else None

    def act(self, facts: Facts, *, by: str, reason: str) -> None:
        if not ask_for_usage(by=by, now=facts.now, numbers=[facts.order.number], reason=reason):
            raise NotAllowedError("usage_asked")

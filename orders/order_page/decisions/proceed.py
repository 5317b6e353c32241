"""Let an order go on although its trial is closed."""

from django.utils.translation import gettext_lazy as _

from orders.errors import NotAllowedError
from orders.order_page.decisions.base import Decision, sentences
from orders.order_page.ladder.steps import Facts
from orders.queries import dry_run
from orders.services.holds import proceed, why_not_proceed


class Proceed(Decision):
    key = "proceed"
    place = 100
    label = _("Let it go on")
    permission = "orders.proceed_order"
    done = _("The order goes on although its trial is closed.")

    def why_not(self, facts: Facts) -> NotAllowedError | None:
        return why_not_proceed(facts.order)

    def will(self, facts: Facts) -> list[str]:
        return sentences(dry_run.proceed(facts.order, now=facts.now))

    def act(self, facts: Facts, *, by: str, reason: str) -> None:
        proceed(number=facts.order.number, by=by, reason=reason, now=facts.now)

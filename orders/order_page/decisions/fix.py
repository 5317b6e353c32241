"""Put right what differs from the big-data side's books."""

from django.utils.translation import gettext_lazy as _

from orders.actions import dry_run
from orders.actions.take import why_not_quiet
from orders.books.books import OrderComparison
from orders.books.differences import is_over
from orders.incidents.incidents import BILLED_NOT_ACTIVE
from orders.order_page.decisions.base import Decision, look_at_books
from orders.order_page.decisions.compare import say_found
from orders.order_words.ladder.step_rungs import Facts
from orders.reconciliation.results import compare_order
from orders.texts.errors import NotAllowedError


class Fix(Decision):
    key = "fix"
    place = 130
    label = _("Put the difference right")
    permission = "orders.fix_difference"
    four_eyes = "fix"
    done = _("The books agree: nothing differs.")
    danger = True
    asks = staticmethod(look_at_books)
    foresee = staticmethod(dry_run.fix)

    def why_not(self, facts: Facts) -> NotAllowedError | None:
        """What the fix finds is judged record by record. It is not offered where each of them would be left."""
        if facts.open.mending:
            return NotAllowedError("fix_under_way")
        if not facts.differs and not _again(facts):
            return NotAllowedError("same_books", number=facts.order.number)
        left = dry_run.why_left(facts.order, now=facts.now)
        if left and all(left):
            return NotAllowedError("fix_leaves_all", why=left[0])
        return why_not_quiet(facts.order, facts.moving)

    def act(self, facts: Facts, *, by: str, reason: str, held: OrderComparison) -> str:
        about = {"number": facts.order.number, "by": by, "reason": reason, "now": facts.now}
        found = compare_order(held=held, fix=True, again=_again(facts), **about)
        return say_found(found)


def _again(facts: Facts) -> bool:
    """Whether something of its records was left as it is: accepted, or by giving up what takes it back."""
    given_up = any(row.code == BILLED_NOT_ACTIVE and not row.beside for row in facts.troubles)
    return bool(facts.marks.accepted) or given_up and is_over(facts.order)

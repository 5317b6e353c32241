"""Compare an order with the big-data side's books."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from orders.actions import dry_run
from orders.books.books import OrderComparison
from orders.models import Difference, Order
from orders.order_page.decisions.base import Decision, look_at_books
from orders.order_words.ladder.step_rungs import Facts
from orders.reconciliation.results import compare_order
from orders.texts.error_messages import say_why
from orders.texts.errors import NotAllowedError


class Compare(Decision):
    key = "compare"
    place = 140
    label = _("Compare with the big-data side")
    permission = "orders.fix_difference"
    done = _("The books agree: nothing differs.")
    asks = staticmethod(look_at_books)
    foresee = staticmethod(dry_run.compare)

    def why_not(self, facts: Facts) -> NotAllowedError | None:
        if facts.order.kind == Order.Kind.CHANGE:
            return NotAllowedError("compare_change")
        return None if facts.order.planned_at else NotAllowedError("compare_not_planned")

    def act(self, facts: Facts, *, by: str, reason: str, held: OrderComparison) -> str:
        found = compare_order(number=facts.order.number, held=held, fix=False, by=by, reason=reason, now=facts.now)
        return say_found(found)


def say_found(found: list[Difference]) -> str:
    """What a comparison found and what is done about it; empty where nothing differs."""
    fixes = [row for row in found if row.fix_id]
    left = [row for row in found if row.state == Difference.State.OPEN and not row.fix_id]
    sentences = []
    if fixes:
        text = ngettext(
            "%(n)d difference is being put right; the result shows here within seconds.",
            "%(n)d differences are being put right; the result shows here within seconds.",
            len(fixes),
        )
        sentences.append(text % {"n": len(fixes)})
    if left:
        why = left[0].detail.get("left")
        text = ngettext("%(n)d difference stays open.", "%(n)d differences stay open.", len(left)) % {"n": len(left)}
        sentences.append(f"{text} {say_why(why) if why else ''}".strip())
    return " ".join(sentences)

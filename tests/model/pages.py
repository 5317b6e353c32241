"""What an order's page shows of a desk at rest: only what is fine looks fine, and no button is refused."""

from collections.abc import Iterable, Iterator

from django.db import transaction
from django.utils import timezone

from orders.errors import NotAllowedError
from orders.models import Order
from orders.order_page.decisions.base import Decision
from orders.order_page.decisions.registry import offered_decisions
from orders.order_page.ladder.ladder import build_ladder
from orders.order_page.ladder.steps import Facts
from orders.order_page.order_facts import facts_of

FINE = {"green", "none"}
REASON_ALONE = {"waive", "proceed", "give_up", "accept", "compensate", "activate", "call_off"}
WHY = {"by": "staff:model", "reason": "the model"}


class Undone(Exception):
    """Rolls back what a button did."""


def pages_tell_the_truth(stuck: Iterable) -> Iterator[str]:
    """`stuck`: what needs somebody. Mails and traffic have no rung, so they leave a page green."""
    now, needing = timezone.now(), {row.number for row in stuck if not all(map(_is_aside, row.reasons))}
    for order in Order.objects.select_related("trial").order_by("pk"):
        facts = facts_of(order, now=now)
        tones = {rung.tone for rung in build_ladder(facts)}
        if tones <= FINE and order.number in needing:
            yield f"the page of {order.number} ({order.state}) is all green, and it needs somebody"
        for decision in offered_decisions(facts, lambda permission: True):
            if decision.key in REASON_ALONE and (why := _refusal(decision, facts)):
                yield f"the page of {order.number} ({order.state}) offers {decision.key}, which is refused: {why}"


def _is_aside(reason) -> bool:
    return reason.step.startswith(("mail_", "fetch_usage"))


def _refusal(decision: Decision, facts: Facts) -> str:
    """Presses a button, and takes it back."""
    try:
        with transaction.atomic():
            decision.act(facts, **WHY)
            raise Undone
    except NotAllowedError as error:
        return str(error)
    except Undone:
        return ""

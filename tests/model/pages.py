"""What an order's page shows of a desk at rest: only what is fine looks fine, and no button is refused. And what
staff press on it at any time."""

from collections.abc import Iterable, Iterator

from django.db import transaction
from django.forms import Field
from django.utils import timezone

from orders.books import BooksSilentError
from orders.errors import NotAllowedError
from orders.models import Order
from orders.order_page.decisions.base import Decision
from orders.order_page.decisions.registry import DECISIONS, offered_decisions
from orders.order_page.decisions.view import ChangedMeanwhileError, carry_out
from orders.order_page.ladder.ladder import build_ladder
from orders.order_page.ladder.steps import Facts
from orders.order_page.order_facts import facts_of, last_event
from tests.model.acts import act

FINE = {"green", "none"}
REASON_ALONE = {"waive", "proceed", "give_up", "accept", "compensate", "activate", "call_off"}
WHY = {"by": "staff:model", "reason": "the model"}
CHANGES_NOTHING = {"note", "usage", "conflict"}
TYPED = {"domains": ["c.example.com"]}  # what a person writes into a field that has no choices


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


class Buttons:
    """Staff at an order's page."""

    def buttons(self, number: str) -> list[str]:
        """The keys of the decisions that the page offers and that may change something."""
        order = Order.objects.select_related("trial").filter(number=number).first()
        if order is None:
            return []
        found = offered_decisions(facts_of(order, now=timezone.now()), lambda permission: True)
        return [one.key for one in found if one.key not in CHANGES_NOTHING]

    @act
    def press(self, number: str, key: str, choice: int = 0):
        """Presses a button, and takes the n-th choice of what its form asks."""
        if key == "resend" and self.bpm_has(number):
            return "BPM was asked, and has a process under a key that we lost"
        order, decision = Order.objects.select_related("trial").get(number=number), DECISIONS[key]
        words = {name: _chosen(name, field, choice) for name, field in decision.form(order=order).fields.items()}
        more = {name: words[name] for name in words.keys() - {"reason", "seen"}}
        try:
            carry_out(decision, number=number, seen=last_event(order), now=timezone.now(), **WHY, **more)
        except (BooksSilentError, ChangedMeanwhileError) as error:
            return repr(error)
        return ""


def _chosen(name: str, field: Field, choice: int) -> object:
    """What a person gives in a form's field."""
    values = [value for value, _ in getattr(field, "choices", ()) if value] or TYPED.get(name, [field.initial])
    return values if name in TYPED else values[choice % len(values)]


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

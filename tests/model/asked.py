"""Acts that two people must agree on (contract 3.11).

One person requests a decision. Then another person confirms the request, or the first person cancels it. Other acts
may happen in between. Each requested act must be carried out at most once, and only after a confirmation.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext

from django.contrib.auth import get_user_model
from django.utils import timezone

from orders.actions.all_actions import DECISIONS
from orders.actions.asked_decision import AskedDecision
from orders.actions.run_action import (
    ChangedMeanwhileError,
    PreviewChangedError,
    ask_second,
    confirm_second,
)
from orders.books.books import BooksSilentError
from orders.history.actors import staff_actor
from orders.models import AskedAct, Order, OrderEvent
from orders.office.asked_ends import call_off
from orders.order_words.order_facts import last_event
from orders.people.asked_acts import open_acts
from tests.model.acts import WrongError, act
from tests.model.pages import answers
from tests.model.shown import only_what_was_shown

ASKER, JUDGE = "asker", "judge"
DONE = ["decided", "waived", "compensated", "withdrawn", "given_up", "taken", "accepted", "proceeded"]
"""The events of acts in FOUR_EYES. Each of these acts adds one event. `fix` is missing, because a fix may find no
difference."""


def account(name: str):
    """Returns the account of this name, which has all rights. Creates the account at the first call."""
    known, _new = get_user_model().objects.get_or_create(
        username=name, defaults={"is_staff": True, "is_superuser": True}
    )
    return known


def asked_wrongly() -> Iterator[str]:
    """Yields an error for each act that was carried out without a confirmation, or more than once per confirmation."""
    events = OrderEvent.objects.filter(kind="act_confirmed").values_list("data__asked", "account_id")
    confirmed = Counter(pk for pk, _judge in events)
    for row in AskedAct.objects.all():
        if confirmed.pop(row.pk, 0) != (row.state == "confirmed"):
            yield f"asked: {row.act} {row.target} is {row.state}, and its events say something else"
    if confirmed:
        yield "asked: confirmed without having been asked for"
    if any(judge is None or judge == account(ASKER).pk for _pk, judge in events):
        yield "asked: confirmed by whoever asked"
    done = OrderEvent.objects.filter(kind__in=DONE, actor=f"staff:{ASKER}").count()
    others = ["fix", "move_start", "move_end", "attribute", "erase"]
    counted = AskedAct.objects.filter(state="confirmed").exclude(act__in=others).count()
    if done > counted:
        yield f"asked: {done} acts were carried out, and {counted} confirmed"


class Asking:
    """Requests and confirms acts as two people."""

    @act
    def ask(self, number: str, key: str, choice: int = 0):
        """Requests the act of a button on the order's page, with choice number `choice` in each field of the form.

        Raises WrongError if the request alone changes the order.
        """
        order, decision = Order.objects.select_related("trial").get(number=number), DECISIONS[key]
        about = {"number": number, "last_event_id": last_event(order), "reason": "the model", "now": timezone.now()}
        before = (order.state, order.undo_since, order.decision)
        try:
            ask_second(decision, by=staff_actor(account(ASKER)), **about, **answers(decision, order, choice))
        except ChangedMeanwhileError as error:
            return repr(error)
        finally:
            order.refresh_from_db()
            if (order.state, order.undo_since, order.decision) != before:
                raise WrongError("asked: asking does something", number, key)
        return ""

    @act
    def confirm(self, which: int = 0):
        """Confirms a request as the second person.

        Then confirms the request again from the same page, which must do nothing.
        """
        rows = list(open_acts().select_related("order", "order__trial").order_by("pk"))
        if not rows:
            return "nothing waits"
        row, judge, now = rows[which % len(rows)], account(JUDGE), timezone.now()
        shown = AskedDecision(row).preview_effects(now=now)
        try:
            with only_what_was_shown(row.order.number) if row.act in {"accept", "take"} else nullcontext():
                confirm_second(row, judge=judge, last_event_id=shown.last_event_id, digest=shown.told, now=now)
            confirm_second(row, judge=judge, last_event_id=shown.last_event_id, digest=shown.told, now=now)
        except (BooksSilentError, ChangedMeanwhileError, PreviewChangedError) as error:
            return repr(error)
        return ""

    @act
    def call_off(self, which: int = 0):
        rows = list(open_acts().select_related("order").order_by("pk"))
        if not rows:
            return "nothing waits"
        call_off(rows[which % len(rows)], user=account(ASKER), now=timezone.now())
        return ""

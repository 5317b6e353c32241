"""Resend what has failed."""

import datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.models import Dispatch, Order
from orders.order_page.decisions.base import Decision
from orders.order_words.ladder.step_rungs import Facts
from orders.replanning.reopening import claims_against, why_not_open
from orders.rules.steps import OF_COMPARISONS, Phase
from orders.sending.read_again import ends_by_reading
from orders.sending.resend import Judgement, Selection, is_left, is_left_to_people, judge_order, resend
from orders.start_day.moving import may_send_again
from orders.texts.errors import NotAllowedError

State, Step = Order.State, Dispatch.Step
VERDICTS = {
    "same": gettext_lazy("will be sent again: the same bytes under the same key"),
    "new": gettext_lazy("will be sent again as a new call, under a new key"),
    "again": gettext_lazy("The whole order is planned anew, as if it arrived now, and takes its trial's claim again"),
    "repeat": gettext_lazy("was accepted already, and is sent once more"),
    "left_out": gettext_lazy("was compensated; it is opened on its own page only"),
    "blocked": gettext_lazy("is queued; it goes out when the partner is back"),
    "paused": gettext_lazy("is queued; it goes out when the partner's pause ends"),
    "accepted": gettext_lazy("was accepted already"),
    "refused": gettext_lazy("can't be sent now"),
}


class Resend(Decision):
    key = "resend"
    place = 10
    label = gettext_lazy("Resend")
    permission = "orders.resend_order"
    done = gettext_lazy("Queued again. The result shows here within seconds.")

    def why_not(self, facts: Facts) -> NotAllowedError | None:
        """As the engine judges it. Asks the database only about an undone activation, which it plans anew."""
        order = facts.order
        sent = [row for row in facts.steps if _is_sent(row, order, facts.now)]
        left = any(row.undo and is_left(row) for row in facts.steps)
        if (sent or facts.mails) and (left or not _is_undone(order)) and order.held_because != Order.Held.FILES:
            return None
        if why := why_not_resend(order):
            return why
        if _is_undone(order):
            return why_not_open(order, claims_against([order]))
        return NotAllowedError("resend_nothing_failed")

    def will(self, facts: Facts, **asked: object) -> list[str]:
        judged = judge_order(facts.order, _selection(facts), open_partners=facts.shut)
        return [say_judgement(row) for row in judged]

    def act(self, facts: Facts, *, by: str, reason: str) -> None:
        report = resend(_selection(facts), by=by, reason=reason, now=facts.now, open_partners=facts.shut)
        if not any(row.sends for row in report.judgements):
            raise NotAllowedError("resend_declined", lines=" ".join(map(say_judgement, report.judgements)))


def _is_sent(row: Dispatch, order: Order, now: datetime.datetime) -> bool:
    counts = order.undo_since is None or row.undo or row.position >= Phase.AFTER
    failed = row.state == Dispatch.State.FAILED and row.step not in OF_COMPARISONS
    failed &= row.step != Step.MOVE_START or may_send_again(row, order, now)
    failed &= not is_left_to_people(row) or ends_by_reading(row)
    return counts and not row.repeat and (failed or row.state == Dispatch.State.RETRYING or is_left(row))


def why_not_resend(order: Order) -> NotAllowedError | None:
    """Stricter than the engine: on a page nobody sends what is held for its files. Of an order that was taken back only
    what staff gave up is sent."""
    if order.state == State.WITHDRAWN:
        return NotAllowedError("resend_withdrawn")
    if _is_undone(order):
        again = order.state == State.FAILED and order.kind == Order.Kind.ACTIVATION
        return None if again else NotAllowedError("resend_taken_back")
    if order.held_because == Order.Held.FILES:
        return NotAllowedError("resend_held_for_files")
    return None


def _is_undone(order: Order) -> bool:
    return order.undo_since is not None and order.state != State.COMPENSATING


def _selection(facts: Facts) -> Selection:
    return Selection(numbers=(facts.order.number,), failed=True)


def say_judgement(row: Judgement) -> str:
    word = str(VERDICTS[row.verdict])
    if row.verdict == "again":
        passed = row.decision == Order.Decision.PASS
        return f"{word}{_(', ')}{_('and the pass that BPM gave counts')}" if passed else word
    if row.refusal:
        return row.refusal.words()
    step = Step(row.step).label if row.step in Step.values else _("The order")
    return f"{step}: {word}"

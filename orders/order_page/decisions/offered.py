"""What staff may decide about an order: who may, when, what it will do, and the one service that does it."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from orders.books import HeldRecord, Look, look
from orders.errors import NotAllowedError
from orders.models import Order, OrderEvent
from orders.order_page.decisions import outlook
from orders.order_page.decisions.guards import WHY_NOT
from orders.order_page.decisions.services import ACTS
from orders.order_page.facts import facts_of
from orders.order_page.history import news_since
from orders.order_page.ladder.steps import Facts
from orders.queries import dry_run
from orders.services.order_state import lock_order
from orders.services.reconciliation.take import ask_all

Text = str | Promise


class ChangedMeanwhileError(Exception):
    """Something happened to the order between the page and the click; `news` are the events."""

    def __init__(self, news: list[OrderEvent]):
        super().__init__("the order changed meanwhile")
        self.news = news


@dataclass(frozen=True, kw_only=True)
class Decision:
    """`label` stands on the button; `done` is said afterwards, where the act does not say itself what came of it.
    `danger`: it takes something away.

    `ask`: what a partner is asked before it is decided, outside any transaction; its answer is handed on as `held`.
    """

    key: str
    permission: str
    label: Text
    will: Callable[[Facts], list[str]]
    done: Text = ""
    danger: bool = False
    guarded: bool = True
    ask: Callable[[Order], object] | None = None

    def why_not(self, facts: Facts) -> Text:
        """Why the order's present state does not allow it; empty if it does. Asks the database nothing."""
        return WHY_NOT[self.key](facts)


def ask_books(order: Order) -> list[HeldRecord]:
    """What the big-data side holds for the order. Raises BooksSilentError."""
    return ask_all(order)


def look_at_books(order: Order) -> Look:
    """The order's records held against the big-data side's. Raises BooksSilentError."""
    return look(order.pk)


ALL = [
    Decision(
        key="resend", permission="orders.resend_order", label=_("Resend"), will=outlook.will_resend,
        done=_("Queued again. The result shows here within seconds."),
    ),
    Decision(
        key="waive", permission="orders.waive_finding", label=_("Waive the finding"),
        will=outlook.will_waive,
        done=_("The finding is waived; the order goes on."),
    ),
    Decision(
        key="attribute", permission="orders.choose_attribution", label=_("Choose the attribution"),
        will=outlook.always(_("The order gets this attribution and goes on.")),
        done=_("The attribution is chosen; the order goes on."),
    ),
    Decision(
        key="activate", permission="orders.run_activation", label=_("Run the start day now"),
        will=outlook.always(_("The steps that wait for the start day are carried out at once.")),
        done=_("The start day is under way."),
    ),
    Decision(
        key="call_off", permission="orders.withdraw_order", label=_("Withdraw before the start day"), danger=True,
        will=outlook.will_call_off,
    ),
    Decision(
        key="usage", permission="orders.fetch_usage", label=_("Fetch trial traffic"),
        will=outlook.always(_("The big-data side is asked for this trial's traffic; it holds up nothing.")),
        done=_("Asked. The answer shows under trial traffic."),
    ),
    Decision(
        key="note", permission="orders.add_note", label=_("Write a note"), guarded=False,
        will=outlook.always(_("The note stands in the order's events, with your name, for good.")),
        done=_("The note is kept."),
    ),
    Decision(
        key="compensate", permission="orders.compensate_order", label=_("Compensate"), danger=True,
        will=outlook.foreseen(dry_run.compensate),
    ),
    Decision(
        key="withdraw", permission="orders.withdraw_order", label=_("Withdraw"), danger=True,
        will=outlook.will_withdraw,
    ),
    Decision(
        key="proceed", permission="orders.proceed_order", label=_("Let it go on"),
        will=outlook.foreseen(dry_run.proceed), done=_("The order goes on although its trial is closed."),
    ),
    Decision(
        key="name_domains", permission="orders.name_domains", label=_("Name the domains"),
        will=outlook.always(_("The order gets these domains and goes on.")),
        done=_("The domains are named; the order goes on."),
    ),
    Decision(
        key="take", permission="orders.take_books", label=_("Take the partner's books"),
        will=outlook.foreseen(dry_run.take), done=_("The big-data side's books are ours now."), ask=ask_books,
    ),
    Decision(
        key="fix", permission="orders.fix_difference", label=_("Put the difference right"), danger=True,
        will=outlook.foreseen(dry_run.fix), done=_("The books agree: nothing differs."), ask=look_at_books,
    ),
    Decision(
        key="compare", permission="orders.fix_difference", label=_("Compare with the big-data side"),
        will=outlook.foreseen(dry_run.compare), done=_("The books agree: nothing differs."), ask=look_at_books,
    ),
    Decision(
        key="give_up", permission="orders.give_up_step", label=_("Give the step up"), danger=True,
        will=outlook.foreseen(dry_run.give_up), done=_("Given up. What waited behind it goes on."),
    ),
    Decision(
        key="accept", permission="orders.accept_difference", label=_("Live with it"),
        will=outlook.foreseen(dry_run.accept), done=_("Accepted. It counts as fine and stays listed."), ask=ask_books,
    ),
    Decision(
        key="conflict", permission="orders.change_incident", label=_("Conflict seen to"),
        will=outlook.will_see_conflicts, done=_("Noted. The conflict stays listed, with your reason."),
    ),
    Decision(
        key="decide", permission="orders.decide_order", label=_("Decide in BPM's place"), danger=True,
        will=outlook.foreseen(dry_run.decide), done=_("This decision counts now."),
    ),
]  # fmt: skip
DECISIONS = {decision.key: decision for decision in ALL}


def offered(facts: Facts, has_perm: Callable[[str], bool]) -> list[Decision]:
    """The decisions that the state and the person's permissions allow, in the menu's order."""
    return [row for row in ALL if has_perm(row.permission) and not row.why_not(facts)]


def decide(
    decision: Decision, *, number: str, seen: int, by: str, reason: str, now: datetime.datetime, **more: object
) -> str:
    """Takes a decision, judged anew under the order's lock; returns what came of it, in words.

    `seen`: the newest event that the person knew of. `more`: what the form asks besides the reason. Raises
    ChangedMeanwhileError, NotAllowedError, BooksSilentError and the service's own errors; nothing is changed then.
    """
    if decision.ask:  # it is not troubled with what is not allowed anyway
        order = Order.objects.select_related("trial").get(number=number)
        _judge(decision, order, seen=seen, now=now)
        more["held"] = decision.ask(order)
    with transaction.atomic():
        order = lock_order(number)
        facts = _judge(decision, order, seen=seen, now=now)
        return ACTS[decision.key](facts, by=by, reason=reason, **more) or str(decision.done)


def _judge(decision: Decision, order: Order, *, seen: int, now: datetime.datetime) -> Facts:
    """What the order is like now. Raises ChangedMeanwhileError, NotAllowedError."""
    news = news_since(order, seen) if decision.guarded else []
    if news:
        raise ChangedMeanwhileError(news)
    facts = facts_of(order, now=now)
    if why := decision.why_not(facts):
        raise NotAllowedError(str(why))
    return facts

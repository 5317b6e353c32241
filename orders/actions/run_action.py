"""Carries a decision out, or asks a second person to confirm it first (contract 3.11).

Pages and commands both come through here, so that FOUR_EYES is asked in one place.
"""

import datetime
import hashlib
from collections.abc import Callable, Mapping

from django import forms
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone
from django.utils.translation import override

from notifications.mail_rendering import LANGUAGE
from orders.actions.action import Action
from orders.actions.all_actions import DECISIONS
from orders.history.actors import Actor, limits_of, staff_actor
from orders.history.order_writes import lock_order
from orders.models import AskedAct, Order, OrderEvent
from orders.order_words.history import news_since
from orders.order_words.ladder.step_rungs import Facts
from orders.order_words.order_facts import facts_of
from orders.people.asked_acts import ask, confirm
from orders.rules.four_eyes_acts import is_asked
from orders.texts.errors import NotAllowedError


class ChangedMeanwhileError(Exception):
    """Something happened to the order between the page and the click; `news` are the events."""

    def __init__(self, news: list[OrderEvent]):
        super().__init__("the order changed meanwhile")
        self.news = news


class ForeseenOtherwiseError(Exception):
    """Raised if the effects are not those that the person saw who decides or confirms."""


def needs_second(decision: Action) -> bool:
    return bool(decision.four_eyes) and is_asked(decision.four_eyes)


def carry_out(
    decision: Action,
    *,
    number: str,
    seen: int | None,
    by: str,
    reason: str,
    now: datetime.datetime,
    acknowledged: str | None = None,
    before: Callable[[Facts], str] | None = None,
    **more: object,
) -> str:
    """Takes a decision, judged anew under the order's lock; returns what came of it, in words.

    `seen`: the newest event that the person knew of; `acknowledged`: the digest of the warnings that they read; both
    None where nobody looked. `more`: what the form asks besides the reason. `before` is called before the act, in its
    transaction, and gives the actor in place of `by`, who asks the partner then. Raises ChangedMeanwhileError,
    ForeseenOtherwiseError, BooksSilentError and the OrderErrors of guard and service; nothing is changed then.
    """
    answered: dict[str, object] = {}
    if decision.ask_partner:  # the partner is not troubled with what is not allowed anyway
        order = Order.objects.select_related("trial").get(number=number)
        _judge(decision, order, seen=seen, now=now)
        answered["held"] = decision.ask_partner(order, by=by, **more)
    with transaction.atomic():
        order = lock_order(number)
        facts = _judge(decision, order, seen=seen, now=now)
        _check_acknowledged(decision, facts, acknowledged, more)
        actor = before(facts) if before else by
        return decision.act(facts, by=actor, reason=reason, **more, **answered) or str(decision.done)


def ask_second(
    decision: Action,
    *,
    number: str,
    seen: int | None,
    by: Actor,
    reason: str,
    now: datetime.datetime,
    acknowledged: str | None = None,
    via: str = "",
    **more: object,
) -> AskedAct:
    """Asks a second person to confirm the decision, where it is allowed now. Raises as `carry_out`.

    What asks no partner is tried and taken back, so that nobody is asked to confirm what can't be done.
    """
    with transaction.atomic():
        facts = _judge(decision, lock_order(number), seen=seen, now=now)
        _check_acknowledged(decision, facts, acknowledged, more)
        foreseen = foreseen_of(decision, facts, more)
        if not decision.ask_partner:
            with transaction.atomic():
                decision.act(facts, by=by, reason=reason, **more)
                transaction.set_rollback(True)
        return ask(
            act=decision.four_eyes,
            right=decision.permission,
            order=lock_order(number),  # as it is: the one that was tried is changed
            by=by,
            reason=reason,
            now=now,
            decision=decision.key,
            arguments={name: str(value) for name, value in more.items()},
            told=foreseen,
            via=via,
        )


def confirm_second(row: AskedAct, *, judge, seen: int, digest: str, now: datetime.datetime) -> str:
    """Carries out what was asked, once the second person confirms it; returns what came of it, in words.

    `digest`: that of what the page said will happen. Raises ForeseenOtherwiseError where it is not
    true any more, and as `carry_out`.
    """
    decision = DECISIONS.get(row.decision)
    if decision is None:
        raise NotAllowedError("ask_over")
    asked = arguments_of(row, decision)

    def check_and_confirm(facts: Facts) -> str:
        if digest_of(foreseen_of(decision, facts, asked)) != digest:
            raise ForeseenOtherwiseError
        return confirm(row, judge=judge, now=now)

    return carry_out(
        decision,
        number=row.order.number,
        seen=seen,
        by=staff_actor(judge),
        reason=row.reason,
        now=now,
        before=check_and_confirm,
        **asked,
    )


def arguments_of(row: AskedAct, decision: Action) -> dict[str, object]:
    """Returns the further answers of the form besides the reason, as the service takes them: JSON knows no days."""
    fields = decision.form.base_fields
    return {
        name: datetime.date.fromisoformat(value) if isinstance(fields.get(name), forms.DateField) else value
        for name, value in row.arguments.items()
    }


def foreseen_of(decision: Action, facts: Facts, asked: Mapping[str, object]) -> list[str]:
    """Returns the effects in one language whoever asks, so that two moments can be compared. Raises OrderError."""
    with override(LANGUAGE):
        return [str(sentence) for sentence in decision.will(facts, **asked)]


def digest_of(sentences: list[str]) -> str:
    return hashlib.sha256("\n".join(sentences).encode()).hexdigest()


def digest_of_warnings(decision: Action, facts: Facts, asked: Mapping[str, object]) -> str:
    """The digest of what whoever decides must have read; empty if there is nothing. Raises OrderError."""
    with override(LANGUAGE):
        warnings = decision.warnings(facts, **asked)
    return digest_of(warnings) if warnings else ""


def _check_acknowledged(decision: Action, facts: Facts, acknowledged: str | None, asked: Mapping[str, object]) -> None:
    """Raises ForeseenOtherwiseError if there are warnings, and their digest is not what the person has read."""
    if acknowledged is not None and digest_of_warnings(decision, facts, asked) not in {"", acknowledged}:
        raise ForeseenOtherwiseError


def account_named(by: str | None):
    """The account in whose name a command asks. Raises NotAllowedError if `by` is none that may log in."""
    name = (by or "").strip()
    found = get_user_model().objects.filter(username=name, is_active=True, is_staff=True).first() if name else None
    if found is None:
        raise NotAllowedError("ask_by_no_account")
    return found


def why_not_ask(account, decision: Action, order: Order) -> NotAllowedError | None:
    """Returns why an account may not ask for a decision: its rights or its limits."""
    limits = limits_of(staff_actor(account), timezone.now())
    if account.has_perm(decision.permission) and (limits is None or order.attribution_id in limits):
        return None
    return NotAllowedError("ask_no_right", who=account.get_username())


def _judge(decision: Action, order: Order, *, seen: int | None, now: datetime.datetime) -> Facts:
    news = news_since(order, seen) if decision.guarded and seen is not None else []
    if news:
        raise ChangedMeanwhileError(news)
    facts = facts_of(order, now=now)
    if why := decision.why_not(facts):
        raise why
    return facts

"""Carries out a staff action, or asks a second person to confirm it first (contract 3.11).

Pages and commands both call this module, so that FOUR_EYES is checked in one place.
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
from orders.history.order_locks_and_events import lock_order
from orders.models import AskedAct, Order, OrderEvent
from orders.order_words.history import news_since
from orders.order_words.ladder.step_stages import Facts
from orders.order_words.order_facts import facts_of
from orders.people.asked_acts import ask, confirm
from orders.rules.four_eyes_acts import is_asked
from orders.texts.errors import NotAllowedError


class ChangedMeanwhileError(Exception):
    """The order has changed since the page was shown. `news`: the events since then."""

    def __init__(self, news: list[OrderEvent]):
        super().__init__("the order changed meanwhile")
        self.news = news


class PreviewChangedError(Exception):
    """The effects differ from the effects on the page of the person who decides or confirms."""


def needs_second(decision: Action) -> bool:
    return bool(decision.four_eyes) and is_asked(decision.four_eyes)


def carry_out(
    decision: Action,
    *,
    number: str,
    last_event_id: int | None,
    by: str,
    reason: str,
    now: datetime.datetime,
    acknowledged: str | None = None,
    before: Callable[[Facts], str] | None = None,
    **more: object,
) -> str:
    """Carries out an action after checking its guard again under the order's lock. Returns the result message.

    `last_event_id`: the id of the newest event that was shown. `acknowledged`: the digest of the warnings that were
    read. Both are None if no page was shown. `more`: the form's values except the reason. `before` is called first, in
    the same transaction, and returns the action's actor. `by` is then used only for the call to the partner. Raises
    ChangedMeanwhileError, PreviewChangedError, BooksSilentError and the OrderErrors of guard and service. After an
    error nothing is changed.
    """
    answered: dict[str, object] = {}
    if decision.ask_partner:  # check the guard first, to avoid a needless call to the partner
        order = Order.objects.select_related("trial").get(number=number)
        _judge(decision, order, last_event_id=last_event_id, now=now)
        answered["held"] = decision.ask_partner(order, by=by, **more)
    with transaction.atomic():
        order = lock_order(number)
        facts = _judge(decision, order, last_event_id=last_event_id, now=now)
        _check_acknowledged(decision, facts, acknowledged, more)
        actor = before(facts) if before else by
        return decision.act(facts, by=actor, reason=reason, **more, **answered) or str(decision.done)


def ask_second(
    decision: Action,
    *,
    number: str,
    last_event_id: int | None,
    by: Actor,
    reason: str,
    now: datetime.datetime,
    acknowledged: str | None = None,
    via: str = "",
    **more: object,
) -> AskedAct:
    """Asks a second person to confirm the action, if the action is allowed now. Raises the same errors as `carry_out`.

    An action that calls no partner is carried out and rolled back first, so that nobody is asked to confirm an
    impossible action.
    """
    with transaction.atomic():
        facts = _judge(decision, lock_order(number), last_event_id=last_event_id, now=now)
        _check_acknowledged(decision, facts, acknowledged, more)
        preview = build_preview(decision, facts, more)
        if not decision.ask_partner:
            with transaction.atomic():
                decision.act(facts, by=by, reason=reason, **more)
                transaction.set_rollback(True)
        return ask(
            act=decision.four_eyes,
            right=decision.permission,
            order=lock_order(number),  # reload: the trial run has changed the instance
            by=by,
            reason=reason,
            now=now,
            decision=decision.key,
            arguments={name: str(value) for name, value in more.items()},
            told=preview,
            via=via,
        )


def confirm_second(row: AskedAct, *, judge, last_event_id: int, digest: str, now: datetime.datetime) -> str:
    """Carries out the requested action when the second person confirms it. Returns the result message.

    `digest`: the digest of the effects that the page showed. Raises PreviewChangedError if the effects have changed,
    and the same errors as `carry_out`.
    """
    decision = DECISIONS.get(row.decision)
    if decision is None:
        raise NotAllowedError("ask_over")
    asked = arguments_of(row, decision)

    def check_and_confirm(facts: Facts) -> str:
        if digest_of(build_preview(decision, facts, asked)) != digest:
            raise PreviewChangedError
        return confirm(row, judge=judge, now=now)

    return carry_out(
        decision,
        number=row.order.number,
        last_event_id=last_event_id,
        by=staff_actor(judge),
        reason=row.reason,
        now=now,
        before=check_and_confirm,
        **asked,
    )


def arguments_of(row: AskedAct, decision: Action) -> dict[str, object]:
    """Returns the form's values except the reason, converted for the service. In the stored JSON, dates are strings."""
    fields = decision.form.base_fields
    return {
        name: datetime.date.fromisoformat(value) if isinstance(fields.get(name), forms.DateField) else value
        for name, value in row.arguments.items()
    }


def build_preview(decision: Action, facts: Facts, asked: Mapping[str, object]) -> list[str]:
    """Returns the effects in a fixed language, so that they can be compared later. Raises OrderError."""
    with override(LANGUAGE):
        return [str(sentence) for sentence in decision.will(facts, **asked)]


def digest_of(sentences: list[str]) -> str:
    return hashlib.sha256("\n".join(sentences).encode()).hexdigest()


def digest_of_warnings(decision: Action, facts: Facts, asked: Mapping[str, object]) -> str:
    """Returns the digest of the warnings that must be read, or an empty string if there are none. Raises OrderError."""
    with override(LANGUAGE):
        warnings = decision.warnings(facts, **asked)
    return digest_of(warnings) if warnings else ""


def _check_acknowledged(decision: Action, facts: Facts, acknowledged: str | None, asked: Mapping[str, object]) -> None:
    """Raises PreviewChangedError if there are warnings with another digest than `acknowledged`."""
    if acknowledged is not None and digest_of_warnings(decision, facts, asked) not in {"", acknowledged}:
        raise PreviewChangedError


def account_named(by: str | None):
    """Returns the account in whose name a command runs. Raises NotAllowedError if `by` is not an account that may log
    in."""
    name = (by or "").strip()
    found = get_user_model().objects.filter(username=name, is_active=True, is_staff=True).first() if name else None
    if found is None:
        raise NotAllowedError("ask_by_no_account")
    return found


def why_not_ask(account, decision: Action, order: Order) -> NotAllowedError | None:
    """Returns the error if an account lacks the permission or the attribution to request an action."""
    limits = limits_of(staff_actor(account), timezone.now())
    if account.has_perm(decision.permission) and (limits is None or order.attribution_id in limits):
        return None
    return NotAllowedError("ask_no_right", who=account.get_username())


def _judge(decision: Action, order: Order, *, last_event_id: int | None, now: datetime.datetime) -> Facts:
    news = news_since(order, last_event_id) if decision.guarded and last_event_id is not None else []
    if news:
        raise ChangedMeanwhileError(news)
    facts = facts_of(order, now=now)
    if why := decision.why_not(facts):
        raise why
    return facts

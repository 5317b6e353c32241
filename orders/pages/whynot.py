"""When a decision is not allowed, and why, in words. Pure: facts in, a sentence out; empty means allowed."""

from collections.abc import Callable

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from orders.models import Dispatch, Order
from orders.pages.rungs import Facts
from orders.services.acts import may_have_acted

State, Held, Kind = Order.State, Order.Held, Order.Kind
Text = str | Promise
ALLOWED = ""
STUCK = {Dispatch.State.FAILED, Dispatch.State.RETRYING}


def resend(facts: Facts) -> Text:
    order = facts.order
    if order.state == State.WITHDRAWN:
        return _("The order is withdrawn.")
    if order.undo_since and order.state != State.COMPENSATING:
        again = order.state == State.FAILED and order.kind == Kind.ACTIVATION
        return ALLOWED if again else _("The order was taken back for good.")
    if order.held_because == Held.FILES:
        return _("It is held for its files: put them right, or waive the finding.")
    return ALLOWED if any(row.state in STUCK for row in facts.steps) else _("Nothing has failed.")


def compensate(facts: Facts) -> Text:
    order = facts.order
    if order.kind != Kind.ACTIVATION:
        return _("Only activations are compensated.")
    if order.undo_since:
        return _("The order is being taken back already, or has been.")
    sent = any(may_have_acted(row) for row in facts.steps if row.channel == Dispatch.Channel.BILLING)
    return ALLOWED if sent else _("Nothing of it has reached the big-data side.")


def withdraw(facts: Facts) -> Text:
    order = facts.order
    if order.withdrawal_idh or order.state == State.WITHDRAWN:
        return _("The order is withdrawn already.")
    if order.kind == Kind.TRIAL and order.state == State.CONVERTED:
        return _("An activation holds the trial: that must be withdrawn first.")
    return ALLOWED


def waive(facts: Facts) -> Text:
    held = facts.order.held_because == Held.FILES and not facts.order.undo_since
    return ALLOWED if held else _("The order is not held for its files.")


def attribute(facts: Facts) -> Text:
    held = facts.order.held_because == Held.ATTRIBUTION_UNKNOWN
    return ALLOWED if held else _("The order is not held for its attribution.")


def activate(facts: Facts) -> Text:
    if not _scheduled(facts.order):
        return _("The order does not wait for a start day.")
    return ALLOWED if facts.order.start_at <= facts.now else _("The start day has not come yet.")


def call_off(facts: Facts) -> Text:
    if not _scheduled(facts.order):
        return _("The order does not wait for a start day.")
    return ALLOWED if facts.order.start_at > facts.now else _("The start day has come.")


def _scheduled(order: Order) -> bool:
    return order.state == State.SCHEDULED and order.start_at is not None and order.undo_since is None


def usage(facts: Facts) -> Text:
    if facts.order.kind != Kind.TRIAL:
        return _("Only trials have traffic to ask for.")
    return ALLOWED if facts.order.planned_at else _("The trial has not begun.")


def note(facts: Facts) -> Text:
    return ALLOWED


WHY_NOT: dict[str, Callable[[Facts], Text]] = {
    act.__name__: act for act in (resend, compensate, withdraw, waive, attribute, activate, call_off, usage, note)
}

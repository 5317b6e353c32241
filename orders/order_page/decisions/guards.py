"""When a decision is not allowed, and why, in words. Pure: facts in, a sentence out; empty means allowed."""

from collections.abc import Callable

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from orders.models import Dispatch, Order
from orders.order_page.ladder.steps import Facts
from orders.services.incidents import BILLED_NOT_ACTIVE, BOOKS_ONLY
from orders.services.outbox.acts import may_have_acted
from orders.services.outbox.outcome import ACTED_BEFORE
from orders.steps import FIXES

State, Held, Kind = Order.State, Order.Held, Order.Kind
Text = str | Promise
ALLOWED = ""
SAME_BOOKS = _("Our books and the big-data side's don't differ, as far as is known.")
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
    if facts.late:
        return _("The customer has been live for more than a day: withdraw it, and choose how.")
    sent = any(may_have_acted(row) for row in facts.steps if row.channel == Dispatch.Channel.BILLING)
    return ALLOWED if sent else _("Nothing of it has reached the big-data side.")


def withdraw(facts: Facts) -> Text:
    order = facts.order
    if order.state == State.WITHDRAWN or (order.withdrawal_idh and not order.undo_asked_at):
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


def proceed(facts: Facts) -> Text:
    order = facts.order
    if order.held_because != Held.TRIAL_CLOSED or order.undo_since:
        return _("The order is not held for a closed trial.")
    return ALLOWED if order.kind == Kind.ACTIVATION else _("A change goes on when BBOSS names a later end.")


def name_domains(facts: Facts) -> Text:
    held = facts.order.held_because == Held.DOMAINS_MISSING and not facts.order.undo_since
    return ALLOWED if held else _("The order is not held for its domains.")


def decide(facts: Facts) -> Text:
    order = facts.order
    if order.kind != Kind.ACTIVATION:
        return _("BPM decides about activations only.")
    if order.state == State.WITHDRAWN or (order.withdrawal_idh and order.undo_since):
        return _("The order is withdrawn.")
    if order.state == State.COMPENSATING:
        return _("The order is being taken back; wait until that has ended.")
    return ALLOWED


def accept(facts: Facts) -> Text:
    unknown = any(row.may_have_acted for row in _failed_billing(facts))
    there = unknown or any(row.code in BOOKS_ONLY for row in facts.troubles)
    return ALLOWED if there else _("Nothing of it waits to be accepted.")


def take(facts: Facts) -> Text:
    stopped = any(row.error_code == ACTED_BEFORE for row in _failed_billing(facts))
    differs = facts.differs or any(row.code == BILLED_NOT_ACTIVE for row in facts.troubles)
    return ALLOWED if stopped or differs else SAME_BOOKS


def fix(facts: Facts) -> Text:
    if facts.open.mending:
        return _("It is being put right already.")
    return ALLOWED if facts.differs else SAME_BOOKS


def compare(facts: Facts) -> Text:
    if facts.order.kind == Kind.CHANGE:
        return _("A change has no records of its own: its trial is compared.")
    return ALLOWED if facts.order.planned_at else _("Nothing of it has been planned yet.")


def give_up(facts: Facts) -> Text:
    rows = [row for row in _failed_billing(facts) if row.undo or row.step != Dispatch.Step.CREATE_BILLING]
    if any(row.step not in FIXES for row in rows):
        return ALLOWED
    return _("No billing step of it has failed for good; other steps are resent, waived or withdrawn.")


def _failed_billing(facts: Facts) -> list[Dispatch]:
    failed = Dispatch.State.FAILED
    return facts.of(lambda row: row.channel == Dispatch.Channel.BILLING and row.state == failed and not row.repeat)


def conflict(facts: Facts) -> Text:
    return ALLOWED if facts.conflicts else _("There is no conflict that nobody has seen to.")


def note(facts: Facts) -> Text:
    return ALLOWED


WHY_NOT: dict[str, Callable[[Facts], Text]] = {
    act.__name__: act
    for act in (
        resend,
        compensate,
        withdraw,
        waive,
        attribute,
        activate,
        call_off,
        usage,
        note,
        proceed,
        name_domains,
        decide,
        accept,
        take,
        fix,
        conflict,
        compare,
        give_up,
    )  # fmt: skip
}

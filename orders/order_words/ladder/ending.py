"""The last stages of the ladder: approval, start day, live, undoing. Pure."""

from dataclasses import replace

from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy, pgettext_lazy

from orders.incidents.incident_codes import BOOKS_ONLY, DIFFERENCE, MOVE_FAILED
from orders.models import Dispatch, Order
from orders.order_words.error_details import of_trouble
from orders.order_words.ladder.step_stages import (
    BEHIND,
    Facts,
    Stage,
    Text,
    Trouble,
    amber,
    blue,
    from_steps,
    green,
    never_begun,
    skipped,
)
from orders.outbox.open_moves import differs, unresolved
from orders.rules.local_time import SHANGHAI
from orders.rules.steps import Partner, Step
from orders.start_day.move_start import may_send_again, start_of
from orders.texts.incident_texts import ACCEPT, OTHER, OUTSIDE, READ, Advice, Cause, cause_of
from orders.texts.state_meanings import ACCEPTED
from orders.trials.trial_state_sources import ENDED, LAST_DAY, NO_DOMAIN, NOT_RESTORED, UNDONE_LATE

WAY_OUT = {"late_undo": "withdraw", "acted_before": "take", "difference": "fix"}  # default: `accept`
UNBILLED = Cause(
    _("The customer has service, and the big-data side has no billing record of it."),
    Advice(_("Put it right at once: the missing records are sent again. What will happen is said before."), "fix"),
)
NOT_MEANT = Cause(
    _("Both books agree, and hold something else than the orders say."),
    Advice(_("Look at the differences below."), READ),
    Advice(_("Have them put right."), "fix"),
    ACCEPT,
)
REJECTED = Cause(
    _("BPM's people rejected the order."),
    Advice(_("Ask BPM for the reason; a right order comes as a new one from BBOSS."), OUTSIDE),
)
WENT_LIVE = {Order.State.ACTIVE, Order.State.TRIALING, Order.State.CONVERTED, Order.State.APPLIED}
LIVE_WORDS = {
    Order.State.ACTIVE: (_("Live and billed"), _("The customer is live and billed. Nothing to do.")),
    Order.State.TRIALING: (_("On trial"), _("The trial runs. Nothing to do.")),
    Order.State.CONVERTED: (_("Converted"), _("An activation took the trial over. Nothing to do.")),
    Order.State.APPLIED: (_("Applied"), _("The change is carried out. Nothing to do.")),
}
UNDOING = {
    Step.DELETE_BILLING: ngettext_lazy("%(n)d billing record deleted", "%(n)d billing records deleted", "n"),
    Step.CANCEL_BILLING: ngettext_lazy(
        "%(n)d billing record cancelled from then on; what was used before is billed",
        "%(n)d billing records cancelled from then on; what was used before is billed",
        "n",
    ),
    Step.CANCEL_TRIAL: ngettext_lazy("%(n)d trial record cancelled", "%(n)d trial records cancelled", "n"),
    Step.RESTORE_TRIAL: ngettext_lazy("%(n)d trial record restored", "%(n)d trial records restored", "n"),
}
IN_PART = _("The change is carried out in part: what staff gave up of it does not count. Nothing to do.")
WHY_ENDED = {
    LAST_DAY: _("The trial's last day has passed."),
    NO_DOMAIN: _("No domain is left on trial."),
    UNDONE_LATE: _("An activation of it was taken back after the customer had been live; the trial does not run on."),
    NOT_RESTORED: _("Its records were not restored after an activation was taken back, so the trial does not run on."),
    ENDED: _("The trial ended with an activation that was taken back."),
}
HAS_ENDED = _("The trial has ended.")
HAS_FAILED = Cause(
    _("The order has failed; if it had sent something, that is taken back."),
    Advice(_("Resend it if it is to be opened after all."), "resend"),
    Advice(_("Let BBOSS withdraw the order."), OUTSIDE),
)
BESIDE = Cause(
    _("An order that changes this trial's records is stopped, so they may not be as they are meant to be."),
    Advice(_("Set that order going, or give its step up; what it says there ends this too."), OTHER),
)


def approval_stage(facts: Facts) -> Stage:
    """Returns the stage of BPM's decision. Only a subsequent activation waits for it."""
    order, base = facts.order, {"key": "approval", "title": _("Approval")}
    odd = next((row for row in facts.troubles if row.step == "approval" and not row.ignored), None)
    if odd:
        about = {"cause": cause_of(odd.code), "code": odd.code, "detail": facts.opinion or odd.detail}
        return amber(base, _("Unclear"), at=odd.since, action=way_out(odd, facts), **about)
    if order.decision:
        return _decided(base, facts)
    if order.first:
        note = _("The first activation of a trial does not wait for an approval; a rejection would still stop it.")
        return skipped(base, _("Not waited for"), note=note, detail=facts.opinion)
    if order.state == Order.State.AWAITING_APPROVAL:
        sent = max((row.done_at for row in facts.steps if row.channel == "bpm" and row.done_at), default=None)
        if facts.returned:
            back = _("BPM's people returned it: clear up what they ask for. They decide again afterwards.")
            return amber(base, _("Returned by BPM"), icon="undo", at=sent, note=back, detail=facts.opinion)
        note = _("BPM's people decide. It goes on by itself; if it takes long, ask the person there.")
        about = {"at": sent, "note": note, "detail": facts.opinion, "action": "push"}
        return Stage(**base, tone="violet", icon="person", result=_("Waits for BPM"), **about)
    note = _("BPM's people are asked when the work order is there.")
    return Stage(**base, result=_("Not begun"), note=note, detail=facts.opinion)


def _decided(base: dict, facts: Facts) -> Stage:
    order, decided = facts.order, {"at": facts.order.decided_at, "detail": facts.opinion}
    if order.decision == Order.Decision.PASS:
        return green(base, _("Approved"), note=_("BPM's people approved the order."), **decided)
    if order.live_at and order.undo_since is None and order.undo_asked_at is None:
        note = _("BPM's people rejected it after the customer had gone live. Staff let it stand, with a reason.")
        return skipped(base, _("Rejected, let stand"), note=note, **decided)
    return Stage(**base, tone="red", icon="cross", result=_("Rejected"), cause=REJECTED, **decided)


def start_day_stage(facts: Facts) -> Stage:
    order, base = facts.order, {"key": "start", "title": _("Start day")}
    if order.undo_since and not order.live_at:
        return never_begun(base)
    if order.planned_at is None:
        day = date_format(order.biz_start, "n-j") if order.biz_start else _("Not begun")
        return Stage(**base, result=day, note=_("It has not come to this yet."))
    if not order.undo_since and (move := unresolved(facts.steps)):
        return _being_moved(base, move, facts)
    if order.start_at is None:
        note = _("The start day was not ahead: the business starts as soon as the order is carried out.")
        return (green if order.live_at else skipped)(base, _("At once"), at=order.live_at, note=note)
    if order.start_at > facts.now:
        return _ahead(base, order)
    return _come(base, facts)


def _being_moved(base: dict, move: Dispatch, facts: Facts) -> Stage:
    """Returns the stage while the start day is being moved. If the outcome is unknown, it shows the incident."""
    trouble = next((row for row in facts.troubles if row.code == MOVE_FAILED), None)
    if move.state != Dispatch.State.FAILED or trouble is None:
        stage = from_steps("start", base["title"], [move], facts, done=_("Carried out"))
        return replace(stage, note=_moves_to(move, facts)) if facts.order.start_at else stage
    about = {"cause": trouble.cause, "code": trouble.code, "detail": of_trouble(trouble)}
    return amber(base, _("Needs a look"), at=trouble.since, action=_leaves_move(move, facts), **about)


def _moves_to(move: Dispatch, facts: Facts) -> Text:
    moments = (facts.order.start_at, start_of(move) or facts.now)
    old, new = (date_format(moment.astimezone(SHANGHAI).date(), "Y-m-d") for moment in moments)
    days = {"old": old, "new": new}
    return _("The start moves from %(old)s to %(new)s once the big-data side has accepted that.") % days


def _leaves_move(move: Dispatch | None, facts: Facts) -> str:
    """Returns the decision that ends the incident of a move; none while the big-data side is being queried."""
    if move is None:
        return "accept"
    if may_send_again(move, facts.order, facts.now):
        return "resend"
    return "take" if differs(move) else ""


def _ahead(base: dict, order: Order) -> Stage:
    day = date_format(order.biz_start or order.start_at, "n-j")
    if order.state == Order.State.SCHEDULED:
        note = _(
            "Everything is sent. The order goes live by itself on its start day. Until then BBOSS can withdraw it."
        )
        return blue(base, day, icon="clock", at=order.start_at, note=note, action="move_start")
    return Stage(**base, icon="clock", result=day, at=order.start_at, note=_("The start day lies ahead."))


def _come(base: dict, facts: Facts) -> Stage:
    order = facts.order
    rows = facts.of(lambda row: row.gate == "start" and not row.undo)
    waiting = [row for row in rows if row.state == "waiting"]
    if order.state == Order.State.SCHEDULED and (waiting or not rows):
        note = _("The day has come. A job starts the order within a minute; it can also be started here.")
        return blue(base, _("Due"), icon="clock", at=order.start_at, note=note, action="activate")
    if rows:
        return from_steps("start", base["title"], rows, facts, done=_("Carried out"))
    if order.live_at is not None:
        return green(base, _("Carried out"), at=order.start_at)
    return Stage(**base, icon="clock", result=_("Not begun"), at=order.start_at)


def live_stage(facts: Facts) -> Stage:
    order, accepted = facts.order, facts.marks.accepted
    titles = {
        Order.Kind.TRIAL: _("Trial runs"),
        Order.Kind.CHANGE: _("The change"),
        Order.Kind.ACTIVATION: pgettext_lazy("rung", "Live"),
    }
    base = {"key": "live", "title": titles[order.kind]}
    if not order.undo_since and (stage := books_stage(base, facts)):
        return stage
    if accepted and not order.undo_since:
        word, note = ACCEPTED[accepted]
        return Stage(**base, tone="none", icon="check", result=word, at=order.live_at or _last(facts), note=note)
    if order.state in WENT_LIVE:
        word, note = LIVE_WORDS[order.state]
        if order.given_up and any(order.given_up.values()) and order.state == Order.State.APPLIED:
            note = IN_PART
        return green(base, word, at=order.live_at or _last(facts), note=note)
    if order.state == Order.State.ENDED:
        return Stage(**base, tone="none", icon="check", result=_("Ended"), note=WHY_ENDED.get(facts.over, HAS_ENDED))
    if order.live_at or _ran(facts):
        note = _("It was live, and no longer is.")
        if order.state == Order.State.COMPENSATING:
            note = _("It was live, and is being taken back.")
        elif accepted or not facts.marks.fine:
            note = _("It was live; the last step says what is left of it.")
        return Stage(**base, icon="undo", result=_("Was live"), at=order.live_at, note=note)
    if order.undo_since:
        return never_begun(base)
    return Stage(**base, result=_("Not yet"), note=_("It has not come to this yet."))


def _ran(facts: Facts) -> bool:
    """Returns True if a trial or change was in effect before it was undone. Such orders have no `live_at`."""
    return facts.order.kind != Order.Kind.ACTIVATION and any(row.state == Dispatch.State.UNDONE for row in facts.steps)


def _last(facts: Facts):
    return max((row.done_at for row in facts.steps if row.done_at and row.channel == "billing"), default=None)


def books_stage(base: dict, facts: Facts) -> Stage | None:
    """Returns the stage for an open difference or an incident that needs a decision; None if there is neither.

    Only a comparison or staff can end such an incident, or it stops another order with the same trial's records.
    """
    if facts.open.number:
        return _differing(base, facts)
    codes = {row.error_code for row in facts.steps if row.state == Dispatch.State.FAILED}
    trouble = next((row for row in facts.troubles if row.code in BOOKS_ONLY and row.code not in codes), None)
    if trouble is None:
        return _beside(base, facts)
    about = {"cause": trouble.cause, "code": trouble.code, "detail": of_trouble(trouble)}
    return amber(base, _("Needs a look"), at=trouble.since, action=way_out(trouble, facts), **about)


def way_out(trouble: Trouble, facts: Facts) -> str:
    """Returns the recommended decision; empty for an incident that ends by itself, or with another order."""
    if trouble.beside or trouble.code == "early":
        return ""
    if trouble.code == MOVE_FAILED:
        return _leaves_move(unresolved(facts.steps), facts)
    if trouble.code in BOOKS_ONLY:
        return "accept" if trouble.partner == Partner.BPM else WAY_OUT.get(trouble.code, "accept")
    return "pass" if trouble.step == "approval" else "resend"


def _beside(base: dict, facts: Facts) -> Stage | None:
    trouble = next((row for row in facts.troubles if row.beside and not row.ignored), None)
    if trouble is None or facts.beside is None:
        return None
    about = {"cause": BESIDE, "code": trouble.code, "detail": str(trouble.cause.what)}
    return amber(base, _("Needs a look"), at=trouble.since, other=facts.beside, **about)


def not_fine(stage: Stage, facts: Facts) -> Stage:
    """Returns the stage with a warning. Used if an order is not fine (order_warnings.py) and no stage shows it."""
    failed, doubt = facts.order.state == Order.State.FAILED, facts.marks.doubt
    troubles = [row for row in facts.troubles if not row.ignored and (row.code == doubt or not doubt)]
    trouble = troubles[0] if troubles else None
    code = doubt or (trouble.code if trouble else "")
    cause = cause_of(code) if code else BEHIND if facts.marks.behind else HAS_FAILED
    return replace(
        stage,
        tone="red" if failed else "amber",
        icon="cross" if failed else "pause",
        note="",
        cause=cause,
        code=code,
        result=_("Failed") if failed else _("Needs a look"),
        at=trouble.since if trouble else stage.at,
        detail=of_trouble(trouble) if trouble else "",
        action="resend" if failed else stage.action,
    )


def _differing(base: dict, facts: Facts) -> Stage:
    """Returns the stage for records that differ. A customer with service and without a bill is the most urgent case."""
    about = {"at": facts.open.since, "code": DIFFERENCE}
    if facts.open.mending == facts.open.number:
        note = _("What differed has been sent to the big-data side; its answer shows here once it is there.")
        return blue(base, _("Being put right"), note=note, **about)
    about["action"] = "fix" if facts.differs else "accept"
    if facts.open.unbilled:
        return Stage(**base, tone="red", icon="cross", result=_("Not billed"), cause=UNBILLED, **about)
    cause = NOT_MEANT if facts.open.not_meant == facts.open.number else cause_of(DIFFERENCE)
    return amber(base, _("Needs a look"), cause=cause, **about)


def undone_stage(facts: Facts) -> Stage:
    order = facts.order
    title = _("Withdrawal") if Order.State.WITHDRAWN in {order.state, order.undo_to} else _("Putting back")
    base, rows = {"key": "undo", "title": title}, facts.of(lambda row: row.undo)
    if order.state == Order.State.COMPENSATING:
        stage = from_steps("undo", title, rows, facts, done=_("Done"))
        if stage.tone != "grey":
            return stage
        return blue(base, _("Under way"), icon="undo", note=what_was_undone(rows))
    if stage := books_stage(base, facts):
        return stage
    at = max((row.done_at for row in rows if row.done_at), default=order.undo_since)
    if accepted := facts.marks.accepted:
        word, note = ACCEPTED[accepted]
        return Stage(**base, tone="none", icon="undo", result=word, at=at, note=note)
    word = _("Withdrawn") if order.state == Order.State.WITHDRAWN else _put_back(rows)
    return Stage(**base, tone="none", icon="undo", result=word, at=at, note=what_was_undone(rows))


def _put_back(rows: list[Dispatch]) -> Text:
    """Returns the result of the undoing in one to three words.

    A failed order that had sent nothing has nothing to restore.
    """
    if any(row.state == Dispatch.State.GIVEN_UP for row in rows):
        return _("Given up")
    return _("Put back") if any(row.state == Dispatch.State.DONE for row in rows) else _("Nothing to put back")


def what_was_undone(rows: list[Dispatch]) -> str:
    """Returns how many billing records were deleted, cancelled and restored, and what was given up."""
    if not rows:
        return str(_("Nothing had reached the big-data side, so nothing had to be undone."))
    carried_out = [row for row in rows if row.state == Dispatch.State.DONE and not row.settled]
    parts = []
    for step, words in UNDOING.items():
        if number := sum(len(row.records) for row in carried_out if row.step == step):
            parts.append(words % {"n": number})
    for row in rows:
        if row.state == Dispatch.State.GIVEN_UP or row.settled:
            parts.append(_given_up(row) % {"step": row.get_step_display()})
    return _("; ").join(parts) if parts else str(_("Nothing had to be taken back at the big-data side."))


def _given_up(row: Dispatch) -> Text:
    if row.state == Dispatch.State.DONE:
        return _("given up, and nothing of it is left to do: %(step)s")
    return _("given up, left as it is: %(step)s") if row.is_accepted else _("given up, not done: %(step)s")

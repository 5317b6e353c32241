"""The stages built from an order's steps: received, stored, files, billing, BPM. Pure."""

import datetime
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from notifications.models import Mail
from orders.history.actors import actor_of
from orders.incidents.incident_codes import BILLED_NOT_ACTIVE, PARTNER_PAUSED
from orders.incidents.order_warnings import Marks, Open
from orders.models import Dispatch, Order, OrderEvent, Pause
from orders.order_words.error_details import detail_text, of_finding, of_step, of_trouble
from orders.outbox.outcome import ACTED_BEFORE, LOOK_UP
from orders.rules.steps import OF_COMPARISONS, PARTNERS, Channel, Step
from orders.rules.trial_shape import Shape
from orders.texts.incident_texts import CAUSES, ITSELF, OTHER, Advice, Cause, cause_of

Text = str | Promise
ACTION_OF = {ACTED_BEFORE: "take", LOOK_UP: "look_up"}  # the recommended decision for a failed step, by its code
BY_URGENCY = (
    Dispatch.State.FAILED,
    Dispatch.State.RETRYING,
    Dispatch.State.SENDING,
    Dispatch.State.DUE,
    Dispatch.State.WAITING,
)
ON_HOLD = {
    Order.Held.ATTRIBUTION_UNKNOWN: "attribute",
    Order.Held.TRIAL_CLOSED: "proceed",
    Order.Held.DOMAINS_MISSING: "name_domains",
}
OVER = {Dispatch.State.DONE, Dispatch.State.GIVEN_UP}
GOES_ON = Advice(_("What waits goes out by itself when the pause ends."), ITSELF)
BEHIND = Cause(
    _("It waits behind a failed step of another order of its trial."),
    Advice(_("Set that order going, or give its step up; this one follows by itself."), OTHER),
)


@dataclass(frozen=True)
class Trouble:
    """An open incident that stops the order or (`beside`) another order of its trial. `ignored`: by staff."""

    code: str
    step: str = ""
    partner: str = ""
    detail: str = ""
    since: datetime.datetime | None = None
    incident_id: int | None = None
    detail_params: Mapping = field(default_factory=dict)
    beside: bool = False
    ignored: bool = False

    @property
    def cause(self) -> Cause:
        return cause_of(self.code)


@dataclass(frozen=True)
class Waiver:
    who: str
    reason: str
    at: datetime.datetime


@dataclass(frozen=True)
class Facts:
    """The input of the ladder.

    `steps`: those that count. `shut`: partners whose breaker is open. `paused`: pauses in force, by partner. `late`:
    the customer has been live for so long that nothing is undone automatically (contract 3.9, 16). `open`: the
    differences with the partner's records. `behind`: the failed step of another order that it waits for. `returned`:
    BPM's latest record is a return. `conflicts`: id and time of unhandled messages with its number and different
    content, the newest first. `marks`: the order's warnings (order_warnings.py). For a trial: `shape`, and `over`, why
    it has ended. `beside`: the stopped order whose incident lists this trial. `claimed`: an activation holds this
    trial. `moving`: a billing step of the order or its trial is under way. `pushed`: today's event by which staff asked
    for the approval. `mails`: those about the order that have failed or are retried.
    """

    order: Order
    steps: Collection[Dispatch]
    now: datetime.datetime
    troubles: Collection[Trouble] = ()
    shut: Collection[str] = ()
    paused: Mapping[str, Pause] = field(default_factory=dict)
    opinion: str = ""
    late: bool = False
    open: Open = Open()
    behind: Dispatch | None = None
    waiver: Waiver | None = None
    conflicts: Collection[tuple[int, datetime.datetime]] = ()
    returned: bool = False
    marks: Marks = Marks()
    shape: Shape | None = None
    over: str = ""
    beside: Order | None = None
    claimed: bool = False
    moving: bool = False
    pushed: OrderEvent | None = None
    mails: Collection[Mail] = ()

    @property
    def differs(self) -> bool:
        """Returns True if the partner's records differ. An order missing in BBOSS's list does not count."""
        return self.open.number > self.open.unlisted

    def of(self, wanted: Callable[[Dispatch], bool]) -> list[Dispatch]:
        return [row for row in self.steps if wanted(row)]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage. `tone`: one of six, or `none` if the stage does not apply. `action`: the key of the recommended
    decision.

    `result`: one to three words. `note`: a sentence if there is no cause. `cause`: what is wrong and what to do. `code`
    and `detail`: the partner's answer. `points`: the single faults. `other`: another order that it waits for.
    """

    key: str
    title: Text
    tone: str = "grey"
    icon: str = "dot"
    result: Text = ""
    at: datetime.datetime | None = None
    note: Text = ""
    cause: Cause | None = None
    code: str = ""
    detail: str = ""
    tries: int = 0
    next_try: datetime.datetime | None = None
    points: tuple[str, ...] = ()
    action: str = ""
    other: Order | None = None
    current: bool = False


def green(base: dict, result: Text, **facts) -> Stage:
    return Stage(**base, tone="green", icon="check", result=result, **facts)


def amber(base: dict, result: Text, *, icon: str = "pause", **facts) -> Stage:
    return Stage(**base, tone="amber", icon=icon, result=result, **facts)


def blue(base: dict, result: Text, *, icon: str = "arrow", **facts) -> Stage:
    return Stage(**base, tone="blue", icon=icon, result=result, **facts)


def skipped(base: dict, result: Text, **facts) -> Stage:
    return Stage(**base, tone="none", icon="dash", result=result, **facts)


def never_begun(base: dict) -> Stage:
    return Stage(**base, icon="dash", result=_("Closed"), note=_("It was never begun, and will not be."))


def received_stage(facts: Facts) -> Stage:
    """BBOSS got the response 00000, or a person entered the order."""
    result = _("From BBOSS")
    note = _("BBOSS was answered 00000; the order is on disk with everything needed to carry it out.")
    if actor := getattr(facts.order, "entered_by", None):
        note = _("The order is on disk with everything needed to carry it out.")
        result = _("Entered by hand by %(person)s") % {"person": actor_of(actor)[0]}
    return green({"key": "received", "title": _("Received")}, result, at=facts.order.received_at, note=note)


def stored_stage(facts: Facts) -> Stage:
    order = facts.order
    base = {"key": "stored", "title": _("Stored")}
    if order.held_because and order.held_because != Order.Held.FILES:
        trouble = next((row for row in facts.troubles if row.code == order.held_because), None)
        at, detail = (trouble.since, of_trouble(trouble)) if trouble else (order.received_at, "")
        cause, action = cause_of(order.held_because), _lets_go(order)
        return amber(base, _("Held"), at=at, cause=cause, detail=detail, action=action)
    if order.planned_at is None:
        return Stage(**base, result=_("Not planned"), note=_("The order's steps were never laid out."))
    note = _("The order's steps are laid out, and its billing records noted.")
    return green(base, _("Plan made"), at=order.planned_at, note=note)


def _lets_go(order: Order) -> str:
    """Returns the action that ends a hold. A change of a closed trial can only be withdrawn."""
    change = order.held_because == Order.Held.TRIAL_CLOSED and order.kind == Order.Kind.CHANGE
    return "withdraw" if change else ON_HOLD.get(order.held_because, "")


def files_stage(facts: Facts) -> Stage:
    rows = facts.of(lambda row: row.step == Step.CHECK_FILES)
    base = {"key": "files", "title": _("Files")}
    if not facts.order.file_names:
        note = _("The order names no info-security files, so there is nothing to check.")
        return skipped(base, _("None named"), note=note)
    if facts.order.held_because == Order.Held.FILES:
        return _held_for_files(base, facts, rows)
    if facts.waiver and rows and all(row.state == Dispatch.State.DONE for row in rows):
        note = _("%(who)s waived what was wrong with the files.") % {"who": facts.waiver.who}
        reason, points = facts.waiver.reason, _points(rows[0])
        return skipped(base, _("Waived"), at=facts.waiver.at, note=note, detail=reason, points=points)
    return from_steps(**base, rows=rows, facts=facts, done=_("All right"))


def _held_for_files(base: dict, facts: Facts, rows: list[Dispatch]) -> Stage:
    trouble = next((found for found in facts.troubles if found.partner == "files"), Trouble(code=""))
    code, detail, more = trouble.code, trouble.detail, {}
    if rows:
        row = rows[0]
        code, detail = code or row.error_code, "" if row.findings else detail or row.error
        more = {"points": _points(row), "tries": row.attempts, "next_try": row.next_try_at}
    code = code or Order.Held.FILES
    about = {"cause": cause_of(code), "code": code, "detail": _file_of(code, detail) if detail else ""}
    return amber(base, _("Held"), at=trouble.since, action="waive", **about, **more)


def _points(row: Dispatch) -> tuple[str, ...]:
    return tuple(
        _("%(file)s: %(what)s") % {"file": one["file"], "what": f"{cause_of(one['code']).what} {of_finding(one)}"}
        for one in row.findings or []
        if one["code"]
    )


def _file_of(code: str, detail: str) -> str:
    """Returns the file's name, with the detail only if the cause does not say all of it.

    Checks from before each wrong file was listed separately give one text.
    """
    return detail_text(detail, {}) if code in {"bad_name", "too_large"} else detail.partition(": ")[0]


def billing_stage(facts: Facts) -> Stage:
    """The planned billing calls, without those of the start day, of its move and of the undoing."""
    others = {*OF_COMPARISONS, Step.MOVE_START}
    rows = facts.of(
        lambda row: row.channel == "billing" and row.gate != "start" and not (row.undo or row.step in others)
    )
    title = _("Billing") if facts.order.kind == Order.Kind.ACTIVATION else _("Trial billing")
    return from_steps("billing", title, rows, facts, done=_("Accepted"))


def bpm_stage(facts: Facts) -> Stage:
    rows = facts.of(lambda row: row.channel == "bpm")
    return from_steps("bpm", _("BPM"), rows, facts, done=_("Process started"))


def other_stage(channel: Channel, facts: Facts) -> Stage:
    rows = facts.of(lambda row: row.channel == channel and not row.undo)
    return from_steps(channel.value, channel.label, rows, facts, done=_("Done"))


def from_steps(key: str, title: Text, rows: list[Dispatch], facts: Facts, *, done: Text) -> Stage:
    """Builds a stage from several steps. It shows the most urgent one."""
    base = {"key": key, "title": title}
    if not rows:
        return Stage(**base, result=_("Not begun"), note=_("It has not come to this yet."))
    row = next((row for state in BY_URGENCY for row in rows if row.state == state), None)
    if row is None:
        return _over(base, rows, done)
    shut = PARTNERS[row.channel] in facts.shut
    if row.state == Dispatch.State.FAILED:
        return _failed(base, row, facts)
    if row.state in {Dispatch.State.RETRYING, Dispatch.State.DUE} and (
        pause := facts.paused.get(PARTNERS[row.channel])
    ):
        return _paused(base, row, pause)
    if row.state in {Dispatch.State.RETRYING, Dispatch.State.DUE} and shut:
        return amber(base, _("Partner is down"), cause=CAUSES["breaker_open"], **_said_by(row))
    if row.state == Dispatch.State.RETRYING:
        about = {"cause": cause_of(row.error_code), "next_try": row.next_try_at, "action": "resend"}
        return amber(base, _("Trying again"), icon="retry", **about, **_said_by(row))
    if row.state == Dispatch.State.WAITING:
        return _waiting(base, row, rows, facts)
    word = _("Being sent") if row.state == Dispatch.State.SENDING else _("About to be sent")
    return blue(base, word, tries=row.attempts, note=_("It is under way."))


def _said_by(row: Dispatch) -> dict:
    return {"code": row.error_code, "detail": of_step(row), "tries": row.attempts}


def _paused(base: dict, row: Dispatch, pause: Pause) -> Stage:
    """Returns the stage for a paused partner: staff hold its calls until a given time or until they resume it."""
    cause = CAUSES[PARTNER_PAUSED]
    if pause.until:
        cause = Cause(cause.what, GOES_ON, *cause.advice)
    detail = f"{actor_of(pause.paused_by, at=pause.since)[0]}{_(': ')}{pause.reason}"
    about = {"cause": cause, "code": PARTNER_PAUSED, "detail": detail}
    return amber(base, _("Paused"), at=pause.since, tries=row.attempts, next_try=pause.until, **about)


def _failed(base: dict, row: Dispatch, facts: Facts) -> Stage:
    busy = facts.order.state == Order.State.COMPENSATING and not row.undo
    over = facts.order.state in {Order.State.WITHDRAWN, Order.State.REJECTED}
    # same rule as `still_matters` in orders.incidents.order_warnings
    matters = not over or row.undo or facts.order.undo_since is None
    return Stage(
        **base,
        tone="red" if matters else "grey",
        icon="cross",
        result=_how(row),
        at=row.done_at,
        cause=cause_of(row.error_code),
        action="" if busy or over else ACTION_OF.get(row.error_code, "resend"),
        **_said_by(row),
    )


def _how(row: Dispatch) -> Text:
    if row.error_code == ACTED_BEFORE:
        return _("Done before")
    return _("Refused") if row.definite else _("Failed")


def _waiting(base: dict, row: Dispatch, rows: list[Dispatch], facts: Facts) -> Stage:
    """The step is not ready yet, or waits for other orders of the trial if all earlier steps of its own order are
    done.
    """
    if facts.order.undo_since and not row.undo:
        return never_begun(base)
    if facts.behind and row.lane:
        return _behind(base, facts.behind)
    before = facts.of(lambda other: other.blocking and other.position < row.position and not other.undo)
    free = all(other.state in OVER for other in before) and not row.gate
    if free and row.lane and not facts.order.held_because:
        note = _("Orders on the same trial are carried out one at a time; this one is next in line.")
        return blue(base, _("In line"), icon="clock", note=note)
    if any(other.state == Dispatch.State.DONE for other in rows):
        return blue(base, _("Under way"), note=_("It is under way."))
    return Stage(**base, result=_("Not begun"), note=_("It begins when the steps before it are done."))


def _behind(base: dict, row: Dispatch) -> Stage:
    """Another order of the trial has failed, and this one waits for it: it does not proceed by itself."""
    why = cause_of(row.error_code or BILLED_NOT_ACTIVE).what  # without an error code the blocker is a given-up step
    detail = f"{row.get_step_display()}{_(': ')}{why}"
    about = {"cause": BEHIND, "detail": detail, "other": row.order}
    return amber(base, _("Waits behind a failed order"), at=row.done_at, **about)


def _over(base: dict, rows: list[Dispatch], done: Text) -> Stage:
    at = max((row.done_at for row in rows if row.done_at), default=None)
    tries = max(row.attempts for row in rows)
    if all(row.state == Dispatch.State.DONE for row in rows):
        return green(base, done, at=at, tries=tries)
    if all(row.state in OVER for row in rows):
        note = _("Staff gave it up, with a reason: it stands in the events.")
        return skipped(base, _("Given up"), at=at, tries=tries, note=note)
    if any(row.state == Dispatch.State.UNDONE for row in rows):
        return Stage(
            **base, icon="undo", result=_("Undone"), at=at, tries=tries, note=_("It was done, and taken back.")
        )
    if any(row.state == Dispatch.State.DONE for row in rows):
        return Stage(**base, icon="undo", result=_("Broken off"), at=at, tries=tries)
    if tries:
        note = _("It was under way when the order was taken back, and was given up.")
        return Stage(**base, icon="dash", result=_("Closed"), note=note, tries=tries)
    return never_begun(base)

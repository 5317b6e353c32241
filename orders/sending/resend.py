"""Resends steps, for commands and pages (contract 3.9, Resend; section 5).

Each step first gets a verdict on what would happen. Then the verdicts are carried out order by order, with one
transaction for each order. There is an event for each order and one event for the whole resend.
"""

import dataclasses
import datetime
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from notifications.models import Mail, MailQuerySet
from orders.books.books import BooksSilentError, has_look_up
from orders.books.held_records import as_meant
from orders.bpm.received_decisions import decision_in_force
from orders.erasing.erased_orders import why_erased
from orders.history.order_locks_and_events import add_event, load_records, lock_order, refresh_states
from orders.incidents.incident_codes import COMPENSATED
from orders.incidents.incidents import end_settled
from orders.mails.mail_resend import send_again
from orders.models import AffectedOrder, BillingRecord, Dispatch, Order
from orders.models.dispatch import OPEN_STATES
from orders.outbox.billing_effects import (
    bpm_acts,
    cancels_on_start,
    denied_by_books,
    later_in_line,
    takes_back,
    touched_since,
)
from orders.outbox.enqueue import build_repeat, build_replacement, enqueue, wake
from orders.outbox.open_moves import differs, move_of
from orders.outbox.outcome import ACTED_BEFORE, DOUBTS
from orders.outbox.proven_calls import is_never_repeated
from orders.outbox.record_selection import set_times
from orders.outbox.release_steps import NOT_FINISHED, release
from orders.reconciliation.asking import ask_steps, why_silent
from orders.replanning.reopening import claims_against, open_again, why_not_open
from orders.replanning.replan_line import cancel_after_all, is_rebuilt_on_resend, rebuild_step
from orders.rules.local_time import midnight
from orders.rules.steps import OF_COMPARISONS, STEPS, Channel, Partner, Phase, Step, channels_of
from orders.sending.claim import paused_partners
from orders.sending.held_processes import let_go
from orders.sending.reread_answers import end_by_reading, ends_by_reading, note_begun
from orders.sending.waiting_words import step_waits_for
from orders.start_day.move_start import may_send_again
from orders.texts.errors import NotAllowedError

SAME, NEW, AGAIN, REPEAT = "same", "new", "again", "repeat"
ACCEPTED, BLOCKED, PAUSED, REFUSED, LEFT_OUT = "accepted", "blocked", "paused", "refused", "left_out"
BATCH_SIZE = 500  # orders whose steps are judged together
ANEW = "it is planned anew, as if it arrived now, under new keys"
STUCK = {Dispatch.State.FAILED, Dispatch.State.RETRYING}
HAS_PROCESS = [Dispatch.State.DONE, Dispatch.State.UNDONE]  # a BPM start that was accepted
WAITS = {BLOCKED, PAUSED}
WILL_SEND = {SAME, NEW, AGAIN, REPEAT, *WAITS}


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The selection of steps to resend. Without `failed` and `channel`, the selection has an order's failed steps, or
    all steps of the order if no step failed.

    `since`: created on that day (Asia/Shanghai) or later. `partner`: bigdata, bpm, mail or files. `code`: the error
    code of the failure. `reopen`: a filter also reopens compensated orders, except orders that staff compensated.
    Orders given by number are reopened in any case. `filtered`: the numbers come from a filter, not from a person.
    `anew`: a person states that the steps in doubt had no effect, so these steps are sent under new keys (contract 7.2,
    `--new`).
    """

    numbers: tuple[str, ...] = ()
    channel: str = ""
    failed: bool = False
    since: datetime.date | None = None
    partner: str = ""
    code: str = ""
    reopen: bool = False
    filtered: bool = False
    anew: bool = False

    @property
    def has_mails(self) -> bool:
        return self.channel in {"", Channel.MAIL} and self.partner in {"", Partner.MAIL}

    @property
    def only_mails(self) -> bool:
        return self.channel == Channel.MAIL or self.partner == Partner.MAIL

    @property
    def by_number(self) -> bool:
        """Returns True if a person chose the orders by number.

        Orders that a person chose by number are reopened even if they were compensated months ago. A filter alone
        must not reopen such orders.
        """
        return bool(self.numbers) and not self.filtered


@dataclass(frozen=True)
class Judgement:
    """The verdict on one step, or on a whole compensated order (then `step` is "all").

    `verdict`: `same` (same key and bytes), `new` (a new key), `again` (the compensated order is planned again),
    `repeat` (forced: an accepted step is sent once more), `blocked` (queued, but the partner's breaker is open),
    `paused` (queued, but the partner is paused), `accepted` (the step succeeded), `left_out` (a filter does not reopen
    the order), `refused` (not allowed; `why` has the reason). `mail_id`: set for a mail instead of a step. A mail about
    no order has `-` as its order. `refusal`: why an order can't be reopened, or why a step's effect can't be queried.
    `decision`: BPM's decision that remains valid when the order is reopened.
    """

    order: str
    step: str
    verdict: str
    why: str = ""
    dispatch_id: int | None = None
    mail_id: int | None = None
    refusal: NotAllowedError | None = field(default=None, compare=False)
    decision: str = ""
    anew: bool = False

    @property
    def sends(self) -> bool:
        """Returns True if something is queued when the verdict is carried out."""
        return self.verdict in WILL_SEND


@dataclass
class ResendReport:
    """The report of a resend: the verdicts that it carried out."""

    judgements: list[Judgement] = field(default_factory=list)

    @property
    def refused(self) -> list[Judgement]:
        return [row for row in self.judgements if not row.sends and row.verdict != LEFT_OUT]


def judge_selection(
    selection: Selection, *, force: bool = False, open_partners: Collection[str] = ()
) -> list[Judgement]:
    """Returns the verdicts for a preview: what would happen to each selected step. Only reads."""
    waits, judged, orders = _waits(open_partners), [], list(_orders(selection).select_related("trial").defer("content"))
    taken: dict[int, Order] = {}  # the order that gets each trial's claim
    for start in range(0, len(orders), BATCH_SIZE):
        part = orders[start : start + BATCH_SIZE]
        steps, claims = _steps(part, selection), claims_against(filter(_compensated, part))
        erased = why_erased(part)
        for order in part:
            if why := erased.get(order.pk):
                judged.append(_refused(order, why))
                continue
            rows = steps[order.pk]
            found = _judge(order, rows, claims, selection, force, waits) or [_nothing(order, selection)]
            if order.first and found[0].verdict == AGAIN and taken.setdefault(order.trial_id, order) is not order:
                first = taken[order.trial_id].number  # it will have the claim by then
                found = [_refused(order, NotAllowedError("open_other_first", number=first))]
            judged += found
    return judged


def judge_order(
    order: Order, selection: Selection, *, force: bool = False, open_partners: Collection[str] = ()
) -> list[Judgement]:
    """Returns the verdict on each selected step of one order."""
    if why := why_erased([order]).get(order.pk):
        return [_refused(order, why)]
    claims = claims_against(filter(_compensated, [order]))
    rows, waits = _steps([order], selection)[order.pk], _waits(open_partners)
    return _judge(order, rows, claims, selection, force, waits) or [_nothing(order, selection)]


def _refused(order: Order, why: NotAllowedError) -> Judgement:
    return Judgement(order.number, "all", REFUSED, str(why), refusal=why)


def _compensated(order: Order) -> bool:
    """Returns True if the order is completely undone. Returns False if undo steps that staff gave up can still be
    sent."""
    over = order.undo_since and order.state in {Order.State.FAILED, Order.State.REJECTED, Order.State.WITHDRAWN}
    return bool(over) and not any(
        map(is_left, order.dispatches.current().filter(state=Dispatch.State.GIVEN_UP, undo=True))
    )


def _judge(
    order: Order,
    rows: list[Dispatch | Mail],
    claims: dict,
    selection: Selection,
    force: bool,
    waits: Mapping[str, tuple[str, str]],
) -> list[Judgement]:
    if _compensated(order) and not selection.only_mails:
        return [dataclasses.replace(_judge_opening(order, claims, selection), anew=selection.anew)]
    if selection.anew:
        return [_judge_anew(row, order) for row in rows if isinstance(row, Dispatch)]
    if _held_before_its_plan(order) and not force and all(row.state not in STUCK for row in rows):
        return []  # its only step is the mail about its hold, which nobody wants to resend
    return [_judge_step(row, order, force, waits) for row in rows]


def _judge_opening(order: Order, claims: dict, selection: Selection) -> Judgement:
    by_staff = order.troubles.unresolved().filter(incident__code=COMPENSATED).exists() and not selection.by_number
    if by_staff or not (selection.by_number or selection.reopen):
        how = "its number" if by_staff else "its number, or --reopen"
        return Judgement(order.number, "all", LEFT_OUT, f"it was compensated; to open it again takes {how}")
    if why := why_not_open(order, claims):
        return _refused(order, why)
    decision = decision_in_force(order) if bpm_acts(order).exists() else ""
    stands = f"; BPM's {decision} stands" if decision else ""
    return Judgement(order.number, "all", AGAIN, f"{ANEW}{stands}", decision=decision)


def _held_before_its_plan(order: Order) -> bool:
    return bool(order.held_because) and order.planned_at is None


def _nothing(order: Order, selection: Selection) -> Judgement:
    why = "nothing of it has failed" if selection.failed else "it has no steps to send"
    if _held_before_its_plan(order):
        why = f"it is held ({order.held_because}) and has no steps yet"
    elif selection.channel or selection.partner or selection.since or selection.code:
        why = "no step of it fits the filter"
    return Judgement(order.number, "-", REFUSED, why)


def _waits(open_partners: Collection[str]) -> dict[str, tuple[str, str]]:
    """Returns the partners whose calls have to wait. Each partner has the verdict and the reason."""
    found = {
        partner: (BLOCKED, f"the breaker of {partner} is open; it goes out when the partner is back")
        for partner in open_partners
    }
    paused = paused_partners(now=timezone.now())
    return found | {partner: (PAUSED, f"{partner} is paused; it goes out when it is resumed") for partner in paused}


def _judge_step(row: Dispatch | Mail, order: Order, force: bool, waits: Mapping[str, tuple[str, str]]) -> Judgement:
    if isinstance(row, Mail):
        return _judge_mail(row, force, waits)
    verdict, why = _or_waits(row, waits.get(STEPS[row.step].partner), *_verdict(row, order, force))
    return Judgement(order.number, row.step, verdict, why, row.pk)


def _judge_anew(row: Dispatch, order: Order) -> Judgement:
    """Returns the verdict on a step that had no effect according to a person. The big-data side's records may
    contradict that person."""
    about = (order.number, row.step)
    if row.state != Dispatch.State.FAILED or row.error_code not in DOUBTS or is_rebuilt_on_resend(row):
        return Judgement(*about, REFUSED, "it is not in doubt", row.pk)
    try:
        there = row.channel == Channel.BILLING and _is_there(row, order)
    except BooksSilentError as error:
        why = why_silent(error)
        return Judgement(*about, REFUSED, str(why), row.pk, refusal=why)
    if there:
        return Judgement(
            *about, REFUSED, "the big-data side holds its records as the step means them: take them", row.pk
        )
    return Judgement(*about, NEW, "a person says that it did nothing: a new key", row.pk, anew=True)


def _is_there(row: Dispatch, order: Order) -> bool:
    """Queries the big-data side, and returns True if its records of a failed step are in their target state. Without a
    look-up, returns False, since the person has checked the records."""
    if not has_look_up():
        return False
    row.order = order
    records = list(load_records(row.records).values())
    set_times(row, {record.pk: record for record in records})
    return as_meant(row, records, ask_steps(order).held)


def _judge_mail(row: Mail, force: bool, waits: Mapping[str, tuple[str, str]]) -> Judgement:
    verdict, why = _or_waits(row, waits.get(Partner.MAIL), *_verdict_on_mail(row, force))
    return Judgement(row.order.number if row.order else "-", row.kind, verdict, why, mail_id=row.pk)


def _or_waits(row: Dispatch | Mail, waiting: tuple[str, str] | None, verdict: str, why: str) -> tuple[str, str]:
    """Returns the verdict and its reason. If the partner's calls have to wait, returns the verdict and the reason in
    `waiting`."""
    if waiting and verdict in WILL_SEND:
        return waiting
    return verdict, f"{why}: {waiting[1]}" if waiting and row.state == Dispatch.State.DUE else why


def _verdict_on_mail(row: Mail, force: bool) -> tuple[str, str]:
    if row.state == Mail.State.FAILED and row.definite and not row.addressee:
        return NEW, "it was refused for good: it is written anew"
    if row.state == Mail.State.FAILED:
        return SAME, "the same mail, under its Message-ID"
    if row.state == Mail.State.RETRYING:
        return SAME, "it is being retried: at once instead of later"
    if row.state == Mail.State.DONE:
        return (REPEAT, "forced: once more") if force else (ACCEPTED, "--force would send it once more")
    reasons = {
        Mail.State.DUE: "it is queued already",
        Mail.State.SENDING: "it is being sent",
        Mail.State.CLOSED: "what it told of was over before it went out",
    }
    return REFUSED, reasons[row.state]


def _verdict(row: Dispatch, order: Order, force: bool) -> tuple[str, str]:
    if row.step in OF_COMPARISONS and row.state in {Dispatch.State.FAILED, Dispatch.State.DONE}:
        return REFUSED, "it was right at its time only: compare again (reconcile --fix)"
    if row.state == Dispatch.State.FAILED and row.repeat:
        return REFUSED, "it only repeated what was accepted: force that once more"
    if row.state == Dispatch.State.FAILED and row.step == Step.MOVE_START:
        return _move_again(row, order)
    if row.state == Dispatch.State.FAILED:
        if ends_by_reading(row):
            return SAME, "its kept answer is a success by the rules of now: nothing is sent"
        if row.step == Step.MOVE_ATTRIBUTION:
            return NEW, "what is live now goes out with the attribution of now: a new key"
        if is_left_to_people(row):
            return REFUSED, "BPM may have its process, and knows no repeats: `take --step start_bpm`, or `resend --new`"
        if is_rebuilt_on_resend(row):
            return NEW, "what is left to take back is worked out anew: a new key"
        if row.error_code == ACTED_BEFORE:
            return NEW, "the partner acted on its key before, with other bytes: a new key"
        if _goes_anew(row):
            return NEW, "it was refused for good: a new key"
        if row.denied:
            return NEW, "the partner's books say that it is not done: a new key"
        return SAME, "the same key and bytes"
    if is_left(row):
        return NEW, "it was given up, and its records are not as they are meant: a new key"
    if row.state == Dispatch.State.RETRYING:
        return SAME, "it is being retried: at once instead of later"
    if row.state == Dispatch.State.DONE:
        return _forced(row, order) if force else (ACCEPTED, "--force would send it once more")
    if row.state == Dispatch.State.WAITING:
        return REFUSED, f"it waits for {step_waits_for(row)}"
    reasons = {
        Dispatch.State.DUE: "it is queued already",
        Dispatch.State.SENDING: "it is being sent",
        Dispatch.State.CLOSED: "it was closed with its order",
        Dispatch.State.UNDONE: "it was undone",
        Dispatch.State.GIVEN_UP: "it was given up",
    }
    return REFUSED, reasons[row.state]


def is_left_to_people(row: Dispatch) -> bool:
    """Returns True if a failed step is a start that BPM may have accepted and would carry out a second time (7.2)."""
    return is_never_repeated(row.step) and row.may_have_acted and row.error_code in DOUBTS


def _move_again(row: Dispatch, order: Order) -> tuple[str, str]:
    """Returns the verdict on a failed move of the start. The move is sent again only if its records disagree and both
    starts are in the future."""
    if may_send_again(row, order, timezone.now()):
        return NEW, "its records disagree: a new key"
    if differs(row):
        return REFUSED, "its start is near: take the big-data side's records"
    return REFUSED, "the big-data side is asked what it holds"


def _goes_anew(row: Dispatch) -> bool:
    """Returns True if a failed step is sent under a new key. This is so if the step has a definite answer. If its key
    must be kept because the step may have acted, returns False."""
    return row.definite and not (STEPS[row.step].keeps_key and row.may_have_acted)


def is_left(row: Dispatch) -> bool:
    """Returns True if staff gave up a start day's cancel, or a step that undoes something, and this step can still be
    sent. An activation's restore does not count."""
    ended = row.step == Step.RESTORE_TRIAL and row.order.kind == Order.Kind.ACTIVATION
    given_up = row.state == Dispatch.State.GIVEN_UP and (takes_back(row) or cancels_on_start(row)) and not ended
    return given_up and bool(row.settled) and not row.is_accepted


def _forced(row: Dispatch, order: Order) -> tuple[str, str]:
    """Returns the verdict on a forced repeat of an accepted step (contract 3.9, 7). No later step may have changed its
    records."""
    if is_never_repeated(row.step):
        return REFUSED, "BPM knows no repeats: it would start a second process"
    if not STEPS[row.step].repeatable:
        return REFUSED, "it only looks: there is nothing to repeat"
    if row.channel == Channel.BILLING and row.lane is None and move_of(order):
        return REFUSED, "the start of its order is being moved"
    if row.channel != Channel.BILLING:
        return REPEAT, "forced: the same key and bytes" if STEPS[row.step].keeps_key else "forced: once more"
    if touched_since(row) or _is_lined_up(row) or _is_followed(row):
        return REFUSED, "a later step touched the same records"
    return REPEAT, "forced: a new key, with the times that the partner accepted last"


def _is_followed(row: Dispatch) -> bool:
    """Returns True if a later step of the trial's line is unfinished. The later step would run before a repeat, and may
    change the records."""
    return row.lane is not None and later_in_line(row).current().filter(state__in=NOT_FINISHED).exists()


def _is_lined_up(row: Dispatch) -> bool:
    """Returns True if a repeat of the step is unfinished, or if a record no longer has the state that the step gave
    it."""
    repeats = Dispatch.objects.current().filter(order=row.order_id, step=row.step, repeat=True)
    made = STEPS[row.step].record_state_after if STEPS[row.step].sets_record_times else ""
    other = made and BillingRecord.objects.filter(pk__in=row.records[:1000]).exclude(state=made)
    return repeats.filter(state__in=OPEN_STATES).exists() or bool(other and other.exists())


def _orders(selection: Selection) -> QuerySet[Order]:
    if selection.numbers:
        return Order.objects.filter(number__in=selection.numbers).order_by("pk")
    steps = _matching(Dispatch.objects.current().filter(repeat=False), selection)
    found = Q(pk__in=steps.filter(state=Dispatch.State.FAILED).values("order_id"))
    found |= Q(pk__in=_mails(selection).given_up().values("order_id"))
    return Order.objects.filter(found | _left_out(steps)).order_by("pk")


def _left_out(steps: QuerySet[Dispatch]) -> Q:
    """Returns the condition for orders that staff compensated and that match the filter. These orders are listed as
    left out even if no step failed."""
    by_staff = AffectedOrder.objects.unresolved().filter(incident__code=COMPENSATED, order__undo_since__isnull=False)
    by_staff = by_staff.filter(order__state__in=[Order.State.FAILED, Order.State.REJECTED])
    given_up = Dispatch.objects.current().filter(state=Dispatch.State.GIVEN_UP, undo=True)  # still sendable
    fit = Q(pk__in=by_staff.values("order_id")) & Q(pk__in=steps.values("order_id"))
    return fit & ~Q(pk__in=given_up.values("order_id"))


def _mails(selection: Selection) -> MailQuerySet:
    """Returns the mails about orders that match the filter, without copies. Mails to persons (a push) are included only
    if they failed."""
    to_persons = Mail.objects.given_up().filter(order__isnull=False).exclude(addressee="")
    rows = Mail.objects.beside_steps() | to_persons
    return _fitting(rows if selection.has_mails else rows.none(), selection)


def _fitting(rows: MailQuerySet, selection: Selection) -> MailQuerySet:
    wanted = Q(error_code=selection.code) if selection.code else Q()
    if selection.since:
        wanted &= Q(written_at__gte=midnight(selection.since))
    return rows.filter(wanted).defer("body")


def _steps(orders: list[Order], selection: Selection) -> dict[int, list[Dispatch | Mail]]:
    """Returns the selected steps and mails by order. Makes two queries for all orders."""
    rows = Dispatch.objects.current().filter(repeat=False, order__in=[order.pk for order in orders])
    found: dict[int, list[Dispatch | Mail]] = {order.pk: [] for order in orders}
    rows = _matching(rows, selection).annotate(denied=denied_by_books())
    for row in rows.order_by("position", "pk").defer("payload"):
        found[row.order_id].append(row)
    mails = _mails(selection).filter(order__in=list(found)) if selection.has_mails else ()
    by_id = {order.pk: order for order in orders}
    for mail in mails:
        mail.order = by_id[mail.order_id]
        found[mail.order_id].append(mail)
    return {order.pk: _meant(order, found[order.pk], selection) for order in orders}


def _meant(order: Order, rows: list[Dispatch | Mail], selection: Selection) -> list[Dispatch | Mail]:
    if order.undo_since:  # no forward step is sent any more (contract 3.9, Compensation's order)
        rows = [row for row in rows if isinstance(row, Mail) or row.undo or row.position >= Phase.AFTER]
    failed = [row for row in rows if row.state in STUCK or isinstance(row, Dispatch) and is_left(row)]
    return failed if selection.failed or (failed and not selection.channel) else rows


def _matching(rows: QuerySet[Dispatch], selection: Selection) -> QuerySet[Dispatch]:
    wanted = Q()
    if selection.channel:
        wanted &= Q(channel=selection.channel)
    if selection.partner:
        wanted &= Q(channel__in=channels_of(selection.partner))
    if selection.code:
        wanted &= Q(error_code=selection.code)
    if selection.since:
        wanted &= Q(created_at__gte=midnight(selection.since))
    return rows.filter(wanted)


def resend(
    selection: Selection,
    *,
    by: str,
    reason: str,
    now: datetime.datetime,
    force: bool = False,
    open_partners: Collection[str] = (),
    dry_run: bool = False,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> ResendReport:
    """Queues the selected steps again, order by order. Returns the verdicts, including refusals.

    Each order is judged again under its lock, since the order may have changed meanwhile. `dry_run` rolls back the
    changes of an order before it locks the next order, so that `dry_run` blocks nobody.
    """
    report, numbers = ResendReport(), list(_orders(selection).values_list("number", flat=True))
    for done, number in enumerate(numbers, 1):
        report.judgements += resend_order(
            number, selection, by=by, reason=reason, now=now, force=force, open_partners=open_partners, dry_run=dry_run
        )
        on_progress(done, len(numbers))
    if not selection.numbers:
        report.judgements += _resend_mails_of_none(selection, open_partners, by=by, now=now, dry_run=dry_run)
    if dry_run:
        return report
    data = {"sent": sum(row.sends for row in report.judgements), "refused": len(report.refused), "reason": reason}
    add_event(None, "resend", by=by, now=now, orders=sorted({row.order for row in report.judgements})[:100], **data)
    return report


@transaction.atomic
def _resend_mails_of_none(
    selection: Selection, open_partners: Collection[str], *, by: str, now: datetime.datetime, dry_run: bool
) -> list[Judgement]:
    """Requeues the selected failed mails that belong to no order."""
    rows = Mail.objects.given_up().to_staff().without_history(now) if selection.has_mails else Mail.objects.none()
    rows = list(_fitting(rows, selection).order_by("pk").select_for_update(no_key=True))
    judged = [_judge_mail(row, False, _waits(open_partners)) for row in rows]
    for row in rows:
        send_again(row, now=now)
        add_event(None, "mail_resent", by=by, now=now, mail=row.pk, step=row.kind)
    if rows:
        wake()
    if dry_run:
        transaction.set_rollback(True)
    return judged


def resend_order(
    number: str,
    selection: Selection,
    *,
    by: str,
    reason: str,
    now: datetime.datetime,
    force: bool = False,
    open_partners: Collection[str] = (),
    dry_run: bool = False,
) -> list[Judgement]:
    """Queues the selected steps of one order again, by the verdicts made under its lock. Raises OrderUnknownError."""
    with transaction.atomic():
        order = lock_order(number)
        judged = judge_order(order, selection, force=force, open_partners=open_partners)
        _act(order, judged, by=by, reason=reason, now=now)
        if dry_run:
            transaction.set_rollback(True)
    return judged


def _act(order: Order, judged: list[Judgement], *, by: str, reason: str, now: datetime.datetime) -> None:
    sent = [row for row in judged if row.sends]
    if not sent:
        return
    said = add_event(order, "resend", by=by, now=now, steps=[row.step for row in sent], reason=reason)
    for row in sent:
        if row.mail_id:
            mails = Mail.objects.select_for_update(no_key=True, of=("self",)).select_related("order")
            send_again(mails.get(pk=row.mail_id), now=now)
            continue
        if row.step == "all":
            if row.anew:
                bpm_acts(order).exclude(state__in=HAS_PROCESS).update(may_have_acted=False)
            else:
                note_begun(order)
            open_again(order, now=now, by=by)
            continue
        step = Dispatch.objects.annotate(denied=denied_by_books()).get(pk=row.dispatch_id)
        if row.anew:
            Dispatch.objects.filter(pk=step.pk, step=Step.START_BPM).update(may_have_acted=False)
            replace(step, now)
        elif row.verdict == REPEAT or (row.verdict in WAITS and step.state == Dispatch.State.DONE):
            _repeat(step, now)
        elif not _ends_by_reading(step, order, now, by):
            _queue_again(step, now, by)
    if any(row.step in {"all", Step.START_BPM} for row in sent):
        let_go(order, event=said.pk)
    release(now=now, order_ids=[order.pk])
    refresh_states([order], now=now, by=by)
    end_settled([order], now=now, by=by)
    wake()


def _ends_by_reading(step: Dispatch, order: Order, now: datetime.datetime, by: str) -> bool:
    step.order = order
    return step.error_code in DOUBTS and end_by_reading(step, now=now, by=by)


def _queue_again(row: Dispatch, now: datetime.datetime, by: str) -> None:
    """Queues the same dispatch if its outcome is unknown, or a new dispatch if the old one has a definite answer."""
    if is_rebuilt_on_resend(row) and row.state in {Dispatch.State.FAILED, Dispatch.State.GIVEN_UP}:
        rebuild_step(row, now=now, by=by)
        return
    if row.state == Dispatch.State.GIVEN_UP and cancels_on_start(row):
        cancel_after_all(row, now=now)
        return
    anew = _goes_anew(row) or row.denied or row.error_code == ACTED_BEFORE
    anew |= row.step in {Step.MOVE_START, Step.MOVE_ATTRIBUTION}
    if row.state == Dispatch.State.GIVEN_UP or (anew and row.state == Dispatch.State.FAILED):
        replace(row, now)
        return
    Dispatch.objects.filter(pk=row.pk, state__in=[Dispatch.State.FAILED, Dispatch.State.RETRYING]).update(
        state=Dispatch.State.DUE, next_try_at=now, tries_left=None, lost=0
    )


def replace(row: Dispatch, now: datetime.datetime) -> Dispatch:
    """Supersedes a dispatch with a new one at the same position. Returns the new dispatch. The new key is random if the
    partner carried out the old key."""
    Dispatch.objects.filter(pk=row.pk).exclude(state__in=OPEN_STATES).update(superseded=True)
    new = build_replacement(row, now=now)
    enqueue([new], random_keys=row.error_code == ACTED_BEFORE)
    return new


def _repeat(row: Dispatch, now: datetime.datetime) -> None:
    """Queues an accepted step once more, in place of a failed repeat. The acceptance remains valid whatever happens to
    the repeat."""
    failed = Dispatch.objects.filter(order=row.order_id, step=row.step, repeat=True, state=Dispatch.State.FAILED)
    failed.update(superseded=True)
    enqueue([build_repeat(row, now=now)])

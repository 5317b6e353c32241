"""The dry run of commands and pages: what an action of staff will do. Reads only.

Each function follows the service that does the action. It raises the service's errors with the same texts.
"""

import datetime
from collections import Counter
from collections.abc import Iterator

from orders.books import CREATE, DELETE, NOTHING, Finding
from orders.dry_run import Foreseen
from orders.error_codes import cause_of
from orders.error_messages import say
from orders.models import BillingRecord, Difference, Dispatch, Order
from orders.services.compensation.late import is_late
from orders.services.compensation.plan import plan_undo
from orders.services.giving_up import NOT_BILLED, given_up_by
from orders.services.incidents import BILLED_NOT_ACTIVE, DIFFERENCE, LATE_UNDO
from orders.services.outbox.outcome import ACTED_BEFORE
from orders.services.planning import open_claim
from orders.services.reconciliation.fixes import Fix, obstacles
from orders.services.reconciliation.take import acceptable, open_differences, stopped
from orders.services.withdrawal import must_stay, why_claimed, why_not_so, why_not_withdraw
from orders.steps import STEPS

State, Step, Kind = Dispatch.State, Dispatch.Step, Order.Kind
UNDOING = {
    Step.DELETE_BILLING: "deletes",
    Step.CANCEL_BILLING: "cancels",
    Step.CANCEL_TRIAL: "cancels_trial",
    Step.RESTORE_TRIAL: "restores",
}
NAMED = 5


def undoing(order: Order, *, now: datetime.datetime, how: str = "") -> Iterator[Foreseen]:
    """What will be sent to the big-data side, from the same plan that will be carried out."""
    if order.undo_since:
        yield Foreseen("taken_back")
        return
    counts = dict.fromkeys(UNDOING.values(), 0)
    for row in plan_undo(order, now, how=how):
        if row.step in UNDOING:
            counts[UNDOING[row.step]] += len(row.records)
    found = [Foreseen(code, {"n": number}) for code, number in counts.items() if number]
    yield from found or [Foreseen("nothing_there")]
    yield Foreseen("closes_steps")


def _warn_about_bpm(order: Order) -> Iterator[Foreseen]:
    """Warns that nothing is sent to BPM: people there must be told, since they don't look here."""
    if order.dispatches.filter(channel=Dispatch.Channel.BPM, state=State.DONE, superseded=False).exists():
        yield Foreseen("process_goes_on")


def compensate(order: Order, *, now: datetime.datetime) -> Iterator[Foreseen]:
    yield from undoing(order, now=now)
    yield Foreseen("ends_failed")
    yield Foreseen("frees_trial")
    yield from _warn_about_bpm(order)


def withdraw(order: Order, *, now: datetime.datetime, how: str = "") -> Iterator[Foreseen]:
    """`how`: `cancel` or `delete` for a late undoing. Raises NotAllowedError, TrialClaimedError."""
    if why := why_not_withdraw(order) or why_not_so(order, how=how, now=now) or why_claimed(order):
        raise why
    if order.kind == Kind.CHANGE and must_stay(order):
        yield Foreseen("built_upon")
        return
    yield from undoing(order, now=now, how=how)
    if order.kind == Kind.TRIAL:
        yield Foreseen("withdraws_changes")
    yield Foreseen("ends_withdrawn")
    if how:
        yield Foreseen("ends_trial")
    yield from _warn_about_bpm(order)


def give_up(order: Order, *, now: datetime.datetime, step: str = "") -> Iterator[Foreseen]:
    """Raises NotAllowedError."""
    for row in given_up_by(order, step):
        yield Foreseen("gives_up", {"step": row.step})
        if row.may_have_acted:
            yield Foreseen("asks_first")
        yield from _after_giving_up(order, row)


def _after_giving_up(order: Order, row: Dispatch) -> Iterator[Foreseen]:
    if STEPS[row.step].fix:
        return
    if row.undo and STEPS[row.step].leaves in NOT_BILLED:
        yield Foreseen("billed_still")
    elif row.step == Step.CANCEL_TRIAL and order.kind == Kind.ACTIVATION:
        yield Foreseen("trial_still_live")
    elif row.step == Step.RESTORE_TRIAL and order.kind == Kind.ACTIVATION:
        yield Foreseen("no_restore")
    else:
        yield from _shrinking(order, row)


def _shrinking(order: Order, row: Dispatch) -> Iterator[Foreseen]:
    if row.step == Step.CREATE_TRIAL and not row.may_have_acted:
        never = BillingRecord.objects.filter(pk__in=row.records, state=BillingRecord.State.TO_SEND).count()
        if never:
            yield Foreseen("never_made", {"n": never})
    yield Foreseen("trial_shrinks" if order.kind == Kind.TRIAL else "change_shrinks")
    if behind := _orders_behind(row):
        yield Foreseen("plans_behind", {"orders": behind})


def _orders_behind(row: Dispatch) -> list[str]:
    """The first few orders that wait behind this step in the trial's line."""
    rows = Dispatch.objects.filter(lane=row.lane, state=State.WAITING, superseded=False, undo=False, attempts=0)
    rows = rows.exclude(order=row.order_id).order_by("pk").values_list("order__number", "place", "pk")
    found = dict.fromkeys(number for number, place, pk in rows if (place or pk) > (row.place or row.pk))
    return [*list(found)[:NAMED], *(["…"] if len(found) > NAMED else [])]


def take(order: Order, *, now: datetime.datetime, step: str = "") -> Iterator[Foreseen]:
    yield Foreseen("asks_books")
    rows = stopped(order, step)
    for row in rows:
        yield Foreseen("takes_step", {"step": row.step})
    if not rows:
        number = open_differences(order).count()
        yield Foreseen("takes_differences", {"n": number}) if number else Foreseen("takes_books")
    yield Foreseen("take_refused")


def fix(order: Order, *, now: datetime.datetime) -> Iterator[Foreseen]:
    """What the fix would do about the open differences, judged by the rules of the fix."""
    yield Foreseen("asks_books")
    rows = list(open_differences(order))
    records = {(one.product_id, one.domain_key): one for one in order.billing_records.all()}
    found = [_finding(row, records.get((row.product_id, row.domain.lower()))) for row in rows]
    findings = [one for one in found if one.record or one.remedy != CREATE]  # our record may be gone since
    judge = Fix(order, obstacles([order], now=now).get(order.pk), reason="x", now=now)  # a reason is always given
    left = judge.judge(findings, {one.pk: one for one in records.values()})
    counts = Counter(_sentence(one) for one, why in zip(findings, left, strict=True) if why is None)
    yield from (Foreseen(code, {"n": number}) for code, number in counts.items())
    whys = [(one, why) for one, why in zip(findings, left, strict=True) if why]
    for one, why in whys[:NAMED]:
        yield Foreseen(
            "fix_leaves", {"name": one.domain or one.product_id or order.number, "why": say(why["code"], why)}
        )
    yield Foreseen("fix_only")


def _finding(row: Difference, record: BillingRecord | None) -> Finding:
    """A stored difference as the comparison found it."""
    ours, theirs = row.detail.get("ours", ""), row.detail.get("theirs", "")
    wanted = ours in {"live", "cancelled"}
    remedy = CREATE if wanted else DELETE if theirs in {"live", "cancelled"} else NOTHING
    return Finding(
        kind=row.kind, product_id=row.product_id, domain=row.domain, ours=ours, theirs=theirs, remedy=remedy,
        record=record.pk if record and wanted else None,
    )  # fmt: skip


def _sentence(one: Finding) -> str:
    if one.remedy == DELETE:
        return "fix_deletes"
    if one.ours == one.theirs:
        return "fix_sends"
    return "fix_creates" if one.ours == "live" else "fix_cancels"


def compare(order: Order, *, now: datetime.datetime) -> Iterator[Foreseen]:
    yield Foreseen("asks_books")
    yield Foreseen("compares")


def accept(order: Order, *, now: datetime.datetime, incident: str = "") -> Iterator[Foreseen]:
    troubles, steps = acceptable(order, incident)
    codes = dict.fromkeys(row.incident.code for row in troubles)
    yield Foreseen("accepts", {"what": [cause_of(code).what for code in codes]})
    if steps or codes.keys() & {DIFFERENCE, BILLED_NOT_ACTIVE, ACTED_BEFORE}:
        yield Foreseen("asks_books")
        yield Foreseen("takes_books")
    if BILLED_NOT_ACTIVE in codes and order.undo_since:
        yield Foreseen("ends_trial")
    if LATE_UNDO in codes:
        yield Foreseen("stays_live")


def proceed(order: Order, *, now: datetime.datetime) -> Iterator[Foreseen]:
    claim = open_claim(order.trial)
    if claim and claim.activation_id != order.pk:
        yield Foreseen("proceeds_subsequent", {"number": claim.activation.number})
        return
    yield Foreseen("proceeds_first")
    yield Foreseen("cancels_what_is_live")


def decide(order: Order, *, now: datetime.datetime) -> Iterator[Foreseen]:
    """What happens for each result, except the one that counts already."""
    if order.undo_since:
        yield Foreseen("pass_opens" if order.state == Order.State.REJECTED else "counts_later")
        return
    if order.decision != Order.Decision.PASS:
        yield Foreseen("pass_goes_on")
    if is_late(order, now):
        yield Foreseen("reject_asks")
    elif order.decision != Order.Decision.REJECT:
        yield Foreseen("reject_undoes")
        yield from undoing(order, now=now)

"""Previews of staff actions: the effects of the actions as sentences, for pages and dry runs of commands. Read-only.

Each function mirrors the service of its action. tests/model/test_dry_runs.py compares the function with the service.
"""

import datetime
from collections import Counter
from collections.abc import Iterator

from orders.actions.accept import acceptable, differences_of, is_about_records
from orders.actions.preview_sentences import PreviewSentence
from orders.actions.take import is_about_start, open_record_differences, stopped
from orders.books.books import CREATE, DELETE, NOTHING, Discrepancy
from orders.books.differences import BY_NAME, is_over, name_needed
from orders.books.fixes import FixPlan, obstacles
from orders.incidents.incident_codes import BILLED_NOT_ACTIVE, DIFFERENCE, LATE_UNDO
from orders.incidents.order_warnings import accepted_of
from orders.intake.facts import open_claim
from orders.intake.replan_held_orders import province_of
from orders.models import BillingRecord, Difference, Dispatch, Order
from orders.outbox.open_moves import move_of
from orders.outbox.record_selection import select_records
from orders.reconciliation.asking import owner_of_records
from orders.replanning.giving_up import NOT_BILLED, steps_to_give_up
from orders.replanning.replan_line import begun_with
from orders.rules.host_names import domain_key
from orders.rules.local_time import SHANGHAI
from orders.rules.steps import STEPS, Step
from orders.start_day.move_attribution import family_of, records_to_post, why_not_move_attribution, why_not_there
from orders.start_day.move_end import why_not_end_on, why_not_move_end
from orders.start_day.move_start import last_call, why_not_move, why_not_on
from orders.texts.error_messages import say_why
from orders.texts.errors import NotAllowedError
from orders.texts.incident_texts import cause_of
from orders.trials.trial_state_reads import begun_shape, shape_of
from orders.undoing.late import is_late
from orders.undoing.undo_steps import plan_undo

UNDOING = {
    Step.DELETE_BILLING: "deletes",
    Step.CANCEL_BILLING: "cancels",
    Step.CANCEL_TRIAL: "cancels_trial",
    Step.RESTORE_TRIAL: "restores",
}
MAX_NAMED = 5
A_DAY = datetime.timedelta(days=1)
A_MINUTE = datetime.timedelta(minutes=1)


def undoing(order: Order, *, now: datetime.datetime, how: str = "") -> Iterator[PreviewSentence]:
    """Yields the effects of undoing at the big-data side. They come from the same plan that will be carried out."""
    if order.undo_since:
        yield PreviewSentence("taken_back")
        return
    counts = dict.fromkeys([*UNDOING.values(), "moves_ends"], 0)
    for row in plan_undo(order, now, how=how):
        if row.step == Step.RESTORE_TRIAL:
            chosen = select_records(row, now=now, gone=order)[1]
            live = sum(record.state == BillingRecord.State.LIVE for record in chosen)
            counts["moves_ends"] += live
            counts["restores"] += len(chosen) - live
        elif row.step in UNDOING:
            counts[UNDOING[row.step]] += _number_of(row, order, now)
    found = [PreviewSentence(code, {"n": number}) for code, number in counts.items() if number]
    yield from found or [PreviewSentence("nothing_there")]
    yield PreviewSentence("closes_steps")


def _number_of(row: Dispatch, order: Order, now: datetime.datetime) -> int:
    """Returns the number of records that a planned step would send now."""
    if row.lane is None:
        return len(row.records)
    if row.to_shape:
        return len(select_records(row, now=now, gone=order)[1])
    return (order.trial or order).billing_records.filter(state__in=BillingRecord.THERE).count()


def _warn_about_bpm(order: Order) -> Iterator[PreviewSentence]:
    """Warns that BPM is not notified, so that staff inform the people there."""
    if order.dispatches.current().filter(channel=Dispatch.Channel.BPM, state=Dispatch.State.DONE).exists():
        yield PreviewSentence("process_goes_on")


def compensate(order: Order, *, now: datetime.datetime) -> Iterator[PreviewSentence]:
    yield from undoing(order, now=now)
    yield PreviewSentence("ends_failed")
    if _holds_trial(order):
        yield PreviewSentence("frees_trial")
    yield from _warn_about_bpm(order)


def withdraw(order: Order, *, now: datetime.datetime, how: str = "") -> Iterator[PreviewSentence]:
    """Yields the effects of a withdrawal. `how`: `cancel` or `delete` for a late undoing."""
    yield from undoing(order, now=now, how=how)
    if order.kind == Order.Kind.CHANGE and order.trial and begun_with(order.trial, gone=order):
        yield PreviewSentence("built_upon")
    if order.kind == Order.Kind.CHANGE and order.trial and not order.undo_since:
        yield from _trial_without(order, now)
    if order.kind == Order.Kind.TRIAL:
        yield PreviewSentence("withdraws_changes")
    yield PreviewSentence("ends_withdrawn")
    if how and _holds_trial(order):
        yield PreviewSentence("ends_trial")
    yield from _warn_about_bpm(order)


def _holds_trial(order: Order) -> bool:
    """Returns True if the order is an activation that holds its trial's claim. A subsequent activation has no claim, so
    its undoing does not end the trial."""
    claim = open_claim(order.trial)
    return claim is not None and claim.activation_id == order.pk


def _trial_without(change: Order, now: datetime.datetime) -> Iterator[PreviewSentence]:
    over = begun_shape(change.trial, gone=change).is_over(now.astimezone(SHANGHAI).date())
    if over and change.trial.state == Order.State.TRIALING:
        yield PreviewSentence("ends_without")
    elif not over and change.trial.state == Order.State.ENDED:
        yield PreviewSentence("runs_without")


def give_up(order: Order, *, now: datetime.datetime, step: str = "") -> Iterator[PreviewSentence]:
    """Yields the effects of giving up steps. Raises NotAllowedError."""
    for row in steps_to_give_up(order, step):
        yield PreviewSentence("gives_up", {"step": row.step})
        if row.may_have_acted:
            yield PreviewSentence("asks_first")
        yield from _after_giving_up(order, row)


def _after_giving_up(order: Order, row: Dispatch) -> Iterator[PreviewSentence]:
    if STEPS[row.step].fix:
        return
    if row.step == Step.RESTORE_TRIAL:
        yield PreviewSentence("no_restore" if order.kind == Order.Kind.ACTIVATION else "not_put_back")
    elif row.undo and STEPS[row.step].record_state_after in NOT_BILLED:
        yield PreviewSentence("billed_still" if order.kind == Order.Kind.ACTIVATION else "runs_on")
    elif row.step == Step.CANCEL_TRIAL and order.kind == Order.Kind.ACTIVATION:
        yield PreviewSentence("trial_still_live")
    elif row.puts_back:
        yield PreviewSentence("not_put_back")
    elif row.step == Step.EXTEND_TRIAL and order.kind == Order.Kind.TRIAL:
        yield PreviewSentence("end_stays")
    else:
        yield from _shrinking(order, row)


def _shrinking(order: Order, row: Dispatch) -> Iterator[PreviewSentence]:
    if row.step == Step.CREATE_TRIAL and not row.may_have_acted:
        never = BillingRecord.objects.filter(pk__in=row.records, state=BillingRecord.State.TO_SEND).count()
        if never:
            yield PreviewSentence("never_made", {"n": never})
    yield PreviewSentence("trial_shrinks" if order.kind == Order.Kind.TRIAL else "change_shrinks")
    if behind := _orders_behind(row):
        yield PreviewSentence("plans_behind", {"orders": behind})


def _orders_behind(row: Dispatch) -> list[str]:
    rows = Dispatch.objects.current().filter(lane=row.lane, state=Dispatch.State.WAITING, undo=False, attempts=0)
    rows = rows.exclude(order=row.order_id).order_by("pk").values_list("order__number", "place", "pk")
    found = dict.fromkeys(number for number, place, pk in rows if (place or pk) > (row.place or row.pk))
    return [*list(found)[:MAX_NAMED], *(["…"] if len(found) > MAX_NAMED else [])]


def take(order: Order, *, now: datetime.datetime, step: str = "", process: str = "") -> Iterator[PreviewSentence]:
    if step == Dispatch.Step.START_BPM or (not step and is_about_start(order)):
        yield PreviewSentence("takes_step", {"step": Dispatch.Step.START_BPM})
        return
    yield PreviewSentence("asks_books")
    if move_of(order):
        yield PreviewSentence("takes_live_ones" if is_late(order, now) else "takes_earliest")
        return
    rows = stopped(order, step)
    for row in rows:
        yield PreviewSentence("takes_step", {"step": row.step})
    if not rows:
        found = list(open_record_differences(order))
        if found:
            yield PreviewSentence("takes_differences", {"n": len(found), "names": _names(found)})
            yield PreviewSentence("only_as_shown")
        else:
            yield PreviewSentence("takes_books")
        fields = {name for one in found for name in one.detail.get("fields") or {}}
        if order.kind == Order.Kind.TRIAL and "cancelTime" in fields and order.state == Order.State.TRIALING:
            yield PreviewSentence("takes_end")
        if order.state == Order.State.SCHEDULED and "createTime" in fields:
            yield PreviewSentence("takes_start")
    yield PreviewSentence("take_refused")


def fix(order: Order, *, now: datetime.datetime) -> Iterator[PreviewSentence]:
    """Yields the effects of the fix on the open differences, by the rules of the fix."""
    yield PreviewSentence("asks_books")
    discrepancies, left = _judged(order, now)
    counts = Counter(_sentence(one) for one, why in zip(discrepancies, left, strict=True) if why is None)
    yield from (PreviewSentence(code, {"n": number}) for code, number in counts.items())
    whys = [(one, why) for one, why in zip(discrepancies, left, strict=True) if why]
    for one, why in whys[:MAX_NAMED]:
        yield PreviewSentence("fix_leaves", {"name": one.domain or one.product_id or order.number, "why": say_why(why)})
    if accepted_of(order):
        yield PreviewSentence("fix_again")
    elif not discrepancies and is_over(order) and (there := order.billing_records.not_over(now).count()):
        yield PreviewSentence("fix_deletes", {"n": there})
    yield PreviewSentence("fix_only")


def _judged(order: Order, now: datetime.datetime) -> tuple[list[Discrepancy], list[dict[str, str] | None]]:
    """Returns the open differences as a fix would find them, and a list with the reason why a fix would leave each of
    them. The reason is None for a difference that the fix would correct."""
    rows = list(open_record_differences(order))
    records = {(one.product_id, one.domain_key): one for one in order.billing_records.all()}
    found = [_discrepancy(row, records.get((row.product_id, domain_key(row.domain)))) for row in rows]
    discrepancies = [one for one in found if one.record or one.remedy != CREATE]  # our record may no longer exist
    plan = FixPlan(order, obstacles([order], now=now).get(order.pk), reason="x", now=now)  # a reason is always given
    return discrepancies, plan.judge(discrepancies, {one.pk: one for one in records.values()})


def why_left(order: Order, *, now: datetime.datetime) -> list[NotAllowedError | None]:
    _found, left = _judged(order, now)
    return [
        why and NotAllowedError(why["code"], **{name: said for name, said in why.items() if name != "code"})
        for why in left
    ]


def _discrepancy(row: Difference, record: BillingRecord | None) -> Discrepancy:
    """Converts a stored difference back to the discrepancy that the comparison found."""
    ours, theirs = row.detail.get("ours", ""), row.detail.get("theirs", "")
    wanted = ours in {"live", "cancelled"}
    remedy = CREATE if wanted else DELETE if theirs in {"live", "cancelled"} else NOTHING
    return Discrepancy(
        kind=row.kind,
        product_id=row.product_id,
        domain=row.domain,
        ours=ours,
        theirs=theirs,
        remedy=remedy,
        record=record.pk if record and wanted else None,
    )


def _sentence(one: Discrepancy) -> str:
    if one.remedy == DELETE:
        return "fix_deletes"
    if one.kind == Difference.Kind.NOT_MEANT:
        return "fix_as_meant"
    if one.ours == one.theirs:
        return "fix_sends"
    return "fix_creates" if one.ours == "live" else "fix_cancels"


def move_start(order: Order, *, now: datetime.datetime, day: datetime.date | None = None) -> Iterator[PreviewSentence]:
    """Yields the effects of moving the start day. `day`: the new day, if known. Raises NotAllowedError."""
    if why := why_not_move(order, now) or (day and why_not_on(order, day, now)):
        raise why
    today, old = now.astimezone(SHANGHAI).date(), order.start_at.astimezone(SHANGHAI).date()
    moves = "moves_from" if day is None else "moves_to_now" if day == today else "moves_day"
    yield PreviewSentence(moves, {"old": old, "new": day})
    if order.state == Order.State.SCHEDULED:
        yield PreviewSentence(
            "moves_records", {"n": order.billing_records.filter(state=BillingRecord.State.LIVE).count()}
        )
        until = last_call(order, day or old, now)
        if day == today:  # relative to the moment of the action: a time of day would change the text every minute
            yield PreviewSentence("move_ends_within", {"n": (until - now) // A_MINUTE})
        else:
            yield PreviewSentence("move_ends_by", {"until": f"{until.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"})
    else:
        yield PreviewSentence("moves_without_call")
    end = shape_of(order.trial).end if order.first and order.trial else None
    if end and day is None:
        yield PreviewSentence("trial_ends_on", {"end": end})
    elif end and end + A_DAY < day:
        yield PreviewSentence("no_service", {"first": max(end + A_DAY, today), "last": day - A_DAY})
    if order.dispatches.current().filter(channel=Dispatch.Channel.BPM, state=Dispatch.State.DONE).exists():
        yield PreviewSentence("bpm_not_told")


def move_end(order: Order, *, now: datetime.datetime, day: datetime.date | None = None) -> Iterator[PreviewSentence]:
    """Yields the effects of moving a trial's end. `day`: the new day, if known. Raises NotAllowedError."""
    if why := why_not_move_end(order, now) or (day and why_not_end_on(order, day, now)):
        raise why
    old = shape_of(order).end
    sooner = day is not None and (old is None or day < old)
    yield PreviewSentence(
        "end_is" if day is None else "ends_sooner" if sooner else "moves_end", {"old": old, "new": day}
    )
    yield PreviewSentence("posts_ends", {"n": order.billing_records.filter(state__in=BillingRecord.THERE).count()})


def move_attribution(order: Order, *, now: datetime.datetime, letters: str = "") -> Iterator[PreviewSentence]:
    """Yields the effects of a new attribution. `letters`: the attribution, if known. Raises NotAllowedError."""
    new = province_of(letters) if letters else None
    if why := why_not_move_attribution(order, now) or (new and why_not_there(order, new)):
        raise why
    numbers = [row.number for row in family_of(order)]
    yield PreviewSentence(
        "moves_family", {"orders": [*numbers[:MAX_NAMED], *(["…"] if len(numbers) > MAX_NAMED else [])]}
    )
    if number := len(records_to_post(order, new)):
        yield PreviewSentence("posts_records", {"n": number})
    yield PreviewSentence("bpm_not_told")


def compare(order: Order, *, now: datetime.datetime) -> Iterator[PreviewSentence]:
    yield PreviewSentence("asks_books")
    yield PreviewSentence("compares")


def accept(order: Order, *, now: datetime.datetime, incident: str = "", look: str = "") -> Iterator[PreviewSentence]:
    troubles, steps = acceptable(order, incident)
    codes = dict.fromkeys(row.incident.code for row in troubles)
    yield PreviewSentence("accepts", {"what": [cause_of(code).what for code in codes]})
    if DIFFERENCE in codes:
        yield from _accepting(order)
    if is_about_records(order, troubles, steps):
        yield PreviewSentence("asks_books")
        yield PreviewSentence("takes_books")
        yield PreviewSentence("only_as_shown")
    if BILLED_NOT_ACTIVE in codes and order.undo_since and _holds_trial(order):
        yield PreviewSentence("ends_trial")
    if LATE_UNDO in codes:
        yield PreviewSentence("stays_live")


def _accepting(order: Order) -> Iterator[PreviewSentence]:
    """Yields the open record differences that are accepted with an order, grouped by key of BY_NAME."""
    owner, found = owner_of_records(order), {}
    for row in differences_of(order).exclude(kind=Difference.Kind.NOT_LISTED):
        found.setdefault(name_needed(owner, row), []).append(row)
    for name in (*BY_NAME, ""):
        if rows := found.get(name):
            about = {"number": owner.number, "state": owner.state, "n": len(rows), "names": _names(rows)}
            yield PreviewSentence(f"accepts_{name}" if name else "accepts_differences", about)


def _names(rows: list[Difference]) -> list[tuple[str, str]]:
    """Returns domain and kind of the first few differences."""
    found = [(row.domain or row.product_id or row.job_id, row.kind) for row in rows]
    return [*found[:MAX_NAMED], *([("…", "")] if len(found) > MAX_NAMED else [])]


def proceed(order: Order, *, now: datetime.datetime) -> Iterator[PreviewSentence]:
    if order.kind == Order.Kind.CHANGE:
        yield PreviewSentence("change_counts" if order.trial.state == Order.State.ENDED else "change_proceeds")
        return
    claim = open_claim(order.trial)
    if claim and claim.activation_id != order.pk:
        yield PreviewSentence("proceeds_subsequent", {"number": claim.activation.number})
        return
    yield PreviewSentence("proceeds_first")
    yield PreviewSentence("cancels_what_is_live")


def decide(order: Order, *, now: datetime.datetime, result: str) -> Iterator[PreviewSentence]:
    """Yields the effects of deciding in BPM's place with this result."""
    if result == Order.Decision.PASS:
        opens = order.undo_since and order.state == Order.State.REJECTED
        yield PreviewSentence("pass_opens" if opens else "counts_later" if order.undo_since else "pass_goes_on")
    elif order.undo_since:
        yield PreviewSentence("counts_later")
    elif is_late(order, now):
        yield PreviewSentence("reject_asks")
    else:
        yield PreviewSentence("reject_undoes")
        yield from undoing(order, now=now)

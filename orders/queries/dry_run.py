"""The dry run of commands and pages: what an action of staff will do. Reads only.

Each function follows the service that does the action. It raises the service's errors with the same texts.
"""

import datetime
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from django.utils.translation import gettext, ngettext_lazy, override
from django.utils.translation import gettext_lazy as _

from orders.books import CREATE, DELETE, NOTHING, Discrepancy
from orders.content import domain_key
from orders.error_messages import say_why
from orders.errors import NotAllowedError
from orders.incident_causes import cause_of
from orders.local_time import SHANGHAI
from orders.models import BillingRecord, Difference, Dispatch, Order
from orders.queries.shapes import begun_shape
from orders.services.compensation.late import is_late
from orders.services.compensation.plan import plan_undo
from orders.services.giving_up import NOT_BILLED, given_up_by
from orders.services.incidents import BILLED_NOT_ACTIVE, DIFFERENCE, LATE_UNDO
from orders.services.line import begun_with
from orders.services.outbox.freeze import work_out
from orders.services.outbox.outcome import ACTED_BEFORE
from orders.services.planning import open_claim
from orders.services.reconciliation.fixes import FixPlan, obstacles
from orders.services.reconciliation.take import acceptable, open_record_differences, stopped
from orders.services.withdrawal import why_claimed, why_not_so, why_not_withdraw
from orders.steps import STEPS

State, Step, Kind = Dispatch.State, Dispatch.Step, Order.Kind
UNDOING = {
    Step.DELETE_BILLING: "deletes",
    Step.CANCEL_BILLING: "cancels",
    Step.CANCEL_TRIAL: "cancels_trial",
    Step.RESTORE_TRIAL: "restores",
}
NAMED = 5

SENTENCES = {
    # what goes out to the big-data side
    "deletes": ngettext_lazy("%(n)d billing record will be deleted.", "%(n)d billing records will be deleted.", "n"),
    "cancels": ngettext_lazy(
        "%(n)d billing record will be cancelled from now on; what was used until now is billed.",
        "%(n)d billing records will be cancelled from now on; what was used until now is billed.",
        "n",
    ),
    "cancels_trial": ngettext_lazy(
        "%(n)d trial record will be cancelled.", "%(n)d trial records will be cancelled.", "n"
    ),
    "restores": ngettext_lazy("%(n)d trial record will be restored.", "%(n)d trial records will be restored.", "n"),
    "moves_ends": ngettext_lazy(
        "%(n)d trial record gets the last day that is meant without this order.",
        "%(n)d trial records get the last day that is meant without this order.",
        "n",
    ),
    "ends_without": _("Without this change the trial has ended."),
    "runs_without": _("Without this change the trial has not ended, so it runs again."),
    "nothing_there": _("Nothing has reached the big-data side; nothing has to be deleted there."),
    "closes_steps": _("Steps that were never begun are closed."),
    "taken_back": _("What was sent is being taken back, or has been."),
    # how an order ends
    "ends_failed": _("The order ends as failed; it can be sent anew afterwards."),
    "ends_withdrawn": _("The order ends as withdrawn, for good."),
    "frees_trial": _("The activation releases its trial."),
    "ends_trial": _("Its trial ends, and nobody holds it any more."),
    "withdraws_changes": _("Its changes are withdrawn with it."),
    "built_upon": _(
        "An activation was begun with this change and goes on as it is; an incident names both until somebody looks."
    ),
    "process_goes_on": _("The process in BPM is not ended by this: tell the people there."),
    # give_up
    "gives_up": _("The step is given up: %(step)s"),
    "asks_first": _(
        "Nobody knows whether it was carried out, so the big-data side is asked at once and after ten minutes; what "
        "waits behind it waits for the second answer."
    ),
    "never_made": ngettext_lazy(
        "%(n)d record that was never made counts as deleted, and later steps leave it out.",
        "%(n)d records that were never made count as deleted, and later steps leave them out.",
        "n",
    ),
    "trial_shrinks": _("Domains whose records were never made are not on trial; if none is left, the trial ends."),
    "change_shrinks": _(
        "The change says nothing about domains on which it did not act, and what it moved at some domains only is put "
        "back. If it did nothing, it ends as withdrawn."
    ),
    "no_restore": _(
        "If the trial's records are not as it is meant to be, they are not sent again: it ends for good, and nobody "
        "holds it."
    ),
    "not_put_back": _(
        "If the trial's records are not as it is meant to be, a difference stays open at trial and change until this "
        "is sent again, the difference is put right, or somebody accepts it."
    ),
    "runs_on": _(
        "Trial records that are live there still, and are not meant, stand in an incident until the books show them "
        "gone, they are meant again, or somebody accepts it. What is to be restored goes on."
    ),
    "billed_still": _(
        "The order gets its ending. What the big-data side bills still stands in an incident, until its books show it "
        "gone or somebody accepts it; until then nobody else gets the trial."
    ),
    "trial_still_live": _(
        "The order becomes active. Trial records that are live still stand in an incident, until the books show them "
        "gone or somebody accepts it."
    ),
    "plans_behind": _("What waits behind it and was never begun is planned anew, then goes on: %(orders)s"),
    # take, accept
    "asks_books": _("The big-data side is asked again what it holds."),
    "takes_step": _("Our records become what it holds, and the step is done: %(step)s"),
    "takes_differences": ngettext_lazy(
        "Our records become what it holds; %(n)d difference is settled.",
        "Our records become what it holds; %(n)d differences are settled.",
        "n",
    ),
    "takes_end": _("If its records have one last day there, it becomes the trial's."),
    "takes_start": _("If its records have one begin there, it becomes the order's start day."),
    "take_refused": _(
        "It is refused if a cancelled or deleted record is live there, or one that should be live is not."
    ),
    "fix_creates": ngettext_lazy(
        "%(n)d record that is live here and not there is sent again: it is billed from its old begin on.",
        "%(n)d records that are live here and not there are sent again: they are billed from their old begin on.",
        "n",
    ),
    "fix_cancels": ngettext_lazy(
        "%(n)d record that is cancelled here is cancelled there too.",
        "%(n)d records that are cancelled here are cancelled there too.",
        "n",
    ),
    "fix_sends": ngettext_lazy(
        "%(n)d record is sent again, so that its fields are as they are here.",
        "%(n)d records are sent again, so that their fields are as they are here.",
        "n",
    ),
    "fix_as_meant": ngettext_lazy(
        "%(n)d record is sent so that it is as the orders say.",
        "%(n)d records are sent so that they are as the orders say.",
        "n",
    ),
    "fix_deletes": ngettext_lazy(
        "%(n)d record that must not be there is deleted at the big-data side.",
        "%(n)d records that must not be there are deleted at the big-data side.",
        "n",
    ),
    "fix_leaves": _("Left as it is: %(name)s (%(why)s)"),
    "fix_only": _("Once it has answered, only what still differs is put right."),
    "compares": _("Its records are compared with ours; nothing is sent. Differences are listed here."),
    "accepts": _("It is accepted and counts as fine; it stays listed, with your reason: %(what)s"),
    "takes_books": _("Our records become what the big-data side holds."),
    "stays_live": _("The order stays as it is: nothing is undone, and orders that wait for its trial go on."),
    # proceed, decide
    "proceeds_first": _("It goes on as the first activation of its trial."),
    "proceeds_subsequent": _("%(number)s is first, so it goes on as a subsequent activation."),
    "cancels_what_is_live": _("Only the trial's live records are cancelled."),
    "pass_goes_on": _("A pass counts from now on: what waited for it goes on."),
    "pass_opens": _("A pass opens the order again: it is planned anew, as if it arrived now."),
    "reject_undoes": _("A reject stops the order and takes back what it sent:"),
    "reject_asks": _(
        "A reject opens an incident: the customer has been live for more than a day, so staff choose how it ends."
    ),
    "counts_later": _("It changes nothing now, and counts when the order is sent anew."),
}


@dataclass(frozen=True)
class Foreseen:
    """One thing that will happen. `params`: what the sentence needs; `step` is a step's code."""

    code: str
    params: Mapping[str, object] = field(default_factory=dict)

    def words(self) -> str:
        """In the language of whoever reads it."""
        params = dict(self.params)
        if step := params.get("step"):
            params["step"] = str(Dispatch.Step(step).label)
        if "orders" in params:
            params["orders"] = gettext(", ").join(params["orders"])
        if "what" in params:
            params["what"] = gettext(", ").join(str(what) for what in params["what"])
        return str(SENTENCES[self.code] % params)

    def english(self) -> str:
        """At a terminal: steps by their names in `show`."""
        with override("en"):
            text = self.words()
        return f"{text} ({step})" if (step := self.params.get("step")) else text


def undoing(order: Order, *, now: datetime.datetime, how: str = "") -> Iterator[Foreseen]:
    """What will be sent to the big-data side, from the same plan that will be carried out."""
    if order.undo_since:
        yield Foreseen("taken_back")
        return
    counts = dict.fromkeys([*UNDOING.values(), "moves_ends"], 0)
    for row in plan_undo(order, now, how=how):
        if row.step == Step.RESTORE_TRIAL:
            chosen = work_out(row, now=now, gone=order)[1]
            live = sum(record.state == BillingRecord.State.LIVE for record in chosen)
            counts["moves_ends"] += live
            counts["restores"] += len(chosen) - live
        elif row.step in UNDOING:
            counts[UNDOING[row.step]] += _number_of(row, order, now)
    found = [Foreseen(code, {"n": number}) for code, number in counts.items() if number]
    yield from found or [Foreseen("nothing_there")]
    yield Foreseen("closes_steps")


def _number_of(row: Dispatch, order: Order, now: datetime.datetime) -> int:
    """How many records a planned step would send now."""
    if row.lane is None:
        return len(row.records)
    if "to_shape" in row.about:
        return len(work_out(row, now=now, gone=order)[1])
    return (order.trial or order).billing_records.filter(state__in=BillingRecord.THERE).count()


def _warn_about_bpm(order: Order) -> Iterator[Foreseen]:
    """Warns that nothing is sent to BPM: people there must be told, since they don't look here."""
    if order.dispatches.current().filter(channel=Dispatch.Channel.BPM, state=State.DONE).exists():
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
    yield from undoing(order, now=now, how=how)
    if order.kind == Kind.CHANGE and order.trial and begun_with(order.trial, gone=order):
        yield Foreseen("built_upon")
    if order.kind == Kind.CHANGE and order.trial and not order.undo_since:
        yield from _trial_without(order, now)
    if order.kind == Kind.TRIAL:
        yield Foreseen("withdraws_changes")
    yield Foreseen("ends_withdrawn")
    if how:
        yield Foreseen("ends_trial")
    yield from _warn_about_bpm(order)


def _trial_without(change: Order, now: datetime.datetime) -> Iterator[Foreseen]:
    """What becomes of a trial's state without a change."""
    over = begun_shape(change.trial, gone=change).is_over(now.astimezone(SHANGHAI).date())
    if over and change.trial.state == Order.State.TRIALING:
        yield Foreseen("ends_without")
    elif not over and change.trial.state == Order.State.ENDED:
        yield Foreseen("runs_without")


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
    if row.step == Step.RESTORE_TRIAL:
        yield Foreseen("no_restore" if order.kind == Kind.ACTIVATION else "not_put_back")
    elif row.undo and STEPS[row.step].leaves in NOT_BILLED:
        yield Foreseen("billed_still" if order.kind == Kind.ACTIVATION else "runs_on")
    elif row.step == Step.CANCEL_TRIAL and order.kind == Kind.ACTIVATION:
        yield Foreseen("trial_still_live")
    elif "put_back" in row.about:
        yield Foreseen("not_put_back")
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
    rows = Dispatch.objects.current().filter(lane=row.lane, state=State.WAITING, undo=False, attempts=0)
    rows = rows.exclude(order=row.order_id).order_by("pk").values_list("order__number", "place", "pk")
    found = dict.fromkeys(number for number, place, pk in rows if (place or pk) > (row.place or row.pk))
    return [*list(found)[:NAMED], *(["…"] if len(found) > NAMED else [])]


def take(order: Order, *, now: datetime.datetime, step: str = "") -> Iterator[Foreseen]:
    yield Foreseen("asks_books")
    rows = stopped(order, step)
    for row in rows:
        yield Foreseen("takes_step", {"step": row.step})
    if not rows:
        found = list(open_record_differences(order))
        yield Foreseen("takes_differences", {"n": len(found)}) if found else Foreseen("takes_books")
        fields = {name for one in found for name in one.detail.get("fields") or {}}
        if order.kind == Kind.TRIAL and "cancelTime" in fields and order.state == Order.State.TRIALING:
            yield Foreseen("takes_end")
        if order.state == Order.State.SCHEDULED and "createTime" in fields:
            yield Foreseen("takes_start")
    yield Foreseen("take_refused")


def fix(order: Order, *, now: datetime.datetime) -> Iterator[Foreseen]:
    """What the fix would do about the open differences, judged by the rules of the fix."""
    yield Foreseen("asks_books")
    discrepancies, left = _judged(order, now)
    counts = Counter(_sentence(one) for one, why in zip(discrepancies, left, strict=True) if why is None)
    yield from (Foreseen(code, {"n": number}) for code, number in counts.items())
    whys = [(one, why) for one, why in zip(discrepancies, left, strict=True) if why]
    for one, why in whys[:NAMED]:
        yield Foreseen("fix_leaves", {"name": one.domain or one.product_id or order.number, "why": say_why(why)})
    yield Foreseen("fix_only")


def _judged(order: Order, now: datetime.datetime) -> tuple[list[Discrepancy], list[dict[str, str] | None]]:
    """The open differences as a fix would find them, and for each why it would be left."""
    rows = list(open_record_differences(order))
    records = {(one.product_id, one.domain_key): one for one in order.billing_records.all()}
    found = [_discrepancy(row, records.get((row.product_id, domain_key(row.domain)))) for row in rows]
    discrepancies = [one for one in found if one.record or one.remedy != CREATE]  # our record may be gone since
    plan = FixPlan(order, obstacles([order], now=now).get(order.pk), reason="x", now=now)  # a reason is always given
    return discrepancies, plan.judge(discrepancies, {one.pk: one for one in records.values()})


def why_left(order: Order, *, now: datetime.datetime) -> list[NotAllowedError | None]:
    """For each open difference why a fix would leave it; None where it would not."""
    _found, left = _judged(order, now)
    return [
        why and NotAllowedError(why["code"], **{name: said for name, said in why.items() if name != "code"})
        for why in left
    ]


def _discrepancy(row: Difference, record: BillingRecord | None) -> Discrepancy:
    """A stored difference as the comparison found it."""
    ours, theirs = row.detail.get("ours", ""), row.detail.get("theirs", "")
    wanted = ours in {"live", "cancelled"}
    remedy = CREATE if wanted else DELETE if theirs in {"live", "cancelled"} else NOTHING
    return Discrepancy(
        kind=row.kind, product_id=row.product_id, domain=row.domain, ours=ours, theirs=theirs, remedy=remedy,
        record=record.pk if record and wanted else None,
    )  # fmt: skip


def _sentence(one: Discrepancy) -> str:
    if one.remedy == DELETE:
        return "fix_deletes"
    if one.kind == Difference.Kind.NOT_MEANT:
        return "fix_as_meant"
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
    if BILLED_NOT_ACTIVE in codes and order.undo_since and order.kind == Kind.ACTIVATION:
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

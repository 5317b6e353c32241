"""What a decision will do, in sentences, before anybody takes it."""

from collections.abc import Callable

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from orders.causes import cause_of
from orders.models import Dispatch, Order
from orders.pages.rungs import Facts
from orders.pages.saying import said
from orders.services.resend import Judgement, Selection, judge_order
from orders.services.undo_plan import plan_undo
from orders.services.withdrawal import must_stay

Step, Kind = Dispatch.Step, Order.Kind
VERDICTS = {
    "same": gettext_lazy("will be sent again: the same bytes under the same key"),
    "new": gettext_lazy("will be sent again as a new call: the partner had refused it for good"),
    "again": gettext_lazy("The whole order is planned anew, as if it arrived now, and takes its trial's claim again"),
    "repeat": gettext_lazy("was accepted already, and is sent once more"),
    "left_out": gettext_lazy("was compensated; it is opened on its own page only"),
    "blocked": gettext_lazy("is queued; it goes out when the partner is back"),
    "accepted": gettext_lazy("was accepted already"),
    "refused": gettext_lazy("can't be sent now"),
}


def resending(order: Order) -> Selection:
    """An order's steps that failed or are tried again."""
    return Selection(numbers=(order.number,), failed=True)


def will_resend(facts: Facts) -> list[str]:
    """Step by step, as the engine of resends judges it."""
    judged = judge_order(facts.order, resending(facts.order), open_partners=facts.shut)
    return [say_judgement(row) for row in judged]


def say_judgement(row: Judgement) -> str:
    """One line of a dry run."""
    word = str(VERDICTS[row.verdict])
    if row.verdict == "again":
        return word
    step = Step(row.step).label if row.step in Step.values else _("The order")
    first = row.why.removeprefix("not allowed, because ").removesuffix(" is first")
    if row.verdict == "refused" and row.why.endswith(" is first"):
        return _("Not allowed, because %(number)s is first.") % {"number": first}
    return f"{step}: {word}"


def will_waive(facts: Facts) -> list[str]:
    """Names the finding: whoever waives it should know what it is."""
    found = facts.of(lambda row: row.step == Step.CHECK_FILES and row.error_code)
    return [
        *(_("Found: %(what)s") % {"what": f"{cause_of(row.error_code).what} {said(row.error)}"} for row in found),
        _("The order goes on although its info-security files are not right."),
        _("The reason enters the approval history, for good."),
    ]


def will_compensate(facts: Facts) -> list[str]:
    ending = _("The order ends as failed; it can be sent anew afterwards.")
    return [*_undoing(facts), ending, _("The activation gives its trial free."), *_in_bpm(facts)]


def _in_bpm(facts: Facts) -> list[str]:
    """Nothing goes out to BPM: people must be told who don't look here."""
    there = facts.of(lambda row: row.channel == Dispatch.Channel.BPM and row.state == Dispatch.State.DONE)
    return [_("The process in BPM is not ended by this: tell the people there.")] if there else []


def will_withdraw(facts: Facts) -> list[str]:
    order = facts.order
    if order.kind == Kind.CHANGE and must_stay(order):
        return [
            _("Later orders rest on this change: its records stay as they are, and an incident asks staff to look.")
        ]
    more = [_("Its changes are withdrawn with it.")] if order.kind == Kind.TRIAL else []
    return [*_undoing(facts), *more, _("The order ends as withdrawn, for good."), *_in_bpm(facts)]


def will_call_off(facts: Facts) -> list[str]:
    return [_("The job of the start day is removed."), *will_withdraw(facts)]


def _undoing(facts: Facts) -> list[str]:
    """What goes out to the big-data side, by the very plan that will be carried out."""
    if facts.order.undo_since:
        return [_("What was sent is being taken back, or has been.")]
    counts = dict.fromkeys(UNDOING, 0)
    for row in plan_undo(facts.order, facts.now):
        if row.step in counts:
            counts[row.step] += len(row.records)
    said = [UNDOING[step](number) % {"n": number} for step, number in counts.items() if number]
    return [
        *(said or [_("Nothing has reached the big-data side; nothing has to be deleted there.")]),
        _("Steps that were never begun are closed."),
    ]


UNDOING: dict[str, Callable[[int], str]] = {
    Step.DELETE_BILLING: lambda n: ngettext(
        "%(n)d billing record will be deleted.", "%(n)d billing records will be deleted.", n
    ),
    Step.CANCEL_TRIAL: lambda n: ngettext(
        "%(n)d trial record will be cancelled.", "%(n)d trial records will be cancelled.", n
    ),
    Step.RESTORE_TRIAL: lambda n: ngettext(
        "%(n)d trial record will be restored.", "%(n)d trial records will be restored.", n
    ),
}


def always(*sentences: str | Promise) -> Callable[[Facts], list[str]]:
    """Sentences that don't depend on the order."""
    return lambda facts: [str(sentence) for sentence in sentences]

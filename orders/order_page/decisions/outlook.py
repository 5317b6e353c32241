"""What a decision will do, in sentences, before anybody takes it."""

from collections.abc import Callable, Iterable

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.attachments.preview import findings_of
from orders.dry_run import Foreseen
from orders.error_codes import cause_of
from orders.models import Dispatch, Order
from orders.order_page.error_messages import said
from orders.order_page.ladder.steps import Facts
from orders.order_page.refusals import refusal
from orders.queries import dry_run
from orders.services.compensation.plan import CANCEL, DELETE
from orders.services.outbox.resend import Judgement, Selection, judge_order

Step = Dispatch.Step
VERDICTS = {
    "same": gettext_lazy("will be sent again: the same bytes under the same key"),
    "new": gettext_lazy("will be sent again as a new call: the partner had refused it for good"),
    "again": gettext_lazy("The whole order is planned anew, as if it arrived now, and takes its trial's claim again"),
    "repeat": gettext_lazy("was accepted already, and is sent once more"),
    "left_out": gettext_lazy("was compensated; it is opened on its own page only"),
    "blocked": gettext_lazy("is queued; it goes out when the partner is back"),
    "paused": gettext_lazy("is queued; it goes out when the partner's pause ends"),
    "accepted": gettext_lazy("was accepted already"),
    "refused": gettext_lazy("can't be sent now"),
}
PASS_STANDS = "BPM's pass stands"
HOW = {
    CANCEL: gettext_lazy("Cancel from now on"),
    DELETE: gettext_lazy("Delete"),
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
        return f"{word}{_(', ')}{_('and the pass that BPM gave counts')}" if PASS_STANDS in row.why else word
    if row.verdict == "refused" and (why := refusal(row.why)):
        return why
    step = Step(row.step).label if row.step in Step.values else _("The order")
    return f"{step}: {word}"


def will_waive(facts: Facts) -> list[str]:
    """Names the finding: whoever waives it should know what it is."""
    found = facts.of(lambda row: row.step == Step.CHECK_FILES and row.error_code)
    told = [one for row in found for one in findings_of(row)]
    return [
        *(
            _("Found: %(what)s")
            % {"what": f"{one['file']}{_(': ')}{cause_of(one['code']).what} {said(one['message'])}"}
            for one in told
            if one["code"]
        ),
        _("The order goes on although its info-security files are not right."),
        _("The reason enters the approval history, for good."),
    ]


def foreseen(act: Callable[..., Iterable[Foreseen]], **more: str) -> Callable[[Facts], list[str]]:
    """The dry run of an act in words."""
    return lambda facts: [row.words() for row in act(facts.order, now=facts.now, **more)]


def will_withdraw(facts: Facts) -> list[str]:
    """What follows; for a late undoing of either choice."""
    if not facts.late:
        return foreseen(dry_run.withdraw)(facts)
    told = {how: foreseen(dry_run.withdraw, how=how)(facts) for how in HOW}
    common = [sentence for sentence in told[CANCEL] if sentence in told[DELETE]]
    own = [
        _("%(choice)s: %(what)s") % {"choice": word, "what": sentence}
        for how, word in HOW.items()
        for sentence in told[how]
        if sentence not in common
    ]
    return [*own, *common]


def will_call_off(facts: Facts) -> list[str]:
    """It is a withdrawal, and nothing less."""
    return [_("This withdraws the order: its start day is called off, its job removed."), *will_withdraw(facts)]


def will_see_conflicts(facts: Facts) -> list[str]:
    """Which messages are meant, and that nothing else changes."""
    return [
        *(
            _("Seen to: BBOSS's message of %(at)s, which was refused.")
            % {"at": f"{timezone.localtime(at):%Y-%m-%d %H:%M:%S}"}
            for _pk, at in reversed(facts.conflicts)
        ),
        _("The order stays as it is: what we accepted first holds."),
    ]


def always(*sentences: str | Promise) -> Callable[[Facts], list[str]]:
    """Sentences that don't depend on the order."""
    return lambda facts: [str(sentence) for sentence in sentences]

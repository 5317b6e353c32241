"""Each decision's one service call."""

from collections.abc import Callable

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from orders.books import Look
from orders.errors import NotAllowedError
from orders.fixing_words import left_because
from orders.models import Difference, Order
from orders.order_page.decisions.outlook import resending, say_judgement
from orders.order_page.ladder.steps import Facts
from orders.services.audit import add_note, see_conflicts
from orders.services.compensation.by_staff import compensate
from orders.services.deciding import decide
from orders.services.files import waive_files
from orders.services.giving_up import give_up
from orders.services.holds import choose_attribution, name_domains, proceed
from orders.services.outbox.resend import resend
from orders.services.reconciliation.results import compare_order
from orders.services.reconciliation.take import accept, take
from orders.services.start_day import call_off_start_day, run_start_day
from orders.services.usage import ask_for_usage
from orders.services.withdrawal import withdraw_by_staff


def _by_number(service: Callable) -> Callable:
    """A service that takes the order's number, actor, reason and time."""

    def act(facts: Facts, *, by: str, reason: str, **more: str) -> None:
        service(number=facts.order.number, by=by, reason=reason, now=facts.now, **more)

    return act


def _resend(facts: Facts, *, by: str, reason: str) -> None:
    report = resend(resending(facts.order), by=by, reason=reason, now=facts.now, open_partners=facts.shut)
    if not any(row.sends for row in report.judgements):
        raise NotAllowedError(" ".join(say_judgement(row) for row in report.judgements))


def _fetch_usage(facts: Facts, *, by: str, reason: str) -> None:
    if not ask_for_usage(by=by, now=facts.now, numbers=[facts.order.number], reason=reason):
        raise NotAllowedError(_("It is being asked for already."))


def _taking_back(service: Callable) -> Callable:
    """A service that takes an order back; what came of it is told from the order as it is then."""
    call = _by_number(service)

    def act(facts: Facts, **more: str) -> str:
        call(facts, **more)
        order = Order.objects.only("state", "undo_since").get(pk=facts.order.pk)
        if order.state == Order.State.COMPENSATING:
            return _("What was sent is being taken back; the result shows here within seconds.")
        if order.state == facts.order.state:
            return _("Noted. The order stays as it is for now: %(state)s.") % {"state": order.get_state_display()}
        return _("Done. The order is now: %(state)s.") % {"state": order.get_state_display()}

    return act


def _comparing(*, fix: bool) -> Callable:
    """Compares an order with the answer that was asked for before (`held`), and puts right what may be."""

    def act(facts: Facts, *, by: str, reason: str, held: Look) -> str:
        found = compare_order(number=facts.order.number, held=held, fix=fix, by=by, reason=reason, now=facts.now)
        return say_found(found)

    return act


def say_found(found: list[Difference]) -> str:
    """What a comparison found and what is done about it; empty where nothing differs."""
    fixes = [row for row in found if row.fix_id]
    left = [row for row in found if row.state == Difference.State.OPEN and not row.fix_id]
    told = []
    if fixes:
        text = ngettext(
            "%(n)d difference is being put right; the result shows here within seconds.",
            "%(n)d differences are being put right; the result shows here within seconds.",
            len(fixes),
        )
        told.append(text % {"n": len(fixes)})
    if left:
        why = left_because(left[0].detail["left"]) if left[0].detail.get("left") else ""
        text = ngettext("%(n)d difference stays open.", "%(n)d differences stay open.", len(left)) % {"n": len(left)}
        told.append(f"{text} {why}".strip())
    return " ".join(told)


ACTS: dict[str, Callable[..., str | None]] = {
    "resend": _resend,
    "waive": _by_number(waive_files),
    "attribute": _by_number(choose_attribution),
    "activate": _by_number(run_start_day),
    "call_off": _taking_back(call_off_start_day),
    "usage": _fetch_usage,
    "note": _by_number(add_note),
    "compensate": _taking_back(compensate),
    "withdraw": _taking_back(withdraw_by_staff),
    "proceed": _by_number(proceed),
    "name_domains": _by_number(name_domains),
    "take": _by_number(take),
    "conflict": _by_number(see_conflicts),
    "fix": _comparing(fix=True),
    "compare": _comparing(fix=False),
    "give_up": _by_number(give_up),
    "accept": _by_number(accept),
    "decide": _by_number(decide),
}

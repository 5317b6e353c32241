"""Why a comparison left a difference, or an order, as it is: codes in words, for the command and the pages."""

from collections.abc import Mapping

from django.utils.translation import gettext_lazy as _

from orders.models import Dispatch, Order

WORDS = {
    "step_open": _("a billing step is under way: %(step)s"),
    "step_failed": _("a billing step has failed: %(step)s"),
    "undoing": _("the order is being undone"),
    "acted_meanwhile": _("a step acted on it while it was compared"),
    "stands": _("the order stands: name it with a reason (reconcile ORDER --fix --reason), or take their books"),
    "not_to_be_billed": _("the order is not to be billed: %(state)s"),
    "restored": _("it was accepted before the database was restored: take their books, or withdraw it"),
    "claimed": _("%(activation)s has started and holds the trial"),
    "billed_elsewhere": _("they bill the domain for %(number)s, a number that we do not know"),
    "no_name": _("it can't be named exactly: the big-data side must remove it"),
    "no_times": _("when it began or ends is not known here: resend the order, or take their books"),
    "unknown_number": _("we do not know this number: have BBOSS send the order again"),
    "not_listed": _("ask BBOSS whether the order stands"),
}
LABELS = {"step": Dispatch.Step, "state": Order.State}


def left_because(left: Mapping[str, str]) -> str:
    """`{"code": ..., ...}` of a difference's details, or of an order that was left out, as a sentence."""
    known = {name: _label(name, value) for name, value in left.items()}
    return str(WORDS[left["code"]]) % known if left.get("code") in WORDS else str(left.get("code", ""))


def _label(name: str, value: str) -> str:
    words = LABELS.get(name)
    return str(words(value).label) if words and value in words.values else value

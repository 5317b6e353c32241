"""Events in words, and the filters of the history."""

from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.causes import cause_of
from orders.models import BillingRecord, Dispatch, Order, OrderEvent

PERSON = Q(actor__startswith="staff:") | Q(actor__startswith="command:")
ERRORS = Q(kind__in=["incident", "held", "step_failed", "step_retrying", "undo_mark", "late_answer"])
MAILS = Q(kind__startswith="mail") | Q(data__step__startswith="mail")
FILTERS = {
    "": (gettext_lazy("All"), Q()),
    "people": (gettext_lazy("People"), PERSON),
    "system": (gettext_lazy("System"), ~PERSON),
    "mail": (gettext_lazy("Mails"), MAILS),
    "errors": (gettext_lazy("Errors"), ERRORS),
}
QUIET = ["personal_data_seen", "attachment_downloaded"]  # looking changes nothing, so nobody needs to be told
WORDS = {
    "received": gettext_lazy("Received from BBOSS"),
    "planned": gettext_lazy("Plan made"),
    "state": gettext_lazy("State: %(old)s → %(new)s"),
    "held": gettext_lazy("Held: %(because)s"),
    "went_on": gettext_lazy("Goes on"),
    "step_done": gettext_lazy("Done: %(step)s"),
    "step_failed": gettext_lazy("Failed: %(step)s"),
    "step_retrying": gettext_lazy("Tried again later: %(step)s"),
    "late_answer": gettext_lazy("An answer came too late: %(step)s"),
    "incident": gettext_lazy("Incident: %(what)s"),
    "incident_over": gettext_lazy("Incident over"),
    "undo_mark": gettext_lazy("Taken back from now on: %(why)s"),
    "approval": gettext_lazy("BPM's record: %(result)s"),
    "approval_ignored": gettext_lazy("BPM's record came after the order was taken back"),
    "claim_released": gettext_lazy("The claim of %(activation)s is free"),
    "withdrawn": gettext_lazy("Withdrawn"),
    "compensated": gettext_lazy("Compensated"),
    "resend": gettext_lazy("Sent again: %(steps)s"),
    "waived": gettext_lazy("Finding waived"),
    "attribution_chosen": gettext_lazy("Attribution chosen: %(letters)s"),
    "activation_run": gettext_lazy("Start day run by hand"),
    "usage_asked": gettext_lazy("Trial traffic asked for"),
    "note": gettext_lazy("Note"),
    "personal_data_seen": gettext_lazy("Saw personal data"),
    "attachment_downloaded": gettext_lazy("Downloaded a file: %(file)s"),
}
ACTORS = {"bboss": "BBOSS", "bpm": "BPM", "worker": gettext_lazy("worker"), "system": gettext_lazy("system")}
LABELS = {
    "old": Order.State, "new": Order.State, "because": Order.Held, "was": Order.Held, "step": Dispatch.Step,
    "result": Order.Decision, "record": BillingRecord.State,
}  # fmt: skip


@dataclass(frozen=True)
class Told:
    """An event as it is shown. `who` is a name; `person`: a member of staff did it. `more`: a reason or detail."""

    row: OrderEvent
    who: str | Promise
    person: bool
    what: str
    more: str
    error: bool


def events_of(order: Order, who: str) -> QuerySet[OrderEvent]:
    """The order's events behind a filter, newest first."""
    return order.events.filter(FILTERS.get(who, FILTERS[""])[1]).order_by("-pk")


def news_since(order: Order, seen: int) -> list[OrderEvent]:
    """What happened to the order after this event, without mere looking."""
    return list(order.events.filter(pk__gt=seen).exclude(kind__in=QUIET).order_by("pk")[:20])


def tell(row: OrderEvent) -> Told:
    """An event in words; a kind without words keeps its name."""
    data = row.data if isinstance(row.data, dict) else {}
    kind, _colon, name = row.actor.partition(":")
    person = kind in {"staff", "command"} and bool(name)
    what = str(WORDS.get(row.kind, row.kind)) % _Facts(data)
    more = data.get("reason") or data.get("text") or data.get("detail") or data.get("message") or ""
    error = row.kind in {"incident", "step_failed"}
    return Told(row, name if person else ACTORS.get(row.actor, row.actor), person, what, str(more), error)


class _Facts(dict):
    """An event's data with its codes in words; nothing missing breaks a sentence."""

    def __missing__(self, key: str) -> str:
        return ""

    def __getitem__(self, key: str) -> str:
        if key == "what":
            return str(cause_of(str(self.get("code", ""))).what)
        if key == "steps":
            return _(", ").join(_label("step", step) for step in self.get("steps", []))
        return _label(key, super().__getitem__(key))


def _label(key: str, value) -> str:
    words = LABELS.get(key)
    return str(words(value).label) if words and value in words.values else str(value)

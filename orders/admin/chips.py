"""States as chips. Each of the six tones has one meaning everywhere. A test checks that every state has a tone."""

from django.contrib import admin
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from approvals.models import ApprovalRecord
from notifications.models import Notice
from orders.models import Attempt, BillingRecord, Difference, Dispatch, Incident, Order
from orders.office.bulk.models import BulkItem, BulkRun
from orders.office.exports.models import Export

Words = (
    Order.State
    | Dispatch.State
    | BillingRecord.State
    | Incident.State
    | Attempt.Outcome
    | Difference.State
    | ApprovalRecord.Result
    | Export.State
    | Notice.State
    | BulkRun.State
    | BulkItem.State
)

# Keyed by state. A state that two models share has the same meaning in both.
TONES: dict[Words, str] = {
    state: tone
    for tone, states in {
        "grey": [  # not begun, or closed
            Order.State.ENDED,
            Order.State.WITHDRAWN,
            Dispatch.State.WAITING,
            Dispatch.State.CLOSED,
            Dispatch.State.UNDONE,
            Dispatch.State.GIVEN_UP,
            BillingRecord.State.TO_SEND,
            BillingRecord.State.CANCELLED,
            BillingRecord.State.DELETED,
            Incident.State.IGNORED,
            Difference.State.ACCEPTED,
            Attempt.Outcome.HANDED_BACK,
            Attempt.Outcome.LATE,
            ApprovalRecord.Result.WAIVE,
            Export.State.WAITING,
            BulkRun.State.WAITING,
            BulkItem.State.WAITING,
        ],
        "blue": [  # under way
            Order.State.IN_PROGRESS,
            Order.State.SCHEDULED,
            Order.State.COMPENSATING,
            Dispatch.State.DUE,
            Dispatch.State.SENDING,
            Attempt.Outcome.OPEN,
            Export.State.RUNNING,
            BulkRun.State.RUNNING,
        ],
        "violet": [
            Order.State.AWAITING_APPROVAL,
            Incident.State.ACKNOWLEDGED,
            Export.State.ASKED,
        ],  # waits for somebody
        "amber": [  # held, or being retried
            Order.State.HELD,
            Dispatch.State.RETRYING,
            BillingRecord.State.UNKNOWN,
            Attempt.Outcome.RETRY,
            Attempt.Outcome.ACTED_BEFORE,
            Attempt.Outcome.LOST,
            ApprovalRecord.Result.RETURN,
            BulkRun.State.STOPPED,
        ],
        "red": [  # failed
            Order.State.REJECTED,
            Order.State.FAILED,
            Incident.State.OPEN,
            Attempt.Outcome.REFUSED,
            ApprovalRecord.Result.REJECT,
            Export.State.FAILED,
            BulkItem.State.FAILED,
        ],
        "green": [  # done
            Order.State.TRIALING,
            Order.State.CONVERTED,
            Order.State.APPLIED,
            Order.State.ACTIVE,
            Dispatch.State.DONE,
            BillingRecord.State.LIVE,
            Incident.State.RESOLVED,
            Difference.State.OVER,
            Attempt.Outcome.OK,
            ApprovalRecord.Result.PASS,
            Export.State.DONE,
            Notice.State.SENT,
            BulkRun.State.DONE,
            BulkItem.State.DONE,
        ],
    }.items()
    for state in states
}


def chip(state: Words) -> str:
    """A chip with the state's name in its tone."""
    return format_html('<span class="chip chip-{}">{}</span>', TONES[state], state.label)


def is_doubtful(row) -> bool:
    """Whether `orders.queries.doubts.mark_orders` or `mark_records` found a doubt about this order or record.

    One that waits behind a failed order is doubtful too, unless its state says that it waits.
    """
    marks = getattr(row, "marks", None)
    if marks and marks.behind and TONES[row.State(row.state)] in {"green", "grey"}:
        return True
    return bool(getattr(row, "doubt", False) or getattr(marks, "doubt", ""))


def chip_of(row) -> str:
    """The chip of a row with a `state`. A doubtful row is not shown as fine."""
    state = row.State(row.state)
    if is_doubtful(row):
        tone = "red" if TONES[state] == "red" else "amber"
        return format_html('<span class="chip chip-{}">{} · {}</span>', tone, state.label, _("Needs a look"))
    if isinstance(row, BillingRecord) and begins_later(row):
        return format_html('<span class="chip chip-grey">{}</span>', _("not begun yet"))
    return _step_chip(row, state) if isinstance(row, Dispatch) else chip(state)


def begins_later(row: BillingRecord) -> bool:
    """Whether the big-data side accepted a record that counts from a later day on: nobody is billed by it yet."""
    return row.state == BillingRecord.State.LIVE and row.create_time is not None and row.create_time > timezone.now()


def _step_chip(row: Dispatch, state: Dispatch.State) -> str:
    """A mail is sent, not done; a check of files that goes on says what is missing, not that something is repeated."""
    if row.channel == Dispatch.Channel.MAIL and state == Dispatch.State.DONE:
        return chip(Notice.State.SENT)
    if row.channel == Dispatch.Channel.FILES and state == Dispatch.State.RETRYING:
        return format_html('<span class="chip chip-amber">{}</span>', _("To be completed"))
    return chip(state)


def personal_chip(unmasked: bool) -> str:
    """Whether a file shows people's data."""
    tone, word = ("amber", _("Unmasked")) if unmasked else ("grey", _("Masked"))
    return format_html('<span class="chip chip-{}">{}</span>', tone, word)


class StateChip:
    """A `state_chip` column for a model with a `state`."""

    @admin.display(description=_("state"), ordering="state")
    def state_chip(self, obj):
        return chip_of(obj)

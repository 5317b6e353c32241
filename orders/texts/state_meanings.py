"""The meaning of each state and the next step, in a sentence, for the states' labels and the manual."""

from django.db.models import TextChoices
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from approvals.models import ApprovalRecord
from notifications.models import Mail
from orders.models import AskedAct, Attempt, BillingRecord, Difference, Dispatch, Incident, Order

Meanings = dict[type[TextChoices], dict[TextChoices, Promise]]
MEANINGS: Meanings = {
    Order.State: {
        Order.State.IN_PROGRESS: _("Its steps are being carried out. Nothing to do."),
        Order.State.HELD: _("It waits for something or somebody; the page says for what. Nothing was sent."),
        Order.State.TRIALING: _("The trial runs, free of charge."),
        Order.State.CONVERTED: _("An activation has taken the trial over."),
        Order.State.ENDED: _("The trial's end has passed, or none of its domains is on trial any more."),
        Order.State.APPLIED: _("The change is in effect."),
        Order.State.AWAITING_APPROVAL: _("BPM has it and has not decided yet. Push the SA if it takes long."),
        Order.State.SCHEDULED: _("All is sent. It goes live by itself on its start day."),
        Order.State.ACTIVE: _("The customer uses it and is billed."),
        Order.State.REJECTED: _("BPM said no. What was sent has been taken back."),
        Order.State.FAILED: _("It stopped and does not go on by itself. Its page says why, and what can be done."),
        Order.State.COMPENSATING: _("What was sent is being taken back. Nothing to do unless a step fails."),
        Order.State.WITHDRAWN: _("BBOSS or staff took it back, for good."),
    },
    Order.Held: {
        Order.Held.TRIAL_UNKNOWN: _("BBOSS has not sent the trial yet. It goes on by itself when that comes."),
        Order.Held.TRIAL_CLOSED: _("Ask the customer manager: let it go on, or withdraw it."),
        Order.Held.CLAIM_HELD: _("An activation holds the trial. It goes on by itself once the trial is free."),
        Order.Held.TRIAL_BUSY: _("It goes on by itself when the other activation's records have been taken back."),
        Order.Held.TRIAL_HELD: _("Get the trial going; this order follows by itself."),
        Order.Held.ATTRIBUTION_UNKNOWN: _("Ask the customer manager, then choose the attribution."),
        Order.Held.DOMAINS_MISSING: _("Ask the customer manager for the domains, then enter them."),
        Order.Held.TOO_MANY: _("Tell an engineer. It goes on by itself once the big-data side takes so many records."),
        Order.Held.FILES: _("Get the right file and upload it. The desk looks again every 5 minutes."),
    },
    Dispatch.State: {
        Dispatch.State.WAITING: _("Its turn has not come: steps before it, an approval or its day."),
        Dispatch.State.DUE: _("It is about to be sent."),
        Dispatch.State.SENDING: _("It is being sent now."),
        Dispatch.State.RETRYING: _("It failed for now and is tried again by itself."),
        Dispatch.State.DONE: _("The partner accepted it."),
        Dispatch.State.FAILED: _("The partner refused it, or all tries are used up. The incident says why."),
        Dispatch.State.CLOSED: _("It was never begun and won't be, or no longer matters."),
        Dispatch.State.UNDONE: _("It was accepted and then taken back."),
        Dispatch.State.GIVEN_UP: _("It had failed for good; staff ended it with a reason."),
    },
    BillingRecord.State: {
        BillingRecord.State.TO_SEND: _("The big-data side does not have it yet."),
        BillingRecord.State.LIVE: _("The big-data side has it: the customer is billed, or on trial."),
        BillingRecord.State.CANCELLED: _("It counts no longer; what was before stays as it was."),
        BillingRecord.State.DELETED: _("The big-data side does not have it, or has it no more."),
        BillingRecord.State.UNKNOWN: _("Nobody knows yet whether the big-data side has it. The desk asks again."),
    },
    Attempt.Outcome: {
        Attempt.Outcome.OPEN: _("The call is out. If no answer comes, it is tried again by itself."),
        Attempt.Outcome.OK: _("The partner took it."),
        Attempt.Outcome.RETRY: _("It did not work this time. It is tried again by itself until the tries are used up."),
        Attempt.Outcome.NOT_UNDERSTOOD: _(
            "Nobody can tell what the answer means. It is tried again until the tries are used up."
        ),
        Attempt.Outcome.REFUSED: _("The partner said no. It is not tried again; the incident says what to do."),
        Attempt.Outcome.ACTED_BEFORE: _(
            "The partner had acted on an earlier call with other bytes; the incident says what to do."
        ),
        Attempt.Outcome.HELD: _("Something is missing yet, mostly a file. The desk looks again by itself."),
        Attempt.Outcome.LOST: _(
            "The process ended during the call: nobody knows whether it arrived. The desk sees to it by itself."
        ),
        Attempt.Outcome.HANDED_BACK: _("It was put back before the call was begun. It is sent by itself later."),
        Attempt.Outcome.LATE: _("Its answer came when the step was over already, and changed nothing."),
    },
    Incident.State: {
        Incident.State.OPEN: _("Nobody sees to it yet."),
        Incident.State.ACKNOWLEDGED: _("Somebody sees to it."),
        Incident.State.RESOLVED: _("It is over."),
        Incident.State.IGNORED: _("Nobody needs to look at it."),
    },
    Difference.Kind: {
        Difference.Kind.NOT_BILLED: _(
            "The order is valid, and the big-data side bills nothing: the customer pays nothing."
        ),
        Difference.Kind.NOT_OURS: _("The big-data side bills something for which there is no valid order."),
        Difference.Kind.FIELDS: _("Both have the record, with other values."),
        Difference.Kind.UNKNOWN_ORDER: _("BBOSS or the big-data side has a number that we do not know."),
        Difference.Kind.NOT_LISTED: _("BBOSS's list lacks an order of ours."),
        Difference.Kind.NOT_MEANT: _("The records are not as the orders say."),
        Difference.Kind.UNREADABLE: _("The big-data side's record holds a value that can't be read."),
    },
    Difference.State: {
        Difference.State.OPEN: _("The newest comparison found it."),
        Difference.State.OVER: _("It is over."),
        Difference.State.ACCEPTED: _("Staff accepted it with a reason; it stays listed."),
    },
    ApprovalRecord.Result: {
        ApprovalRecord.Result.PASS: _("Approved: the order goes on."),
        ApprovalRecord.Result.REJECT: _("Refused: what was sent is taken back."),
        ApprovalRecord.Result.RETURN: _("Returned to be completed; nothing happens here."),
        ApprovalRecord.Result.WAIVE: _("Staff accepted the files as they are."),
    },
    AskedAct.State: {
        AskedAct.State.OPEN: _("Nothing is done yet: a second person has to confirm it before it lapses."),
        AskedAct.State.CONFIRMED: _("A second person confirmed it, and it was carried out."),
        AskedAct.State.CALLED_OFF: _("It was called off and not carried out. It can be asked for again."),
        AskedAct.State.LAPSED: _("Nobody confirmed it in time, and it was not carried out. It can be asked for again."),
    },
    Mail.State: {
        Mail.State.DUE: _("It has not gone out yet. It goes by itself."),
        Mail.State.SENDING: _("It is going out now."),
        Mail.State.RETRYING: _("The mail server did not take it for now. It is tried again by itself."),
        Mail.State.DONE: _("The mail server has taken it. Nothing to do."),
        Mail.State.FAILED: _("It did not go out and is not tried any more. Read the cause, then send it again."),
        Mail.State.CLOSED: _("It was never begun and won't be, or no longer matters."),
    },
}
"""Of the states of `orders.models`; a list of a feature of the office adds its own as it is registered."""


ACCEPTED: dict[str, tuple[Promise, Promise]] = {
    "not_billed": (
        _("Not billed, accepted"),
        _("Staff accepted with a reason that the big-data side has no live record of it, or of a part of it."),
    ),
    "billed_not_active": (
        _("Still live there, accepted"),
        _("It is over, and staff accepted with a reason that the big-data side still has a live record of it."),
    ),
}
"""The accepted states of an order's records, by name (contract 3.9, 14): in a few words, and in a sentence."""


def add_meanings(meanings: Meanings) -> None:
    MEANINGS.update(meanings)


def meaning_of(state: TextChoices) -> str | Promise:
    """Returns the meaning of a state; empty if its label is enough."""
    return MEANINGS.get(type(state), {}).get(state, "")

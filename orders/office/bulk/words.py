"""Acts on many rows in words: sentences, states and events."""

from django.utils.translation import gettext_lazy as _

from orders.office.bulk.models import BulkItem, BulkRun
from orders.rules.message import in_words

MESSAGES = in_words(
    {
        "bulk_restored": _("The database was restored, so nothing is done in bulk until it is released."),
        "bulk_not_allowed": _("Who began it may not do this any more, or has no account any more."),
        "bulk_stopped": _("Stopped by hand."),
        "bulk_given_up": _("The worker stopped %(times)s times at the same row. The technicians find it in its log."),
        "bulk_draft_gone": _(
            "Nothing was done: another selection of yours, or an hour, has passed since. Look again, then confirm."
        ),
        "bulk_draft_not_noted": _("Nothing was done yet: the rows are still being noted."),
        "bulk_not_noted": _("It broke off before all rows were noted, and nothing was done. Begin it anew."),
        "bulk_too_many": _(
            "Nothing was done: %(most)s bulk runs of the same person are not over. Wait for one, or stop it."
        ),
        "bulk_over": _("Nothing was done: the run is over or stopped already."),
        "bulk_not_stopped": _("Nothing was done: the run does not stand still, or its rows are not kept any more."),
        "bulk_asked": _("Nothing was done yet: a second person has to confirm it."),
        "bulk_not_confirmed": _("Nothing was done: no second person confirmed it."),
        "bulk_not_there": _("It is not there any more, or not among your attributions."),
        "bulk_not_sent": _("It can't be sent now."),
        "bulk_broken": _("A fault of ours; the technicians find it in the worker's log."),
    }
)
MEANINGS = {
    BulkRun.State: {
        BulkRun.State.DRAFT: _("The rows are chosen and nothing is done yet. Who chose them starts it or leaves it."),
        BulkRun.State.WAITING: _("It begins by itself as soon as the runs before it are finished."),
        BulkRun.State.RUNNING: _("The rows are being done one after the other. Nothing to do."),
        BulkRun.State.STOPPED: _("It was stopped; what is done stays. Continue it if the rest is still wanted."),
        BulkRun.State.DONE: _("All rows have been gone through. Look at those that were not carried out."),
    },
    BulkItem.State: {
        BulkItem.State.WAITING: _("Its turn has not come, or the run was stopped before it."),
        BulkItem.State.DONE: _("It was done for this row."),
        BulkItem.State.FAILED: _("It was refused for this row and nothing changed. The reason stands beside it."),
    },
}
EVENTS = {
    "bulk_begun": _("Bulk run %(run)s begun: %(total)s rows"),
    "bulk_stopped": _("Bulk run %(run)s stopped"),
    "bulk_went_on": _("Bulk run %(run)s goes on"),
    "bulk_done": _("Bulk run %(run)s finished: %(done)s carried out, %(failed)s not"),
}

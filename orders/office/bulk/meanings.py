"""Explanations of the states of a bulk run and its rows."""

from django.utils.translation import gettext_lazy as _

from orders.office.bulk.models import BulkItem, BulkRun

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

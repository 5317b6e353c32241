"""Sentences about acts on many rows at once, for pages; `orders/error_messages.py` has them all."""

from django.utils.translation import gettext_lazy as _

BULK_WORDS = {
    "bulk_restored": _("The database was restored, so nothing is done in bulk until it is released."),
    "bulk_not_allowed": _("Who began it may not do this any more, or has no account any more."),
    "bulk_stopped": _("Stopped by hand."),
    "bulk_given_up": _("The worker stopped %(times)s times at the same row. The technicians find it in its log."),
    "bulk_over": _("Nothing was done: the run is over or stopped already."),
    "bulk_not_stopped": _("Nothing was done: the run does not stand still, or its rows are not kept any more."),
    "bulk_not_there": _("It is not there any more, or not among your attributions."),
    "bulk_not_sent": _("Can't be sent now: %(step)s"),
    "bulk_broken": _("A fault of ours; the technicians find it in the worker's log."),
}

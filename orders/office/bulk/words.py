"""Sentences of acts on many rows."""

from django.utils.translation import gettext_lazy as _

from orders.message import in_words

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

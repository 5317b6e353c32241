"""Scheduled exports in words: sentences and events."""

from django.utils.translation import gettext_lazy as _

from orders.rules.message import Message

MESSAGES = {
    "schedule_gone": Message("the schedule is gone, or somebody else's", _("It is not there any more.")),
    "schedule_name_taken": Message(words=_("You have a scheduled export of this name already.")),
    "schedule_view_gone": Message("the saved view is gone", _("The saved view is gone.")),
    "schedule_not_personal": Message(words=_("People's data need a second person here, so no schedule can hold them.")),
    "schedule_too_many": Message(words=_("You have %(most)s scheduled exports. Delete one that you don't need.")),
    "schedule_recipient_gone": Message(words=_("One of the recipients has no account any more. Choose them anew.")),
    "schedule_busy": Message(words=_("Nothing was done: an export of it is under way.")),
}
EVENTS = {
    "schedule_saved": _("Scheduled export saved: %(name)s"),
    "schedule_switched_on": _("Scheduled export switched on: %(name)s"),
    "schedule_switched_off": _("Scheduled export switched off: %(name)s"),
    "schedule_run": _("Scheduled export run by hand: %(name)s"),
    "schedule_gave_up": _("Scheduled export switched off after failures in a row: %(name)s"),
    "schedule_deleted": _("Scheduled export deleted: %(name)s"),
}

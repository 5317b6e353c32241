"""Sentences of the office: exports and their schedules, notices, saved views, acts on many rows."""

from django.utils.translation import gettext_lazy as _

from orders.message import Message

FILE_NOT_WRITTEN = "the file can't be written: %(why)s"

OFFICE_MESSAGES = {
    # exports of lists
    "export_list_unknown": Message("no list %(name)s; there are %(names)s"),
    "export_format": Message("%(name)s: the name must end in one of %(names)s"),
    "export_not_allowed": Message(
        "the list may not be exported by this account", _("You may not export this list, or not any more.")
    ),
    "export_not_personal": Message(
        "personal data are not for this account", _("You may not export people's data, or not any more.")
    ),
    "export_query": Message(
        "--query %(query)s can't be read: it is NAME=VALUE&NAME=VALUE", _("The filter in the address can't be read.")
    ),
    "export_filter_unknown": Message(
        "no filter %(name)s of this list; there are %(names)s", _("The list has no filter %(name)s.")
    ),
    "export_value_unknown": Message(
        "filter %(name)s has no value %(value)s; there are: %(values)s",
        _("The filter %(name)s has no value %(value)s."),
    ),
    "export_column_unknown": Message(
        "no column %(name)s of this list; there are %(names)s", _("The list has no column %(name)s.")
    ),
    "export_file": Message(FILE_NOT_WRITTEN, _("The file can't be written; the log says why.")),
    "export_disk_full": Message(
        FILE_NOT_WRITTEN, _("The disk for exports is full. Narrow the filter, or tell the technicians.")
    ),
    "export_no_access": Message(
        FILE_NOT_WRITTEN, _("The desk has no right to write to the folder of exports. Tell the technicians.")
    ),
    "export_read_only": Message(FILE_NOT_WRITTEN, _("The disk for exports is read-only. Tell the technicians.")),
    "export_given_up": Message(
        "the worker stopped %(times)s times while it wrote the file",
        _("The worker stopped %(times)s times while it wrote the file. Narrow the filter, and export again."),
    ),
    "export_refused": Message("a second person refused: %(why)s", _("The second person refused: %(why)s")),
    "export_stopped": Message("its maker stopped it", _("It was stopped by whoever exported it.")),
    "export_over": Message("the export is over already", _("Nothing was done: the export is over already.")),
    "export_judged": Message("somebody has judged this export already", _("Somebody has judged it already.")),
    "export_not_judged": Message(
        "a second person must agree", _("People's data need a second person here by now. Export again.")
    ),
    "second_person_own": Message("it must be somebody else", _("Somebody else must agree to what you asked for.")),
    "second_person_unknown": Message(
        "the account that asked for it is gone", _("The account that asked for it is not known any more. Ask again.")
    ),
    "second_person_close": Message(
        "one of the two accounts made the other, or gave it a role, password, mail or name, within 30 days",
        _(
            "One of your two accounts made the other within 30 days, or gave it a role, password, mail or name. "
            "Somebody else must agree."
        ),
    ),  # fmt: skip
    "export_broken": Message(
        "a fault of ours, see the worker's log", _("A fault of ours; the technicians find it in the worker's log.")
    ),
    "schedule_gone": Message("the schedule is gone, or somebody else's", _("It is not there any more.")),
    "schedule_name_taken": Message(words=_("You have a scheduled export of this name already.")),
    "schedule_view_gone": Message("the saved view is gone", _("The saved view is gone.")),
    "schedule_not_personal": Message(words=_("People's data need a second person here, so no schedule can hold them.")),
    "schedule_too_many": Message(words=_("You have %(most)s scheduled exports. Delete one that you don't need.")),
    "schedule_recipient_gone": Message(words=_("One of the recipients has no account any more. Choose them anew.")),
    "schedule_busy": Message(words=_("Nothing was done: an export of it is under way.")),
    "notice_not_failed": Message(words=_("Nothing was done: it has been sent, or is being sent.")),
    # saved views
    "view_name_blank": Message(words=_("Give the view a name.")),
    "view_name_long": Message(words=_("The name is longer than %(most)s characters.")),
    "view_exists": Message(words=_("You have a view “%(name)s” of this list already.")),
    "view_too_many": Message(words=_("You have %(most)s views of this list. Delete one that you don't need.")),
    "view_too_large": Message(words=_("The filter is too long to be kept.")),
    "view_not_your_role": Message(words=_("You can share a view only with a role that you have.")),
    "view_gone": Message(words=_("Nothing was done: the view was deleted meanwhile.")),
    # acts on many rows
    "bulk_restored": Message(words=_("The database was restored, so nothing is done in bulk until it is released.")),
    "bulk_not_allowed": Message(words=_("Who began it may not do this any more, or has no account any more.")),
    "bulk_stopped": Message(words=_("Stopped by hand.")),
    "bulk_given_up": Message(
        words=_("The worker stopped %(times)s times at the same row. The technicians find it in its log.")
    ),
    "bulk_not_noted": Message(words=_("It broke off before all rows were noted, and nothing was done. Begin it anew.")),
    "bulk_over": Message(words=_("Nothing was done: the run is over or stopped already.")),
    "bulk_not_stopped": Message(
        words=_("Nothing was done: the run does not stand still, or its rows are not kept any more.")
    ),
    "bulk_not_there": Message(words=_("It is not there any more, or not among your attributions.")),
    "bulk_not_sent": Message(words=_("It can't be sent now.")),
    "bulk_broken": Message(words=_("A fault of ours; the technicians find it in the worker's log.")),
}

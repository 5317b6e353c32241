"""Exports of lists in words: sentences and states."""

from django.utils.translation import gettext_lazy as _

from orders.office.exports.models import Export
from orders.rules.message import Message

FILE_NOT_WRITTEN = "the file can't be written: %(why)s"

MESSAGES = {
    "export_list_unknown": Message("no list %(name)s; there are %(names)s"),
    "export_format": Message("%(name)s: the name must end in one of %(names)s"),
    "export_not_allowed": Message(
        "the list may not be exported by this account", _("You may not export this list, or not any more.")
    ),
    "export_not_personal": Message(
        "personal data are not for this account", _("You may not export people's data, or not any more.")
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
    "export_too_many": Message(
        "%(most)s exports of this account are not over",
        _("Nothing was exported: you have %(most)s exports that are not over. Wait for one, or stop it."),
    ),
    "export_kept_too_large": Message(
        "the kept files of this account are %(size)s GB large; at most %(most)s GB",
        _("Nothing was exported: your files are %(size)s GB large already; each goes after a week."),
    ),
    "export_refused": Message("a second person refused: %(why)s", _("The second person refused: %(why)s")),
    "export_stopped": Message("its maker stopped it", _("It was stopped by whoever exported it.")),
    "export_over": Message("the export is over already", _("Nothing was done: the export is over already.")),
    "export_not_confirmed": Message("no second person agreed in time", _("No second person agreed to it in time.")),
    "export_judged": Message("somebody has judged this export already", _("Somebody has judged it already.")),
    "export_not_judged": Message(
        "a second person must agree", _("People's data need a second person here by now. Export again.")
    ),
    "export_broken": Message(
        "a fault of ours, see the worker's log", _("A fault of ours; the technicians find it in the worker's log.")
    ),
}
MEANINGS = {
    Export.State: {
        Export.State.ASKED: _("It holds personal data: a second person has to agree before it is written."),
        Export.State.WAITING: _("It is written by itself as soon as the exports before it are finished."),
        Export.State.RUNNING: _("The file is being written. Nothing to do."),
        Export.State.DONE: _("The file can be downloaded until the time that its page shows."),
        Export.State.FAILED: _("There is no file. Read the cause and export once more."),
    },
}

"""Explanations of an export's states."""

from django.utils.translation import gettext_lazy as _

from orders.office.exports.models import Export

MEANINGS = {
    Export.State: {
        Export.State.ASKED: _("It holds personal data: a second person has to agree before it is written."),
        Export.State.WAITING: _("It is written by itself as soon as the exports before it are finished."),
        Export.State.RUNNING: _("The file is being written. Nothing to do."),
        Export.State.DONE: _("The file can be downloaded until the time that its page shows."),
        Export.State.FAILED: _("There is no file. Read the cause and export once more."),
    },
}

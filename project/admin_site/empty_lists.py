"""The text of an empty list: when its first row will come. Texts are found by the model's name."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from orders.lists.scope import UnlimitedOnly, is_unlimited, why_blind

WORDS = {
    "Order": _("No order yet. BBOSS's orders show here the moment they are accepted."),
    "Customer": _("No customer yet. One shows here within seconds after its first order."),
    "Incident": _("No incident yet. One opens when a partner refuses, retries are used up or an order is held."),
    "AffectedOrder": _("No order has been stopped yet."),
    "Conflict": _("No conflict: no number has come twice with different contents."),
    "ApprovalRecord": _("No approval records yet. They show here as soon as BPM has approved."),
    "OrderFiles": _("No order has named info-security files yet."),
    "BillingDispatch": _("Nothing has been sent to the big-data side yet."),
    "BpmDispatch": _("Nothing has been sent to BPM yet."),
    "Dispatch": _("Nothing is to be sent yet. Steps are laid out when an order is planned."),
    "Attempt": _("No call has been made yet."),
    "Mail": _("No mail yet. One is written when an order is sent to BPM, held, rejected or stopped."),
    "BillingRecord": _("No billing records yet. They are noted when an order is planned."),
    "Reconciliation": _("No reconciliation yet. One runs each night."),
    "Difference": _("No difference: our billing records and the big-data side's agree."),
    "TrialUsage": _("No traffic yet. It is asked for each night, and when an activation comes."),
    "InboundMessage": _("BBOSS has sent nothing yet."),
    "TrialClaim": _("No activation holds a trial yet."),
    "TrialEnd": _("No trial has ended before its last day, and no end was taken from the big-data side."),
    "TrialUpload": _("Nobody has uploaded a workbook of trials yet."),
    "Contact": _("No contacts yet: all mail goes to the default contact."),
    "Heartbeat": _("No worker is running; start it with manage.py worker."),
    "Breaker": _("No partner has been called yet."),
    "Pause": _("No partner has been paused yet."),
    "FailedLogin": _("Nobody has failed to log in lately."),
    "Failure": _("No task has failed."),
    "OrmQ": _("Nothing waits in the queue."),
    "OrderEvent": _("Nothing has happened yet. Each step of an order leaves an event."),
    "OrderDomain": _("No domains yet. They come with the orders."),
    "AcceptedCall": _("No request has been accepted yet."),
    "LogEntry": _("Nobody has changed accounts, contacts or settings yet."),
    "Export": _("No list has been exported yet. Each export leaves a row here."),
    "ScheduledExport": _("No scheduled export yet. One exports a saved view by itself, at the times that you choose."),
    "Notice": _("No notice yet. One is written when a scheduled export is ready, or is switched off."),
    "SavedView": _("No view yet. Filter a list, then save it as a view there."),
    "BulkRun": _("Nothing has been done to many rows at once yet. Each such run leaves a row here."),
    "BulkItem": _("Nothing has been done to many rows at once yet."),
    "LeaseLock": _("No worker has taken a lease lock yet."),
    "Schedule": _("No schedule yet; set them up with manage.py setup_schedules."),
    "ApiToken": _("No system may read orders yet. Make a token for one that should."),
    "Success": _("No task has run yet."),
}
OF_ALL = {
    "Export", "ScheduledExport", "SavedView", "Heartbeat", "Breaker", "Pause", "LeaseLock", "FailedLogin",
}  # fmt: skip
"""Lists that show the same rows to users limited to attributions."""
OTHERS = _("Nothing of your attributions is here.")
HIDDEN = _("This belongs to no attribution; only those who see all attributions see it.")


def empty_list_text(model_admin, user) -> str | Promise:
    """Why the user sees no row. A limited user is not told that there is none, since others may see some."""
    name = model_admin.opts.object_name
    if is_unlimited(user) or name in OF_ALL:
        return WORDS.get(name, _("Nothing here yet."))
    return HIDDEN if isinstance(model_admin, UnlimitedOnly) else why_blind(user) or OTHERS

"""The error dictionary: the cause of each known code and the next step for staff, as translated texts."""

import re
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications.masks import mask_text


@dataclass(frozen=True)
class Cause:
    """`what` is the cause and `next` the next step for staff. Both are translated when shown."""

    what: str | Promise
    next: str | Promise


OTHERS = "*"  # the words of the incident that takes all further refusals once there are many incidents of a code
RESEND = _("Clear it up with the partner, then resend the order.")
WAIT = _("Nothing to do: it goes on by itself.")
TRIED = _(
    "While it is being retried it goes on by itself. Once it has failed: resend it when the other side answers again."
)
ASK_BPM = _("Ask BPM whether it has the process. If so, or if nobody knows: resend the order. If not: compensate it.")
DOUBT = _(
    "Ask the partner whether it was done. If so, put the rule into the profile, and resend; if it is a real refusal, "
    "compensate the order."
)
MAIL_SERVER = _("Show the details to whoever runs the mail server, then resend the mail.")
NOT_LET_IN = Cause(
    _("The partner does not let us in."),
    _("Check our credentials and address with the partner, then resend what has failed."),
)

CAUSES = {
    # holds
    "trial_unknown": Cause(
        _("The trial that the order names has not arrived yet."),
        _("Ask BBOSS for the trial. It goes on by itself when the trial arrives."),
    ),
    "trial_closed": Cause(
        _("The trial that the order names is withdrawn or has ended."),
        _("Ask the customer manager. Let the order go on after all, or withdraw it."),
    ),
    "trial_held": Cause(
        _("The trial that the order names is held itself."), _("Set the trial going; this order follows by itself.")
    ),
    "trial_busy": Cause(_("An activation of this trial is being undone."), WAIT),
    "claim_held": Cause(
        _("An activation holds the trial, so it can't be changed."),
        _("Nothing to do unless the activation is withdrawn."),
    ),
    "attribution_unknown": Cause(
        _("The attribution can't be told from the enterprise's number."), _("Choose the attribution.")
    ),
    "domains_missing": Cause(
        _("It is a subsequent activation and names no domains."),
        _("Ask the customer manager for the domains and name them, or withdraw the order."),
    ),
    "too_many": Cause(
        _("The order has more billing records than the big-data side takes in a call."),
        _("Have the number in the profile raised and loaded; the order goes on by itself then. Or withdraw it."),
    ),
    "files": Cause(
        _("The info-security files are not right."),
        _("Upload the right files under Attachments, or waive the finding."),
    ),
    "missing": Cause(
        _("An info-security file is missing."),
        _("Ask the customer manager or BBOSS for it, and upload it under Attachments."),
    ),
    "bad_name": Cause(
        _("An info-security file's name does not fit the order."),
        _(
            "No file cures a name that BBOSS sent wrong: have BBOSS withdraw the order and send it anew under a new "
            "number, or waive the finding once you have seen the file."
        ),
    ),
    "too_large": Cause(_("An info-security file is too large."), _("Ask for a smaller file, or waive the finding.")),
    "not_xlsx": Cause(
        _("An info-security file is not a plain xlsx workbook."), _("Ask for the file as xlsx without macros.")
    ),
    "encrypted": Cause(
        _("An info-security file is protected by a password."), _("Ask for the file without a password.")
    ),
    "empty": Cause(_("An info-security file holds no data."), _("Ask for the filled-in file.")),
    "files_unchecked": Cause(
        _("The files can't be checked at the moment; it is tried again."),
        _(
            "Nothing is known against the files, and nobody need send others: the desk goes on trying by itself. If it "
            "lasts, call the engineer on duty."
        ),
    ),
    # partners
    "timeout": Cause(_("The partner did not answer in time."), TRIED),
    "refused": Cause(
        _("No connection to the partner."),
        _("Check whether the partner is up and the network open, then resend what has failed."),
    ),
    "proxy": Cause(
        _("Our own proxy gives no connection to the partner."),
        _("Have the proxy and its settings looked at (PARTNER_PROXY), then resend what has failed."),
    ),
    "tls": Cause(
        _("A certificate is not accepted: the partner's by us, or ours by the partner."),
        _(
            "Have the certificates looked at together with the partner (PARTNER_CA_BUNDLE, PARTNER_CLIENT_CERT), then "
            "resend what has failed."
        ),
    ),
    "broken": Cause(_("The connection broke before the answer was complete."), TRIED),
    "not_json": Cause(
        _("The partner's answer could not be read."), _("Show the raw answer to the partner's engineers.")
    ),
    "no_code": Cause(_("The partner's answer has no code."), _("Show the raw answer to the partner's engineers.")),
    "no_rule": Cause(
        _("The partner's answer has a form that no rule reads."), _("Show the raw answer to the partner's engineers.")
    ),
    "not_understood": Cause(
        _("The partner answered in a way that the desk does not understand. Nothing is undone for it."), DOUBT
    ),
    "unanswered": Cause(_("BPM did not say whether it started the process. Nothing is undone for it."), ASK_BPM),
    "unproven": Cause(
        _("The partner refused a call that it has never accepted yet. It may be a success in other words."), DOUBT
    ),
    "refusals_in_a_row": Cause(
        _("The partner refuses one order after the other in the same words. Nothing is undone for it."), DOUBT
    ),
    "look_up": Cause(
        _("Nobody knows what the big-data side holds, and it offers no look-up. Nothing is undone for it."),
        _(
            "Look there, or have somebody look, ten minutes after the last call. Then enter on the order's page what "
            "is there, or give a file: `take --file`."
        ),
    ),
    "answer_too_large": Cause(_("The partner's answer is too large."), _("Show it to the partner's engineers.")),
    "bad_result": Cause(
        _("The partner's answer has an unexpected form."), _("Show the raw answer to the partner's engineers.")
    ),
    "no_such_call": Cause(
        _("The step is for a call that the profile of partners does not have any more."),
        _("Resend it: it is worked out anew. Or put the call's path back into the profile."),
    ),
    "internal": Cause(_("An error of our own."), _("Call the engineer on duty; the log has the details.")),
    "payload": Cause(_("The payload could not be built."), _("Call the engineer on duty; the log has the details.")),
    "lost": Cause(
        _("The worker died six times in a row while it sent this step; nobody knows whether it was carried out."),
        _("Call the engineer on duty before anything else; then resend it: the same key and bytes go out again."),
    ),
    "restored": Cause(
        _("The database was restored to an earlier state, and BPM may have this order's process already."),
        _("Ask BPM whether it has the order. If so, have BPM report what it decided; if not, resend the order."),
    ),
    "disk_low": Cause(
        _("The disk is nearly full. Orders go on; exports, uploads and bulk runs are refused."),
        _("Have the technicians make room on the disk of exports. The incident ends by itself."),
    ),
    "audit_stuck": Cause(
        _("The trail can't be sent to the log server."),
        _("Have the technicians put the log server or the network to it right. What waits is sent by itself then."),
    ),
    "desk_down": Cause(
        _("The desk does not answer."),
        _("Restart the web services of this machine, and nginx; their logs say why they stopped."),
    ),
    "site_certificate": Cause(
        _("The certificate of our own address has ended, or ends within 14 days."),
        _("Have nginx's certificate renewed and nginx reloaded. BBOSS calls nobody whose certificate has ended."),
    ),
    "intake_quiet": Cause(
        _("BBOSS has not called for longer than usual."),
        _("Call BBOSS: ask whether it has nothing to send, or can't reach us. The next call ends the incident."),
    ),
    "state_folder_broken": Cause(
        _("The desk can't write the folder of its state: a restored database would go unnoticed."),
        _("Have the folder's disk and rights put right."),
    ),
    "backup_old": Cause(
        _("The last backup is older than 30 hours, or none is known."),
        _("Make a backup by hand, then find out why none was made by itself."),
    ),
    "step_kills_worker": Cause(
        _("A step or mail ends the process that sends it, again and again."),
        _("Call the engineer on duty before its six tries are used up; the worker's log says how its processes end."),
    ),
    "transaction_old": Cause(
        _("A transaction of the database stays open: what it has locked does not go out."),
        _("Have the session that the details name ended by whoever runs the database."),
    ),
    "archive_fails": Cause(
        _("The database's log is not archived: a restore would lose what came since."),
        _("Have the archive of the database put right; its log says why. Until then its disk fills up."),
    ),
    "orders_not_stored": Cause(
        _("Orders can't be stored: BBOSS is told to send them again."),
        _("Have what `status` names put right: a lock, a sequence, a constraint or trigger, a right, or the disk."),
    ),
    "database_errors": Cause(
        _("The database refuses what we ask, or takes too long."),
        _("Call the engineer on duty: the log names the right, the lock or the table space."),
    ),
    "database_disk": Cause(
        _("The disk of the database is nearly full: soon no order can be stored."),
        _("Have the disk enlarged, or room made on it: old messages and attempts can be removed."),
    ),
    "callbacks_refused": Cause(
        _("BPM's callbacks are refused: its decisions do not arrive."),
        _("Have the secret of the callbacks compared with BPM; the web's log says what was wrong."),
    ),
    "slow_intake": Cause(
        _("One of a hundred calls of BBOSS waits for more than 2.5 seconds."),
        _("Look what else runs there now (a backup, an export), and at the load of the machine and its database."),
    ),
    "slow_partner": Cause(
        _("One of a hundred calls to a partner takes longer than 10 seconds."),
        _("Call the partner, and have the network looked at."),
    ),
    "partner_refuses": Cause(
        _("A partner refuses more than half of our calls."),
        _("Look at the open incidents, which show the partner's words; then call the partner."),
    ),
    "queue_growing": Cause(
        _("More steps become due than go out."),
        _("Look how long the partners take to answer, and whether the rate of calls to them is bounded too low."),
    ),
    "emergency_login": Cause(
        _("Somebody logged in with an emergency account."),
        _(
            "Ask whoever keeps the emergency accounts who it was and why. If nobody knows, disable the account; then "
            "resolve it."
        ),
    ),
    "emergency_act": Cause(
        _("Somebody carried out an act by a command without the second person that it needs."),
        _(
            "The details name act and order. Ask whoever did it why it could not wait, and look whether the order is "
            "as it should be; then resolve it."
        ),
    ),
    "intake_refused": Cause(
        _("BBOSS's calls are refused by one code: no order comes in, or few do."),
        _(
            "The details name the code. 20311, 20305: have BBOSS's new token entered. 20210: have our clock put right "
            "(NTP), or BBOSS's. 20208: have the app secret compared with BBOSS. Others: the refused messages say what "
            "was wrong. The incident ends by itself when calls are accepted again."
        ),
    ),
    "delivery_failed": Cause(
        _("An error of ours keeps steps from going out, or from being noted as done."),
        _(
            "Call the engineer on duty: the failed tasks name the error, the log has the details. What was sent goes "
            "out again under the same key. The incident ends by itself."
        ),
    ),
    "other_desk": Cause(
        _("A process with other addresses, another identity or another key is on this database, and takes no step."),
        _(
            "Have the technicians stop it where it is another desk, such as one for tests. Where it is this desk with "
            "new settings, have the other machines reloaded, or these settings adopted. The incident ends by itself."
        ),
    ),
    "database_clock": Cause(
        _("A machine's clock differs from the database's. The desk goes by the database's, so nothing is late."),
        _("Have the technicians put the clocks right (NTP). The incident ends by itself."),
    ),
    "bboss_clock": Cause(
        _("Our clock and BBOSS's differ: if they move further apart, every call is refused (20210)."),
        _("Have the technicians put our clock right (NTP), or BBOSS's. The incident ends by itself."),
    ),
    "breaker_open": Cause(
        _("The partner has not answered for a while; its calls wait."),
        _(
            "Call the partner. Everything goes out by itself when it is back. If a test call gets through from here,"
            " the worker calls another address or takes another way: have that looked at."
        ),
    ),
    "partner_paused": Cause(
        _("Calls to the partner are paused by staff; its steps wait."),
        _("Resume the partner when its maintenance is over; what waits goes out by itself then."),
    ),
    # approvals
    "early": Cause(_("BPM decided before the order was sent to it."), WAIT),
    "second": Cause(
        _("BPM decided twice, differently; the first decision stands."), _("Clear it up with BPM, then decide.")
    ),
    "again": Cause(_("BPM finished the order a second time; nothing was changed."), _("Clear it up with BPM.")),
    "change_built_upon": Cause(
        _("An activation was begun with a change that is not in effect any more, or not all of it."),
        _(
            "Ask the customer manager what must be billed. Then withdraw the activation, or accept it as it is with a "
            "reason."
        ),
    ),
    "compensated": Cause(
        _("Staff took the order back: its billing records are deleted, or are being deleted."),
        _("Let BBOSS withdraw the order, or resend it if it is to be opened after all."),
    ),
    # the books of both sides
    "difference": Cause(
        _("The big-data side's billing records differ from ours."),
        _("Look at the differences. Have them put right, take the big-data side's records as ours, or accept them."),
    ),
    "unknown_record": Cause(
        _("It is not known whether the big-data side bills a domain of this order."),
        _("Compare the order with the big-data side (reconcile); its answer settles it."),
    ),
    "acted_before": Cause(
        _("The partner carried this step out before, with other content, as after a restore from a backup."),
        _(
            "Compare the records of both sides, then take the big-data side's as ours or resend ours. If BPM said so, "
            "wait for its decision, or accept it."
        ),
    ),
    "move_failed": Cause(
        _("The order's start day could not be moved, or nobody knows yet whether it was."),
        _(
            "The details say how it stands. If the day was not moved, move it again or accept it. If the records "
            "disagree, resend them while both days lie ahead; later take the big-data side's as ours."
        ),
    ),
    "billed_not_active": Cause(
        _("The order is closed, but the big-data side may still bill it."),
        _("Ask the big-data side to remove the records, then compare the order (reconcile); or accept it."),
    ),
    "process_differs": Cause(
        _("BPM works on the order with other domains, another service or another start than it has now."),
        _("Tell BPM what the order is now, then accept it with a reason."),
    ),
    "late_undo": Cause(
        _("The order was withdrawn or rejected although the customer has been live for more than a day."),
        _("Ask the customer manager, then withdraw it: cancel the billing from now on, or delete all of it."),
    ),
    "entered_differs": Cause(
        _("BBOSS's message differs from what staff entered for this number."),
        _("Compare the two and ask the customer manager, then withdraw the order or accept it."),
    ),
    # mail
    "no_recipients": Cause(
        _("Nobody is set to get this mail."), _("Add a contact for the attribution, or set the default contact.")
    ),
    "recipients_refused": Cause(
        _("The mail server refuses every recipient of this mail."), _("Check the contacts' mail addresses.")
    ),
    "bad_mail": Cause(
        _("The mail can't be written: an address or a heading is not allowed in a mail."),
        _("Check the contacts' mail addresses."),
    ),
    "connection": Cause(_("No connection to the mail server, or it broke off."), MAIL_SERVER),
    "provider_refused": Cause(_("The mail provider refuses this mail."), MAIL_SERVER),
    "provider_trouble": Cause(
        _("The mail provider could not be reached, or its answer could not be read."), MAIL_SERVER
    ),
    # answers of partners that need their own text, not that of CLASSES
    "code_400": Cause(
        _("The partner finds something in the order wrong; its words are in the details."),
        _("Do what the partner's words ask for (a domain without ICP filing, for instance), then resend the order."),
    ),
    "code_404": Cause(_("The partner does not know what was asked for."), RESEND),
    "http_404": Cause(_("The partner has no such address."), _("Check the partner's base URL in our settings.")),
    "code_409": Cause(
        _("The partner has seen this request's key with other content."),
        _("Call the engineer on duty; the log has the details."),
    ),
    "http_408": Cause(_("The partner gave up waiting for our request."), TRIED),
    "http_429": Cause(_("The partner asks us to slow down."), TRIED),
    "http_401": NOT_LET_IN,
    "http_403": NOT_LET_IN,
    "code_401": NOT_LET_IN,
    "code_403": NOT_LET_IN,
}

CLASSES = [
    (r"(http|code)_[5-9]\d\d.*|code_\d{4,}", Cause(_("The partner reports a fault of its own."), TRIED)),
    (
        r"http_[123]\d\d",
        Cause(_("The partner answers from another address."), _("Check the partner's base URL in our settings.")),
    ),
    (r"http_4\d\d|code_.*", Cause(_("The partner refused the request."), RESEND)),
    (r"smtp_4\d\d", Cause(_("The mail server does not take the mail for now."), TRIED)),
    (r"smtp_.*", Cause(_("The mail server refuses this mail."), MAIL_SERVER)),
    (r"provider_(401|403|408|429|5\d\d)", Cause(_("The mail provider does not take the mail for now."), TRIED)),
    (r"provider_\d+", Cause(_("The mail provider refuses this mail."), MAIL_SERVER)),
]
"""Causes of codes that a partner or a mail server chose. The first pattern that matches the whole code is used."""

UNKNOWN = Cause(
    _("An error that the dictionary does not know."), _("Call the engineer on duty; the log has the details.")
)


def title_of(code: str, words: str) -> str:
    """Returns the title of an incident: the cause of its code, and the partner's words (masked) if there are any."""
    what = str(cause_of(code).what)
    if not words:
        return what
    said = gettext("other reasons") if words == OTHERS else mask_text(words).replace("#", "…")
    return gettext("%(cause)s: %(words)s") % {"cause": what.rstrip("。. "), "words": said}


def cause_of(code: str) -> Cause:
    """Returns the cause of a code. HTTP statuses and partners' codes without an entry in CAUSES use CLASSES."""
    if code in CAUSES:
        return CAUSES[code]
    return next((cause for rule, cause in CLASSES if re.fullmatch(rule, code, re.DOTALL)), UNKNOWN)

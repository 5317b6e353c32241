"""The error dictionary: the cause of each known code and the next step for staff, as translated texts."""

import re
from typing import NamedTuple

from django.utils.functional import Promise, lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications.masks import mask_text


class Advice(NamedTuple):
    """One sentence of what to do, translated when shown, and its act: keys of DECISIONS (orders/actions/all_actions.py)
    or of PLACES (orders/order_page/advice_buttons.py), with blanks between, or a key of WITHOUT_ACT."""

    words: str | Promise
    act: str


ITSELF, OUTSIDE, MACHINE, READ, OTHER = "itself", "outside", "machine", "read", "other"
WITHOUT_ACT = {
    ITSELF: "it goes on by itself: there is nothing to do",
    OUTSIDE: "people of a partner, BBOSS or the customer do it",
    MACHINE: "technicians do it at a machine or in the settings, which no page changes",
    READ: "what is to be read stands on the same page",
    OTHER: "it is done on another order's page, whose number (a link) stands before the sentence",
}
"""Why a sentence names no act of the desk."""


class Cause:
    """`what` is the cause, `advice` and `next` (all of it as one text) the next step for staff. Texts are translated
    when shown."""

    def __init__(self, what: str | Promise, *advice: Advice):
        self.what, self.advice, self.next = what, advice, _one_text([row.words for row in advice])


_one_text = lazy(lambda words: " ".join(map(str, words)).replace("。 ", "。"), str)
OTHERS = "*"  # the words of the incident that takes all further refusals once there are many incidents of a code
RESEND = (
    Advice(_("Clear it up with the partner."), OUTSIDE),
    Advice(_("Then resend the order."), "resend"),
)
RESEND_FAILED = Advice(_("Then resend what has failed."), "resend")
WITHDRAW = Advice(_("Or withdraw the order."), "withdraw")
WAIVE = Advice(_("Or waive the finding."), "waive")
ACCEPT = Advice(_("Or accept it, with a reason."), "accept")
WAIT = Advice(_("Nothing to do: it goes on by itself."), ITSELF)
TRIED = (
    Advice(_("While it is being retried it goes on by itself."), ITSELF),
    Advice(_("Once it has failed: resend it when the other side answers again."), "resend"),
)
ASK_BPM = (
    Advice(_("Ask BPM whether it has the process."), OUTSIDE),
    Advice(_("If so, or if nobody knows: resend the order."), "resend"),
    Advice(_("If not: compensate it."), "compensate"),
)
DOUBT = (
    Advice(_("Ask the partner whether it was done."), OUTSIDE),
    Advice(_("If so, have the rule put into the profile, then resend."), "resend"),
    Advice(_("If it is a real refusal, compensate the order."), "compensate"),
)
MAIL_SERVER = (
    Advice(_("Show the details to whoever runs the mail server."), MACHINE),
    Advice(_("Then resend the mail."), "resend"),
)
RAW_ANSWER = Advice(_("Show the raw answer to the partner's engineers."), OUTSIDE)
ENGINEER = Advice(_("Call the engineer on duty; the log has the details."), MACHINE)
BASE_URL = Advice(_("Check the partner's base URL in our settings."), MACHINE)
MAIL_ADDRESSES = Advice(_("Check the contacts' mail addresses."), "contacts")
NOT_LET_IN = Cause(
    _("The partner does not let us in."),
    Advice(_("Check our credentials and address with the partner."), OUTSIDE),
    RESEND_FAILED,
)

CAUSES = {
    # holds
    "trial_unknown": Cause(
        _("The trial that the order names has not arrived yet."),
        Advice(_("Ask BBOSS for the trial. It goes on by itself when the trial arrives."), OUTSIDE),
    ),
    "trial_closed": Cause(
        _("The trial that the order names is withdrawn or has ended."),
        Advice(_("Ask the customer manager."), OUTSIDE),
        Advice(_("Let the order go on after all."), "proceed"),
        WITHDRAW,
    ),
    "trial_held": Cause(
        _("The trial that the order names is held itself."),
        Advice(_("Set the trial going; this order follows by itself."), "trial"),
    ),
    "trial_busy": Cause(_("An activation of this trial is being undone."), WAIT),
    "claim_held": Cause(
        _("An activation holds the trial, so it can't be changed."),
        Advice(_("Nothing to do unless the activation is withdrawn."), ITSELF),
    ),
    "attribution_unknown": Cause(
        _("The attribution can't be told from the enterprise's number."),
        Advice(_("Choose the attribution."), "attribute"),
    ),
    "domains_missing": Cause(
        _("It is a subsequent activation and names no domains."),
        Advice(_("Ask the customer manager for the domains and name them."), "name_domains"),
        WITHDRAW,
    ),
    "too_many": Cause(
        _("The order has more billing records than the big-data side takes in a call."),
        Advice(_("Have the number in the profile raised and loaded; the order goes on by itself then."), MACHINE),
        WITHDRAW,
    ),
    "files": Cause(
        _("The info-security files are not right."),
        Advice(_("Upload the right files under Attachments."), "upload"),
        WAIVE,
    ),
    "missing": Cause(
        _("An info-security file is missing."),
        Advice(_("Ask the customer manager or BBOSS for it, and upload it under Attachments."), "upload"),
    ),
    "bad_name": Cause(
        _("An info-security file's name does not fit the order."),
        Advice(
            _(
                "No file cures a name that BBOSS sent wrong: have BBOSS withdraw the order and send it anew under a "
                "new number."
            ),
            OUTSIDE,
        ),
        Advice(_("Or waive the finding once you have seen the file."), "waive"),
    ),
    "too_large": Cause(
        _("An info-security file is too large."), Advice(_("Ask for a smaller file, and upload it."), "upload"), WAIVE
    ),
    "not_xlsx": Cause(
        _("An info-security file is not a plain xlsx workbook."),
        Advice(_("Ask for the file as xlsx without macros."), "upload"),
    ),
    "encrypted": Cause(
        _("An info-security file is protected by a password."),
        Advice(_("Ask for the file without a password."), "upload"),
    ),
    "empty": Cause(_("An info-security file holds no data."), Advice(_("Ask for the filled-in file."), "upload")),
    "files_unchecked": Cause(
        _("The files can't be checked at the moment; it is tried again."),
        Advice(
            _(
                "Nothing is known against the files, and nobody need send others: the desk goes on trying by itself. "
                "If it lasts, call the engineer on duty."
            ),
            ITSELF,
        ),
    ),
    # partners
    "timeout": Cause(_("The partner did not answer in time."), *TRIED),
    "refused": Cause(
        _("No connection to the partner."),
        Advice(_("Check whether the partner is up and the network open."), MACHINE),
        RESEND_FAILED,
    ),
    "proxy": Cause(
        _("Our own proxy gives no connection to the partner."),
        Advice(_("Have the proxy and its settings looked at (PARTNER_PROXY)."), MACHINE),
        RESEND_FAILED,
    ),
    "tls": Cause(
        _("A certificate is not accepted: the partner's by us, or ours by the partner."),
        Advice(
            _("Have the certificates looked at together with the partner (PARTNER_CA_BUNDLE, PARTNER_CLIENT_CERT)."),
            MACHINE,
        ),
        RESEND_FAILED,
    ),
    "broken": Cause(_("The connection broke before the answer was complete."), *TRIED),
    "not_json": Cause(_("The partner's answer could not be read."), RAW_ANSWER),
    "no_code": Cause(_("The partner's answer has no code."), RAW_ANSWER),
    "no_rule": Cause(_("The partner's answer has a form that no rule reads."), RAW_ANSWER),
    "not_understood": Cause(
        _("The partner answered in a way that the desk does not understand. Nothing is undone for it."), *DOUBT
    ),
    "unanswered": Cause(_("BPM did not say whether it started the process. Nothing is undone for it."), *ASK_BPM),
    "unproven": Cause(
        _("The partner refused a call that it has never accepted yet. It may be a success in other words."), *DOUBT
    ),
    "refusals_in_a_row": Cause(
        _("The partner refuses one order after the other in the same words. Nothing is undone for it."), *DOUBT
    ),
    "look_up": Cause(
        _("Nobody knows what the big-data side holds, and it offers no look-up. Nothing is undone for it."),
        Advice(_("Look there, or have somebody look, ten minutes after the last call."), OUTSIDE),
        Advice(_("Then enter on the order's page what is there, or give a file: `take --file`."), "look_up"),
    ),
    "answer_too_large": Cause(
        _("The partner's answer is too large."), Advice(_("Show it to the partner's engineers."), OUTSIDE)
    ),
    "bad_result": Cause(_("The partner's answer has an unexpected form."), RAW_ANSWER),
    "no_such_call": Cause(
        _("The step is for a call that the profile of partners does not have any more."),
        Advice(_("Resend it: it is worked out anew."), "resend"),
        Advice(_("Or have the call's path put back into the profile."), MACHINE),
    ),
    "internal": Cause(_("An error of our own."), ENGINEER),
    "payload": Cause(_("The payload could not be built."), ENGINEER),
    "lost": Cause(
        _("The worker died six times in a row while it sent this step; nobody knows whether it was carried out."),
        Advice(_("Call the engineer on duty before anything else."), MACHINE),
        Advice(_("Then resend it: the same key and bytes go out again."), "resend"),
    ),
    "restored": Cause(
        _("The database was restored to an earlier state, and BPM may have this order's process already."),
        Advice(_("Ask BPM whether it has the order. If so, have BPM report what it decided."), OUTSIDE),
        Advice(_("If not, resend the order."), "resend"),
    ),
    "disk_low": Cause(
        _("The disk is nearly full. Orders go on; exports, uploads and bulk runs are refused."),
        Advice(_("Have the technicians make room on the disk of exports. The incident ends by itself."), MACHINE),
    ),
    "audit_stuck": Cause(
        _("The trail can't be sent to the log server."),
        Advice(
            _("Have the technicians put the log server or the network to it right. What waits is sent by itself then."),
            MACHINE,
        ),
    ),
    "desk_down": Cause(
        _("The desk does not answer."),
        Advice(_("Restart the web services of this machine, and nginx; their logs say why they stopped."), MACHINE),
    ),
    "site_certificate": Cause(
        _("The certificate of our own address has ended, or ends within 14 days."),
        Advice(
            _("Have nginx's certificate renewed and nginx reloaded. BBOSS calls nobody whose certificate has ended."),
            MACHINE,
        ),
    ),
    "intake_quiet": Cause(
        _("BBOSS has not called for longer than usual."),
        Advice(
            _("Call BBOSS: ask whether it has nothing to send, or can't reach us. The next call ends the incident."),
            OUTSIDE,
        ),
    ),
    "state_folder_broken": Cause(
        _("The desk can't write the folder of its state: a restored database would go unnoticed."),
        Advice(_("Have the folder's disk and rights put right."), MACHINE),
    ),
    "backup_old": Cause(
        _("The last backup is older than 30 hours, or none is known."),
        Advice(_("Make a backup by hand, then find out why none was made by itself."), MACHINE),
    ),
    "step_kills_worker": Cause(
        _("A step or mail ends the process that sends it, again and again."),
        Advice(
            _(
                "Call the engineer on duty before its six tries are used up; the worker's log says how its processes "
                "end."
            ),
            MACHINE,
        ),
    ),
    "transaction_old": Cause(
        _("A transaction of the database stays open: what it has locked does not go out."),
        Advice(_("Have the session that the details name ended by whoever runs the database."), MACHINE),
    ),
    "archive_fails": Cause(
        _("The database's log is not archived: a restore would lose what came since."),
        Advice(
            _("Have the archive of the database put right; its log says why. Until then its disk fills up."), MACHINE
        ),
    ),
    "orders_not_stored": Cause(
        _("Orders can't be stored: BBOSS is told to send them again."),
        Advice(
            _("Have what `status` names put right: a lock, a sequence, a constraint or trigger, a right, or the disk."),
            MACHINE,
        ),
    ),
    "database_errors": Cause(
        _("The database refuses what we ask, or takes too long."),
        Advice(_("Call the engineer on duty: the log names the right, the lock or the table space."), MACHINE),
    ),
    "database_disk": Cause(
        _("The disk of the database is nearly full: soon no order can be stored."),
        Advice(_("Have the disk enlarged, or room made on it: old messages and attempts can be removed."), MACHINE),
    ),
    "callbacks_refused": Cause(
        _("BPM's callbacks are refused: its decisions do not arrive."),
        Advice(_("Have the secret of the callbacks compared with BPM; the web's log says what was wrong."), MACHINE),
    ),
    "slow_intake": Cause(
        _("One of a hundred calls of BBOSS waits for more than 2.5 seconds."),
        Advice(
            _("Look what else runs there now (a backup, an export), and at the load of the machine and its database."),
            MACHINE,
        ),
    ),
    "slow_partner": Cause(
        _("One of a hundred calls to a partner takes longer than 10 seconds."),
        Advice(_("Call the partner, and have the network looked at."), OUTSIDE),
    ),
    "partner_refuses": Cause(
        _("A partner refuses more than half of our calls."),
        Advice(_("Look at the open incidents, which show the partner's words; then call the partner."), "incidents"),
    ),
    "queue_growing": Cause(
        _("More steps become due than go out."),
        Advice(
            _("Look how long the partners take to answer, and whether the rate of calls to them is bounded too low."),
            MACHINE,
        ),
    ),
    "emergency_login": Cause(
        _("Somebody logged in with an emergency account."),
        Advice(
            _(
                "Ask whoever keeps the emergency accounts who it was and why. If nobody knows, disable the account; "
                "then resolve it."
            ),
            "resolve",
        ),
    ),
    "emergency_act": Cause(
        _("Somebody carried out an act by a command without the second person that it needs."),
        Advice(
            _(
                "The details name act and order. Ask whoever did it why it could not wait, and look whether the "
                "order is as it should be; then resolve it."
            ),
            "resolve",
        ),
    ),
    "intake_refused": Cause(
        _("BBOSS's calls are refused by one code: no order comes in, or few do."),
        Advice(
            _(
                "The details name the code. 20311, 20305: have BBOSS's new token entered. 20210: have our clock put "
                "right (NTP), or BBOSS's. 20208: have the app secret compared with BBOSS. Others: the refused "
                "messages say what was wrong. The incident ends by itself when calls are accepted again."
            ),
            MACHINE,
        ),
    ),
    "delivery_failed": Cause(
        _("An error of ours keeps steps from going out, or from being noted as done."),
        Advice(
            _(
                "Call the engineer on duty: the failed tasks name the error, the log has the details. What was sent "
                "goes out again under the same key. The incident ends by itself."
            ),
            MACHINE,
        ),
    ),
    "other_desk": Cause(
        _("A process with other addresses, another identity or another key is on this database, and takes no step."),
        Advice(
            _(
                "Have the technicians stop it where it is another desk, such as one for tests. Where it is this desk "
                "with new settings, have the other machines reloaded, or these settings adopted. The incident ends "
                "by itself."
            ),
            MACHINE,
        ),
    ),
    "database_clock": Cause(
        _("A machine's clock differs from the database's. The desk goes by the database's, so nothing is late."),
        Advice(_("Have the technicians put the clocks right (NTP). The incident ends by itself."), MACHINE),
    ),
    "bboss_clock": Cause(
        _("Our clock and BBOSS's differ: if they move further apart, every call is refused (20210)."),
        Advice(_("Have the technicians put our clock right (NTP), or BBOSS's. The incident ends by itself."), MACHINE),
    ),
    "breaker_open": Cause(
        _("The partner has not answered for a while; its calls wait."),
        Advice(_("Call the partner. Everything goes out by itself when it is back."), OUTSIDE),
        Advice(
            _(
                "If a test call gets through from here, the worker calls another address or takes another way: have "
                "that looked at."
            ),
            "probes",
        ),
    ),
    "partner_paused": Cause(
        _("Calls to the partner are paused by staff; its steps wait."),
        Advice(_("Resume the partner when its maintenance is over; what waits goes out by itself then."), "resume"),
    ),
    # approvals
    "early": Cause(_("BPM decided before the order was sent to it."), WAIT),
    "second": Cause(
        _("BPM decided twice, differently; the first decision stands."),
        Advice(_("Clear it up with BPM, then decide."), "pass reject"),
    ),
    "again": Cause(
        _("BPM finished the order a second time; nothing was changed."), Advice(_("Clear it up with BPM."), OUTSIDE)
    ),
    "change_built_upon": Cause(
        _("An activation was begun with a change that is not in effect any more, or not all of it."),
        Advice(_("Ask the customer manager what must be billed."), OUTSIDE),
        Advice(_("Then withdraw the activation."), "withdraw"),
        ACCEPT,
    ),
    "compensated": Cause(
        _("Staff took the order back: its billing records are deleted, or are being deleted."),
        Advice(_("Let BBOSS withdraw the order."), OUTSIDE),
        Advice(_("Resend it if it is to be opened after all."), "resend"),
    ),
    # the books of both sides
    "difference": Cause(
        _("The big-data side's billing records differ from ours."),
        Advice(_("Look at the differences."), READ),
        Advice(_("Have them put right."), "fix"),
        Advice(_("Or take the big-data side's records as ours."), "take"),
        ACCEPT,
    ),
    "unknown_record": Cause(
        _("It is not known whether the big-data side bills a domain of this order."),
        Advice(_("Compare the order with the big-data side (reconcile); its answer settles it."), "compare"),
    ),
    "acted_before": Cause(
        _("The partner carried this step out before, with other content, as after a restore from a backup."),
        Advice(_("Compare the records of both sides."), "compare"),
        Advice(_("Then take the big-data side's as ours."), "take"),
        Advice(_("Or resend ours."), "resend"),
        Advice(_("If BPM said so, wait for its decision."), OUTSIDE),
        ACCEPT,
    ),
    "move_failed": Cause(
        _("The order's start day could not be moved, or nobody knows yet whether it was."),
        Advice(_("The details say how it stands."), READ),
        Advice(_("If the day was not moved, move it again."), "move_start"),
        Advice(_("If the records disagree and both days lie ahead, resend them."), "resend"),
        Advice(_("If they disagree later, take the big-data side's as ours."), "take"),
        ACCEPT,
    ),
    "billed_not_active": Cause(
        _("The order is closed, but the big-data side may still bill it."),
        Advice(_("Ask the big-data side to remove the records."), OUTSIDE),
        Advice(_("Then compare the order (reconcile)."), "compare"),
        ACCEPT,
    ),
    "process_differs": Cause(
        _("BPM works on the order with other domains, another service or another start than it has now."),
        Advice(_("Tell BPM what the order is now."), OUTSIDE),
        Advice(_("Then accept it, with a reason."), "accept"),
    ),
    "late_undo": Cause(
        _("The order was withdrawn or rejected although the customer has been live for more than a day."),
        Advice(_("Ask the customer manager."), OUTSIDE),
        Advice(_("Then withdraw it: cancel the billing from now on, or delete all of it."), "withdraw"),
    ),
    "entered_differs": Cause(
        _("BBOSS's message differs from what staff entered for this number."),
        Advice(_("Compare the two and ask the customer manager."), READ),
        Advice(_("Then withdraw the order."), "withdraw"),
        ACCEPT,
    ),
    # mail
    "no_recipients": Cause(
        _("Nobody is set to get this mail."),
        Advice(_("Add a contact for the attribution, or set the default contact."), "contacts"),
    ),
    "recipients_refused": Cause(_("The mail server refuses every recipient of this mail."), MAIL_ADDRESSES),
    "bad_mail": Cause(
        _("The mail can't be written: an address or a heading is not allowed in a mail."), MAIL_ADDRESSES
    ),
    "connection": Cause(_("No connection to the mail server, or it broke off."), *MAIL_SERVER),
    "provider_refused": Cause(_("The mail provider refuses this mail."), *MAIL_SERVER),
    "provider_trouble": Cause(
        _("The mail provider could not be reached, or its answer could not be read."), *MAIL_SERVER
    ),
    # answers of partners that need their own text, not that of CLASSES
    "code_400": Cause(
        _("The partner finds something in the order wrong; its words are in the details."),
        Advice(_("Do what the partner's words ask for (a domain without ICP filing, for instance)."), OUTSIDE),
        Advice(_("Then resend the order."), "resend"),
    ),
    "code_404": Cause(_("The partner does not know what was asked for."), *RESEND),
    "http_404": Cause(_("The partner has no such address."), BASE_URL),
    "code_409": Cause(_("The partner has seen this request's key with other content."), ENGINEER),
    "http_408": Cause(_("The partner gave up waiting for our request."), *TRIED),
    "http_429": Cause(_("The partner asks us to slow down."), *TRIED),
    "http_401": NOT_LET_IN,
    "http_403": NOT_LET_IN,
    "code_401": NOT_LET_IN,
    "code_403": NOT_LET_IN,
}

CLASSES = [
    (r"(http|code)_[5-9]\d\d.*|code_\d{4,}", Cause(_("The partner reports a fault of its own."), *TRIED)),
    (r"http_[123]\d\d", Cause(_("The partner answers from another address."), BASE_URL)),
    (r"http_4\d\d|code_.*", Cause(_("The partner refused the request."), *RESEND)),
    (r"smtp_4\d\d", Cause(_("The mail server does not take the mail for now."), *TRIED)),
    (r"smtp_.*", Cause(_("The mail server refuses this mail."), *MAIL_SERVER)),
    (r"provider_(401|403|408|429|5\d\d)", Cause(_("The mail provider does not take the mail for now."), *TRIED)),
    (r"provider_\d+", Cause(_("The mail provider refuses this mail."), *MAIL_SERVER)),
]
"""Causes of codes that a partner or a mail server chose. The first pattern that matches the whole code is used."""

UNKNOWN = Cause(_("An error that the dictionary does not know."), ENGINEER)


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

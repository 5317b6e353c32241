"""The table of sentences that say why something was refused, left alone or failed, at a terminal and on pages.

Services raise codes (`orders/texts/errors.py`). Rows store them as `{"code": ..., ...}`, with the parameters beside the
code. The sentence is made only when a person reads it.
"""

from collections.abc import Iterable, Mapping

from django.utils.translation import gettext, override
from django.utils.translation import gettext_lazy as _

from orders.models import Dispatch, Incident, Order, OrderDomain
from orders.rules.four_eyes_acts import ACTS
from orders.texts import office_messages
from orders.texts.message import Message

SAME_BOOKS = _("Our books and the big-data side's don't differ, as far as is known.")
NOT_NOW = _("Nothing was done: the incident is %(state)s now.")
NOTHING_TO_ACCEPT = _("It has nothing that can be accepted.")
TRIAL_CLAIMED = "an activation holds trial %(number)s: withdraw that first"
NO_STEP_AND_NO_DIFFERENCE = "order %(number)s has no step that stopped and no open difference to take"

MESSAGES = {
    # numbers, messages and reasons
    "order_unknown": Message("order %(number)s is unknown"),
    "number_unknown": Message("order %(number)s is unknown, and no comparison has named it"),
    "order_conflict": Message("order %(number)s exists with other content"),
    "call_repeated": Message("this transIDO was accepted before with other content"),
    "record_conflict": Message("recordId %(record)s was received before with another body"),
    "content_too_many_domains": Message("holds %(count)s domains, at most %(most)s are taken"),
    "content_service_type": Message("%(given)s is not a known service type"),
    "content_attribution": Message("%(given)s is not JT, GJ or a province's letters"),
    "content_without_domains": Message("required: the trial has been activated already, name the new domains"),
    "disk_low": Message(
        "%(free)s MiB of the disk are free, and %(least)s must be (EXPORT_MIN_FREE_MB)",
        _("The disk is nearly full (%(free)s MB free), so exports, uploads and bulk runs wait. Tell the technicians."),
    ),
    "audit_stuck": Message(
        "%(number)s acts of the trail wait, the log server has taken none for %(minutes)s minutes: %(error)s",
        _("%(number)s acts of the trail wait, the log server has taken none for %(minutes)s minutes."),
    ),
    "desk_down": Message(
        "%(number)s of %(total)s asks at %(address)s were not answered: %(error)s",
        _("%(number)s of %(total)s asks at %(address)s were not answered."),
    ),
    "site_certificate": Message(
        "the certificate of %(host)s ends at %(ends)s", _("The certificate of %(host)s ends at %(ends)s.")
    ),
    "intake_quiet": Message(
        "no call of BBOSS has come for %(minutes)s minutes, the last one at %(last)s; INTAKE_QUIET_MINUTES is %(most)s",
        _("No call of BBOSS has come for %(minutes)s minutes; the last one came at %(last)s."),
    ),
    "state_folder_broken": Message("STATE_DIR: %(error)s", _("A file could not be written: %(error)s")),
    "backup_old": Message("no backup was made for %(hours)s hours", _("No backup was made for %(hours)s hours.")),
    "step_kills_worker": Message(
        "%(number)s steps or mails ended the process that sent them, twice or more; the first is %(about)s",
        _("%(number)s steps or mails ended the process that sent them, twice or more. The first is %(about)s."),
    ),
    "transaction_old": Message(
        "pid %(pid)s (user %(user)s, %(application)s) has had a transaction open since %(since)s (%(state)s, its last "
        "statement is %(verb)s)",
        _("The session %(pid)s of %(user)s (%(application)s) has had a transaction open since %(since)s."),
    ),
    "archive_fails": Message(
        "archive_command could not take %(file)s at %(failed)s; the last that it took was at %(taken)s",
        _("The archive could not take %(file)s at %(failed)s."),
    ),
    "orders_not_stored": Message("%(why)s"),
    "database_errors": Message(
        "%(number)s errors of the database (%(kind)s) within %(minutes)s minutes",
        _("The database refused or did not end %(number)s statements within %(minutes)s minutes (%(kind)s)."),
    ),
    "database_disk": Message(
        "%(percent)s %% of the disk of %(folder)s are free", _("%(percent)s %% of the disk of %(folder)s are free.")
    ),
    "callbacks_refused": Message(
        "%(number)s of BPM's callbacks were answered HTTP %(status)s within %(minutes)s minutes",
        _("%(number)s of BPM's callbacks were answered HTTP %(status)s within %(minutes)s minutes."),
    ),
    "slow_intake": Message(
        "%(number)s of %(total)s calls of BBOSS within %(minutes)s minutes took longer than 2.5 s",
        _("%(number)s of %(total)s calls of BBOSS within %(minutes)s minutes took longer than 2.5 seconds."),
    ),
    "slow_partner": Message(
        "%(number)s of %(total)s calls to %(who)s within %(minutes)s minutes took longer than 10 s",
        _("%(number)s of %(total)s calls to %(who)s within %(minutes)s minutes took longer than 10 seconds."),
    ),
    "partner_refuses": Message(
        "%(who)s refused %(number)s of %(total)s calls within %(minutes)s minutes",
        _("%(who)s refused %(number)s of %(total)s calls within %(minutes)s minutes."),
    ),
    "queue_growing": Message(
        "%(due)s steps to %(channel)s are due, %(number)s more than %(minutes)s minutes ago",
        _("%(due)s steps to %(channel)s are due, %(number)s more than %(minutes)s minutes ago."),
    ),
    "emergency_login": Message(
        "the emergency account %(account)s was used", _("The emergency account %(account)s was used.")
    ),
    "emergency_act": Message(
        "%(act)s at %(subject)s without a second person, by %(who)s",
        _("“%(act)s” at %(subject)s was carried out without a second person, by %(who)s."),
    ),
    "intake_refused": Message(
        "%(number)s of BBOSS's %(total)s calls of the last %(minutes)s minutes were refused with %(answer)s",
        _("%(number)s of BBOSS's %(total)s calls of the last %(minutes)s minutes were refused with %(answer)s."),
    ),
    "delivery_failed": Message(
        "%(number)s tasks that deliver failed within %(minutes)s minutes: %(error)s",
        _("%(number)s tasks that deliver failed within %(minutes)s minutes by an error of ours."),
    ),
    "files_unchecked": Message(
        "the files of %(number)s orders could not be checked for an hour: this machine lacks time, memory or a disk "
        "that answers",
        _("The files of %(number)s orders could not be checked for an hour; that says nothing against the files."),
    ),
    "other_desk": Message(
        "a process on %(machine)s would call others than the desk of this database, by %(settings)s: it takes no step",
        _(
            "A process on %(machine)s would call others than the desk of this database, by %(settings)s: it takes no"
            " step."
        ),
    ),
    "database_clock": Message(
        "the clock of %(machine)s is ahead of the database's by %(seconds)s s",
        _("The clock of %(machine)s is ahead of the database's by %(seconds)s s (below 0: behind it)."),
    ),
    "bboss_clock": Message(
        "our clock is ahead of the times in BBOSS's calls by %(seconds)s s",
        _("Our clock is ahead of the times in BBOSS's calls by %(seconds)s s (below 0: behind them)."),
    ),
    "records_differ": Message("%(records)s differ", _("These differ: %(records)s")),
    "no_reason": Message("%(act)s needs a reason"),
    "no_note": Message("a note needs a text"),
    "reminder_day": Message(words=_("Choose a day from tomorrow on, within ten years.")),
    # withdraw, compensate
    "withdrawn_already": Message("order %(number)s is withdrawn already", _("The order is withdrawn already.")),
    "trial_claimed": Message(TRIAL_CLAIMED, _("An activation holds trial %(number)s: that must be withdrawn first.")),
    "trial_converted": Message(TRIAL_CLAIMED, _("An activation holds the trial: that must be withdrawn first.")),
    "choice_missing": Message(
        "order %(number)s has been live for more than a day: choose whether its records are cancelled from now on "
        "(--cancel) or deleted (--delete)"
    ),
    "no_choice": Message(
        "order %(number)s has not been live for more than a day: what was sent is deleted, there is no choice"
    ),
    "not_compensated": Message(
        "order %(number)s is a %(kind)s; only activations are compensated", _("Only activations are compensated.")
    ),
    "undone_already": Message(
        "order %(number)s is undone already (state %(state)s)",
        _("The order is being taken back already, or has been."),
    ),
    "undone_but_there": Message(
        "order %(number)s is %(state)s already, but records of it may be live at the big-data side: "
        "reconcile %(number)s --fix --reason TEXT puts that right",
        _("It is taken back already, but records of it may be live there: “Put the difference right” ends that."),
        acts="fix",
    ),
    "live_for_long": Message(
        "order %(number)s has been live for more than a day: use withdraw with --cancel or --delete",
        _("The customer has been live for more than a day: withdraw it, and choose how."),
        acts="withdraw",
    ),
    "nothing_sent": Message(
        "nothing of order %(number)s was sent to the big-data side (state %(state)s)",
        _("Nothing of it has reached the big-data side."),
    ),
    # resend
    "resend_withdrawn": Message(words=_("The order is withdrawn.")),
    "resend_taken_back": Message(words=_("The order was taken back for good.")),
    "resend_held_for_files": Message(
        words=_("It is held for its files: put them right, or waive the finding."), acts="upload waive"
    ),
    "resend_nothing_failed": Message(words=_("Nothing has failed.")),
    "resend_declined": Message("%(lines)s"),
    "erase_not_over": Message(
        "not erased, because order %(number)s is %(state)s: only lines whose every order is over are erased",
        _("Order %(number)s of this line is not over: %(state)s. Only lines whose every order is over are erased."),
    ),
    "erase_unsettled": Message(
        "not erased, because order %(number)s has live records, calls or mails under way, or needs somebody",
        _("Order %(number)s has live records, calls or mails under way, or needs somebody. Settle that first."),
    ),
    "erased": Message(
        "not allowed, because the personal data of order %(number)s were erased on %(day)s",
        _("Not possible: the personal data of order %(number)s were erased on %(day)s."),
    ),
    "open_no_activation": Message("not allowed, because only activations are sent anew"),
    "open_rejected": Message("not allowed, because BPM rejected it", _("Not allowed, because BPM rejected it.")),
    "open_state": Message("not allowed, because the order is %(state)s", _("Not allowed in this state: %(state)s")),
    "open_trial_closed": Message(
        "not allowed, because its trial is %(state)s", _("Not allowed, because its trial is closed: %(state)s")
    ),
    "open_trial_undone_late": Message(
        "not allowed, because staff must first say how a late undoing of its trial ends",
        _("Not allowed until staff have said how another activation of its trial is undone."),
    ),
    "open_other_first": Message(
        "not allowed, because %(number)s is first", _("Not allowed, because %(number)s is first.")
    ),
    "open_billed_still": Message(
        "not allowed, because a deletion of it was given up and its records are billed still",
        _("Not allowed, because a deletion of it was given up and its records are still billed."),
    ),
    "open_being_fixed": Message(
        "not allowed, because a fix of a comparison is under way for it",
        _("Not allowed, while what a comparison found is being put right."),
    ),
    # decide
    "decide_no_activation": Message(
        "order %(number)s is a %(kind)s; BPM decides about activations only",
        _("BPM decides about activations only."),
    ),
    "decide_withdrawn": Message("order %(number)s is withdrawn", _("The order is withdrawn.")),
    "decide_being_undone": Message(
        "order %(number)s is being undone; wait until that has ended",
        _("The order is being taken back; wait until that has ended."),
    ),
    "pass_counts": Message("a pass counts for order %(number)s already", _("A pass counts for it already.")),
    "reject_counts": Message("a reject counts for order %(number)s already", _("A reject counts for it already.")),
    "decide_not_opened": Message("order %(number)s: %(why)s", "%(why)s"),
    "no_approval_record": Message("order %(number)s has no finished approval record %(record)r"),
    # give_up
    "nothing_to_give_up": Message(
        "no billing step of order %(number)s has failed for good (state %(state)s); files have waive, BPM and an "
        "activation's create have resend, compensate and withdraw, a question has resend",
        _("No billing step of it has failed for good."),
        acts="resend waive withdraw",
    ),
    "step_not_failed": Message("no step %(step)s of order %(number)s has failed for good (state %(state)s)"),
    # holds
    "not_held_for_trial": Message(
        "order %(number)s is not held for a closed trial (state %(state)s)",
        _("The order is not held for a closed trial."),
    ),
    "change_of_closed_trial": Message(
        "order %(number)s changes a trial that is %(trial)s: withdraw it",
        _("Its trial is withdrawn, so the change can only be withdrawn."),
        acts="withdraw",
    ),
    "not_held_for_domains": Message(
        "order %(number)s is not held for its domains (state %(state)s)", _("The order is not held for its domains.")
    ),
    "no_domain": Message("name at least one domain"),
    "too_many_domains": Message(words=_("More than %(most)s domains.")),
    "bad_domain": Message("domain %(name)r %(why)s"),
    "domain_twice": Message("domain %(name)r is named twice"),
    "not_held_for_attribution": Message(
        "order %(number)s is not held for its attribution (state %(state)s)",
        _("The order is not held for its attribution."),
    ),
    "attribution_none": Message(
        "order %(number)s has no attribution yet (state %(state)s)", _("The order has no attribution yet.")
    ),
    "attribution_held": Message(
        "order %(number)s is held for its attribution: choose it, without --move",
        _("The order is held for its attribution: choose it."),
        acts="attribute",
    ),
    "attribution_same": Message(
        "order %(number)s and its family belong to %(letters)s already", _("It belongs there already.")
    ),
    "attribution_unsettled": Message(
        "a billing step of %(number)s is under way, or nobody knows what it did: try again when that is settled",
        _("A billing step of %(number)s is under way, or nobody knows what it did: try again when that is settled."),
    ),
    "no_such_attribution": Message("attribution %(letters)r is unknown; choose one of %(known)s"),
    "not_held_for_files": Message(
        "order %(number)s is not held for its files (state %(state)s)", _("The order is not held for its files.")
    ),
    "upload_not_named": Message(words=_("The order names no file of this kind.")),
    "upload_bad_name": Message(
        words=_("BBOSS itself named the file wrongly (%(name)s), so no file can put this right.")
    ),
    "upload_wrong": Message(words=_("Nothing was changed: %(why)s.")),
    "upload_not_written": Message(
        words=_("The file can't be written into the attachment folder; nothing was changed. Tell the technicians.")
    ),
    "files_busy": Message(words=_("Nothing was done: it is not held for its files, or they are looked at now.")),
    # the start day
    "no_start_day": Message(words=_("The order does not wait for a start day.")),
    "start_not_come": Message(words=_("The start day has not come yet.")),
    "start_has_come": Message(words=_("The start day has come.")),
    "move_not_scheduled": Message(
        "order %(number)s is no activation that waits for its start day (state %(state)s)",
        _("The order does not wait for a start day."),
    ),
    "move_not_yet": Message(
        "order %(number)s is billed and not scheduled yet (state %(state)s): move its start when it is",
        _("Its billing has been sent, and it does not wait for its start day yet: move it when it does."),
    ),
    "move_books_open": Message(
        "the records of order %(number)s are not all live: settle that first",
        _("Its billing records are not all live: settle that first."),
        acts="compare fix",
    ),
    "move_unanswered": Message(
        "a call about the records of order %(number)s had no answer and may still act: try again in ten minutes",
        _("A call about its records had no answer and may still act: try again in ten minutes."),
    ),
    "move_under_way": Message(
        "the start of order %(number)s is being moved already: wait until the big-data side has answered",
        _("Its start is being moved already: wait until the big-data side has answered."),
    ),
    "move_differs": Message(
        "a move of the start of order %(number)s left records that disagree: resend it, or take the big-data side's",
        _("A move of its start left records that disagree: resend it, or take the big-data side's."),
        acts="resend take",
    ),
    "move_send_again": Message(
        "the records of order %(number)s disagree about its start, and both starts lie ahead: resend it",
        _("Its records disagree about the start, and both starts lie ahead: resend it."),
        acts="resend",
    ),
    "move_not_there": Message(
        "it can't be taken: %(domain)s is not live at the big-data side; compensate order %(number)s and resend it, or "
        "withdraw it",
        _(
            "It can't be taken: %(domain)s is not live at the big-data side. Compensate the order and resend it, or "
            "withdraw it."
        ),
        acts="compensate withdraw",
    ),
    "move_day_past": Message(
        "argument day: %(day)s has passed; today or later is possible",
        _("That day has passed; today or later is possible."),
    ),
    "move_day_too_far": Message(
        "argument day: %(day)s is not within ten years, when the billing records end",
        _("That day is not within ten years, when the billing records end."),
    ),
    "move_same_day": Message("argument day: the order starts on %(day)s already", _("That is its start day already.")),
    "move_too_late": Message(
        "too late: the last call must end 10 minutes before the earlier of the old and the new start of order "
        "%(number)s",
        _("It is too late for that: the big-data side must have answered ten minutes before the earlier start."),
    ),
    "end_no_trial": Message("order %(number)s is no trial", _("Only a trial has an end to move.")),
    "end_not_trialing": Message(
        "trial %(number)s is not running (state %(state)s)", _("The trial is not running, so its end can't be moved.")
    ),
    "end_claimed": Message(
        "activation %(activation)s holds trial %(number)s, so its end can't be moved",
        _("Activation %(activation)s holds the trial, so its end can't be moved."),
    ),
    "end_too_far": Message("argument day: %(day)s is not within ten years", _("That day is not within ten years.")),
    "end_same_day": Message("argument day: %(day)s is its last day already", _("That is its last day already.")),
    "move_refused": Message(
        "the big-data side refused the new start; the order stays on its day",
        _("The big-data side refused the new start; the order stays on its day."),
    ),
    "move_called_off": Message(
        "the new start could not be sent in time; the order stays on its day",
        _("The new start could not be sent in time; the order stays on its day."),
    ),
    "move_unknown": Message(
        "nobody knows yet whether the big-data side took the new start; it is asked, and the start waits",
        _("Nobody knows yet whether the big-data side took the new start; it is asked, and the start waits."),
    ),
    "move_unlike": Message(
        "the big-data side's records disagree about the start",
        _("The big-data side's records disagree about the start."),
    ),
    "too_many": Message(words=_("%(number)s records; a call to the big-data side takes %(most)s.")),
    # traffic
    "usage_no_trial": Message(words=_("Only trials have traffic to ask for.")),
    "usage_no_call": Message(words=_("The big-data side has no call for traffic.")),
    "usage_not_begun": Message(words=_("The trial has not begun.")),
    "usage_asked": Message(words=_("It is being asked for already.")),
    # the books: compare, fix, take, accept
    "billing_under_way": Message(
        words=_("A billing step of the order or its trial is under way; try again when it has ended.")
    ),
    "books_paused": Message("%(told)s", _("Nothing was asked: calls to the big-data side are paused.")),
    "books_silent": Message("the big-data side does not answer (%(code)s); try again: %(told)s"),
    "look_up_by_person": Message(
        "the big-data side offers no look-up: look there, then `take ORDER --file F.csv --as-of MOMENT`, or use the "
        "form on the order's page",
        _(
            "The big-data side offers no look-up: a person must look there. Then enter it under “Enter what the "
            "big-data side holds”, or give a file: `take --file`."
        ),
        acts="look_up",
    ),
    "look_needless": Message(
        "the big-data side can be asked: without --file",
        _("The big-data side can be asked, so nobody need look there."),
    ),
    "look_ahead": Message(words=_("Nobody knows yet what will be there: the moment lies ahead.")),
    "look_by_file": Message(
        words=_("There are more than %(most)s records: give them as a file, by `take --file` (contract 7.2).")
    ),
    "called_after": Message(
        "called less than ten minutes before that moment, or later: %(domains)s",
        _("These were called less than ten minutes before you looked, or later, so look once more: %(domains)s"),
    ),
    "same_books": Message(NO_STEP_AND_NO_DIFFERENCE, SAME_BOOKS),
    "fix_under_way": Message(words=_("It is being put right already.")),
    "fix_leaves_all": Message(words=_("Nothing of it can be put right now: %(why)s."), acts="take accept"),
    "compare_change": Message(words=_("A change has no records of its own: its trial is compared.")),
    "compare_not_planned": Message(words=_("Nothing of it has been planned yet.")),
    "nothing_to_take": Message(NO_STEP_AND_NO_DIFFERENCE, _("There is nothing to take any more.")),
    "step_not_stopped": Message("no step %(step)s of order %(number)s stopped because the partner acted before"),
    "step_not_there": Message(
        "step %(step)s can't be taken: the big-data side does not hold its records as it means them; resend it, or "
        "withdraw the order",
        _(
            "It can't be taken: the big-data side does not hold the records as the step means them. Resend the step, "
            "or withdraw the order."
        ),
        acts="resend withdraw",
    ),
    "change_without_records": Message(
        words=_("A change has no records of its own: take those of its trial, %(number)s.")
    ),
    "record_not_there": Message(
        "record %(domain)s can't be taken: it is live here and not there; %(remedy)s makes it again, `withdraw` "
        "decides otherwise, `accept` lives with it",
        _("It can't be taken: %(domain)s is live here and not there. Have it sent again, or accept it."),
        acts="fix accept",
    ),
    "record_to_come": Message(
        "record %(domain)s can't be taken yet: it is live there, and the step that makes it here is still to come; set "
        "going what that waits for, or `accept` lives with it"
    ),
    "record_not_ours": Message(
        "record %(domain)s can't be taken: it is live there and order %(number)s (%(state)s) has it not, or no more; "
        "`reconcile %(number)s --fix` removes it, `accept` lives with it",
        _("It can't be taken: %(domain)s is live there and must not be. Have it removed, or accept it."),
        acts="fix accept",
    ),
    "record_ends": Message(
        "record %(domain)s can't be taken: it ends on %(day)s there, and an order has no end; %(remedy)s makes it "
        "again, `accept` lives with it",
        _("It can't be taken: %(domain)s ends on %(day)s there. Have it sent again, or accept it."),
        acts="fix accept",
    ),
    "ends_differ": Message(
        "the records of trial %(number)s can't be taken: they have different ends at the big-data side; "
        "`reconcile %(number)s --fix` sends the end that is meant, `accept` lives with them",
        _("It can't be taken: the records have different ends there. Have the right end sent, or accept them."),
        acts="fix accept",
    ),
    "ends_within_a_day": Message(
        "the records of trial %(number)s can't be taken: they do not end at 23:59:59 there, and a trial ends with a "
        "day; `reconcile %(number)s --fix` sends the end that is meant, `accept` lives with them",
        _("It can't be taken: the records do not end at 23:59:59 there. Have the right end sent, or accept them."),
        acts="fix accept",
    ),
    "books_otherwise": Message(
        "nothing was changed: the big-data side holds something else than was shown of order %(number)s; what differs "
        "now: %(found)s",
        _("Nothing was changed: the big-data side holds something else than was shown. What differs now stands here."),
    ),
    "accept_not_billed": Message(
        "order %(number)s is %(state)s, and it is not billed for what is gone there: %(domains)s; only `accept "
        "%(number)s not_billed` accepts that"
    ),
    "accept_billed_not_active": Message(
        "order %(number)s is %(state)s, and the big-data side bills it all the same: %(domains)s; only `accept "
        "%(number)s billed_not_active` accepts that"
    ),
    "nothing_to_accept": Message(
        "order %(number)s has no incident or difference that can be accepted", NOTHING_TO_ACCEPT
    ),
    "incident_not_accepted": Message(
        "order %(number)s has no incident %(incident)s that can be accepted", NOTHING_TO_ACCEPT
    ),
    "not_awaiting": Message(words=_("The order waits for no approval. Its state: %(state)s.")),
    "pushed_today": Message(words=_("%(who)s pushed it today at %(at)s. It can be pushed once a day.")),
    "nobody_to_push": Message(words=_("No SA and no default contact with a mail address is set."), acts="contacts"),
    "no_own_mail": Message(
        words=_("Your account has no mail address. An administrator can enter it under Users."), acts="users"
    ),
    "no_conflict": Message(words=_("There is no conflict that nobody has seen to.")),
    # why a comparison left a difference or an order as it is; these codes are stored with the difference
    "step_open": Message(words=_("a billing step is under way: %(step)s")),
    "step_failed": Message(words=_("a billing step has failed: %(step)s")),
    "undoing": Message(words=_("the order is being undone")),
    "acted_meanwhile": Message(words=_("a step acted on it while it was compared")),
    "stands": Message(
        "the order stands: name it with a reason (reconcile ORDER --fix --reason), or take their books",
        _("the order stands; it is put right or accepted on its page only"),
    ),
    "not_to_be_billed": Message(words=_("the order is not to be billed: %(state)s")),
    "restored": Message(
        "it was accepted before the database was restored: take their books, or withdraw it",
        _("it was accepted before the database was restored"),
    ),
    "claimed": Message(words=_("%(activation)s has started and holds the trial")),
    "billed_elsewhere": Message(words=_("they bill the domain for %(number)s, a number that we do not know")),
    "no_name": Message(words=_("it can't be named exactly: the big-data side must remove it")),
    "no_times": Message(
        "its begin or end is not known here: resend the order, or take their books",
        _("its begin or end is not known here"),
    ),
    "unknown_number": Message(words=_("we do not know this number: have BBOSS send the order again")),
    "not_listed": Message(words=_("ask BBOSS whether the order stands")),
    # incidents
    "incident_unknown": Message("incident %(incident)s is unknown"),
    "incident_state": Message("incident %(incident)s can't be %(act)s: it is %(state)s", NOT_NOW),
    "incident_by_the_books": Message(
        "incident %(incident)s can't be %(act)s by hand: %(code)s ends when the books agree; compare or put the order "
        "right, or accept it",
        _(
            "It ends by itself once the advice has been followed (about records: once both sides' books agree), or when"
            " it is accepted on the order's page; it can't be resolved or ignored by hand."
        ),
    ),
    "incident_own_emergency": Message(
        "incident %(incident)s tells of an emergency of the same account: a colleague has to see to it",
        _("Whoever acted in the emergency can't take up or end its incident: a colleague has to."),
    ),
    "incident_outcome_unknown": Message(
        "incident %(incident)s can't be %(act)s by hand: nobody knows what its step did at the big-data side; resend "
        "it, give it up, or accept it",
        _(
            "Nobody knows what its step did at the big-data side, so it can't be resolved or ignored by hand. Resend "
            "the step, give it up, or accept it on the order's page."
        ),
        acts="resend give_up accept",
    ),
    "incident_stands": Message(
        "incident %(incident)s can't be resolved: all its orders (%(number)s) still stand because of it; set them "
        "going, or ignore it",
        _(
            "It is not over: all its orders (%(number)s) still stand because of it. Set them going, by resending or "
            "giving up; then it ends by itself. If nobody needs to look at it, ignore it."
        ),
        acts="resend give_up",
    ),
    "incident_awake": Message(words=_("Nothing was done: it does not sleep.")),
    "sleep_too_long": Message(words=_("An incident sleeps at most %(days)s days.")),
    "incident_no_note": Message(words=_("Write the note first.")),
    # whose it is
    "owned_unknown": Message("%(kind)s %(pk)s is unknown"),
    "owned_over": Message("it needs nobody any more", _("It needs nobody any more, so nobody can have it.")),
    "owner_changed": Message(
        "%(name)s has it since %(since)s",
        _("Nothing was changed: meanwhile %(name)s has it, since %(since)s. Decide anew."),
    ),
    "owner_gone": Message("nobody has it any more", _("Nothing was changed: meanwhile nobody has it. Decide anew.")),
    "owner_unknown": Message("no account is called %(name)s", _("No account is called %(name)s.")),
    "owner_disabled": Message("%(name)s can't log in", _("%(name)s can't log in, and so can't have anything.")),
    "owner_no_right": Message(
        "%(name)s may not act on orders", _("%(name)s may not act on orders, and so can't have anything.")
    ),
    "owner_blind": Message(
        "it lies outside the attributions of %(name)s", _("It lies outside the attributions of %(name)s.")
    ),
    "leave_backwards": Message(words=_("The last day comes before the first one.")),
    "leave_over": Message(words=_("This leave is over already.")),
    "leave_own_deputy": Message(words=_("Somebody else must be the deputy.")),
    "leave_deputy_without_right": Message(words=_("%(name)s may not act on orders, and so can't stand in.")),
    "leave_deputy_disabled": Message(words=_("%(name)s can't log in, and so can't stand in.")),
    "leave_deputy_away": Message(words=_("%(name)s is away too, until %(last)s. Choose another deputy.")),
    "owner_self": Message("that is the same person", _("Choose somebody else.")),
    # pauses, restores
    "no_such_pause": Message("%(partner)r can't be paused: %(known)s can"),
    "pause_over": Message(words=_("This moment has passed already.")),
    "planned_pause_end": Message(
        "a planned pause needs --until, later than --from; a weekly one is shorter than a week",
        _("A planned pause needs an end later than its beginning; a weekly one is shorter than a week."),
    ),
    "weekly_unplanned": Message("--weekly goes with --from", _("A weekly pause needs its beginning.")),
    "no_planned_pause": Message("there is no planned pause %(pk)s", _("Nothing was done: it is not planned any more.")),
    "not_paused": Message("%(partner)s is not paused", _("Nothing was done: it is not paused any more.")),
    "other_profiles": Message(
        "nothing was done: these have another profile of the partners (PARTNERS_FILE) than this process: %(machines)s. "
        "Reload them first",
        _("Nothing was done: these have other rules for the partners than this page: %(machines)s. Reload them first."),
    ),
    "not_restored": Message("the database does not count as restored: there is nothing to say"),
    "token_day_over": Message(words=_("This day has passed already.")),
    "token_too_long": Message(words=_("A token may be valid for at most %(days)s days.")),
    "token_system_known": Message(
        words=_("%(system)s has a token in force: revoke it, or give this one another name.")
    ),
    "token_judged": Message(words=_("Nothing was done: the token waits for nobody.")),
    "token_revoked_already": Message(words=_("The token is revoked already.")),
    # what is stored with an error or an incident
    "cause_says_all": Message(),
    "partner_words": Message("%(words)s", "%(words)s"),
    "doubt_bpm": Message(
        "has BPM the process of %(number)s? It answered: %(answer)s",
        _("Has BPM the process of %(number)s? It answered: %(answer)s"),
    ),
    "doubt_bpm_rule": Message(
        "has BPM the process of %(number)s? It answered: %(answer)s. If so: %(success)s. If not: %(refused)s",
        _("Has BPM the process of %(number)s? It answered: %(answer)s. If so: %(success)s. If not: %(refused)s"),
    ),
    "doubt_bigdata": Message(
        "does the big-data side hold the records of %(number)s as meant? It answered: %(answer)s",
        _("Does the big-data side hold the records of %(number)s as meant (a look-up tells)? It answered: %(answer)s"),
    ),
    "doubt_bigdata_rule": Message(
        "does the big-data side hold the records of %(number)s as meant? It answered: %(answer)s. If so: %(success)s. "
        "If not: %(refused)s",
        _(
            "Does the big-data side hold the records of %(number)s as meant (a look-up tells)? It answered: %(answer)s."
            " If so: %(success)s. If not: %(refused)s"
        ),
    ),
    "mail_not_written": Message(words=_("the mail can't be written: %(why)s")),
    "worker_died": Message("the worker died or lost its lease", _("the worker stopped before the answer came")),
    "withdrawn": Message("withdrawn", _("it was withdrawn")),
    "rejected": Message("rejected", _("BPM rejected it")),
    "given_up": Message("given up", _("staff gave the step up")),
    "rested_upon": Message(
        "an activation was begun with %(number)s, which is not in effect any more",
        _("an activation was begun with change %(number)s, which is not in effect any more"),
    ),
    "bpm_domains": Message(words=_("domains: BPM has %(there)s, now %(here)s")),
    "bpm_service": Message(words=_("service: BPM has %(there)s, now %(here)s")),
    "bpm_start": Message(words=_("start: BPM has %(there)s, now %(here)s")),
    # what is wrong with a file
    "file_name": Message(words=_("the name must be %(form)s with a real time")),
    "file_link": Message(words=_("it is a symbolic link; put the file itself into the folder")),
    "file_missing": Message(words=_("no such file in the attachment folder")),
    "file_unreadable": Message(words=_("it can't be read: %(why)s")),
    "file_irregular": Message(words=_("it is no regular file")),
    "file_size": Message(
        "%(size)d bytes, at most %(most)d (20 MiB) are allowed", _("%(size)s bytes; at most 20 MiB are allowed")
    ),
    "file_unpacked": Message(
        words=_("more than 100 MiB unpacked, or opening it takes over %(seconds)s s of computing or 300 MiB of memory")
    ),
    "file_no_zip": Message("it is no xlsx file (no zip signature)", _("it is no xlsx file")),
    "file_not_opened": Message(words=_("it does not open as xlsx, or it carries macros")),
    "file_encrypted": Message(
        "it is protected by a password (or an old .xls): save it as xlsx without one",
        _("it is protected by a password, or an old .xls: save it as xlsx without one"),
    ),
    "file_empty": Message(words=_("its first sheet has no data row below the heading")),
    # what is wrong with a host name
    "name_unreadable": Message(
        words=_("The name holds characters that can't be seen, such as a line break: type it in again.")
    ),
    "name_link": Message(words=_("A name holds no link: leave out ://.")),
    "name_long": Message(words=_("longer than %(most)s characters")),
    "name_long_in_ascii": Message(words=_("longer than %(most)s characters when written in ASCII")),
    "name_looks_ascii": Message(words=_("holds a character that only looks like an ASCII letter")),
    "name_wildcard": Message(words=_("a wildcard is not allowed")),
    "name_dot": Message(words=_("ends in a dot")),
    "name_one_label": Message(words=_("has only one label")),
    "name_address": Message(words=_("is an address, not a name")),
    "name_empty_label": Message(words=_("has an empty label")),
    "name_bad_label": Message(words=_("has a label that is no valid internationalized name")),
    "name_long_label": Message(words=_("has a label longer than 63 characters")),
    "name_letters": Message(words=_("may only hold letters, digits and hyphens, no hyphen at an end of a label")),
    # second persons, notices, and what BBOSS sent for a number that staff entered
    "second_person_own": Message(words=_("Somebody else must agree to what you asked for.")),
    "second_person_unknown": Message(words=_("The account that asked for it is not known any more. Ask again.")),
    "second_person_close": Message(
        words=_(
            "Within 30 days one of your two accounts made or changed the other, or somebody made or changed both "
            "(role, password link, mail, second factor and the like). They count as two people from %(until)s on. "
            "Somebody else must agree."
        ),
    ),
    "ask_waits_already": Message(words=_("%(who)s has asked for this already; a second person has to confirm it.")),
    "ask_by_no_account": Message(
        "a second person must confirm this: --by must be an account that may log in, or --emergency"
    ),
    "ask_no_right": Message("%(who)s may not do this, so %(who)s can't ask for it", _("This account may not do this.")),
    "ask_over": Message(words=_("Nothing was done: it was confirmed or called off already, or its time has passed.")),
    "ask_lost_right": Message(words=_("Whoever asked for it may not do this any more. Nobody can confirm it.")),
    "notice_not_failed": Message(words=_("Nothing was done: it has been sent, or is being sent.")),
    "entered_differs_in": Message(words=_("entered by hand and sent by BBOSS: %(differences)s")),
    # a list's filter as text
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
    **office_messages.MESSAGES,
}
AT_ONCE = "at once"  # in place of a start's day
LABELS = {"step": (Dispatch.Step,), "state": (Order.State, Incident.State)}


def say(code: str, params: Mapping[str, object]) -> str:
    """Returns the code's sentence for a page, in the reader's language; the code itself if it has no sentence."""
    if code not in MESSAGES:
        return code
    row = MESSAGES[code]
    return str(row.words) % _labelled(params) if row.words else row.english % params


def say_why(why: Mapping[str, object]) -> str:
    """Returns the sentence of a code stored in one dict with its parameters; empty without a code."""
    return say(str(why["code"]), why) if "code" in why else ""


def say_in_english(code: str, params: Mapping[str, object]) -> str:
    """Returns the code's sentence for commands, logs and BBOSS; the code itself if it has no sentence."""
    if code not in MESSAGES:
        return code
    row = MESSAGES[code]
    if row.english:
        return row.english % params
    with override("en"):
        return str(row.words) % _labelled(params)


def say_why_in_english(why: Mapping[str, object]) -> str:
    return say_in_english(str(why["code"]), why)


def _labelled(params: Mapping[str, object]) -> dict[str, object]:
    """Returns the parameters, with labels in place of the codes of steps and states."""
    return {name: _label(name, value) for name, value in params.items()}


def _label(name: str, value: object) -> object:
    if name == "act" and value in ACTS:
        return str(ACTS[str(value)])
    if name == "wrong" and isinstance(value, Mapping):
        return say_why(value)
    if name == "differences" and isinstance(value, list):
        return _say_differences(value)
    if value == AT_ONCE:
        return str(_("At once"))
    words = next((choices for choices in LABELS.get(name, ()) if value in choices.values), None)
    return str(words(value).label) if words else value


def _say_differences(differences: Iterable[Mapping[str, str]]) -> str:
    return gettext("; ").join(map(_say_difference, differences))


def _say_difference(one: Mapping[str, str]) -> str:
    name, values = one["field"], {"ours": one["ours"] or "-", "theirs": one["theirs"] or "-"}
    if name == "kind":
        values = {side: str(Order.Kind(kind).label) for side, kind in values.items()}
    known = OrderDomain._meta.verbose_name_plural if name == "domains" else Order._meta.get_field(name).verbose_name
    return gettext("%(field)s: %(ours)s, then %(theirs)s") % {"field": known, **values}

"""Texts of events, and the filters of the history."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from approvals.models import ApprovalRecord
from notifications.masks import mask_text
from orders.history.actors import actor_of, name_of
from orders.models import BillingRecord, Dispatch, Order, OrderEvent
from orders.order_words.error_details import detail_text
from orders.rules.four_eyes_acts import ACTS
from orders.rules.local_time import SHANGHAI
from orders.rules.steps import Partner
from orders.texts.incident_texts import cause_of

PERSON = Q(actor__startswith="staff:") | Q(actor__startswith="command:")
ERRORS = Q(kind__in=["incident", "held", "step_failed", "step_retrying", "undo_mark", "late_answer"])
MAILS = Q(kind__startswith="mail") | Q(data__step__startswith="mail")
FILTERS = {
    "": (gettext_lazy("All"), Q()),
    "people": (gettext_lazy("People"), PERSON),
    "system": (gettext_lazy("System"), ~PERSON),
    "mail": (gettext_lazy("Mails"), MAILS),
    "errors": (gettext_lazy("Errors"), ERRORS),
    "notes": (gettext_lazy("Notes"), Q(kind="note")),
}
MANY_RESENT = gettext_lazy("Steps of several orders sent again: %(sent)s")
TROUBLES = {"step_failed", "step_retrying", "late_answer"}
MORE = ["reason", "text", "detail", "message", "note"]
MAX_NAMES = 5
# Reading and reminders change nothing, so these are not shown as news.
NOT_NEWS = [
    "personal_data_seen",
    "attachment_downloaded",
    "evidence_taken",
    "evidence_personal",
    "reminder_set",
    "reminder_off",
]
START_MOVED, MOVE_ASKED = "start_moved", "move_asked"  # `old` and `new` are times, not states
WORDS = {
    "received": gettext_lazy("Received from BBOSS"),
    "entered": gettext_lazy("Entered by hand"),
    "planned": gettext_lazy("Plan made"),
    "state": gettext_lazy("State: %(old)s → %(new)s"),
    "held": gettext_lazy("Held: %(because)s"),
    "went_on": gettext_lazy("Goes on"),
    "step_done": gettext_lazy("Done: %(step)s"),
    "step_failed": gettext_lazy("Failed: %(step)s"),
    "step_retrying": gettext_lazy("Tried again later: %(step)s"),
    "late_answer": gettext_lazy("An answer came too late: %(step)s"),
    "incident": gettext_lazy("Incident: %(what)s"),
    "incident_over": gettext_lazy("Incident over"),
    "undo_mark": gettext_lazy("Taken back from now on: %(why)s"),
    "approval": gettext_lazy("BPM's record: %(result)s"),
    "approval_ignored": gettext_lazy("BPM's record came after the order was taken back"),
    "claim_released": gettext_lazy("The claim of %(activation)s is free"),
    "withdrawn": gettext_lazy("Withdrawn"),
    "compensated": gettext_lazy("Compensated"),
    "resend": gettext_lazy("Sent again: %(steps)s"),
    "waived": gettext_lazy("Finding waived"),
    "attribution_chosen": gettext_lazy("Attribution chosen: %(letters)s"),
    "attribution_moved": gettext_lazy("Attribution corrected: %(old)s → %(new)s. BPM was not told."),
    "activation_run": gettext_lazy("Start day run by hand"),
    "usage_asked": gettext_lazy("Trial traffic asked for"),
    "conflict_seen": gettext_lazy("Conflict seen to"),
    "files_looked_at": gettext_lazy("Files looked at again by hand"),
    "given_up": gettext_lazy("Step given up: %(step)s"),
    "taken": gettext_lazy("The big-data side's books taken as ours"),
    "accepted": gettext_lazy("Lives with: %(codes)s"),
    "decided": gettext_lazy("Decided by hand: %(result)s"),
    "act_asked": gettext_lazy("Asked a second person to confirm, until %(until)s: %(act)s"),
    "act_confirmed": gettext_lazy("Confirmed as the second person: %(act)s"),
    "act_called_off": gettext_lazy("Called off before anybody confirmed it: %(act)s"),
    "act_lapsed": gettext_lazy("Lapsed, since nobody confirmed it in time: %(act)s"),
    "act_in_emergency": gettext_lazy("Carried out in an emergency, without a second person: %(act)s"),
    "proceeded": gettext_lazy("Let go on although its trial is closed"),
    "domains_named": gettext_lazy("Domains named: %(domains)s"),
    "domains_dropped": gettext_lazy("Domains left out, since no record of them was made: %(domains)s"),
    "late_undo_asked": gettext_lazy("Staff are asked how it is undone: %(why)s"),
    "acted_before": gettext_lazy("The partner had carried it out before: %(step)s"),
    "books_show_gone": gettext_lazy("The big-data side's books show it gone: %(step)s"),
    "opened": gettext_lazy("Opened again: planned anew"),
    "planned_again": gettext_lazy("Planned anew: what it follows in the line of its trial has changed"),
    "trial_ending": gettext_lazy("The trial ends before its last day: %(why)s"),
    "end_taken": gettext_lazy("The big-data side's last day taken as the trial's: %(end)s"),
    "end_moved": gettext_lazy("The trial's end moved: %(end_before)s → %(end)s"),
    START_MOVED: gettext_lazy("Start moved: %(old)s → %(new)s"),
    MOVE_ASKED: gettext_lazy("Start to be moved: %(old)s → %(new)s"),
    "note": gettext_lazy("Note"),
    "reminder_set": gettext_lazy("Will be reminded on %(day)s"),
    "reminder_off": gettext_lazy("Took back the reminder for %(day)s"),
    "mentions_left": gettext_lazy("Named in a note and not mailed, their digest tells them: %(names)s"),
    "pushed": gettext_lazy("Pushed the approval: %(people)s"),
    "customer_noted": gettext_lazy("Wrote a note on customer %(customer)s"),
    "personal_data_erased": gettext_lazy("Personal data erased"),
    "personal_data_seen": gettext_lazy("Saw personal data"),
    "phone_searched": gettext_lazy("Search by phone %(phone)s; orders found: %(orders)s"),
    "file_uploaded": gettext_lazy("Uploaded a file: %(file)s"),
    "attachment_downloaded": gettext_lazy("Downloaded a file: %(file)s"),
    "evidence_taken": gettext_lazy("Took the order's evidence, masked"),
    "evidence_personal": gettext_lazy("Took the order's evidence with people's data"),
    "compared": gettext_lazy("Compared with the big-data side"),
    "reconciliation_fix": gettext_lazy("Put right after a reconciliation"),
    "incident_acknowledged": gettext_lazy("Took an incident up: %(what)s"),
    "incident_ignored": gettext_lazy("Ignored an incident: %(what)s"),
    "incident_resolved": gettext_lazy("Resolved an incident: %(what)s"),
    "incident_resolved_partly": gettext_lazy(
        "Resolved an incident for %(left)s orders, %(standing)s still stand: %(what)s"
    ),
    "incident_asleep": gettext_lazy("Let an incident sleep until %(until)s: %(what)s"),
    "incident_woke": gettext_lazy("An incident woke: %(what)s"),
    "incident_noted": gettext_lazy("Wrote a note on an incident: %(what)s"),
    "incident_handed_over": gettext_lazy("Handed an incident over to %(owner)s: %(what)s"),
    "incident_back": gettext_lazy("Handed an incident back: %(what)s"),
    "incident_lost": gettext_lazy("An incident is nobody's again, %(before)s can't act on it any more: %(what)s"),
    "leave_entered": gettext_lazy("Entered a leave of %(account)s: %(first)s to %(last)s, deputy: %(deputy)s"),
    "leave_ended": gettext_lazy("Ended the leave of %(account)s"),
    "owner_taken": gettext_lazy("Took it on"),
    "owner_given": gettext_lazy("Handed it over to %(owner)s"),
    "owner_back": gettext_lazy("Handed it back: it is nobody's"),
    "owners_given": gettext_lazy("Handed over to %(owner)s: %(things)s"),
    "owners_gone": gettext_lazy("Taken from %(before)s: %(things)s"),
    "owner_lost": gettext_lazy("It is nobody's again: %(before)s can't act on it any more"),
    "owner_done": gettext_lazy("It needs nobody any more; it was with %(before)s"),
    "difference_taken": gettext_lazy("Took a difference on: %(number)s"),
    "difference_given": gettext_lazy("Handed a difference over to %(owner)s: %(number)s"),
    "difference_back": gettext_lazy("Handed a difference back: %(number)s"),
    "difference_lost": gettext_lazy("A difference is nobody's again, %(before)s can't act on it any more: %(number)s"),
    "breaker_opened": gettext_lazy("Calls wait: %(partner)s does not answer"),
    "breaker_closed": gettext_lazy("Calls go out again: %(partner)s answers"),
    "read_again": gettext_lazy("Read the kept answer again: it was done"),
    "calls_held": gettext_lazy("The desk holds the calls to %(partner)s that make something: %(code)s"),
    "calls_go_on": gettext_lazy("The calls to %(partner)s that were held go out again"),
    "partner_paused": gettext_lazy("%(partner)s paused"),
    "partners_probed": gettext_lazy("Made test calls"),
    "test_mail_sent": gettext_lazy("Sent a test mail"),
    "pause_planned": gettext_lazy("Pause of %(partner)s planned: %(begins)s to %(ends)s"),
    "planned_pause_off": gettext_lazy("Planned pause of %(partner)s called off: %(begins)s to %(ends)s"),
    "partner_resumed": gettext_lazy("%(partner)s resumed"),
    "start_slept_through": gettext_lazy("Its start day came while %(partner)s was paused; it is made up for now"),
    "notice_resent": gettext_lazy("A notice to staff was sent again"),
    "mail_resent": gettext_lazy("A mail was sent again"),
    "reconciled": gettext_lazy("Reconciliation finished"),
    "pruned": gettext_lazy("Old messages and attempts removed"),
    "cluster_replaced": gettext_lazy("A worker that had stopped was replaced"),
    "moment_put_right": gettext_lazy("A wrong clock had put a step off: it goes on now"),
    "moments_put_right": gettext_lazy("Moments that a wrong clock wrote were put right: %(moments)s"),
    "schedules_put_back": gettext_lazy("Schedules that were missing or asleep were put back: %(names)s"),
    "database_restored": gettext_lazy("The database was found restored to an earlier state"),
    "restore_released": gettext_lazy("The restored desk may send again"),
    "api_token_made": gettext_lazy("Made a token for %(system)s"),
    "api_token_agreed": gettext_lazy("Agreed that the token of %(system)s reads people's data"),
    "api_token_revoked": gettext_lazy("Revoked the token of %(system)s"),
    "account_made": gettext_lazy("Made the account %(account)s at the first company log-in"),
    "account_joined": gettext_lazy("Joined the account %(account)s to the company log-in"),
    "account_join_allowed": gettext_lazy("Lets a verified mail join the account %(account)s to the company log-in"),
    "account_unjoined": gettext_lazy("Parted the account %(account)s from the company log-in"),
    "account_roles": gettext_lazy(
        "Roles of %(account)s by the company log-in: %(roles)s; attributions: %(limits)s%(taken)s"
    ),
    "emergency_marked": gettext_lazy("Marked %(account)s as an account for an emergency"),
    "emergency_unmarked": gettext_lazy("%(account)s is no account for an emergency any more"),
    "emergency_password": gettext_lazy("Set the password of the emergency account %(account)s by its link"),
    "emergency_login": gettext_lazy("Logged in with the emergency account %(account)s"),
    "second_factor_set": gettext_lazy("Set up the second factor of %(account)s"),
    "second_factor_reset": gettext_lazy("Reset the second factor of %(account)s"),
    "recovery_codes_made": gettext_lazy("Made new recovery codes for %(account)s"),
    "recovery_code_used": gettext_lazy("Used a recovery code of %(account)s; left: %(left)s"),
    "backed_up": gettext_lazy("A backup was made"),
    "backup_put_back": gettext_lazy("A backup was put back"),
    "bulk_begun": gettext_lazy("Bulk run %(run)s begun: %(total)s rows"),
    "bulk_stopped": gettext_lazy("Bulk run %(run)s stopped"),
    "bulk_went_on": gettext_lazy("Bulk run %(run)s goes on"),
    "bulk_done": gettext_lazy("Bulk run %(run)s finished: %(done)s carried out, %(failed)s not"),
    "schedule_saved": gettext_lazy("Scheduled export saved: %(name)s"),
    "schedule_switched_on": gettext_lazy("Scheduled export switched on: %(name)s"),
    "schedule_switched_off": gettext_lazy("Scheduled export switched off: %(name)s"),
    "schedule_run": gettext_lazy("Scheduled export run by hand: %(name)s"),
    "schedule_gave_up": gettext_lazy("Scheduled export switched off after failures in a row: %(name)s"),
    "schedule_deleted": gettext_lazy("Scheduled export deleted: %(name)s"),
    "numbers_tried": gettext_lazy(
        "Typed numbers of orders outside their attributions when entering trials: %(numbers)s"
    ),
    "trials_imported": gettext_lazy("Trials entered from a workbook: %(count)s (%(file)s)"),
    "view_saved": gettext_lazy("Saved a view of a list: %(name)s"),
    "view_changed": gettext_lazy("Changed a view of a list: %(name)s"),
    "view_renamed": gettext_lazy("Renamed a view of a list: %(name)s"),
    "view_shared": gettext_lazy("Shared a view of a list with %(role)s: %(name)s"),
    "view_unshared": gettext_lazy("No longer shares a view of a list: %(name)s"),
    "view_deleted": gettext_lazy("Deleted a view of a list: %(name)s"),
}
"""Texts of the core. The features of orders/office add theirs when the app starts (`orders/apps.py`)."""
WHY = {
    "rejected": gettext_lazy("BPM rejected it"),
    "withdrawn": gettext_lazy("it was withdrawn"),
    "trial_withdrawn": gettext_lazy("its trial was withdrawn"),
    "given up": gettext_lazy("staff gave it up, and it had done nothing"),
    "not_restored": gettext_lazy("its records were not restored"),
    "undone_late": gettext_lazy("its activation was taken back after a day of billed service"),
}
WHOLE = "all"  # as a step: the order was planned anew
PARTNER_NAMES = dict(Partner.choices) | {"order": gettext_lazy("The order"), "desk": gettext_lazy("The desk")}
LABELS = {
    "old": Order.State,
    "new": Order.State,
    "because": Order.Held,
    "was": Order.Held,
    "step": Dispatch.Step,
    "result": ApprovalRecord.Result,
    "record": BillingRecord.State,
}


@dataclass(frozen=True)
class Told:
    """An event as shown. `who`: a name; `person`: True for a member of staff. `more`: a reason or detail."""

    row: OrderEvent
    who: str | Promise
    person: bool
    what: str
    more: str
    error: bool

    @property
    def at(self) -> datetime.datetime:
        return self.row.at

    @property
    def run(self) -> int | None:
        return self.row.data.get("run") if isinstance(self.row.data, dict) else None

    @property
    def same(self) -> tuple:
        return self.run, str(self.who), self.what, self.more


def events_of(order: Order, who: str) -> QuerySet[OrderEvent]:
    return order.events.filter(FILTERS.get(who, FILTERS[""])[1]).order_by("-pk")


def by_day(shown: Iterable) -> list[tuple[datetime.date, list[list]]]:
    """Returns what is shown of a history, the newest first, by local day; what repeats stands in one group.

    Equal neighbours form a group, and all equal ones of a bulk run in a day. Each has `at`, `same` (equal for equal
    ones) and `run`.
    """
    days: list[tuple[datetime.date, list[list]]] = []
    for one in shown:
        day = timezone.localdate(one.at)
        if not days or days[-1][0] != day:
            days.append((day, []))
        groups = days[-1][1]
        near = groups if one.run else groups[-1:]
        group = next((group for group in near if group[0].same == one.same), None)
        if group:
            group.append(one)
        else:
            groups.append([one])
    return days


def news_since(order: Order, seen: int) -> list[OrderEvent]:
    return list(order.events.filter(pk__gt=seen).exclude(kind__in=NOT_NEWS).order_by("pk")[:20])


def describe(row: OrderEvent) -> Told:
    """Returns the event as masked text. A kind without a text is shown by its name."""
    data = row.data if isinstance(row.data, dict) else {}
    if row.kind in {START_MOVED, MOVE_ASKED}:
        data = data | {name: _time_words(data.get(name)) for name in ("old", "new")}
    who, person = actor_of(row.actor, row.account_id, row.at)
    words = MANY_RESENT if row.kind == "resend" and "steps" not in data else WORDS.get(row.kind, row.kind)
    what = mask_text(str(words) % _Facts(data))
    if row.order_id and data.get("run"):
        what = f"{what} · {_('bulk run %(run)s') % {'run': data['run']}}"
    more = detail_text(str(next((data[key] for key in MORE if data.get(key)), "")), data.get("params", {}))
    if not more and row.kind in TROUBLES and data.get("code"):
        more = cause_of(str(data["code"])).what
    error = row.kind in {"incident", "step_failed"}
    return Told(row, who, person, what, str(more), error)


def things_words(data: dict) -> str:
    """Returns how many rows of which kind changed their owner together."""
    count = data.get("count", 0)
    words = {
        "order": ngettext("%(n)d order", "%(n)d orders", count),
        "incident": ngettext("%(n)d incident", "%(n)d incidents", count),
        "difference": ngettext("%(n)d difference", "%(n)d differences", count),
    }
    return words.get(data.get("of", ""), "%(n)d") % {"n": count}


class _Facts(dict):
    """An event's data with codes replaced by texts. Missing keys give an empty string."""

    def __missing__(self, key: str) -> str:
        return ""

    def __getitem__(self, key: str) -> str:
        if key == "what":
            return str(cause_of(str(self.get("code", ""))).what)
        if key == "steps":
            return _(", ").join(_label("step", step) for step in self.get("steps", []))
        if key == "codes":
            return _(", ").join(str(cause_of(str(code)).what) for code in self.get("codes", []))
        if key == "people":
            return _(", ").join(self.get("people", []))
        if key == "domains":
            return _(", ").join(self.get("domains", [])[:MAX_NAMES]) + ("…" if self._more_domains() else "")
        if key == "limits":
            return " → ".join(dict.fromkeys(self[name] for name in ("limit_before", "limit") if name in self))
        if key == "taken":
            rights = [_("superuser")] * bool(self.get("superuser")) + self.get("permissions", [])
            return _("; taken: %(rights)s") % {"rights": _(", ").join(rights)} if rights else ""
        if key == "why":
            return _why(str(self.get("why", "")))
        if key == "things":
            return things_words(self)
        if key in {"owner", "before"}:
            return name_of(str(self.get(key, "")), self.get(f"{key}_id"))
        if key in {"end", "end_before"}:
            return str(self.get(key) or _("no end"))
        return _label(key, super().__getitem__(key))

    def _more_domains(self) -> bool:
        return len(self.get("domains", [])) > MAX_NAMES


def _time_words(text: str | None) -> str:
    return f"{datetime.datetime.fromisoformat(text).astimezone(SHANGHAI):%Y-%m-%d %H:%M}" if text else ""


def _why(why: str) -> str:
    """Returns why an order was undone: one of our own codes, a failed step with its code, or a person's reason."""
    step, _colon, code = why.partition(": ")
    if step in Dispatch.Step.values:
        return f"{Dispatch.Step(step).label}{_(': ')}{cause_of(code).what}"
    return str(WHY.get(why, why))


def _label(key: str, value) -> str:
    if key == "act" and value in ACTS:
        return str(ACTS[value])
    if key == "partner":
        return str(PARTNER_NAMES.get(value, value))
    if key == "step" and value == WHOLE:
        return _("the whole order")
    words = LABELS.get(key)
    return str(words(value).label) if words and value in words.values else str(value)

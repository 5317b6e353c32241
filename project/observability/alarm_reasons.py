"""The limits for alarms, and the reasons in `status` (contract section 5).

The texts of alarms are in alarm_texts.py. The rules by which Prometheus raises alarms are in
deploy/prometheus-rules.yml.
"""

import datetime
from typing import NamedTuple

from django.utils import timezone

from integrations.base.other_desk import ANSWERS_NAMED, PROFILE
from integrations.bboss.clocks import wrong_clocks
from orders.incidents.desk_incidents import DELIVERY_FAILED, INTAKE_REFUSED
from orders.management.bilingual import in_language
from orders.texts.error_messages import say_in_english
from orders.texts.incident_texts import cause_of
from project.observability.desk_snapshot import is_alive
from project.observability.expiring_soon import API_TOKEN
from project.observability.readiness import LOOK_FAILED, MIGRATIONS_MISSING, NO_WORKER, RESTORED, why_unknown
from project.observability.silent_failures import SILENT_FAILURES, is_going_on
from project.trail_syslog import AUDIT_STUCK

LATE = 120.0
"""Seconds after which a due step or queued task is late. A healthy worker is never 10 s late (contract 3.5)."""

RETRIED_LATE = 1800.0
"""Seconds after which a step that is being retried is late. By the default schedule four tries have failed by then, and
the next waits are of half an hour and of hours (contract 3.5)."""


class Reason(NamedTuple):
    """A fault, in English for engineers. `alarm` is the alarm of the fault (alarm_texts.py), or empty if there is none.
    `about` is the partner, token or certificate. `since` is the time at which the fault began, if that is known."""

    alarm: str
    text: str
    about: str = ""
    since: datetime.datetime | None = None


def alarm_reasons(found: dict) -> list[Reason]:
    """Returns the faults in a status, worst first."""
    if found["database"]["missing_migrations"]:
        return [Reason("", MIGRATIONS_MISSING)]
    down = {row["partner"]: row for row in found["breakers"]}
    late = {name: age for name, age in found["oldest_due"].items() if age > LATE and name not in down}
    tried = {name: age for name, age in found["oldest_retrying"].items() if age > RETRIED_LATE and name not in down}
    incidents, queued = found["incidents"], found["queue"]["oldest_seconds"]
    unbilled, asleep = found["differences"]["unbilled"], ", ".join(found["schedules"]["asleep"])
    if found["restored"]:
        late, tried, queued = {}, {}, 0.0  # due steps wait for `restored`
    found_wrong = [
        Reason("DatabaseRestored", RESTORED if found["restored"] else ""),
        Reason("OrdersNotStored", found["unwritable"]),
        Reason(*_refused_for_now(found)),
        Reason(
            "StateFolderBroken",
            f"STATE_DIR: {found['state_dir']}: a restore would go unnoticed" if found["state_dir"] else "",
        ),
        Reason(
            "UnbilledOrders",
            _number(unbilled, "order has service and no billing record", "orders have service and no billing record"),
        ),
        Reason("CallsRefused", _incident_words(INTAKE_REFUSED, found["refused_calls"])),
        Reason("DeliveryFails", _incident_words(DELIVERY_FAILED, found["failed_tasks"])),
        *(
            Reason("ClockOff", _incident_words(code, why), code)
            for code, why in wrong_clocks(found["clocks_ahead"]).items()
        ),
        *(
            Reason(
                "OtherDesk",
                f"{row['process']} would call others than the desk of this database, by {', '.join(row['settings'])}:"
                f" {_suspended_work(row)}. Stop or reload it, or make its settings the desk's: manage.py settings"
                " --adopt",
                row["process"],
            )
            for row in found["other_desks"]
        ),
        *(
            Reason(SILENT_FAILURES[code].alarm, _incident_words(code, params))
            for code, params in found["stops"].items()
            if code not in {"orders_not_stored", "state_folder_broken"}  # above, also without a database
        ),
        Reason("WorkerDead", "" if is_alive(found["worker"]["heartbeat_age_seconds"]) else NO_WORKER),
        Reason("", f"the queue lacks schedules, or they sleep: {asleep}. A worker puts them back" if asleep else ""),
        Reason("StepsLate", f"a task has been waiting in the queue for {queued:.0f} s" if queued > LATE else ""),
        *(
            Reason("", f"{row['partner']} is held: {row['call']} of {row['order']}: {row['code']}. See `resume`")
            for row in found["holds"]
        ),
        Reason("", _read_otherwise(found["read_otherwise"] or [])),
        *(
            Reason(
                "PartnerDown",
                f"the breaker of {name} is open: its calls wait (last error: {row['error']})",
                name,
                datetime.datetime.fromisoformat(row["since"]),
            )
            for name, row in sorted(down.items())
        ),
        *(
            Reason("StepsLate", f"the oldest dispatch to {name} has been due for {age:.0f} s", name)
            for name, age in sorted(late.items())
        ),
        *(
            Reason(
                "StepsRetried",
                f"a step to {name} has been tried for {age:.0f} s without success: look why, before its tries are "
                "used up",
                name,
            )
            for name, age in sorted(tried.items())
        ),
        *(
            Reason(_expiry_alarm(row), row["words"].rstrip("."), f"{row['what']} {row['name']}")
            for row in found["expiring"]
        ),
        Reason("", _number(incidents["open"], "incident is open", "incidents are open")),
        Reason("BooksDiffer", _number(found["differences"]["open"], "difference is open", "differences are open")),
        Reason("OrdersStuck", _number(found["stuck"], "order needs somebody (stuck)", "orders need somebody (stuck)")),
        Reason("AuditStuck", _incident_words(AUDIT_STUCK, found["stuck_trail"])),
        Reason(
            "MailGivenUp",
            _number(found["notices"]["given_up"], "notice to staff was given up", "notices to staff were given up"),
        ),
    ]
    return [reason for reason in found_wrong if reason.text]


def _refused_for_now(found: dict) -> tuple[str, str]:
    """Returns the alarm and the text about responses 20000. A restored desk gives such responses on purpose, so they
    raise no alarm there."""
    row = found["not_stored"]
    if not row or found["restored"]:
        return "", ""
    calls = _number(row["number"], "call", "calls")
    return "OrdersNotStored" if is_going_on(row) and not found["unwritable"] else "", (
        f"{calls} of BBOSS got 20000 within {row['minutes']} minutes, the last one {row['seconds_ago']} s ago: nothing "
        "was stored of them, and BBOSS sends them again; the web's log says why"
    )


def reasons_of_away(found: dict, error: Exception) -> list[Reason]:
    """Returns the reasons to report when the database could not be read."""
    why = found["unwritable"] or why_unknown(error)
    alarm = "OrdersNotStored" if found["unwritable"] else "" if why == LOOK_FAILED else "DatabaseAway"
    return [reason for reason in (Reason(alarm, why), Reason(*_refused_for_now(found))) if reason.text]


def _suspended_work(row: dict) -> str:
    """Returns a text with the work that a process does not do because its settings differ."""
    if row["works"]:
        return "it takes no step"
    return "it answers BBOSS 20000" if PROFILE in row["settings"] else "it asks the big-data side nothing"


def _read_otherwise(orders: list[str]) -> str:
    """Returns a text with the number of answers that the profile in force classifies differently now. If there are
    none, returns ""."""
    said = _number(len(orders), "answer would read otherwise now", "answers would read otherwise now")
    named = ", ".join(orders[:ANSWERS_NAMED]) + (", ..." if len(orders) > ANSWERS_NAMED else "")
    return f"{said}: `resume` or `resend` carries it out ({named})" if said else ""


def _expiry_alarm(row: dict) -> str:
    """Returns the alarm of an expiring credential. An expired token of the read API gives only a warning, because it
    stops nothing of ours."""
    ended = datetime.datetime.fromisoformat(row["ends"]) <= timezone.now() and row["what"] != API_TOKEN
    return "Expired" if ended else "ExpiresSoon"


def _incident_words(code: str, params: dict | None) -> str:
    """Returns an incident's cause and next step. Without `params`, returns ""."""
    return f"{say_in_english(code, params)}. {in_language('en', cause_of(code).next)}" if params else ""


def _number(number: int, one: str, many: str) -> str:
    """Returns a text such as `2 incidents are open`. For 0, returns ""."""
    return f"{number} {one if number == 1 else many}" if number else ""

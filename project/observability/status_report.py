"""The state of the whole installation for `status`, with the reasons for concern (contract section 5)."""

import datetime

from django.conf import settings
from django.db import connection
from django.db.models import Count, Min
from django.utils import timezone
from django.utils.translation import override
from django_q.models import OrmQ

from integrations.base.database_deadline import database_deadline, error_line
from integrations.base.old_secrets import old_secrets
from integrations.base.orders_not_stored import orders_not_stored_lately
from integrations.base.other_desk import other_desks
from integrations.robots.send_alerts import failing_robots
from integrations.worker.broker import ALIKE, SHARED_KEYS
from integrations.worker.recurring_schedules import PUT_BACK, sleeping_schedules, were_made
from orders.books.books import has_look_up
from orders.models import AffectedOrder, Dispatch, OrderEvent
from orders.models.querysets import UNRESOLVED
from orders.pauses.backlog import Backlog, backlog_of
from orders.pauses.paused_steps import holds_in_force
from orders.pauses.planned import planned_pauses
from orders.pauses.release_restored import open_restore
from orders.restore.restore_preview import lost_entries
from orders.sending.reread_answers import read_otherwise
from project.database.backup import last_backup
from project.observability.alarm_reasons import alarm_reasons, reasons_of_away
from project.observability.desk_snapshot import DeskSnapshot
from project.observability.readiness import (
    LOOK_FOR,
    missing_migrations,
    write_try,
)
from project.observability.silent_failures import current_failures, state_folder_broken

PUT_BACK_WITHIN = datetime.timedelta(hours=1)


def desk_status(now: datetime.datetime, *, reads_answers: bool = True) -> dict:
    """Returns the whole state, serialisable as JSON. `reasons` lists the faults. If all is well, it is empty.

    With `reads_answers`, stored answers are classified again, for `read_otherwise`. No alarm depends on this. Values
    that can't be read are None, if the database is unavailable or lacks migrations. Times are in Asia/Shanghai.
    """
    database = {"vendor": connection.vendor, "reachable": True, "missing_migrations": []}
    found = {
        "reasons": [], "database": database, "queue": None, "worker": None, "breakers": None, "pauses": None,
        "planned": None, "oldest_due": None, "incidents": None, "differences": None, "stuck": None, "notices": None,
        "last_backup": None, "restored": None, "state_dir": (state_folder_broken(now=now) or {}).get("error", ""),
        "refused_calls": None, "oldest_retrying": None, "expiring": None, "unwritable": None,
        "failed_tasks": None, "clocks_ahead": None, "old_secrets": None, "stuck_trail": None,
        "robots": None, "schedules": None, "other_desks": None, "not_stored": orders_not_stored_lately(),
        "stops": None, "alarms": [],
        "holds": None, "comparison": None, "read_otherwise": None, "way_back": None,
    }  # fmt: skip
    try:
        with database_deadline(LOOK_FOR):
            database["missing_migrations"] = missing_migrations()
            if not database["missing_migrations"]:
                found["unwritable"] = write_try.why_not(now)
                found |= _known(DeskSnapshot(now))
                if reads_answers:
                    found["read_otherwise"] = [row.order for row in read_otherwise()]
    except Exception as error:
        database |= {"reachable": False, "error": error_line(error)}
        wrong = reasons_of_away(found, error)
    else:
        wrong = alarm_reasons(found)
    found["alarms"] = [{"name": one.alarm, "about": one.about, "text": one.text} for one in wrong if one.alarm]
    found["reasons"] = [reason.text for reason in wrong]
    return found


def _known(facts: DeskSnapshot) -> dict:
    books = facts.differences
    return {
        "restored": _restored(facts),
        "comparison": None if has_look_up() else "left out: the big-data side offers no look-up",
        "queue": queue(facts.now),
        "worker": {"heartbeat_age_seconds": facts.heartbeat_age},
        "breakers": [
            {
                "partner": row.partner,
                "since": _local_time(row.opened_at),
                "error": row.last_error,
                **_backlog(backlog_of(row.partner, since=row.opened_at, now=facts.now)),
            }
            for row in facts.breakers
        ],
        "pauses": pauses(facts),
        "planned": [
            {
                "number": row.pk,
                "partner": row.partner,
                "from": _local_time(row.begins),
                "until": _local_time(row.ends),
                "weekly": row.weekly,
                "by": row.planned_by,
                "reason": row.reason,
            }
            for row in planned_pauses()
        ],
        "holds": [
            {
                "partner": row.partner,
                "since": _local_time(row.since),
                "call": row.call,
                "order": row.order,
                "code": row.code,
            }
            for row in holds_in_force()
        ],
        "oldest_due": facts.oldest_due,
        "incidents": _incidents(facts),
        "differences": {"open": books.number, "oldest_seconds": facts.difference_age, "unbilled": books.unbilled},
        "stuck": facts.stuck,
        "notices": {"given_up": facts.notices_given_up},
        "last_backup": last_backup(),
        "refused_calls": facts.refused_calls,
        "failed_tasks": facts.failed_tasks,
        "schedules": schedules(facts.now),
        "clocks_ahead": facts.clocks,
        "stuck_trail": facts.stuck_trail,
        "stops": current_failures(now=facts.now),
        "oldest_retrying": facts.oldest_retrying,
        "expiring": _expiring(facts),
        "old_secrets": [
            {
                "setting": row.setting,
                "number": row.number,
                "last_used": _local_time(row.used_at) if row.used_at else None,
            }
            for row in old_secrets()
        ],
        "other_desks": [
            {"process": row.name, "settings": row.differs, "works": row.works} for row in other_desks(now=facts.now)
        ],
        "way_back": _before_the_way_back(),
        "robots": [
            row | {"given_up_at": row["given_up_at"] and _local_time(row["given_up_at"])} for row in failing_robots()
        ],
    }


def _expiring(facts: DeskSnapshot) -> list[dict]:
    with override("en"):
        return [
            {"what": row.what, "name": row.name, "ends": _local_time(row.ends), "words": row.words}
            for row in facts.expiring
        ]


def _restored(facts: DeskSnapshot) -> dict | None:
    """Returns since when the database counts as restored, with the known facts. Returns None if it does not count as
    restored.

    `entered_missing` are the numbers that staff entered by hand and that the database lacks. If the file of these
    numbers can't be read, it is None.
    """
    row = open_restore() if facts.restored else None
    if row is None:
        return None
    lost = lost_entries()
    missing = None if lost.error else [one.number for one in lost.rows]
    return {"since": _local_time(row.restored_at), **row.restored, "entered_missing": missing}


def queue(now: datetime.datetime) -> dict:
    """Returns the figures of django-q2's table. As long as a task is not taken, its lock is the time at which it was
    queued.

    Pings of dead clusters are not counted. Wake-ups do not count for `oldest_seconds`, because the steps that they
    announce are reported as late.
    """
    tasks = OrmQ.objects.filter(key__in=SHARED_KEYS)
    oldest = tasks.filter(lock__lte=now).exclude(key__in=ALIKE).aggregate(oldest=Min("lock"))["oldest"]
    return {"length": tasks.count(), "oldest_seconds": (now - oldest).total_seconds() if oldest else 0.0}


def schedules(now: datetime.datetime) -> dict:
    """Returns the names of the queue's schedules that are missing or asleep. Also returns the names of schedules that a
    worker has restored within the hour."""
    asleep = sleeping_schedules(now=now)
    rows = OrderEvent.objects.filter(order=None, kind=PUT_BACK, at__gt=now - PUT_BACK_WITHIN).order_by("-pk")
    back = [{"at": _local_time(row.at), "names": row.data["names"]} for row in rows]
    return {"asleep": asleep if asleep and were_made() else [], "put_back": back}


def pauses(facts: DeskSnapshot) -> list[dict]:
    """Returns the paused partners.

    `until` is empty if the pause lasts until somebody resumes the partner. `seconds_to_work_off` is the time that one
    worker process needs for the waiting steps at PARTNER_RATE, or None without a rate.
    """
    return [
        {
            "partner": row.pause.partner,
            "since": _local_time(row.pause.since),
            "until": _local_time(row.pause.until) if row.pause.until else "",
            "by": row.pause.paused_by,
            "reason": row.pause.reason,
            **_backlog(backlog_of(row.pause.partner, since=row.pause.since, now=facts.now, waiting=row.waiting)),
            "seconds_to_work_off": row.seconds,
        }
        for row in facts.pauses
    ]


def _backlog(found: Backlog) -> dict:
    return {"waiting": found.waiting, "calls_a_minute": found.rate, "minutes_to_work_off": found.minutes}


def _local_time(at: datetime.datetime) -> str:
    return timezone.localtime(at).isoformat(timespec="seconds")


def _incidents(facts: DeskSnapshot) -> dict:
    stopped = AffectedOrder.objects.unresolved().filter(incident__state__in=UNRESOLVED, accepted_by="").order_by()
    counts = dict(stopped.values_list("incident__code").annotate(number=Count("order", distinct=True)))
    codes = sorted({row.code for row in facts.incidents})
    return {"open": len(facts.incidents), "by_code": {code: counts.get(code, 0) for code in codes}}


def _before_the_way_back() -> list[str]:
    """Returns the steps that are necessary before a downgrade to the previous release (deploy/README.md)."""
    found = [f"resume {row.partner}, which the desk holds" for row in holds_in_force()]
    found += ["take PARTNERS_FILE out of the settings"] if settings.PARTNERS_FILE else []
    unknown = Dispatch.objects.current().open().filter(step=Dispatch.Step.MOVE_ATTRIBUTION)  # not claimed there
    return found + ["let move_attribution_billing end"] * unknown.exists()

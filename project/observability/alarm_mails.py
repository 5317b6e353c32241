"""Mails alarms to DEFAULT_CONTACT_MAIL, for sites without Prometheus. A mail is sent when an alarm opens and when it
ends.

The alarms are the reasons of `status`. A dead worker or a restored desk sends no mail. For these cases, monitor /readyz
from another machine.
"""

import datetime
from collections.abc import Callable, Collection
from email.utils import make_msgid

from django.conf import settings
from django.db import Error, transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override

from integrations.base.database_deadline import is_away
from notifications.mail_rendering import LANGUAGE, render_notice
from notifications.models import Mail
from notifications.sending import send
from orders.incidents.desk_incidents import DESK
from orders.incidents.incidents import lock_incidents
from orders.mails.mail_creation import write_notices
from project.models import OpenAlarm
from project.observability.alarm_reasons import Reason, alarm_reasons
from project.observability.alarm_texts import ALARMS, BY_INCIDENT, CRITICAL
from project.observability.silent_failures import LASTING, SILENT_FAILURES
from project.observability.status_report import desk_status

BY_THE_WORKER = {"StepsLate", "WorkerDead"}  # these alarms open for a moment at each start after a stop
CRITICALS = {name for name, alarm in ALARMS.items() if alarm.severity == CRITICAL}
AT_ONCE = CRITICALS - BY_THE_WORKER | {SILENT_FAILURES[code].alarm for code in LASTING}
EACH_MINUTE = AT_ONCE | BY_THE_WORKER


def watch_at_once(*, now: datetime.datetime) -> None:
    """Runs `watch_alarms` each minute, for critical alarms and for warnings about failures that have already lasted a
    while."""
    watch_alarms(now=now, names=EACH_MINUTE)


def watch_alarms(*, now: datetime.datetime, names: Collection[str] = ALARMS) -> None:
    """Opens and ends alarms of these names, and sends the mails. A worker calls this function every five minutes.

    An alarm of AT_ONCE is mailed at the first check that finds it. Any other alarm is mailed if the next check finds it
    too.
    """
    if not settings.DEFAULT_CONTACT_MAIL:
        return
    found = desk_status(now, reads_answers=False)
    seen = {(reason.alarm, reason.about): reason for reason in _alarming(found) if reason.alarm in names}
    is_whole = bool(found["queue"])  # empty if the status can't be read: a lock, no database, or missing migrations
    if not is_whole and not seen:
        return
    try:
        _update_open_alarms(seen, names, is_whole, _write, now)
    except Error as error:
        if is_whole or not is_away(error):
            raise
        unsent: list[dict] = []  # a lock that blocks orders blocks the outbox as well
        _update_open_alarms(seen, names, is_whole, lambda *notice: unsent.append(_payload(*notice)), now)
        for payload in unsent:
            send(payload)


def _update_open_alarms(
    seen: dict[tuple[str, str], Reason],
    names: Collection[str],
    is_whole: bool,
    mail: Callable[[str, OpenAlarm, str, datetime.datetime], None],
    now: datetime.datetime,
) -> None:
    """Stores the open alarms, and mails new and ended alarms. If the status was read incompletely, no alarm ends."""
    with transaction.atomic():
        lock_incidents([(DESK, "")])  # two concurrent checks would open the same alarm
        rows = OpenAlarm.objects.filter(name__in=names).select_for_update()
        known = {(row.name, row.about): row for row in rows}
        for key in known.keys() - seen.keys() if is_whole else ():
            if known[key].mailed_at:
                mail("notice_alarm_over", known[key], "", now)
            known[key].delete()
        for key, reason in seen.items():
            row = known.get(key) or OpenAlarm(name=reason.alarm, about=reason.about, opened_at=reason.since or now)
            tell = row.mailed_at is None and (row.pk or row.name in AT_ONCE)
            row.mailed_at = now if tell else row.mailed_at
            row.save()
            if tell:
                mail("notice_alarm", row, reason.text, now)


def _alarming(found: dict) -> list[Reason]:
    """Returns the reasons that have an alarm, including those of the desk's open incidents.

    If parts of the status could not be read, returns the alarms of the other parts.
    """
    if not found["queue"]:
        return [Reason(row["name"], row["text"], row["about"]) for row in found["alarms"]]
    incidents = [Reason(BY_INCIDENT[code], "") for code in found["incidents"]["by_code"] if code in BY_INCIDENT]
    return [*incidents, *(reason for reason in alarm_reasons(found) if reason.alarm)]


def _write(kind: str, row: OpenAlarm, text: str, now: datetime.datetime) -> None:
    """Writes the mail to the outbox. The mail about an alarm's end is sent after the mail about its start."""
    mails, path, cause = [settings.DEFAULT_CONTACT_MAIL], reverse("admin:index"), f"alarm {row.pk}"
    told = Mail.objects.to_staff().filter(kind="notice_alarm", cause=cause).values_list("pk", flat=True)
    behind = list(told) if kind == "notice_alarm_over" else []
    write_notices(kind=kind, mails=mails, facts=_facts(row, text, now), path=path, now=now, cause=cause, behind=behind)


def _payload(kind: str, row: OpenAlarm, text: str, now: datetime.datetime) -> dict:
    """Returns the mail for sending without the outbox."""
    subject, body = render_notice(kind, _facts(row, text, now), reverse("admin:index"))
    whom = {"from": settings.DEFAULT_FROM_EMAIL, "to": [settings.DEFAULT_CONTACT_MAIL]}
    return {"subject": subject, "body": body, "message_id": make_msgid(), **whom}


def _facts(row: OpenAlarm, text: str, now: datetime.datetime) -> dict:
    alarm = ALARMS[row.name]
    with override(LANGUAGE):
        return {
            "alarm": row.name,
            "summary": str(alarm.summary),
            "next_step": str(alarm.next),
            "about": row.about,
            "since": f"{timezone.localtime(row.opened_at):%Y-%m-%d %H:%M}",
            "until": f"{timezone.localtime(now):%Y-%m-%d %H:%M}",
            "text": text,
        }

"""Mails alarms to DEFAULT_CONTACT_MAIL, for sites without Prometheus: once, and once when it is over.

It tells what `status` finds wrong. A dead worker mails nothing, and a restored desk neither: look at /readyz from
another machine.
"""

import datetime

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override

from notifications.mail_texts import LANGUAGE
from notifications.models import Mail
from orders.services.outbox.mails import write_notices
from project.models import OpenAlarm
from project.observability.alarms import ALARMS, BY_INCIDENT, CRITICAL
from project.observability.status_report import Reason, desk_status, reasons


def watch_alarms(*, now: datetime.datetime) -> None:
    """Opens and ends alarms, and mails them. A worker calls it every five minutes.

    A critical one is mailed when it is first seen, others when they are still there the next time.
    """
    if not settings.DEFAULT_CONTACT_MAIL:
        return
    found = desk_status(now)
    if not found["queue"]:  # the database is away, or lacks migrations
        return
    seen = {(reason.alarm, reason.about): reason for reason in _alarming(found)}
    with transaction.atomic():
        known = {(row.name, row.about): row for row in OpenAlarm.objects.select_for_update()}
        for key in known.keys() - seen.keys():
            if known[key].mailed_at:
                _mail("notice_alarm_over", known[key], "", now)
            known[key].delete()
        for key, reason in seen.items():
            row = known.get(key) or OpenAlarm(name=reason.alarm, about=reason.about, opened_at=reason.since or now)
            tell = row.mailed_at is None and (row.pk or ALARMS[row.name].severity == CRITICAL)
            row.mailed_at = now if tell else row.mailed_at
            row.save()
            if tell:
                _mail("notice_alarm", row, reason.text, now)


def _alarming(found: dict) -> list[Reason]:
    """What is wrong and has an alarm, by an incident of the desk too."""
    incidents = [Reason(BY_INCIDENT[code], "") for code in found["incidents"]["by_code"] if code in BY_INCIDENT]
    return [*incidents, *(reason for reason in reasons(found) if reason.alarm)]


def _mail(kind: str, row: OpenAlarm, text: str, now: datetime.datetime) -> None:
    alarm = ALARMS[row.name]
    with override(LANGUAGE):
        facts = {
            "alarm": row.name,
            "summary": str(alarm.summary),
            "next_step": str(alarm.next),
            "about": row.about,
            "since": f"{timezone.localtime(row.opened_at):%Y-%m-%d %H:%M}",
            "until": f"{timezone.localtime(now):%Y-%m-%d %H:%M}",
            "text": text,
        }
    mails, path, cause = [settings.DEFAULT_CONTACT_MAIL], reverse("admin:index"), f"alarm {row.pk}"
    told = Mail.objects.to_staff().filter(kind="notice_alarm", cause=cause).values_list("pk", flat=True)
    behind = told if kind == "notice_alarm_over" else ()
    write_notices(kind=kind, mails=mails, facts=facts, path=path, now=now, cause=cause, behind=list(behind))

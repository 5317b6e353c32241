"""Updates a scheduled export when one of its exports ends: notifies people, or counts the failure."""

import datetime

from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from notifications.mail_rendering import LANGUAGE
from notifications.masks import mask_text
from orders.history.actors import name_of
from orders.history.order_locks_and_events import add_event
from orders.mails.notices import notify_staff
from orders.office.exports.models import Export, ScheduledExport
from orders.texts.errors import OrderError

MAX_FAILURES = 3  # in a row; then the schedule is switched off
BY_ITSELF = "system"
SAVE_VIEW_ANEW = _("Open the view's list, take out what is gone, and save the view anew.")
RIGHTS_AGAIN = _("Ask an administrator for the right, or delete the scheduled export.")
ADVICE = {
    "schedule_view_gone": _("Choose another view."),
    "schedule_not_personal": _("Take the tick for people's data away; such data are exported from the list's page."),
    "export_list_unknown": _("Choose another view."),
    "export_filter_unknown": SAVE_VIEW_ANEW,
    "export_value_unknown": SAVE_VIEW_ANEW,
    "export_column_unknown": SAVE_VIEW_ANEW,
    "export_query": SAVE_VIEW_ANEW,
    "export_not_allowed": RIGHTS_AGAIN,
    "export_not_personal": RIGHTS_AGAIN,
}
RUN_AGAIN = _("Run it by hand once the cause is gone; else it runs at its next time.")


def advice(code: str) -> str | Promise:
    return ADVICE.get(code, RUN_AGAIN)


def lock_schedule(row: Export) -> ScheduledExport | None:
    """Returns the locked schedule that created the export, or None. A schedule is always locked before its exports,
    also to delete it."""
    if row.schedule_id is None:
        return None
    found = ScheduledExport.objects.select_for_update(no_key=True, of=("self",)).select_related("owner")
    return found.filter(pk=row.schedule_id).first()


def note_end(schedule: ScheduledExport, row: Export, error: OrderError | None, *, now: datetime.datetime) -> None:
    """Records the end of an export, in the same transaction. The recipients are notified of a file. They are not
    notified of a failure.

    A failed manual run is not counted, since its page shows the result. Only the owner is notified of a manual run's
    file.
    """
    if error is None:
        ScheduledExport.objects.filter(pk=schedule.pk).update(failures=0)
        _tell_recipients(schedule, Export.objects.get(pk=row.pk), now)
    elif row.slot is not None and schedule.is_on:
        schedule.failures += 1
        if schedule.failures >= MAX_FAILURES:
            _switch_off(schedule, error, now)
        schedule.save(update_fields=["failures", "next_run_at", "off_at", "off_why"])


def _switch_off(schedule: ScheduledExport, error: OrderError, now: datetime.datetime) -> None:
    """Switches the schedule off and notifies its owner. If no mail reaches the owner, notifies the recipients."""
    schedule.next_run_at, schedule.off_at = None, now
    schedule.off_why = {"code": error.code, **error.params}
    add_event(
        None,
        "schedule_gave_up",
        by=BY_ITSELF,
        now=now,
        schedule=schedule.pk,
        name=mask_text(schedule.name),
        code=error.code,
    )
    with override(LANGUAGE):
        facts = _facts(schedule) | {"times": schedule.failures, "cause": error.words(), "next_step": advice(error.code)}
        path = reverse("admin:orders_scheduledexport_change", args=[schedule.pk])
        if not notify_staff([schedule.owner], "notice_export_off", facts=facts, path=path, now=now):
            people = schedule.recipients.order_by("pk")
            notify_staff(people, "notice_export_off_received", facts=facts, path="", now=now)


def _tell_recipients(schedule: ScheduledExport, row: Export, now: datetime.datetime) -> None:
    facts = _facts(schedule) | {
        "rows": f"{row.written:,}",
        "missed": row.missed or "",
        "until": f"{timezone.localtime(row.expires_at):%Y-%m-%d %H:%M}" if row.expires_at else "",
    }
    path = reverse("admin:orders_export_change", args=[row.pk])
    people = [schedule.owner] if row.slot is None else schedule.recipients.order_by("pk")
    notify_staff(people, "notice_export_ready", facts=facts, path=path, now=now)


def _facts(schedule: ScheduledExport) -> dict:
    """Returns the facts for mails. Subjects use `number` instead of the name, since subjects must not contain text that
    users typed."""
    return {"number": schedule.pk, "name": schedule.name, "owner": name_of(schedule.owner.get_username())}

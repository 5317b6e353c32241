"""Services of scheduled exports. Owners create, change, switch and run them. The sweep begins them at their slots.

A slot is claimed in the transaction that creates its export: `next_run_at` advances to the next slot, and a constraint
prevents a second export of the slot. So no slot is lost or runs twice. After several slots without a worker or disk
space, the export runs once.
"""

import datetime
import logging
from collections.abc import Sequence

from django.contrib.auth import get_user_model
from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.db.models import Q

from notifications.masks import mask_text
from orders.history.actors import staff_actor
from orders.history.order_locks_and_events import add_event
from orders.incidents.desk_incidents import check_free_space
from orders.office.exports.export_jobs import begin_export, check_export_quota, fail_export
from orders.office.exports.models import Export, ScheduledExport
from orders.office.exports.weekly_slots import next_slot, slots_between
from orders.office.jobs import queue, queue_next
from orders.office.saved_views.models import SavedView
from orders.rules.four_eyes_acts import EXPORT, is_asked
from orders.texts.errors import ExportError, NotAllowedError, check_reason

logger = logging.getLogger(__name__)
MAX_SCHEDULES = 30  # per person
MAX_AT_ONCE = 200  # slots that one sweep begins; the next sweep runs within a minute
MAX_AHEAD = datetime.timedelta(days=8)  # a slot further away was set while the machine's clock was ahead


def save_schedule(
    *,
    pk: int | None,
    owner,
    name: str,
    view: SavedView,
    weekdays: str,
    at: datetime.time,
    format: str,
    recipients: Sequence[int],
    personal: bool = False,
    reason: str = "",
    by: str,
    now: datetime.datetime,
) -> ScheduledExport:
    """Creates or changes a schedule. `recipients` are ids of accounts. A due slot stays due unless the times change.
    Raises NotAllowedError."""
    if personal:
        check_reason(reason, "an export of personal data")
        if is_asked(EXPORT):
            raise NotAllowedError("schedule_not_personal")
    with transaction.atomic():
        _check_parts(owner, view, recipients)
        if pk is None and ScheduledExport.objects.filter(owner=owner).count() >= MAX_SCHEDULES:
            raise NotAllowedError("schedule_too_many", most=MAX_SCHEDULES)
        row = _locked(pk, owner) if pk else ScheduledExport(owner=owner, created_at=now)
        moved = (row.weekdays, row.at) != (weekdays, at)
        row.name, row.view, row.weekdays, row.at, row.format = name.strip(), view, weekdays, at, format
        row.personal, row.reason = personal, reason.strip() if personal else ""
        if moved and row.is_on:
            row.next_run_at = next_slot(row.weekdays, row.at, after=now)
        try:
            with transaction.atomic():
                row.save()
        except IntegrityError as error:
            raise NotAllowedError("schedule_name_taken") from error
        row.recipients.set(recipients)
        _note_schedule(
            "schedule_saved",
            row,
            by,
            now,
            view=view.pk,
            weekdays=weekdays,
            at=f"{at:%H:%M}",
            personal=personal,
            reason=mask_text(row.reason),
            recipients=sorted(recipients),
        )
    return row


def _check_parts(owner, view: SavedView, recipients: Sequence[int]) -> None:
    """Locks the view and the recipients, so that they are not deleted meanwhile. The view is locked before its
    schedules. Raises NotAllowedError if the view or a recipient was deleted."""
    views = SavedView.objects.select_for_update(no_key=True).filter(pk=view.pk, owner=owner)
    if not views.exists():
        raise NotAllowedError("schedule_view_gone")
    people = get_user_model().objects.select_for_update(no_key=True).filter(pk__in=recipients)
    if len(people.order_by("pk").values_list("pk")) < len(set(recipients)):
        raise NotAllowedError("schedule_recipient_gone")


def switch_schedule(*, pk: int, on: bool, owner, by: str, now: datetime.datetime) -> None:
    """Switches a schedule on or off, and resets its failures. Raises NotAllowedError."""
    with transaction.atomic():
        row = _locked(pk, owner)
        if on == row.is_on:
            return
        row.failures, row.off_why = 0, {}
        row.next_run_at = next_slot(row.weekdays, row.at, after=now) if on else None
        row.off_at = None if on else now
        row.save(update_fields=["failures", "off_why", "next_run_at", "off_at"])
        _note_schedule("schedule_switched_on" if on else "schedule_switched_off", row, by, now)


def delete_schedule(*, pk: int, owner, by: str, now: datetime.datetime) -> None:
    """Deletes a schedule. Its exports are kept, but from now on only their maker can download them."""
    with transaction.atomic():
        row = _locked(pk, owner, no_key=False)
        _note_schedule("schedule_deleted", row, by, now)
        row.delete()


def run_schedule(*, pk: int, owner, by: str, now: datetime.datetime) -> Export:
    """Begins an export outside of the slots. Raises NotAllowedError if the schedule was deleted or has an unfinished
    export. Also raises the errors of `check_export_quota`."""
    check_export_quota(owner.pk)
    with transaction.atomic():
        row = _locked(pk, owner)
        if row.exports.filter(state__in=Export.UNFINISHED).exists():
            raise NotAllowedError("schedule_busy")
        export = _begin(row, now)
        _note_schedule("schedule_run", row, by, now, export=export.pk)
        if export.state == Export.State.WAITING:
            queue(export)
    return export


def begin_due_exports(*, now: datetime.datetime) -> list[Export]:
    """Begins the exports of due slots. Each export begins once, however many workers call this function. An error in
    one export does not stop the others.

    While the disk is nearly full, nothing is begun, and the slots stay due. Personal quotas do not apply, since nobody
    waits for the export or could stop another one.
    """
    rows = ScheduledExport.objects.filter(Q(next_run_at__lte=now) | Q(next_run_at__gt=now + MAX_AHEAD))
    due = list(rows.order_by("next_run_at").values_list("pk", "next_run_at")[:MAX_AT_ONCE])
    try:
        if due:
            check_free_space()
    except NotAllowedError:
        return []
    begun = []
    for pk, slot in due:
        try:
            begun.append(_begin_slot(pk, slot, now))
        except (OperationalError, InterfaceError):
            raise  # the database is unavailable
        except Exception:
            logger.exception("scheduled export %s can't be begun", pk)
    found = [row for row in begun if row]
    if found:
        queue_next(Export, before=now)
    return found


@transaction.atomic
def _begin_slot(pk: int, slot: datetime.datetime, now: datetime.datetime) -> Export | None:
    """Claims a slot and begins its export. Returns None if the locked row no longer has this slot, since another worker
    has begun the slot, or the owner has changed the times."""
    row = _rows().filter(pk=pk, next_run_at=slot).first()
    if row is None:
        return None
    later = next_slot(row.weekdays, row.at, after=now)
    if slot > now:
        ScheduledExport.objects.filter(pk=pk).update(next_run_at=later)
        return None
    ScheduledExport.objects.filter(pk=pk).update(next_run_at=later, last_run_at=now)
    if row.exports.filter(slot=slot).exists():  # the machine's clock was set back
        return None
    return _begin(row, now, slot=slot, missed=slots_between(row.weekdays, row.at, after=slot, until=now))


def _begin(schedule: ScheduledExport, now: datetime.datetime, **slot) -> Export:
    """Begins an export of a locked schedule. If the export can't be made, it fails at once with the reason."""
    view = schedule.view
    row = begin_export(
        by=staff_actor(schedule.owner),
        list_name=view.list_name if view else "",
        query=view.query if view else "",
        columns=view.columns if view else [],
        format=schedule.format,
        personal=schedule.personal,
        reason=schedule.reason,
        scope=None,
        now=now,
        schedule=schedule,
        **slot,
    )
    if view is None:
        fail_export(row, ExportError("schedule_view_gone"))
    elif row.state == Export.State.ASKED:
        fail_export(row, ExportError("schedule_not_personal"))
    row.refresh_from_db(fields=["state"])
    return row


def _rows(*, no_key: bool = True):
    locked = ScheduledExport.objects.select_for_update(no_key=no_key, of=("self",))
    return locked.select_related("owner", "view")


def _locked(pk: int, owner, *, no_key: bool = True) -> ScheduledExport:
    row = _rows(no_key=no_key).filter(pk=pk).first()
    if row is None or row.owner_id != owner.pk:
        raise NotAllowedError("schedule_gone")
    return row


def _note_schedule(kind: str, row: ScheduledExport, by: str, now: datetime.datetime, **facts) -> None:
    add_event(None, kind, by=by, now=now, schedule=row.pk, name=mask_text(row.name), **facts)

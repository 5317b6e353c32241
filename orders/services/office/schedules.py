"""Scheduled exports: made, changed, switched and run by their owners, and begun by the sweep at their slots.

A slot is claimed in the transaction that makes its export: `next_run_at` moves on from the slot, and a constraint keeps
a second export of the slot out. So none is lost and none runs twice. A desk that was off over several slots runs once.
"""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db import IntegrityError, transaction

from orders.errors import ExportError, NotAllowedError, check_reason
from orders.models import Export, SavedView, ScheduledExport
from orders.services.office.exports import OPEN, begin_export, fail_export, queue_export
from orders.services.order_state import add_event
from orders.weekly_slots import next_slot, slots_between


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is exported, when and for whom. `recipients` are ids of accounts."""

    name: str
    view: SavedView
    weekdays: str
    at: datetime.time
    format: str
    recipients: Iterable[int]
    personal: bool = False
    reason: str = ""


def save_schedule(*, pk: int | None, owner, plan: Plan, by: str, now: datetime.datetime) -> ScheduledExport:
    """Makes a scheduled export, switched on, or changes one of the owner's. The caller has judged whether they may.

    A slot that is due already stays due, unless the times are changed. Raises NotAllowedError.
    """
    if plan.view.owner_id != owner.pk:
        raise NotAllowedError("schedule_view_gone")
    if plan.personal:
        check_reason(plan.reason, "an export of personal data")
        if settings.EXPORT_SECOND_PERSON:
            raise NotAllowedError("schedule_not_personal")
    try:
        with transaction.atomic():
            row = _locked(pk, owner) if pk else ScheduledExport(owner=owner, created_at=now)
            moved = (row.weekdays, row.at) != (plan.weekdays, plan.at)
            row.name, row.view, row.format = plan.name.strip(), plan.view, plan.format
            row.weekdays, row.at = plan.weekdays, plan.at
            row.personal, row.reason = plan.personal, plan.reason.strip() if plan.personal else ""
            if moved and row.off_at is None:
                row.next_run_at = next_slot(row.weekdays, row.at, after=now)
            row.save()
            row.recipients.set(plan.recipients)
            _note("schedule_saved", row, by, now, view=plan.view.pk, weekdays=plan.weekdays, at=f"{plan.at:%H:%M}",
                  personal=row.personal, reason=row.reason, recipients=sorted(plan.recipients))  # fmt: skip
    except IntegrityError as error:
        raise NotAllowedError("schedule_name_taken") from error
    return row


def switch_schedule(*, pk: int, on: bool, owner, by: str, now: datetime.datetime) -> None:
    """Switches it on, which begins anew, or off. Raises NotAllowedError if it is gone or somebody else's."""
    with transaction.atomic():
        row = _locked(pk, owner)
        if on == (row.off_at is None):
            return
        row.failures, row.off_why = 0, {}
        row.next_run_at = next_slot(row.weekdays, row.at, after=now) if on else None
        row.off_at = None if on else now
        row.save(update_fields=["failures", "off_why", "next_run_at", "off_at"])
        _note("schedule_switched_on" if on else "schedule_switched_off", row, by, now)


def delete_schedule(*, pk: int, owner, by: str, now: datetime.datetime) -> None:
    """Removes it. Its exports stay, as all do; only their maker fetches them from now on."""
    with transaction.atomic():
        row = _locked(pk, owner, no_key=False)
        _note("schedule_deleted", row, by, now)
        row.delete()


def run_schedule(*, pk: int, owner, now: datetime.datetime) -> Export:
    """Exports once more, beside the slots. Raises NotAllowedError if it is gone, or an export of it is under way."""
    with transaction.atomic():
        row = _locked(pk, owner)
        if row.exports.filter(state__in=OPEN).exists():
            raise NotAllowedError("schedule_busy")
        return _begin(row, now)


def begin_due_exports(*, now: datetime.datetime) -> list[Export]:
    """Begins what is due, each once. The sweep calls it each minute, in any number of workers at once."""
    due = ScheduledExport.objects.filter(next_run_at__lte=now).order_by("next_run_at")
    begun = [_begin_slot(pk, slot, now) for pk, slot in due.values_list("pk", "next_run_at")]
    return [row for row in begun if row]


@transaction.atomic
def _begin_slot(pk: int, slot: datetime.datetime, now: datetime.datetime) -> Export | None:
    """Claims a slot and begins its export. None if somebody else has done so, or its owner changed it meanwhile: the
    row is locked, and then no longer at this slot."""
    row = _rows().filter(pk=pk, next_run_at=slot).first()
    if row is None:
        return None
    later = next_slot(row.weekdays, row.at, after=now)
    ScheduledExport.objects.filter(pk=pk).update(next_run_at=later, last_run_at=now)
    if row.exports.filter(slot=slot).exists():  # the machine's clock was put back
        return None
    return _begin(row, now, slot=slot, missed=slots_between(row.weekdays, row.at, after=slot, until=now))


def _begin(schedule: ScheduledExport, now: datetime.datetime, **slot) -> Export:
    """Begins an export of a locked schedule. One that can't be made is over at once, with its reason."""
    view = schedule.view
    row = begin_export(
        by=f"staff:{schedule.owner.get_username()}", list_name=view.list_name if view else "",
        query=view.query if view else "", columns=view.columns if view else [], format=schedule.format,
        personal=schedule.personal, reason=schedule.reason, scope=None, now=now, schedule=schedule, **slot,
    )  # fmt: skip
    if view is None:
        fail_export(row, ExportError("schedule_view_gone"))
    elif row.state == Export.State.ASKED:
        fail_export(row, ExportError("schedule_not_personal"))
    else:
        queue_export(row)
    return row


def _rows(*, no_key: bool = True):
    locked = ScheduledExport.objects.select_for_update(no_key=no_key, of=("self",))
    return locked.select_related("owner", "view")


def _locked(pk: int, owner, *, no_key: bool = True) -> ScheduledExport:
    row = _rows(no_key=no_key).filter(pk=pk, owner=owner).first()
    if row is None:
        raise NotAllowedError("schedule_gone")
    return row


def _note(kind: str, row: ScheduledExport, by: str, now: datetime.datetime, **facts) -> None:
    add_event(None, kind, by=by, now=now, schedule=row.pk, name=row.name, **facts)

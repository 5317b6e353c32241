"""Restores the database from an earlier copy (contract 3.9, 17). Partners, BBOSS and staff keep what they know.

A copy is a savepoint. The history only grows between restores.
"""

from django.db import connection
from django.db.models import Max
from django.utils import timezone

from integrations.bboss.reply_codes import Refused
from orders.models import Order, OrderEvent, Pause
from orders.office.bulk.bulk_runs import stop_runs
from orders.outbox.billing_effects import bpm_acts
from orders.pauses.release_restored import present_timeline, release_restored
from orders.restore import detect_restore, mark_file
from orders.sending.held_processes import hold_processes
from orders.texts.errors import OrderError
from tests.model.acts import act


class Restoring:
    """Copies and restores the database, and plays what people do after a restore."""

    def __init__(self):
        self.kept: tuple[str, int] | None = None  # the copy, and the id of its newest event
        self.restores = 0
        self.missing: dict[str, None] = {}  # orders that were accepted and that the database lost
        self.forgotten: dict[str, dict] = {}  # trials that staff entered and that the database lost

    @act
    def copy(self):
        """Copies the database. Drops the previous copy."""
        if self.kept:
            connection.savepoint_commit(self.kept[0])
        self.kept = connection.savepoint(), newest_event()
        self.copy_notes()

    @act
    def restore(self):
        """Restores the last copy and restarts all processes. STATE_DIR keeps the mark of the newest event."""
        self.dies_at = 0  # no process of the desk restores the database, so none can be killed
        if self.kept is None:
            return "there is no copy"
        savepoint, had = self.kept
        seen = newest_event()
        if seen <= had:
            return "nothing was lost"
        mark_file.raise_mark(present_timeline().name, seen)
        connection.savepoint_rollback(savepoint)
        self.restore_notes()
        self.air.clear()
        self.paused = {pause.partner: pause.until for pause in Pause.objects.not_ended()}  # the pauses in the copy
        self.restores += 1
        if not detect_restore.read_restore_state().restored:
            raise AssertionError("the guard did not notice")
        known = set(Order.objects.values_list("number", flat=True))
        self.missing = {number: None for number in self.contents if number not in known}
        for number in self.missing:
            self.accepted.pop(number, None)
        self.forgotten |= {number: self.entered.pop(number) for number in self.entered.keys() - known}
        self.meddled = True
        return ""

    @act
    def word(self):
        """Compares BBOSS's list of orders with the desk's.

        Then ends the restored state, so that the desk sends again.
        """
        if not detect_restore.is_restored():
            return "it is not restored"
        self.reconcile(listed=" ".join(self.contents))
        row = release_restored(reason="the model", by="staff:model", now=timezone.now(), stop_runs=stop_runs)
        hold_processes(last_order=row.last_order, last_event=row.last_event, now=timezone.now())
        return ""

    @act
    def send_missing(self):
        """Sends the lost orders again as BBOSS. Other orders may have come first, so an order may be refused now. The
        other orders are still sent."""
        refused = []
        for number in list(self.missing):
            try:
                self._send(self.contents[number], self.calls[number])
            except (OrderError, Refused) as refusal:
                refused.append(f"{number}: {type(refusal).__name__}")
        return ", ".join(refused)

    @act
    def enter_missing(self):
        """Enters the lost trials again as staff, as the page of a restore asks. BBOSS may have sent a trial first."""
        refused = []
        for number in list(self.forgotten):
            try:
                self._enter(self.forgotten.pop(number))
            except OrderError as refusal:
                refused.append(f"{number}: {type(refusal).__name__}")
        return ", ".join(refused)

    @act
    def bpm_says(self, number: str):
        """Sends BPM's decision about an order whose process the desk does not know."""
        if not self.bpm_has(number):
            return "BPM has no such process"
        return self.callback(number, "pass", f"{number}-asked")

    def bpm_has(self, number: str) -> bool:
        """Returns True if BPM has a process of this order under a key that our database lost.

        In this case, staff who first ask BPM, as the incident requests, do not resend the order.
        """
        if not self.restores:
            return False
        keys = {row["key"][:36] for row in self.wire.partners.store.processes() if row["code"] == number}
        order = Order.objects.filter(number=number).first()
        ours = {str(row.key) for row in order.dispatches.filter(step="start_bpm")} if order else set()
        acted = {str(row.key) for row in bpm_acts(order)} if order else set()
        present = order and order.dispatches.filter(step="start_bpm", superseded=False, repeat=False).last()
        return bool(keys - acted) and not (present and str(present.key) in keys & ours)

    def recover(self) -> None:
        """Removes the partners' faults, ends the restored state, and enters or sends the lost orders again.

        All of this must happen before a restored desk is checked.
        """
        self.wire.heal()
        self.word()
        self.enter_missing()
        self.send_missing()


def newest_event() -> int:
    return OrderEvent.objects.aggregate(newest=Max("pk"))["newest"] or 0

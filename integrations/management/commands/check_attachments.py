"""`check_attachments [ORDER...]`: checks held info-security files again (contract 3.7, 5)."""

import json

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from orders.attachments.check import check_files
from orders.attachments.files_hold import recheck_files
from orders.attachments.xlsx import ProbeError
from orders.management.order_command import known_orders
from orders.management.progress import Progress
from orders.models import Dispatch, Order


class Command(BaseCommand):
    """Reports faults (exit 1). Also queues the checks for a worker, so that orders with correct files continue."""

    help = "Looks now, not only in five minutes, at the files of orders that are held for them (all, or those named)."

    def add_arguments(self, parser):
        parser.add_argument("order", nargs="*", help="order numbers")

    def handle(self, *args, order, **options):
        self.check_held(order)
        rows = self.held_checks(order)
        wrong = 0
        with Progress(self.stderr, "orders", len(rows)) as bar:
            for row in rows:
                finding = self.finding(row)
                wrong += finding is not None
                with bar.aside():
                    self.stdout.write(f"{row.order.number}: {f'not right: {finding}' if finding else 'right'}")
                bar.update()
        queued = recheck_files(numbers=[row.order.number for row in rows], now=timezone.now())
        self.stdout.write(
            f"{len(rows)} looked at: {len(rows) - wrong} right, {wrong} not right; {len(queued)} queued for the worker"
        )
        if wrong:
            raise CommandError(f"{wrong} not right")

    def check_held(self, numbers: list[str]) -> None:
        """Raises CommandError if a number is unknown, or if the order of a number is not held for its files."""
        for number, order in known_orders(numbers).items():
            if order.held_because != Order.Held.FILES:
                raise CommandError(f"order {number} is not held for its files (state {order.state})")

    def held_checks(self, numbers: list[str]) -> list[Dispatch]:
        rows = Dispatch.objects.current().filter(step=Dispatch.Step.CHECK_FILES, order__held_because=Order.Held.FILES)
        rows = rows.filter(order__number__in=numbers) if numbers else rows
        return list(rows.select_related("order").order_by("pk"))

    def finding(self, row: Dispatch) -> str | None:
        """Returns the errors in an order's files as a text, or None. Checks the same payload as the worker. Raises
        CommandError if the files can't be checked."""
        try:
            found = check_files(**json.loads(row.payload))
        except ProbeError as error:
            raise CommandError(f"{row.order.number}: the files can't be looked at: {error}") from error
        return "; ".join(f"{one.code}: {one.file}: {one.message}" for one in found) or None

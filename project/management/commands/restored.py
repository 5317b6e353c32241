"""`restored --reason TEXT`: releases a restored desk.

The desk then sends again (contract 5; 3.9, 17; docs/restore.md).
"""

import datetime

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from orders.erasing.erase_due import erase_again
from orders.erasing.erased_list import erased_file
from orders.management.arguments import actor, add_by
from orders.management.lost_entries import LISTED, lines_of_lost_entries
from orders.office.bulk.bulk_runs import stop_runs
from orders.pauses.release_restored import numbers_compared_since, open_restore, release_restored
from orders.sending.held_processes import hold_processes
from orders.texts.errors import OrderError
from orders.texts.secrets_in_text import without_named_secrets


class Command(BaseCommand):
    help = "Says that a database which counts as restored may take in and send again."

    def add_arguments(self, parser):
        parser.add_argument(
            "--reason", type=without_named_secrets, required=True, help="why it may; it enters the history"
        )
        add_by(parser)

    def handle(self, *args, reason, by, **options):
        now = timezone.now()
        before = open_restore()
        compared = before and numbers_compared_since(before)
        try:
            row = release_restored(reason=reason, by=actor(by), now=now, stop_runs=stop_runs)
        except OrderError as error:
            raise CommandError(str(error)) from error
        held = hold_processes(last_order=row.last_order, last_event=row.last_event, now=now, by=actor(by))
        self.stdout.write(f"the desk takes in and sends again, by {actor(by)}")
        if held:
            self.stdout.write(f"{held} orders wait for `resend` before anything goes to BPM (see `stuck`)")
        if not compared:
            self.stdout.write("BBOSS's numbers were not compared since the restore: run `reconcile --numbers FILE`")
        self.erase_again(actor(by), now)
        for line in lines_of_lost_entries():
            self.stdout.write(line)

    def erase_again(self, by: str, now: datetime.datetime) -> None:
        """Erases personal data once more, for the orders that were erased after the backup (contract 3.14)."""
        try:
            again = erase_again(by=by, now=now)
        except OSError as error:
            raise CommandError(f"the desk sends again, but {erased_file()} can't be read: {error}") from error
        if again.erased:
            self.stdout.write(f"erased again: the personal data of {', '.join(sorted(again.erased)[:LISTED])}")
        for number, why in again.left.items():
            self.stdout.write(f"{number}: {why}; it is erased once its line is over")

"""`backup DIR`: creates a verified copy of the database, ATTACHMENT_DIR and PARTNERS_FILE (contract section 5)."""

import sqlite3
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from orders.management.arguments import actor, add_by
from orders.management.progress import Progress
from project.database.backup import backup, profile_of
from project.database.run_program import BackupError


class Command(BaseCommand):
    """Can run while the desk works. A folder without manifest.json is an incomplete backup."""

    help = (
        "Copies the database, ATTACHMENT_DIR and PARTNERS_FILE into a new or empty folder, and reads the copy through."
    )

    def add_arguments(self, parser):
        parser.add_argument("folder", metavar="DIR", type=Path, help="a new or empty folder")
        add_by(parser)

    def handle(self, *args, folder, by, **options):
        try:
            with Progress(self.stderr, "attachments") as bar:
                facts = backup(folder, by=actor(by), now=timezone.now(), on_progress=bar.reach)
        except (BackupError, OSError, sqlite3.Error) as error:
            raise CommandError(f"no backup was made: {error}") from error
        profile = ", the profile of partners" if profile_of(facts) else ""
        size = sum(row["bytes"] for row in facts["files"].values())
        self.stdout.write(
            f"{folder}: {facts['counts']['orders_order']} orders up to event {facts['newest_event']}, "
            f"{facts['attachments']} attachments{profile}, {size / 1e6:.1f} MB"
            f"{', encrypted to ' + facts['recipient'] if 'recipient' in facts else ''}"
        )

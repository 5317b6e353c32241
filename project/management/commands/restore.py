"""`restore DIR`: restores a backup into an empty database (contract section 5)."""

import sqlite3
import tarfile
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from orders.management.arguments import actor, add_by
from orders.management.lost_entries import lines_of_lost_entries
from orders.management.progress import Progress
from project.database.restore import restore
from project.database.run_program import BackupError
from project.observability.readiness import missing_migrations


class Command(BaseCommand):
    help = "Verifies a backup and puts it into an empty database; nothing is sent from there until `restored`."

    def add_arguments(self, parser):
        parser.add_argument("folder", metavar="DIR", type=Path, help="a backup that `backup` has finished")
        parser.add_argument(
            *("-i", "--identity"), metavar="FILE", type=Path, help="age's private key, for an encrypted backup"
        )
        add_by(parser)

    def handle(self, *args, folder, identity, by, **options):
        try:
            with Progress(self.stderr, "files") as bar:
                done = restore(folder, identity=identity, by=actor(by), now=timezone.now(), on_progress=bar.reach)
        except (BackupError, OSError, sqlite3.Error, tarfile.TarError) as error:
            raise CommandError(f"nothing was restored: {error}") from error
        facts = done.facts
        self.stdout.write(
            f"{facts['counts']['orders_order']} orders up to event {facts['newest_event']} of {facts['made_at']}; "
            f"{done.files} attachments put back"
        )
        if done.kept:
            self.stdout.write(f"left as they are, since they differ from the backup's: {', '.join(done.kept)}")
        if done.profile:
            self.stdout.write(
                f"the backup's profile of partners lies in {done.profile}: PARTNERS_FILE "
                f"{'is another one and stays' if settings.PARTNERS_FILE else 'is empty'}; decide before `restored`"
            )
        if missing := missing_migrations():
            self.stdout.write(f"this version has newer migrations: run migrate ({', '.join(missing)})")
        for line in lines_of_lost_entries():
            self.stdout.write(line)
        self.stdout.write("nothing is taken in or sent until `restored --reason TEXT`: docs/restore.md leads there")

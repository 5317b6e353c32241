"""`import_trials FILE.xlsx [--dry-run] [--annotated OUT.xlsx] [--by NAME]`: enters the trials of a workbook (5)."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import override

from orders.management.arguments import actor, add_by
from orders.management.progress import Progress
from orders.office.trials.annotated import write_annotated
from orders.office.trials.enter_trials import KNOWN, NEW, WRONG, Report, import_trials
from orders.office.trials.form import services_in_words
from orders.office.trials.sheet import read_entries
from orders.office.trials.workbook import MAX_BYTES, read_workbook
from orders.texts.errors import OrderError


class Command(BaseCommand):
    """Enters all trials or none.

    Prints a line for each wrong cell and exits with 1. Warnings are printed and stop nothing.
    """

    help = "Enters the trials of a workbook's first sheet, all or none; names each wrong cell."

    def add_arguments(self, parser):
        parser.add_argument("file", metavar="FILE.xlsx", help="a header row, then a trial in each row")
        parser.add_argument("--dry-run", action="store_true", help="says what would happen, and changes nothing")
        parser.add_argument("--annotated", metavar="OUT.xlsx", help="writes a copy with the wrong cells marked")
        add_by(parser)

    def handle(self, *args, file, dry_run, annotated, by, **options):
        path, who, now = Path(file), actor(by), timezone.now()
        try:
            with path.open("rb") as book:
                sheet = read_workbook(book.read(MAX_BYTES + 1))  # a huge one is not read into memory
            entries = read_entries(sheet)
            if annotated:
                Path(annotated).open("ab").close()  # fails before anything is entered if the copy can't be written
            with Progress(self.stderr, "rows", len(entries.entries)) as bar:
                how = {"by": who, "letters": None, "file": path.name, "now": now, "dry_run": dry_run}
                report = import_trials(entries, on_progress=bar.reach, **how)
            if annotated:
                with override("zh-hans"):  # people read it
                    Path(annotated).write_bytes(
                        write_annotated(sheet, report, letters=None, services=services_in_words())
                    )
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from error
        except OrderError as error:
            raise CommandError(f"{file}: {error}") from error
        self._tell(report, dry_run, who)

    def _tell(self, report: Report, dry_run: bool, who: str) -> None:
        for fault in report.all_faults:
            self.stdout.write(str(fault))
        if not report.is_right:
            wrong = f"{report.count(WRONG)} of {len(report.rows)} rows are wrong" if report.rows else "a wrong header"
            raise CommandError(f"{wrong}: nothing was imported")
        for warning in report.warnings:
            self.stdout.write(f"warning: {warning}")
        for row in report.rows:
            for host in report.contents[str(row.row)]["hosts"]:
                self.stdout.write(f"{row.number}: {host} taken from a pasted text")
            held = f" (held: {row.held})" if row.held else ""
            self.stdout.write(f"{row.number}: {'known, nothing changes' if row.verdict == KNOWN else 'new'}{held}")
        new, known = report.count(NEW), report.count(KNOWN)
        self.stdout.write(
            f"{new} trials would be entered, {known} are known; dry run: nothing was changed"
            if dry_run
            else f"{new} trials entered by {who}, {known} were known"
        )

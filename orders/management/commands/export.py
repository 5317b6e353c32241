"""`export LIST OUT.xlsx [--query ...] [--personal]`: writes a staff list to a file (contract section 5)."""

import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from django.core.management.base import BaseCommand, CommandError

from orders.actions.run_action import account_named
from orders.lists.registration import exported_lists
from orders.management.arguments import actor, add_by
from orders.management.order_command import ASKED, add_emergency, here, say_asked
from orders.management.progress import Progress
from orders.office.exports.run import ask_export, export_to
from orders.rules.four_eyes_acts import EXPORT, is_asked
from orders.texts.errors import OrderError
from orders.texts.secrets_in_text import without_named_secrets


@contextlib.contextmanager
def ending_cleanly() -> Iterator[None]:
    """Within the block, SIGTERM ends the command as Ctrl-C does, so that an unfinished file is removed."""
    before = signal.signal(signal.SIGTERM, lambda *about: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class Command(BaseCommand):
    """Exports rows of all attributions. The export is stored like one from a page, with the actor `command:NAME`.

    If personal data need a second person, it requests the approval as the account of `--by` and exits with 3. After the
    approval a worker writes the rows that the account may see, and the account downloads the file from the export's
    page.
    """

    help = "Writes a staff list as its page shows it under a filter, to an xlsx or csv file."

    def add_arguments(self, parser):
        parser.add_argument("list", choices=exported_lists())
        parser.add_argument("out", metavar="OUT.xlsx", type=Path, help="or OUT.csv; an existing file is replaced")
        parser.add_argument(
            "--query", default="", help="the list's filter as in its address, such as state=held&attribution=BJ"
        )
        parser.add_argument("--personal", action="store_true", help="with people's names, phones and mails unmasked")
        parser.add_argument("--reason", type=without_named_secrets, help="why; kept with the export")
        add_emergency(parser)
        add_by(parser)

    def handle(self, *args, out, query, personal, reason, by, emergency=False, **options):
        second = personal and is_asked(EXPORT)
        if second and not (reason or "").strip():
            raise CommandError("--personal needs a --reason where FOUR_EYES has export_personal")
        about = {"list_name": options["list"], "query": query, "reason": "command line" if reason is None else reason}
        try:
            if second and not emergency:
                self.ask(out, by=by, about=about)
            with ending_cleanly(), Progress(self.stderr, "rows") as bar:
                row = export_to(out, **about, personal=personal, by=actor(by), on_progress=bar.reach)
        except OrderError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{out} can't be written: {error.strerror or error}") from error
        rows = "1 row" if row.written == 1 else f"{row.written} rows"
        self.stdout.write(f"{out}: {rows}, {'personal data unmasked' if personal else 'personal data masked'}")

    def ask(self, out: Path, *, by: str | None, about: dict) -> NoReturn:
        row = ask_export(out, **about, account=account_named(by), via=here())
        if row is not None:
            say_asked(self, about["list_name"], row)
        sys.exit(ASKED)

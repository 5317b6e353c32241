"""`evidence ORDER OUT.zip [--personal --reason TEXT]`: all data of an order, as an archive (contract section 5)."""

import sys
from pathlib import Path

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from orders.actions.run_action import account_named
from orders.history.order_locks_and_events import find_order
from orders.management.arguments import actor, add_by
from orders.management.order_command import ASKED, add_emergency, here, say_asked
from orders.office.evidence.archive import EVIDENCE, ZIP, evidence_query
from orders.office.evidence.contents import evidence_of, order_for
from orders.office.exports.export_jobs import ask_for_account, note_written, write_file
from orders.office.exports.run import whole_file
from orders.rules.four_eyes_acts import EXPORT, is_asked
from orders.texts.errors import OrderError
from orders.texts.secrets_in_text import without_named_secrets


class Command(BaseCommand):
    """If personal data need a second person, it requests the approval as the account of `--by` and exits with 3.

    After the approval a worker writes the file, and the account downloads it from the export's page.
    """

    help = "Writes all that is known of an order to a zip with a manifest. It is noted in the order's history."

    def add_arguments(self, parser):
        parser.add_argument("order", help="the order's number")
        parser.add_argument("out", metavar="OUT.zip", type=Path, help="an existing file is replaced")
        parser.add_argument("--personal", action="store_true", help="people's data unmasked, and the order's files")
        parser.add_argument(
            "--reason", type=without_named_secrets, default="", help="why; needed with --personal, and kept"
        )
        add_emergency(parser)
        add_by(parser)

    def handle(self, *args, order, out, personal, reason, by, emergency=False, **options):
        if out.suffix.lower() != ".zip":
            raise CommandError(f"{out.name}: the name must end in .zip")
        if personal and not reason.strip():
            raise CommandError("--personal needs a --reason")
        about = {"list_name": EVIDENCE, "query": evidence_query(order), "columns": [], "format": ZIP}
        about |= {"personal": personal, "reason": reason, "now": timezone.now()}
        try:
            if personal and is_asked(EXPORT) and not emergency:
                self.ask(order, by=by, about=about)
            self.write(order, out, by=actor(by), about=about)
        except OrderError as error:
            raise CommandError(str(error)) from error
        people = "personal data unmasked" if personal else "personal data masked"
        self.stdout.write(f"{out}: evidence of {order}, {people}")

    def ask(self, number: str, *, by: str | None, about: dict) -> None:
        account = account_named(by)
        order_for(find_order(number).number, account, personal=True)
        row = ask_for_account(account, **about, via=here())
        if row is not None:
            say_asked(self, number, row)
        sys.exit(ASKED)

    def write(self, number: str, out: Path, *, by: str, about: dict) -> None:
        account = get_user_model()(username=by[:150], is_superuser=True)
        try:
            with whole_file(out) as part:
                found = find_order(number)
                table = evidence_of(number, account, personal=about["personal"], by=by, reason=about["reason"].strip())
                write_file(part, table, format=ZIP)
                note_written(**about, by=by, written=table.total, order=found, subject=number)
        except OSError as error:
            raise CommandError(f"{out} can't be written: {error.strerror or error}") from error

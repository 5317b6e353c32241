"""`evidence ORDER OUT.zip [--personal --reason TEXT]`: all of an order, as an archive (contract section 5)."""

from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from orders.errors import OrderError
from orders.management.arguments import actor, add_by
from orders.office.evidence.archive import EVIDENCE, ZIP, evidence_query
from orders.office.evidence.contents import evidence_of
from orders.office.exports.service import PART, begin_export, write_file
from orders.services.order_writes import find_order


class Command(BaseCommand):
    help = "Writes all that is known of an order to a zip with a manifest. It is noted in the order's history."

    def add_arguments(self, parser):
        parser.add_argument("order", help="the order's number")
        parser.add_argument("out", metavar="OUT.zip", type=Path, help="an existing file is replaced")
        parser.add_argument("--personal", action="store_true", help="people's data unmasked, and the order's files")
        parser.add_argument("--reason", default="", help="why; needed with --personal, and kept")
        add_by(parser)

    def handle(self, *args, order, out, personal, reason, by, **options):
        if out.suffix.lower() != ".zip":
            raise CommandError(f"{out.name}: the name must end in .zip")
        if personal and not reason.strip():
            raise CommandError("--personal needs a --reason")
        if personal and settings.EXPORT_SECOND_PERSON:
            raise CommandError("EXPORT_SECOND_PERSON: ask for it on the order's page, where a second person agrees")
        by = actor(by)
        account = get_user_model()(username=by[:150], is_superuser=True)
        part = out.with_name(f".{out.name}{PART}")
        try:
            find_order(order)
            table = evidence_of(order, account, personal=personal, by=by, reason=reason.strip())
            write_file(part, table, format=ZIP)
            begin_export(
                by=by,
                list_name=EVIDENCE,
                query=evidence_query(order),
                columns=[],
                format=ZIP,
                personal=personal,
                reason=reason,
                scope=None,
                now=timezone.now(),
                written=table.total,
            )
            part.replace(out)
        except OrderError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{out} can't be written: {error.strerror or error}") from error
        finally:
            part.unlink(missing_ok=True)
        people = "personal data unmasked" if personal else "personal data masked"
        self.stdout.write(f"{out}: evidence of {order}, {people}")

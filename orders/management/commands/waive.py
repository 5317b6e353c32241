"""`waive ORDER --reason TEXT [--by NAME]`: lets an order go on whose files are not right (contract 3.7, 5)."""

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from orders.errors import OrderError
from orders.management.actor import actor, add_by
from orders.services.files import waive_files


class Command(BaseCommand):
    help = "Lets an order go on that is held for its info-security files."

    def add_arguments(self, parser):
        parser.add_argument("order", help="the order's number")
        parser.add_argument("--reason", required=True, help="why; kept in the approval history")
        add_by(parser)

    def handle(self, *args, order, reason, by, **options):
        who = actor(by)
        try:
            found = waive_files(number=order, reason=reason, by=who, now=timezone.now())
        except OrderError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{order}: finding waived by {who}, the order goes on (state {found.state})")

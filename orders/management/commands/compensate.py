"""`compensate ORDER --reason TEXT [--by NAME]`: deletes an order's billing records (contract section 5)."""

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from orders.errors import OrderError
from orders.management.actor import actor, add_by
from orders.services.compensation.by_staff import compensate


class Command(BaseCommand):
    help = "Deletes an activation's billing records at the big-data side and restores its trial's."

    def add_arguments(self, parser):
        parser.add_argument("order", help="the order's number")
        parser.add_argument("--reason", required=True, help="why; kept in the order's history")
        add_by(parser)

    def handle(self, *args, order, reason, by, **options):
        who = actor(by)
        try:
            found = compensate(number=order, reason=reason, by=who, now=timezone.now())
        except OrderError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{order}: compensation begun by {who} (state {found.state})")

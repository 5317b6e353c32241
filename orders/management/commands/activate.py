"""`activate [ORDER...] [--due]`: runs activation jobs whose start has passed (contract section 5)."""

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from orders.management.order_command import known_orders
from orders.models import Order
from orders.start_day.start_day import activate


class Command(BaseCommand):
    help = "Starts the named orders, or with --due all, whose start day has come."

    def add_arguments(self, parser):
        parser.add_argument("order", nargs="*", help="order numbers")
        parser.add_argument("--due", action="store_true", help="all whose start has passed")

    def handle(self, *args, order, due, **options):
        if bool(order) == due:
            raise CommandError("name orders, or give --due for all whose start has passed")
        known_orders(order)
        now = timezone.now()
        started = activate(numbers=None if due else order, by="command:activate", now=now)
        for number in started:
            self.stdout.write(f"{number}: started")
        refused = sorted(set(order) - set(started))
        for number in refused:
            self.stdout.write(f"{number}: {self.why_not(number, now)}")
        if not started and not refused:
            self.stdout.write("nothing to start")
        if refused:
            raise CommandError(f"{len(refused)} not started")

    def why_not(self, number: str, now) -> str:
        found = Order.objects.get(number=number)
        if found.start_at is None:
            return f"not started: it has no later start (state {found.state})"
        if found.start_at > now:
            return f"not started: its start is {timezone.localtime(found.start_at).isoformat(timespec='seconds')}"
        return f"not started: state {found.state}"

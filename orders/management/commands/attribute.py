"""`attribute ORDER LETTERS --reason TEXT [--by NAME]`: chooses the attribution of a held order (contract 3.1, 5)."""

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from orders.errors import OrderError
from orders.management.actor import actor, add_by
from orders.models import Order
from orders.services.holds import choose_attribution


class Command(BaseCommand):
    """Chooses where an order belongs when it could not be found out; the order goes on."""

    help = "Chooses the attribution of an order that is held for it: JT, GJ or a province's letters."

    def add_arguments(self, parser):
        parser.add_argument("order", help="the order's number")
        parser.add_argument("letters", help="JT, GJ or a province's letters, such as BJ")
        parser.add_argument("--reason", required=True, help="why; kept in the order's history")
        add_by(parser)

    def handle(self, *args, order, letters, reason, by, **options):
        if not reason.strip():
            raise CommandError("a choice needs a reason")
        letters, who = letters.upper(), actor(by)
        try:
            found = choose_attribution(number=order, letters=letters, reason=reason.strip(), by=who, now=timezone.now())
        except OrderError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{order}: attribution {letters} chosen by {who}, {self.outcome(found)}")

    def outcome(self, order: Order) -> str:
        """Whether it goes on, or what else it waits for."""
        if order.held_because:
            return f"but it is held still ({order.held_because})"
        return f"the order goes on (state {order.state})"

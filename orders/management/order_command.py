"""What the commands have in common by which somebody decides about one order."""

import datetime
from collections.abc import Iterable

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from orders.errors import OrderError
from orders.management.actor import actor, add_by
from orders.models import Order
from orders.queries.foreseen import Foreseen
from orders.services.order_state import find_order


class OrderCommand(BaseCommand):
    """Asks for the order, a reason and who it is. A refusal is one line. `DRY_RUN`: it has `--dry-run`."""

    DRY_RUN = False

    def add_arguments(self, parser):
        parser.add_argument("order", help="the order's number")
        self.add_more(parser)
        parser.add_argument("--reason", required=True, help="why; kept in the order's history")
        if self.DRY_RUN:
            parser.add_argument("--dry-run", action="store_true", help="says what will follow, and changes nothing")
        add_by(parser)

    def add_more(self, parser) -> None:
        """The arguments of this act alone."""

    def handle(self, *args, order, reason, by, **options):
        if not reason.strip():
            raise CommandError("a reason is needed")
        now = timezone.now()
        try:
            if self.DRY_RUN:
                for row in self.foresee(find_order(order), options, now=now):
                    self.stdout.write(f"{order}: {row.english()}")
                if options["dry_run"]:
                    self.stdout.write("dry run: nothing was changed")
                    return
            found = self.act(order, options, reason=reason.strip(), by=actor(by), now=now)
        except OrderError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{order}: {self.outcome(options)} by {actor(by)}{state_suffix(found)}")

    def foresee(self, order: Order, options: dict, *, now: datetime.datetime) -> Iterable[Foreseen]:
        """What will follow. Raises NotAllowedError."""
        raise NotImplementedError

    def act(self, number: str, options: dict, *, reason: str, by: str, now: datetime.datetime) -> Order | None:
        """Does it, by the one service; None where the number is no order of ours. Raises OrderError."""
        raise NotImplementedError

    def outcome(self, options: dict) -> str:
        """What was done, in a few words."""
        raise NotImplementedError


def state_suffix(order: Order | None) -> str:
    """` (state held: files)`."""
    if order is None:
        return ""
    order.refresh_from_db(fields=["state", "held_because"])
    return f" (state {order.state}: {order.held_because})" if order.held_because else f" (state {order.state})"

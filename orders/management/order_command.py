"""What commands have in common that take the numbers of orders, most of all those that decide about one order."""

from collections.abc import Callable, Iterable
from contextlib import nullcontext

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from orders.errors import OrderError
from orders.management.arguments import actor, add_by
from orders.models import Order
from orders.queries.foreseen import Foreseen
from orders.services.order_writes import lock_order


class OrderCommand(BaseCommand):
    """Asks for the order, a reason and who it is, and calls `service`. A refusal is one line.

    `OPTIONS`: the arguments of its own that the service gets. With `foresee`, which says what will follow, it has
    `--dry-run`, which calls the service and rolls back. Such a service asks no partner.
    """

    service: Callable[..., Order | None]
    foresee: Callable[..., Iterable[Foreseen]] | None = None
    OPTIONS: tuple[str, ...] = ()
    done = ""

    def add_arguments(self, parser):
        parser.add_argument("order", help="the order's number")
        self.add_more(parser)
        parser.add_argument("--reason", required=True, help="why; kept in the order's history")
        if self.foresee:
            parser.add_argument("--dry-run", action="store_true", help="says what will follow, and changes nothing")
        add_by(parser)

    def add_more(self, parser) -> None:
        """The arguments of this command alone."""

    def handle(self, *args, order, reason, by, dry_run=False, **options):
        if not reason.strip():
            raise CommandError("a reason is needed")
        now, follows, more = timezone.now(), [], {name: options[name] for name in self.OPTIONS}
        try:
            with transaction.atomic() if self.foresee else nullcontext():
                if self.foresee:  # read under the lock, so that nothing comes between the words and the act
                    follows = [row.english() for row in self.foresee(lock_order(order), now=now, **more)]
                found = self.service(number=order, reason=reason.strip(), by=actor(by), now=now, **more)
                if dry_run:
                    transaction.set_rollback(True)
        except OrderError as error:
            raise CommandError(str(error)) from error
        for line in follows:
            self.stdout.write(f"{order}: {line}")
        done = f"{order}: {self.outcome(options)} by {actor(by)}"
        self.stdout.write("dry run: nothing was changed" if dry_run else f"{done}{state_suffix(found)}")

    def outcome(self, options: dict) -> str:
        return self.done % options


def known_orders(numbers: list[str]) -> dict[str, Order]:
    """The orders by number. Raises CommandError, one line, if a number is none of ours."""
    found = {order.number: order for order in Order.objects.filter(number__in=numbers)}
    if unknown := [number for number in numbers if number not in found]:
        raise CommandError(f"unknown: {', '.join(unknown)}")
    return found


def state_suffix(order: Order | None) -> str:
    """` (state held: files)`."""
    if order is None:
        return ""
    order.refresh_from_db(fields=["state", "held_because"])
    return f" (state {order.state}: {order.held_because})" if order.held_because else f" (state {order.state})"

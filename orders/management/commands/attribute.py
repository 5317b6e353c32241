"""`attribute ORDER LETTERS --reason TEXT [--by NAME]`: chooses the attribution of a held order (contract 3.1, 5)."""

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from orders.errors import OrderError
from orders.management.actor import actor, add_by
from orders.services.holds import choose_attribution


class Command(BaseCommand):
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
        held = f"but it is held still ({found.held_because})" if found.held_because else ""
        goes_on = f"the order goes on (state {found.state})"
        self.stdout.write(f"{order}: attribution {letters} chosen by {who}, {held or goes_on}")

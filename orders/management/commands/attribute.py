"""`attribute ORDER CODE [--move [--dry-run]] --reason TEXT`: sets an order's attribution (contract 3.1; 3.9, 18; 5)."""

from django.core.management.base import CommandError

from orders.management.order_command import OrderCommand


class Command(OrderCommand):
    help = "Chooses the attribution of an order that is held for it, or corrects that of an order and its family."
    act = "attribute"
    OPTIONS = ("letters",)
    done = "attribution %(letters)s chosen"

    def add_more(self, parser):
        parser.add_argument(
            "letters", metavar="code", type=str.upper, help="JT, GJ or a province's letters, such as BJ, or its digits"
        )
        parser.add_argument("--move", action="store_true", help="corrects it, for the trial and all that grew from it")
        parser.add_argument("--dry-run", action="store_true", help="with --move: says what will follow, no more")

    def handle(self, *args, move, dry_run, **options):
        if move:
            self.act, self.has_preview = "move_attribution", True
            self.done = "attribution %(letters)s given to it and its family"
        elif dry_run:
            raise CommandError("--dry-run goes with --move")
        super().handle(*args, dry_run=dry_run, **options)

"""`withdraw ORDER --reason TEXT [--cancel | --delete] [--dry-run]`: withdraws as BBOSS would (contract 3.9, 16; 5)."""

from orders.management.order_command import OrderCommand


class Command(OrderCommand):
    help = "Withdraws an order as BBOSS would; says what will follow."
    act = "withdraw"
    has_preview = True
    OPTIONS = ("how",)
    done = "withdrawn"

    def add_more(self, parser):
        way = parser.add_mutually_exclusive_group()
        way.add_argument(
            "--cancel",
            action="store_const",
            const="cancel",
            dest="how",
            default="",
            help="a late undoing: the records are cancelled from now on",
        )
        way.add_argument(
            "--delete",
            action="store_const",
            const="delete",
            dest="how",
            help="a late undoing: the records are deleted, as if nothing had been owed",
        )

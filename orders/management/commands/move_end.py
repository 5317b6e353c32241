"""`move_end ORDER YYYYMMDD --reason TEXT [--dry-run]`: moves the last day of a running trial (contract 3.9, 18; 5)."""

from orders.management.arguments import wire_day
from orders.management.order_command import OrderCommand


class Command(OrderCommand):
    help = "Moves the last day of a running trial, and posts its records with it. Says what will follow."
    act = "move_end"
    has_preview = True
    OPTIONS = ("day",)

    def add_more(self, parser):
        parser.add_argument("day", type=wire_day, metavar="YYYYMMDD", help="the new last day, today or later")

    def outcome(self, options):
        return f"last day {options['day']:%Y%m%d}"

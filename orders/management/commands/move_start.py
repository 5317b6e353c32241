"""`move_start ORDER YYYYMMDD --reason TEXT [--dry-run]`: moves the start day of an activation (contract 3.9, 18; 5)."""

from orders.management.arguments import wire_day
from orders.management.order_command import OrderCommand


class Command(OrderCommand):
    help = "Moves the start day of a scheduled activation; BPM is not told. Says what will follow."
    act = "move_start"
    has_preview = True
    OPTIONS = ("day",)

    def add_more(self, parser):
        parser.add_argument("day", type=wire_day, metavar="YYYYMMDD", help="the new start day, today or later")

    def outcome(self, options):
        return f"start day {options['day']:%Y%m%d} asked for"

"""`give_up ORDER [--step STEP] --reason TEXT [--dry-run]`: gives up a failed step (contract 3.9, 13; 5)."""

from orders.management.order_command import OrderCommand


class Command(OrderCommand):
    help = "Gives up a billing step that failed for good, or each one that something waits for; says what will follow."
    act = "give_up"
    has_preview = True
    OPTIONS = ("step",)

    def add_more(self, parser):
        parser.add_argument("--step", default="", help="its name in `show`; default: each one that something waits for")

    def outcome(self, options):
        return f"{options['step'] or 'what had failed'} given up"

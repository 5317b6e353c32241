"""`take ORDER [--step STEP] --reason TEXT`: takes the partner's books as ours (contract 3.5, 409; 5)."""

from orders.management.order_command import OrderCommand
from orders.services.reconciliation.take import take


class Command(OrderCommand):
    help = "After acted_before, a doubt or a difference: takes what the partner has as ours."
    act = "take"
    service = staticmethod(take)
    OPTIONS = ("step", "process")
    done = "the big-data side's books taken as ours"

    def add_more(self, parser):
        parser.add_argument("--step", default="", help="its name in `show`; default: all that differs")
        parser.add_argument("--process", default="", help="with --step start_bpm: BPM's number of the process")

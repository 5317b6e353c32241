"""`take ORDER [--step STEP] [--file F.csv --as-of MOMENT] --reason TEXT`: accepts the partner's records as ours
(contract 3.5, 409; 5; 7.2).
"""

from orders.actions.all_actions import DECISIONS
from orders.management.arguments import add_file
from orders.management.order_command import OrderCommand
from orders.models import OrderEvent


class Command(OrderCommand):
    help = "After acted_before, look_up, a doubt or a difference: takes what the partner has as ours."
    act = "take"
    OPTIONS = ("step", "process", "look")
    done = "the big-data side's books taken as ours"

    def add_more(self, parser):
        parser.add_argument("--step", default="", help="its name in `show`; default: all that differs")
        parser.add_argument("--process", default="", help="with --step start_bpm: BPM's number of the process")
        add_file(parser)

    def handle(self, *args, order, file=None, as_of=None, **options):
        look = self.read_look(order, file, as_of)
        super().handle(*args, order=order, look=look, **options)
        event = OrderEvent.objects.filter(order__number=order, kind="taken").order_by("-pk").first()
        if look and event and (left := event.data.get("left_out")):
            self.stdout.write(f"{order}: left out, called less than ten minutes before, or later: {', '.join(left)}")

    def decision(self, number, options):
        return DECISIONS["look_up" if options["look"] else "take"]

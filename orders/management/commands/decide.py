"""`decide ORDER RECORDID|pass|reject --reason TEXT`: makes a later decision the one that counts (contract 3.6, 5)."""

from orders.management.order_command import OrderCommand
from orders.services.deciding import decide


class Command(OrderCommand):
    help = "Makes a later finished approval record the one that counts, or enters a decision whose record was lost."
    service = staticmethod(decide)
    OPTIONS = ("record",)
    done = "%(record)s made the decision that counts"

    def add_more(self, parser):
        parser.add_argument(
            "record", metavar="RECORDID|pass|reject", help="the approval record, or the decision itself"
        )

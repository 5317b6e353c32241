"""`accept ORDER [INCIDENT] --reason TEXT`: lives with a difference or incident (contract 3.9, 14; 5)."""

from orders.management.order_command import OrderCommand
from orders.services.reconciliation.accept import accept


class Command(OrderCommand):
    help = "Lives with a difference or incident that only the books would end; asks the big-data side for them."
    act = "accept"
    service = staticmethod(accept)
    OPTIONS = ("incident",)

    def add_more(self, parser):
        parser.add_argument("incident", nargs="?", default="", help="its code in `show`; default: all of the order's")

    def outcome(self, options):
        return f"{options['incident'] or 'what differs'} accepted"

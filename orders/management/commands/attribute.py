"""`attribute ORDER LETTERS --reason TEXT`: chooses the attribution of a held order (contract 3.1, 5)."""

from orders.management.order_command import OrderCommand
from orders.services.holds import choose_attribution


class Command(OrderCommand):
    help = "Chooses the attribution of an order that is held for it: JT, GJ or a province's letters."
    service = staticmethod(choose_attribution)
    OPTIONS = ("letters",)
    done = "attribution %(letters)s chosen"

    def add_more(self, parser):
        parser.add_argument("letters", type=str.upper, help="JT, GJ or a province's letters, such as BJ")

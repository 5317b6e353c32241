"""`accept ORDER [INCIDENT] [--file F.csv --as-of MOMENT] --reason TEXT`: accepts a difference or incident (contract
3.9, 14; 5; 7.2).
"""

from django.core.management.base import CommandError

from orders.actions.accept import acceptable, check_named
from orders.management.arguments import add_file
from orders.management.order_command import OrderCommand
from orders.models import Order
from orders.texts.errors import OrderError


class Command(OrderCommand):
    help = "Lives with a difference or incident that only the books would end; asks the big-data side for them."
    act = "accept"
    OPTIONS = ("incident", "look")

    def add_more(self, parser):
        words = (
            "its code in `show`; not_billed: a record that is gone of an order that stands; billed_not_active: one "
            "that is live of an order that is over; default: all of the order's, if none of it is one of these two"
        )
        parser.add_argument("incident", nargs="?", default="", help=words)
        add_file(parser)

    def handle(self, *args, order, file=None, as_of=None, **options):
        super().handle(*args, order=order, look=self.read_look(order, file, as_of), **options)

    def check_question(self, number, options):
        order = Order.objects.filter(number=number).first()
        if order is None or options["incident"]:
            return
        try:  # a confirmation covers all of them
            check_named(order, {row.incident.code for row in acceptable(order)[0]})
        except OrderError as error:
            raise CommandError(str(error)) from error

    def carry_out(self, decision, **about):
        """Without INCIDENT, nothing is accepted that must be named explicitly."""
        return super().carry_out(decision, named=bool(about["incident"]), **about)

    def outcome(self, options):
        return f"{options['incident'] or 'what differs'} accepted"

"""`waive ORDER --reason TEXT`: lets an order with wrong files proceed (contract 3.7, 5)."""

from orders.management.order_command import OrderCommand


class Command(OrderCommand):
    help = "Lets an order go on that is held for its info-security files."
    act = "waive"
    done = "finding waived"

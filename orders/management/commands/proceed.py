"""`proceed ORDER --reason TEXT`: lets an order of a closed trial proceed (contract 3.10, 5)."""

from orders.management.order_command import OrderCommand


class Command(OrderCommand):
    help = "Lets an order go on that is held because its trial is withdrawn or ended."
    act = "proceed"
    done = "let go on"

"""`compensate ORDER --reason TEXT`: deletes an order's billing records (contract section 5)."""

from orders.management.order_command import OrderCommand


class Command(OrderCommand):
    help = "Deletes an activation's billing records at the big-data side and restores its trial's."
    act = "compensate"
    done = "compensation begun"

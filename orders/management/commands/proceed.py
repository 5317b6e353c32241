"""`proceed ORDER --reason TEXT`: lets an activation of a closed trial go on (contract 3.10, 5)."""

from orders.management.order_command import OrderCommand
from orders.services.holds import proceed


class Command(OrderCommand):
    """As the first one where nobody holds the claim, else as a subsequent one."""

    help = "Lets an activation go on that is held because its trial is withdrawn or ended."

    def act(self, number, options, *, reason, by, now):
        return proceed(number=number, reason=reason, by=by, now=now)

    def told(self, options):
        return "let go on"

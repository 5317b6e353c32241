"""`name_domains ORDER DOMAIN... --reason TEXT`: names the domains of a held order (contract 2.4, 5)."""

from orders.management.order_command import OrderCommand


class Command(OrderCommand):
    help = "Names the domains of an activation that is held for them."
    act = "name_domains"
    OPTIONS = ("domains",)

    def add_more(self, parser):
        parser.add_argument("domains", metavar="domain", nargs="+", help="host names, as they shall be sent")

    def outcome(self, options):
        return f"{len(options['domains'])} domains named"

"""`decide ORDER RECORDID|pass|reject --reason TEXT`: makes a later decision the effective one (contract 3.6, 5)."""

from approvals.models import ApprovalRecord
from orders.actions.all_actions import DECISIONS
from orders.management.order_command import OrderCommand
from orders.models import Order


class Command(OrderCommand):
    help = "Makes a later finished approval record the one that counts, or enters a decision whose record was lost."
    act = "pass"
    OPTIONS = ("record",)
    done = "%(record)s made the decision that counts"

    def add_more(self, parser):
        parser.add_argument(
            "record", metavar="RECORDID|pass|reject", help="the approval record, or the decision itself"
        )

    def decision(self, number, options):
        """The page has a separate decision for each result."""
        record = options["record"]
        rows = ApprovalRecord.objects.filter(order__number=number, record_id=record, finished=True)
        result = rows.values_list("result", flat=True).first() or record
        return DECISIONS["reject" if result == Order.Decision.REJECT else "pass"]

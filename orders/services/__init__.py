"""The services, the only code that writes orders and their rows. Verb first, keyword-only, the actor as `by`."""

from orders.services.approvals import receive_approval
from orders.services.compensation.by_staff import compensate
from orders.services.files import recheck_files, waive_files
from orders.services.holds import choose_attribution, settle_arrived
from orders.services.intake import keep_message, receive_order
from orders.services.trials import end_trials
from orders.services.withdrawal import withdraw_order

__all__ = [
    "choose_attribution",
    "compensate",
    "end_trials",
    "keep_message",
    "receive_approval",
    "receive_order",
    "recheck_files",
    "settle_arrived",
    "waive_files",
    "withdraw_order",
]

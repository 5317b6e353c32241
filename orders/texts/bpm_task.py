"""The address of BPM's own page about an order's process (BPM_TASK_URL). Pure."""

import re
from urllib.parse import quote, urlsplit

from django.conf import settings

from orders.models import Order

ALLOWED = {"http", "https"}


def wrong_placeholders(address: str) -> str:
    """Returns the error of a URL template; empty if it is valid. The placeholders are `{process}` and `{order}`."""
    left = address.replace("{process}", "").replace("{order}", "")
    if left == address:
        return "it has neither {process} nor {order}, so all orders would lead to one page"
    wrong = re.search(r"\{[^{}]*\}?|\}", left)
    return f"{wrong[0]} is no placeholder" if wrong else ""


def task_url(order: Order) -> str:
    """Returns the URL of the order's task; empty if BPM_TASK_URL is not set or invalid, or the order has no process
    yet.
    """
    address = settings.BPM_TASK_URL
    if not address or not order.bpm_process:
        return ""
    for name, value in (("{process}", order.bpm_process), ("{order}", order.number)):
        address = address.replace(name, quote(value, safe=""))
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return address if parts.scheme in ALLOWED and parts.netloc else ""

"""The address of BPM's own page about an order's process (BPM_TASK_URL). Pure."""

from urllib.parse import quote, urlsplit

from django.conf import settings

from orders.models import Order

ALLOWED = {"http", "https"}


def task_url(order: Order) -> str:
    """Empty where none is set, the order has no process yet, or what is set is no web address."""
    address = settings.BPM_TASK_URL
    if not address or not order.bpm_process:
        return ""
    for name, value in (("{process}", order.bpm_process), ("{order}", order.number)):
        address = address.replace(name, quote(value, safe=""))
    parts = _parts(address)
    return address if parts and parts.scheme in ALLOWED and parts.netloc else ""


def _parts(address: str):
    try:
        return urlsplit(address)
    except ValueError:
        return None

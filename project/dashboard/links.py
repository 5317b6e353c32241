"""Addresses of the lists behind the dashboard's numbers."""

from urllib.parse import urlencode

from django.urls import reverse


def listing(model: str, **filters) -> str:
    """The address of a model's list (`orders_order`) with these filters."""
    url = reverse(f"admin:{model}_changelist")
    return f"{url}?{urlencode(filters)}" if filters else url


def orders_link(**filters) -> str:
    return listing("orders_order", **filters)

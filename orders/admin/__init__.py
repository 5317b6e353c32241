"""The staff's pages on orders: everything readable, history untouchable, reference data editable."""

from orders.admin import billing, dispatch, event, inbound, incident, order, reference  # registering is the purpose

__all__ = ["billing", "dispatch", "event", "inbound", "incident", "order", "reference"]

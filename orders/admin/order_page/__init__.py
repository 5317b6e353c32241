"""The page of one order, and the decisions that staff take on it."""

from orders.admin.order_page.views import OrderPages

__all__ = ["OrderPages"]

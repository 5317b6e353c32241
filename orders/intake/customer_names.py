"""The name of a customer, taken from the newest order from BBOSS. Trials that staff entered by hand do not change
it."""

from django.db.models import Exists, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from orders.intake.manual_trials import ENTERED
from orders.models import Order, OrderEvent


def name_of(orders: QuerySet[Order]) -> str:
    """Returns the name of the customer of these orders, or an empty string if no order has a name. Makes at most two
    queries."""
    sent, any_order = _names(orders)
    return sent.first() or any_order.first() or ""


def name_in(orders: QuerySet[Order]) -> Coalesce:
    """Returns the name as a query expression. `orders` is a subquery that refers to the outer row."""
    return Coalesce(*(Subquery(rows[:1]) for rows in _names(orders)), Value(""))


def _names(orders: QuerySet[Order]) -> tuple[QuerySet, QuerySet]:
    """Returns two querysets of names, newest first. The first has the names from BBOSS. The second has the names from
    all orders, for customers that only staff have entered."""
    named = orders.exclude(enterprise_name="").order_by("-pk").values_list("enterprise_name", flat=True)
    by_hand = OrderEvent.objects.filter(order=OuterRef("pk"), kind=ENTERED)
    return named.filter(~Exists(by_hand)), named

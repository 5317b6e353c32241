"""The core: orders, their plans, and the steps that were sent for them."""

from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.utils.translation import pgettext_lazy


class OrdersConfig(AppConfig):
    """Orders and all that belongs to them."""

    name = "orders"
    verbose_name = pgettext_lazy("app", "Orders")

    def ready(self):
        from orders.restored_guard import look_at_new_connection

        connection_created.connect(look_at_new_connection)

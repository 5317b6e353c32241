"""The core: orders, their plans, and the steps sent for them."""

from importlib import import_module

from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.utils.translation import pgettext_lazy

FEATURES = ("bulk", "digest", "exports", "saved_views", "trials")  # features of orders/office that have tables


class OrdersConfig(AppConfig):
    """The app of orders. Loads the models of the features in orders/office."""

    name = "orders"
    verbose_name = pgettext_lazy("app", "Orders")

    def import_models(self):
        super().import_models()
        for feature in FEATURES:
            import_module(f"orders.office.{feature}.models")

    def ready(self):
        from orders.restore.detect_restore import look_at_new_connection

        connection_created.connect(look_at_new_connection)

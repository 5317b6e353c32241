"""The core: orders, their plans, and the steps that were sent for them."""

from importlib import import_module

from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.utils.translation import pgettext_lazy

FEATURES = ("bulk", "digest", "exports", "trials", "views")  # those of the office with tables


class OrdersConfig(AppConfig):
    """Orders and all that belongs to them. The one place that loads the models of the office's features."""

    name = "orders"
    verbose_name = pgettext_lazy("app", "Orders")

    def import_models(self):
        super().import_models()
        for feature in FEATURES:
            import_module(f"orders.office.{feature}.models")

    def ready(self):
        from orders.restore.restored_guard import look_at_new_connection

        connection_created.connect(look_at_new_connection)

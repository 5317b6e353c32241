"""The core: orders, their plan, what was sent for them."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OrdersConfig(AppConfig):
    """Orders and everything that hangs on them."""

    name = "orders"
    verbose_name = _("Orders")

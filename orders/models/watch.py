"""Who watches which orders and customers (contract 3.13)."""

from django.conf import settings
from django.db import models
from django.db.models import Q


class Watch(models.Model):
    """An account is told in its inbox about changes of an order, or of all orders of a customer (`enterprise_id`)."""

    account = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False)
    order = models.ForeignKey("Order", models.PROTECT, null=True, related_name="+", db_index=False)
    enterprise_id = models.CharField(max_length=64, blank=True)  # rows of customers can be rebuilt at any time
    since = models.DateTimeField()

    class Meta:
        default_permissions: list[str] = []
        constraints = [
            models.UniqueConstraint(fields=["account", "order"], condition=~Q(order=None), name="one_watch_an_order"),
            models.UniqueConstraint(
                fields=["account", "enterprise_id"], condition=Q(order=None), name="one_watch_a_customer"
            ),
        ]

    def __str__(self):
        return f"{self.account_id} {self.order_id or self.enterprise_id}"

"""Erasures of personal data (contract 3.14)."""

from django.db import models


class Erasure(models.Model):
    """The personal data of an order were erased.

    An INSERT carries out the erasure in the tables whose rows are otherwise never changed (orders/db/erasing.py).
    `texts` holds the rows' new texts during this INSERT only: `{"events": {id: data}, "trail": {id: data}}`. Afterwards
    it is null. `reason` has no personal data of the order.
    """

    order = models.ForeignKey("Order", models.PROTECT, related_name="erasures")
    at = models.DateTimeField()
    by = models.CharField(max_length=160)
    reason = models.TextField()
    texts = models.JSONField(null=True)

    class Meta:
        default_permissions: list[str] = []
        ordering = ["pk"]
        indexes = [  # is empty, except inside the database's function
            models.Index(fields=["order"], name="erasure_in_progress", condition=models.Q(texts__isnull=False))
        ]

    def __str__(self):
        return f"{self.order_id} {self.at}"

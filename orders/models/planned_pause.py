"""Planned pauses: a partner has announced its maintenance (contract 3.5 and section 5, `pause --from`)."""

from django.db import models

from orders.rules.steps import OUTSIDE, Partner


class PlannedPause(models.Model):
    """A pause that begins by itself, once or weekly. `begins` and `ends` are the times of the next period. While a
    period is in progress, they are the times of the present period, which has had a pause since `begun_at`."""

    partner = models.CharField(max_length=16, choices=[(name, Partner(name).label) for name in OUTSIDE])
    reason = models.TextField()
    begins = models.DateTimeField()
    ends = models.DateTimeField()
    weekly = models.BooleanField(default=False)
    planned_by = models.CharField(max_length=160)
    begun_at = models.DateTimeField(null=True)
    over_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions: list[str] = []
        ordering = ["begins", "pk"]
        constraints = [
            models.CheckConstraint(condition=models.Q(ends__gt=models.F("begins")), name="planned_pause_ends_later")
        ]
        indexes = [models.Index(fields=["begins"], name="planned_pause_open", condition=models.Q(over_at=None))]

    def __str__(self):
        return f"{self.partner} {self.begins}"

"""Time limits for the states of orders and for unseen conflicts, and the working-day calendar."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from orders.models.order import Order

LONGEST = 999


class CalendarDay(models.Model):
    """An exception to the rule that weekdays are working days (orders/limits/working_days.py). Holidays must be
    entered."""

    day = models.DateField(_("date"), primary_key=True)
    worked = models.BooleanField(_("is a working day"), default=False)
    name = models.CharField(_("occasion"), max_length=64, blank=True)

    class Meta:
        verbose_name = _("day of the calendar")
        verbose_name_plural = _("working-day calendar")
        ordering = ["-day"]

    def __str__(self):
        return f"{self.day:%Y-%m-%d}"


class TimeLimit(models.Model):
    """A limit in working time (orders/limits/working_days.py). A limit without a kind applies to all kinds. A limit
    without an attribution applies to all attributions. A limit for an attribution takes precedence over a limit for a
    kind. A limit for a kind takes precedence over a general limit."""

    class State(models.TextChoices):
        AWAITING_APPROVAL = Order.State.AWAITING_APPROVAL.value, Order.State.AWAITING_APPROVAL.label
        HELD = Order.State.HELD.value, Order.State.HELD.label
        FAILED = Order.State.FAILED.value, Order.State.FAILED.label
        IN_PROGRESS = Order.State.IN_PROGRESS.value, Order.State.IN_PROGRESS.label
        CONFLICT = "conflict", _("Conflict not seen to")  # for messages; the others are states of orders

    class Unit(models.TextChoices):
        DAYS = "days", _("working days")  # of 24 hours
        HOURS = "hours", _("working hours")

    state = models.CharField(_("state"), max_length=20, choices=State.choices)
    kind = models.CharField(_("kind"), max_length=16, choices=Order.Kind.choices, blank=True, default="")
    attribution = models.ForeignKey(
        "Province",
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="+",
        verbose_name=_("attribution"),
    )
    amount = models.PositiveSmallIntegerField(
        _("time limit"),
        validators=[
            MinValueValidator(1, _("A limit is at least 1. To have none, delete it.")),
            MaxValueValidator(LONGEST),
        ],
    )
    unit = models.CharField(_("unit"), max_length=8, choices=Unit.choices, default=Unit.DAYS)

    class Meta:
        verbose_name = _("time limit")
        verbose_name_plural = _("time limits")
        ordering = ["state", "attribution", "kind"]
        constraints = [
            models.UniqueConstraint(
                fields=["state", "kind"],
                condition=models.Q(attribution=None),
                name="one_general_limit",
                violation_error_message=_("There is a limit for this state and kind already. Change that one."),
            ),
            models.UniqueConstraint(
                fields=["state", "kind", "attribution"],
                condition=models.Q(attribution__isnull=False),
                name="one_limit_per_attribution",
                violation_error_message=_(
                    "There is a limit for this state, kind and attribution already. Change that one."
                ),
            ),
            models.CheckConstraint(condition=models.Q(amount__gte=1), name="limit_above_zero"),
        ]

    def __str__(self):
        return f"{self.get_state_display()} {self.amount} {self.get_unit_display()}"

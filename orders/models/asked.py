"""Acts that one person requested and another person must confirm (contract 3.11)."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from orders.rules.four_eyes_acts import ACTS


def acts() -> list:
    """Returns the choices of `act`. The migration refers to this function, so a new act needs no migration."""
    return list(ACTS.items())


class AskedAct(models.Model):
    """A request for a second person to confirm an action. The request is open or ended. Only the confirmation carries
    out the action.

    `act` is the word in FOUR_EYES, `right` the required permission, `decision` the key of the `Action` that is carried
    out with `arguments`. The request concerns `order`, or the row `target` of the action's own table. `told`: the
    result of the dry run at the time of the request, always in the same language. `asker_id` and `ender_id` are ids of
    accounts. `via`: machine and OS account, if a command made the request. `ended_by` confirmed the request or called
    it off. Unconfirmed requests end at `lapses_at`.
    """

    class State(models.TextChoices):
        OPEN = "asked", _("To be confirmed")
        CONFIRMED = "confirmed", _("Confirmed and carried out")
        CALLED_OFF = "called_off", _("Called off")
        LAPSED = "lapsed", _("Lapsed")

    act = models.CharField(_("act"), max_length=32, choices=acts)
    decision = models.CharField(max_length=32, blank=True, editable=False)
    right = models.CharField(max_length=100, editable=False)
    order = models.ForeignKey(
        "Order", models.PROTECT, null=True, related_name="asked_acts", db_index=False, verbose_name=_("order")
    )  # the unique index of open requests and the list's index begin with it
    target = models.BigIntegerField(editable=False)
    arguments = models.JSONField(_("details"), default=dict, blank=True)
    reason = models.TextField(_("reason"), blank=True)
    told = models.JSONField(default=list, blank=True, editable=False)
    by = models.CharField(_("asked by"), max_length=160)
    asker_id = models.BigIntegerField(editable=False)
    via = models.CharField(_("from where"), max_length=200, blank=True)
    asked_at = models.DateTimeField(_("asked at"))
    lapses_at = models.DateTimeField(_("lapses at"))
    state = models.CharField(_("state"), max_length=12, choices=State.choices, default=State.OPEN)
    ended_by = models.CharField(_("second person"), max_length=160, blank=True)
    ender_id = models.BigIntegerField(null=True, editable=False)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)

    class Meta:
        verbose_name = _("act for a second person")
        verbose_name_plural = _("acts for a second person")
        ordering = ["-pk"]
        default_permissions = ["view"]
        permissions = [("confirm_act", "Can confirm a colleague's act as the second person")]
        constraints = [
            models.UniqueConstraint(fields=["act", "target"], condition=models.Q(state="asked"), name="one_open_ask"),
            models.CheckConstraint(
                condition=~models.Q(state="confirmed")
                | models.Q(ender_id__isnull=False) & ~models.Q(ender_id=models.F("asker_id")),
                name="confirmed_by_another",
            ),
            models.CheckConstraint(
                condition=models.Q(state="asked", ended_at=None)
                | ~models.Q(state="asked") & models.Q(ended_at__isnull=False),
                name="ask_ended_once",
            ),
        ]
        indexes = [
            models.Index(fields=["lapses_at"], name="asked_open", condition=models.Q(state="asked")),
            models.Index(fields=["order", "state"], name="asked_of_order"),
        ]

    def __str__(self):
        return f"{self.act} {self.target} {self.state}"

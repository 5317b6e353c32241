"""Orders, their domains, and an activation's claim on its trial."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from orders.db.row import Row


def owner_field(**more) -> models.ForeignKey:
    """Returns the model field for the account that owns a row."""
    words = {"related_name": "+", "verbose_name": pgettext_lazy("work", "owner")}
    return models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, **words, **more)


class Order(Row):
    """An order from BBOSS: a trial, a change of a trial, or an activation.

    Only services (tests/test_architecture.py) write `state`, `state_since`, `held_because`, `decision` and
    `undo_since`. `plans`: how often the order was planned. `Dispatch.plan` refers to this number.
    """

    class Kind(models.TextChoices):
        TRIAL = "trial", _("Trial order")  # a customer tries the CDN for free
        CHANGE = "change", _("Trial change")  # changes a running trial
        ACTIVATION = "activation", _("Activation")  # the customer buys

    class State(models.TextChoices):
        IN_PROGRESS = "in_progress", _("In progress")  # steps are being carried out
        HELD = "held", _("Held")  # waits, for the reason in `held_because`
        TRIALING = "trialing", _("On trial")  # trial: records exist, the trial runs
        CONVERTED = "converted", _("Converted")  # trial: an activation took it over
        ENDED = "ended", _("Ended")  # trial: its end has passed, an ending is in effect, or no domain is left
        APPLIED = "applied", _("Applied")  # change: carried out
        AWAITING_APPROVAL = "awaiting_approval", _("Awaiting approval")  # activation: BPM decides
        SCHEDULED = "scheduled", _("Scheduled")  # activation: all steps sent, waits for its start day
        ACTIVE = "active", _("Active")  # activation: the customer is live and billed
        REJECTED = "rejected", _("Rejected")  # activation: BPM rejected it
        FAILED = "failed", _("Failed")  # an open incident stopped it
        COMPENSATING = "compensating", _("Compensating")  # its sent steps are being undone
        WITHDRAWN = "withdrawn", _("Withdrawn")  # withdrawn by BBOSS or staff

    class Held(models.TextChoices):
        NOT = "", _("not held")
        TRIAL_UNKNOWN = "trial_unknown", _("its trial has not arrived yet")
        TRIAL_CLOSED = "trial_closed", _("its trial is withdrawn or ended")
        CLAIM_HELD = "claim_held", _("an activation holds the trial")
        TRIAL_BUSY = "trial_busy", _("an activation of the trial is being undone")
        TRIAL_HELD = "trial_held", _("its trial is itself held")
        ATTRIBUTION_UNKNOWN = "attribution_unknown", _("attribution unknown")
        DOMAINS_MISSING = "domains_missing", _("domains missing")
        TOO_MANY = "too_many", _("more records than the big-data side takes in a call")
        FILES = "files", _("info-security files are not right")

    class Decision(models.TextChoices):
        NONE = "", _("none yet")
        PASS = "pass", _("passed")
        REJECT = "reject", _("rejected")

    number = models.CharField(_("order number"), max_length=64, unique=True)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind.choices)
    state = models.CharField(_("state"), max_length=20, choices=State.choices, default=State.IN_PROGRESS)
    state_since = models.DateTimeField(
        _("in this state since"), null=True, blank=True, help_text=_("empty: since before the desk noted it")
    )  # `order_state_since` (orders/db/indexes.py) begins with it
    held_because = models.CharField(_("held because"), max_length=24, choices=Held.choices, blank=True, default="")
    decision = models.CharField(_("decision"), max_length=8, choices=Decision.choices, blank=True, default="")
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    undo_since = models.DateTimeField(_("undo mark since"), null=True, blank=True)
    undo_to = models.CharField(
        _("state after undoing"), max_length=20, choices=State.choices, blank=True, default="", editable=False
    )
    withdrawal_idh = models.CharField(_("transaction number of the withdrawal"), max_length=32, blank=True)

    trial = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="followers", verbose_name=_("trial")
    )
    trial_number = models.CharField(_("trial number"), max_length=64, blank=True, db_index=True)
    first = models.BooleanField(_("first activation"), null=True, blank=True)
    attribution = models.ForeignKey(
        "Province", models.PROTECT, null=True, blank=True, db_index=False, verbose_name=_("attribution")
    )  # `order_attribution` (orders/db/indexes.py) begins with it
    service_type = models.ForeignKey("ServiceType", models.PROTECT, null=True, blank=True, verbose_name=_("service"))
    changed_service = models.ForeignKey(
        "ServiceType",
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        db_constraint=False,
        related_name="+",
        editable=False,
        verbose_name=_("service by changes"),
    )  # only for trials whose shape has another service; `order_service` (orders/db/indexes.py) covers both fields

    enterprise_id = models.CharField(_("enterprise id"), max_length=64, blank=True)
    enterprise_name = models.CharField(_("enterprise name"), max_length=255, blank=True)
    cp_id = models.CharField(_("CP id"), max_length=64, blank=True)
    user_id = models.CharField(_("user id"), max_length=64, blank=True)
    oper_user = models.CharField(_("operator's name"), max_length=128, blank=True)
    oper_tel = models.CharField(_("operator's phone"), max_length=64, blank=True)
    oper_mail = models.CharField(_("operator's mail"), max_length=255, blank=True)
    prod_type = models.CharField(_("product type"), max_length=32, blank=True)
    product_id = models.CharField(_("product id"), max_length=64, blank=True)
    billing_method = models.CharField(_("billing method"), max_length=32, blank=True)
    data_flow = models.CharField(_("data flow"), max_length=64, blank=True)
    info_security = models.CharField(_("info-security file"), max_length=255, blank=True)
    info_security_table = models.CharField(_("info-security table"), max_length=255, blank=True)
    busi_info = models.CharField(_("business information file"), max_length=255, blank=True)

    biz_start = models.DateField(_("start day"), null=True, blank=True)
    biz_end = models.DateField(_("end day of the message"), null=True, blank=True)
    start_at = models.DateTimeField(
        _("later start"), null=True, blank=True, help_text=_("empty: starts as soon as it is carried out")
    )
    bpm_process = models.CharField(_("BPM process"), max_length=128, blank=True)

    content = models.JSONField(_("content as received"))
    content_hash = models.CharField(_("content hash"), max_length=64)
    trans_idh = models.CharField(_("our transaction number"), max_length=32)
    trace = models.CharField(_("trace"), max_length=32, blank=True, default="", db_default="", editable=False)
    received_at = models.DateTimeField(_("received at"))
    planned_at = models.DateTimeField(_("planned at"), null=True, blank=True)
    plans = models.PositiveSmallIntegerField(_("times planned"), default=0)
    change_number = models.PositiveIntegerField(
        _("change number"), null=True, blank=True, help_text=_("its place among what shapes its trial")
    )
    in_effect = models.BooleanField(
        _("in effect"), default=False, help_text=_("a change that says what its trial looks like")
    )
    given_up = models.JSONField(
        _("given up"), null=True, blank=True, help_text=_("of a trial or change: what it says nothing about")
    )
    given = models.JSONField(
        _("given"), default=list, blank=True, help_text=_("what its message or staff gave of what its trial has too")
    )
    proceeded = models.BooleanField(
        _("proceeded"), default=False, help_text=_("staff let it go on although its trial is withdrawn or ended")
    )
    undo_asked_at = models.DateTimeField(
        _("late undoing asked for at"),
        null=True,
        blank=True,
        help_text=_("staff choose how it, or an activation of it, is undone"),
    )
    live_at = models.DateTimeField(_("live since"), null=True, blank=True)
    owner = owner_field(db_index=False, db_constraint=False)
    """The account that must act if the order needs work. `order_owner` (orders/db/indexes.py) begins with it."""
    owner_since = models.DateTimeField(_("owner since"), null=True, blank=True)

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        ordering = ["-pk"]
        permissions = [
            ("see_personal_data", "Can see phones, mails and names of people"),
            ("resend_order", "Can resend failed steps"),
            ("compensate_order", "Can compensate an order"),
            ("withdraw_order", "Can withdraw an order"),
            ("upload_file", "Can upload an info-security file"),
            ("waive_finding", "Can waive an info-security finding"),
            ("choose_attribution", "Can choose an attribution"),
            ("run_activation", "Can run a start day by hand"),
            ("move_start", "Can move a start day"),
            ("move_end", "Can move a trial's end"),
            ("fetch_usage", "Can ask for trial traffic"),
            ("add_note", "Can add a note"),
            ("give_up_step", "Can give up a failed billing step"),
            ("take_books", "Can take the big-data side's books as ours"),
            ("accept_difference", "Can accept a difference"),
            ("compare_order", "Can compare an order with the big-data side"),
            ("fix_difference", "Can put a difference right"),
            ("decide_order", "Can make a later decision of BPM the one that counts"),
            ("proceed_order", "Can let an order of a closed trial go on"),
            ("name_domains", "Can name the domains of a held order"),
            ("own_order", "Can take and hand over what needs somebody"),
            ("push_approval", "Can push an approval"),
            ("erase_personal_data", "Can erase the personal data of a line that is over"),
        ]
        indexes = [
            models.Index(fields=["state", "-id"], name="order_state"),
            models.Index(fields=["start_at"], name="order_start", condition=models.Q(state="scheduled")),
            models.Index(fields=["biz_end"], name="order_trial_end", condition=models.Q(state="trialing")),
            models.Index(fields=["biz_end"], name="order_change_end", condition=models.Q(kind="change")),
            models.Index(fields=["trial"], name="order_undo_asked", condition=models.Q(undo_asked_at__isnull=False)),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["trial", "change_number"],
                condition=models.Q(change_number__isnull=False),
                name="one_change_per_number",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    state__in=[
                        "in_progress",
                        "held",
                        "trialing",
                        "converted",
                        "ended",
                        "applied",
                        "awaiting_approval",
                        "scheduled",
                        "active",
                        "rejected",
                        "failed",
                        "compensating",
                        "withdrawn",
                    ]
                ),
                name="order_state_known",
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=["trial", "change", "activation"]), name="order_kind_known"
            ),
            models.CheckConstraint(
                condition=models.Q(decision__in=["", "pass", "reject"]), name="order_decision_known"
            ),
            models.CheckConstraint(
                # `held_because` is set if and only if the order is held
                condition=models.Q(state="held") & ~models.Q(held_because="")
                | ~models.Q(state="held") & models.Q(held_because=""),
                name="order_held_says_why",
            ),
        ]

    def __str__(self):
        return self.number

    @property
    def file_names(self) -> list[str]:
        """The names of the order's info-security files, in the order of the message."""
        return [name for name in (self.info_security, self.info_security_table, self.busi_info) if name]


class OrderDomain(Row):
    """A domain of an order, as sent. `key` is its `domain_key`. A change has the complete resulting list."""

    order = models.ForeignKey(
        "Order", models.CASCADE, related_name="domains", db_index=False, verbose_name=_("order")
    )  # the constraint's index begins with it
    name = models.CharField(_("domain"), max_length=255)
    key = models.CharField(_("domain in lower case"), max_length=255, db_index=True)

    class Meta:
        verbose_name = _("domain")
        verbose_name_plural = _("domains")
        ordering = ["pk"]  # the order in the message
        constraints = [models.UniqueConstraint(fields=["order", "key"], name="one_domain_per_order")]

    def __str__(self):
        return self.name


class TrialShape(Row):
    """The shape of a trial: its target state (contract 3.9, 19), as computed by `orders.rules.trial_shape`.

    Intake creates the row with a new trial. After that, only `orders.trials.trial_state_writes` writes the row. A trial
    from an older version has no row until its shape is computed.
    """

    trial = models.OneToOneField(
        "Order", models.CASCADE, primary_key=True, related_name="shape", verbose_name=_("trial")
    )
    domains = models.JSONField(_("domains"), default=list, help_text=_("names as sent"))
    service = models.CharField(_("service"), max_length=8, blank=True)
    ends_on = models.DateField(_("end day"), null=True, blank=True, db_index=True)
    closed = models.BooleanField(_("closed"), default=False, help_text=_("an ending stands"))

    class Meta:
        verbose_name = _("shape of a trial")
        verbose_name_plural = _("shapes of trials")

    def __str__(self):
        return f"{self.trial_id}"


class TrialEnd(models.Model):
    """An end of a trial that does not come from a message: an ending, or the last day that staff set or took from the
    big-data side. `number`: the position of the end among the trial's changes, assigned under the trial's lock."""

    class Kind(models.TextChoices):
        ENDING = "ending", _("Ending")  # an activation of the trial was undone late, or a restore was given up
        TAKEN = "taken", _("End taken from the big-data side")

    trial = models.ForeignKey(
        "Order", models.PROTECT, related_name="ends", db_index=False, verbose_name=_("trial")
    )  # the constraint's index begins with it
    number = models.PositiveIntegerField(_("number"))
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    ends_on = models.DateField(_("end day"), null=True, blank=True, help_text=_("of a taken one; empty: no end"))
    at = models.DateTimeField(_("at"))
    by = models.CharField(_("by"), max_length=160)

    class Meta:
        verbose_name = _("end of a trial")
        verbose_name_plural = _("ends of trials")
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["trial", "number"], name="one_end_per_number")]

    def __str__(self):
        return f"{self.trial_id} {self.kind}"


class TrialClaim(Row):
    """An activation's claim on its trial. The first activation gets the claim (contract 3.9, First claim)."""

    trial = models.ForeignKey("Order", models.PROTECT, related_name="claims", verbose_name=_("trial"))
    activation = models.ForeignKey("Order", models.PROTECT, related_name="held_claims", verbose_name=_("activation"))
    taken_at = models.DateTimeField(_("taken at"))
    trial_was = models.CharField(
        _("trial's state before"), max_length=20, choices=Order.State.choices, default=Order.State.TRIALING
    )  # only 1.0.0 reads it; to be removed after a db_default was added (docs/mechanisms/versions.md)
    released_at = models.DateTimeField(_("released at"), null=True, blank=True)

    class Meta:
        verbose_name = _("claim")
        verbose_name_plural = _("claims")
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["trial"], condition=models.Q(released_at__isnull=True), name="one_claim_per_trial"
            )
        ]

    def __str__(self):
        return f"{self.activation_id} -> {self.trial_id}"

"""The outbox: the steps to send, their times, and all attempts."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from orders.db.row import Row
from orders.models.querysets import OPEN_STATES, DispatchQuerySet
from orders.models.step_notes import Notes
from orders.rules import steps


class Dispatch(Notes, Row):
    """A step of an order: a call or a check that is carried out exactly once, with a frozen payload.

    The usual states are waiting -> due -> sending -> done. `next_try_at` is the time at which a due or retrying row may
    be claimed, or at which the lease of a sending row ends. Payload, key and T never change once the first attempt has
    begun (contract 3.2).
    """

    Channel, Step = steps.Channel, steps.Step

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")  # for earlier steps, an approval or its start day
        DUE = "due", _("Due")  # may be claimed from next_try_at on
        SENDING = "sending", _("Sending")  # claimed by a worker, until its lease ends
        RETRYING = "retrying", _("Retrying")  # failed for now, retried at next_try_at
        DONE = "done", _("Done")  # accepted
        FAILED = "failed", _("Failed")  # refused, or no retries left; an incident has the cause
        CLOSED = "closed", _("Closed")  # will no longer be carried out
        UNDONE = "undone", _("Undone")  # was done, and has been compensated
        GIVEN_UP = "given_up", _("Given up")  # failed permanently; ended by staff, with a reason

    class Gate(models.TextChoices):
        NONE = "", _("none")
        APPROVAL = "approval", _("BPM's approval")
        START = "start", _("the start day")

    order = models.ForeignKey(
        "Order", models.PROTECT, related_name="dispatches", db_index=False, verbose_name=_("order")
    )  # `dispatch_order` begins with it
    step = models.CharField(_("step"), max_length=32, choices=Step.choices)
    channel = models.CharField(_("channel"), max_length=8, choices=Channel.choices)
    position = models.PositiveSmallIntegerField(_("position"))
    blocking = models.BooleanField(_("holds up later steps"), default=True)
    undo = models.BooleanField(_("undoes"), default=False, help_text=_("a step of compensation or withdrawal"))
    gate = models.CharField(_("waits for"), max_length=8, choices=Gate.choices, blank=True, default="")
    not_before = models.DateTimeField(_("not before"), null=True, blank=True)
    lane = models.BigIntegerField(
        _("line"), null=True, blank=True, help_text=_("the trial whose records it touches; one at a time per trial")
    )
    place = models.BigIntegerField(
        _("place in the line"), null=True, blank=True, help_text=_("of the dispatch that it replaces; else its own id")
    )
    records = models.JSONField(_("billing records"), default=list, blank=True)
    about = models.JSONField(_("what it is about"), default=dict, blank=True)  # use the properties of step_notes.py

    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.WAITING)
    plan = models.PositiveSmallIntegerField(
        _("plan"), default=1, help_text=_("which plan of its order it belongs to; each opening makes a new one")
    )
    repeat = models.BooleanField(
        _("repeat"), default=False, help_text=_("repeats what was accepted; nothing depends on its outcome")
    )
    size = models.PositiveIntegerField(_("records or domains"), default=0)
    key = models.UUIDField(_("idempotency key"), default=uuid.uuid4, editable=False)
    payload = models.TextField(_("payload"), blank=True)
    frozen_at = models.DateTimeField(_("T, first attempted at"), null=True, blank=True)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    may_have_acted = models.BooleanField(
        _("may have acted"), default=False, help_text=_("the partner has carried out an attempt of it, or may have")
    )
    unanswered_at = models.DateTimeField(
        _("unanswered at"), null=True, blank=True, help_text=_("when a call of it last ended without an answer")
    )
    lost = models.PositiveSmallIntegerField(
        _("attempts lost in a row"), default=0, help_text=_("their worker died; after one it is claimed alone")
    )
    tries_left = models.PositiveSmallIntegerField(_("retries left"), null=True, blank=True)
    next_try_at = models.DateTimeField(_("next try"), null=True, blank=True)
    lease_token = models.UUIDField(null=True, blank=True, editable=False)
    error_code = models.CharField(_("error code"), max_length=32, blank=True)
    error = models.TextField(_("error"), blank=True)
    error_params = models.JSONField(default=dict, db_default={}, blank=True, editable=False)
    definite = models.BooleanField(_("definitely answered"), default=False)
    superseded = models.BooleanField(_("replaced by a newer one"), default=False)
    created_at = models.DateTimeField(_("created at"))
    done_at = models.DateTimeField(_("done at"), null=True, blank=True)

    objects = DispatchQuerySet.as_manager()

    class Meta:
        verbose_name = _("dispatch")
        verbose_name_plural = _("dispatches")
        ordering = ["pk"]
        indexes = [
            models.Index(fields=["next_try_at"], name="dispatch_due", condition=models.Q(state__in=OPEN_STATES)),
            models.Index(fields=["not_before"], name="dispatch_waiting", condition=models.Q(state="waiting")),
            models.Index(fields=["lane", "id"], name="dispatch_lane", condition=models.Q(lane__isnull=False)),
            models.Index(fields=["order", "position"], name="dispatch_order"),
        ]
        constraints = [
            # A forced repeat of a BPM step has the key of the step that it repeats (contract 3.9, 7).
            models.UniqueConstraint(fields=["key"], condition=models.Q(repeat=False), name="one_dispatch_per_key"),
            models.CheckConstraint(
                condition=models.Q(
                    state__in=[
                        "waiting",
                        "due",
                        "sending",
                        "retrying",
                        "done",
                        "failed",
                        "closed",
                        "undone",
                        "given_up",
                    ]
                ),
                name="dispatch_state_known",
            ),
            models.CheckConstraint(
                condition=~models.Q(state__in=OPEN_STATES) | models.Q(next_try_at__isnull=False),
                name="dispatch_open_has_next_try",
            ),
            models.CheckConstraint(
                condition=models.Q(attempts=0) | models.Q(frozen_at__isnull=False),
                name="dispatch_attempted_is_frozen",
            ),
        ]

    def __str__(self):
        return f"{self.order_id} {self.step}"


class Attempt(Row):
    """A call of a step. The row is saved before the call, and its outcome is written once."""

    class Outcome(models.TextChoices):
        OPEN = "", _("no answer yet")
        OK = "ok", _("accepted")
        RETRY = "retry", _("failed for now")
        NOT_UNDERSTOOD = "unclear", _("not understood")
        REFUSED = "refused", _("refused for good")
        ACTED_BEFORE = "acted_before", _("acted before, with other bytes")
        HELD = "held", _("not right yet")
        LOST = "lost", _("the worker died")
        HANDED_BACK = "handed_back", _("not begun, handed back")
        LATE = "late", _("came too late to count")

    dispatch = models.ForeignKey("Dispatch", models.PROTECT, related_name="tries", verbose_name=_("dispatch"))
    number = models.PositiveIntegerField(_("number"))
    request_id = models.UUIDField(_("request id"), default=uuid.uuid4, editable=False)
    trace = models.CharField(_("trace"), max_length=32, blank=True, default="", db_default="", editable=False)
    started_at = models.DateTimeField(_("started at"))
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    outcome = models.CharField(_("outcome"), max_length=12, choices=Outcome.choices, blank=True, default="")
    http_status = models.PositiveSmallIntegerField(_("HTTP status"), null=True, blank=True)
    answer = models.TextField(_("answer"), blank=True)
    error_code = models.CharField(_("error code"), max_length=32, null=True, blank=True, editable=False)  # noqa: DJ001
    error = models.TextField(_("error"), blank=True)  # as logged: begins with the code
    worker = models.CharField(_("worker"), max_length=64, blank=True)

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = pgettext_lazy("rows", "attempts")
        ordering = ["pk"]

    def __str__(self):
        return f"{self.dispatch_id}/{self.number}"

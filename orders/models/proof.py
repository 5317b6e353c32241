"""Proofs that answers to calls with effects are read correctly; also holds and kept answers (contract 7.2)."""

from django.db import models


class PartnerProof(models.Model):
    """Marks a kind of step (`orders.outbox.proven_calls`) as proven, since an answer was a success by the rules in
    `rules`.

    `rules`: the hash of call, address and rules. `order`: the order's number, or empty if an upgrade created the row.
    """

    kind = models.CharField(max_length=8)
    call = models.CharField(max_length=16)
    rules = models.CharField(max_length=64)
    proven_at = models.DateTimeField()
    order = models.CharField(max_length=64, blank=True)

    class Meta:
        default_permissions = []
        constraints = [models.UniqueConstraint(fields=["kind", "rules"], name="one_proof_per_kind_and_rules")]

    def __str__(self):
        return f"{self.kind} {self.rules[:8]}"


class PartnerHold(models.Model):
    """A hold of a partner's creates, immediate cancels and starts. It begins after an unproven call got a doubtful
    answer. The hold is independent of pauses by staff. It ends with `resume` or with a success."""

    partner = models.CharField(max_length=16)
    kind = models.CharField(max_length=8)
    call = models.CharField(max_length=16)
    code = models.CharField(max_length=32)
    detail = models.TextField()
    order = models.CharField(max_length=64)
    since = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=160, blank=True)

    class Meta:
        default_permissions = []
        constraints = [
            models.UniqueConstraint(
                fields=["partner"], condition=models.Q(ended_at__isnull=True), name="one_open_hold_per_partner"
            )
        ]

    def __str__(self):
        return f"{self.partner} {self.since}"


class KeptAnswer(models.Model):
    """The bytes of an answer, to be read again: a refusal of a step that needs proof, or an answer that was not
    understood.

    `read`: the result of reading the answer. `said`: the values that the rule matched. Refusals are compared by these
    values. `after`: the id of the newest accepted attempt of the same kind of step when the answer was recorded, or 0
    if there was none.
    """

    attempt = models.OneToOneField("orders.Attempt", models.CASCADE, primary_key=True, related_name="kept")
    kind = models.CharField(max_length=8, blank=True)
    call = models.CharField(max_length=16)
    read = models.CharField(max_length=16)
    said = models.CharField(max_length=32, blank=True)
    order = models.CharField(max_length=64)
    after = models.BigIntegerField(default=0)
    at = models.DateTimeField()
    http_status = models.PositiveSmallIntegerField(null=True)
    charset = models.CharField(max_length=32)
    raw = models.BinaryField()

    class Meta:
        default_permissions = []
        indexes = [models.Index(fields=["kind", "said", "at"], name="kept_answers_by_kind")]

    def __str__(self):
        return f"{self.attempt_id} {self.read}"

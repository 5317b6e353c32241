"""BBOSS's messages, accepted or refused."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from orders.db.row import Row
from orders.rules.content import HashOf

ACCEPTED = "00000"  # `rsp_code` of accepted messages (contract 2.3)


class InboundMessage(Row):
    """A request that could be parsed as JSON, with our answer.

    Token and signature are masked. The row is append-only, except that staff can mark a conflict as seen.

    `body` is complete if the signature was valid. Otherwise `body` is the beginning of the masked request, so that
    strangers can't fill the disk (contract 2.3). `length` (bytes) and `sha256` describe the original request.
    """

    received_at = models.DateTimeField(_("received at"))
    remote_address = models.CharField(_("sender's address"), max_length=64, blank=True)
    trans_ido = models.CharField(_("caller's transaction number"), max_length=64, blank=True, db_index=True)
    trans_idh = models.CharField(_("our transaction number"), max_length=32)
    order_number = models.CharField(_("order number"), max_length=64, blank=True, db_index=True)
    http_status = models.PositiveSmallIntegerField(_("HTTP status"))
    rsp_code = models.CharField(_("answer code"), max_length=8)
    rsp_desc = models.TextField(_("answer"))
    biz_code = models.CharField(_("business code"), max_length=8, blank=True)
    hint = models.TextField(_("what was wrong"), blank=True)
    body = models.TextField(_("message"))
    signed = models.BooleanField(_("signed"), default=True)
    length = models.PositiveIntegerField(_("length in bytes"), null=True, blank=True)
    sha256 = models.CharField(_("SHA-256"), max_length=64, blank=True)
    seen = models.ForeignKey(
        "OrderEvent",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("seen"),
        help_text=_("the event that says who has seen to this conflict, when and why"),
    )

    class Meta:
        verbose_name = _("inbound message")
        verbose_name_plural = _("inbound messages")
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["id"], condition=models.Q(signed=False), name="inbound_unsigned"),
            models.Index(
                fields=["order_number"],
                name="conflict_open",
                condition=models.Q(rsp_code="30000", biz_code="3001", seen=None),
            ),
        ]

    def __str__(self):
        return f"{self.trans_ido} {self.rsp_code}"


class AcceptedCall(Row):
    """A transIDO that was answered 00000, with the hash of its content. The row is never deleted, since repeated calls
    need it (contract 2.3)."""

    trans_ido = models.CharField(_("caller's transaction number"), max_length=64, unique=True)
    content_hash = models.CharField(_("content hash"), max_length=64)
    order = models.ForeignKey("Order", models.PROTECT, related_name="calls", verbose_name=_("order"))

    class Meta:
        verbose_name = _("accepted call")
        verbose_name_plural = _("accepted calls")
        ordering = ["-pk"]

    def __str__(self):
        return self.trans_ido

    def says(self, digest: str, hash_of: HashOf) -> bool:
        """Returns True if this content was accepted. Also compares the given hash with a hash of the stored content by
        the present profile (contract 7.1)."""
        if self.content_hash == digest:
            return True
        if self.content_hash == self.order.content_hash:
            return hash_of(self.order.content) == digest
        kept = InboundMessage.objects.filter(trans_ido=self.trans_ido, rsp_code=ACCEPTED).order_by("pk").first()
        return kept is not None and hash_of(kept.body) == digest

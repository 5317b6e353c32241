"""Customers, and the search index. Both are filled from the orders, outside the intake's transaction.

Only `orders.search.index` writes these tables, and their rows can be rebuilt at any time. No code uses `IndexedOrder`,
`SearchPiece` and `SearchProgress`, the index of 1.10.0. These tables stay while a desk may go back to that version.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Customer(models.Model):
    """An enterprise, with the name from its orders."""

    enterprise_id = models.CharField(_("enterprise id"), max_length=64, primary_key=True)
    name = models.CharField(_("enterprise name"), max_length=255, blank=True)  # as BBOSS's newest order gives it
    attributions = models.ManyToManyField("Province", related_name="+", verbose_name=_("attributions"))
    last_order = models.ForeignKey("Order", models.PROTECT, related_name="+", verbose_name=_("newest order"))
    first_seen = models.DateTimeField(_("first order"))
    last_seen = models.DateTimeField(_("last order"))
    texts = models.TextField(null=True, editable=False)  # noqa: DJ001  older versions left it null
    """The search texts: the enterprise id and every name used in its orders, case-folded, one per line."""

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        default_permissions = ["view"]
        ordering = ["-last_order_id"]

    def __str__(self):
        return self.enterprise_id


class OrderText(models.Model):
    """The search texts of an order, case-folded. An order without a row is not indexed yet."""

    order = models.OneToOneField("Order", models.PROTECT, primary_key=True, related_name="+")
    number = models.TextField()
    product = models.TextField()
    process = models.TextField()  # BPM's process number
    phone = models.TextField()  # the operator's phone, matched only as a whole

    class Meta:
        default_permissions = []
        indexes = [  # the trigram index of `number` is in orders.db.indexes
            models.Index(fields=["product"], opclasses=["text_pattern_ops"], name="order_text_product"),
            models.Index(fields=["process"], opclasses=["text_pattern_ops"], name="order_text_process"),
            models.Index(fields=["phone", "order"], name="order_text_phone"),
        ]


class DomainText(models.Model):
    """A domain of any order: its key and, if internationalized, its Unicode form on a second line."""

    text = models.TextField(primary_key=True)

    class Meta:
        default_permissions = []


class TextProgress(models.Model):
    """The progress of the index. The index holds all orders from id `older` up to id `orders`, as of event `events`."""

    orders = models.BigIntegerField()
    older = models.BigIntegerField()
    events = models.BigIntegerField()

    class Meta:
        default_permissions = []


class IndexedOrder(models.Model):
    """An order in the search index, with its customer. An order that waits for its trial may have no customer."""

    order = models.OneToOneField("Order", models.PROTECT, primary_key=True, related_name="indexed")
    customer = models.ForeignKey("Customer", models.PROTECT, null=True, related_name="orders", db_index=False)

    class Meta:
        default_permissions = []
        indexes = [models.Index(fields=["customer", "order"], name="indexed_order_customer")]


class SearchPiece(models.Model):
    """A suffix of a searchable text.

    `piece` is UTF-8, so that both databases compare it byte by byte, regardless of their collation. `before`: the few
    characters before the piece. `target`: the id of the first OrderDomain with that domain, or of the first order with
    that text.
    """

    class Kind(models.IntegerChoices):
        NUMBER = 1  # the order's number
        CUSTOMER = 2  # the enterprise id or name
        DOMAIN = 3
        PRODUCT = 4
        PROCESS = 5  # BPM's process number
        PHONE = 6  # the operator's phone, matched only as a whole

    pk = models.CompositePrimaryKey("kind", "piece", "before", "target")
    kind = models.PositiveSmallIntegerField(choices=Kind.choices)
    piece = models.BinaryField(max_length=1024)
    before = models.CharField(max_length=4)
    target = models.BigIntegerField()

    class Meta:
        default_permissions = []


class SearchProgress(models.Model):
    """The progress of the index of 1.11.0; fields as in `TextProgress`."""

    orders = models.BigIntegerField()
    older = models.BigIntegerField()
    events = models.BigIntegerField()

    class Meta:
        default_permissions = []

"""Customers, and the search index. Both are filled from the orders, outside the intake's transaction.

`orders.search.index` is the only writer. A row of it can be removed and made again at any time. `IndexedOrder`,
`SearchPiece` and `SearchProgress` are the index of 1.11.0, which goes as docs/mechanisms/versions.md says.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Customer(models.Model):
    """An enterprise, as its orders name it."""

    enterprise_id = models.CharField(_("enterprise id"), max_length=64, primary_key=True)
    name = models.CharField(_("enterprise name"), max_length=255, blank=True)  # as BBOSS's newest order gives it
    attributions = models.ManyToManyField("Province", related_name="+", verbose_name=_("attributions"))
    last_order = models.ForeignKey("Order", models.PROTECT, related_name="+", verbose_name=_("newest order"))
    first_seen = models.DateTimeField(_("first order"))
    last_seen = models.DateTimeField(_("last order"))
    texts = models.TextField(null=True, editable=False)  # noqa: DJ001  a version before has noted none
    """By what it is found: its id and every name that an order gave it, folded, a line each."""

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        default_permissions = ["view"]
        ordering = ["-last_order_id"]

    def __str__(self):
        return self.enterprise_id


class OrderText(models.Model):
    """The texts by which an order is found, folded. An order without a row is not indexed yet."""

    order = models.OneToOneField("Order", models.PROTECT, primary_key=True, related_name="+")
    number = models.TextField()
    product = models.TextField()
    process = models.TextField()  # BPM's
    phone = models.TextField()  # the operator's, only as a whole

    class Meta:
        default_permissions = []
        indexes = [  # orders.db.indexes has the one of parts of numbers
            models.Index(fields=["product"], opclasses=["text_pattern_ops"], name="order_text_product"),
            models.Index(fields=["process"], opclasses=["text_pattern_ops"], name="order_text_process"),
            models.Index(fields=["phone", "order"], name="order_text_phone"),
        ]


class DomainText(models.Model):
    """A domain of any order: its key and, if it is internationalized, on a second line how people write it."""

    text = models.TextField(primary_key=True)

    class Meta:
        default_permissions = []


class TextProgress(models.Model):
    """The progress of the index. It holds all orders but those after `orders`, before `older`, or changed after
    `events`."""

    orders = models.BigIntegerField()
    older = models.BigIntegerField()
    events = models.BigIntegerField()

    class Meta:
        default_permissions = []


class IndexedOrder(models.Model):
    """An order that the search index holds, and whose it is. An order that waits for its trial may have no customer."""

    order = models.OneToOneField("Order", models.PROTECT, primary_key=True, related_name="indexed")
    customer = models.ForeignKey("Customer", models.PROTECT, null=True, related_name="orders", db_index=False)

    class Meta:
        default_permissions = []
        indexes = [models.Index(fields=["customer", "order"], name="indexed_order_customer")]


class SearchPiece(models.Model):
    """A part of a text that can be found, from one of its places to its end. `orders.rules.search_pieces` has the rule.

    `piece` is UTF-8, so that both databases compare it byte by byte, whatever their collation. `before` are the few
    characters in front of it. `target` is the id of the first OrderDomain with that domain, else of the first order
    with that text.
    """

    class Kind(models.IntegerChoices):
        NUMBER = 1  # the order's number
        CUSTOMER = 2  # the enterprise's id or name
        DOMAIN = 3
        PRODUCT = 4
        PROCESS = 5  # BPM's
        PHONE = 6  # the operator's, only as a whole

    pk = models.CompositePrimaryKey("kind", "piece", "before", "target")
    kind = models.PositiveSmallIntegerField(choices=Kind.choices)
    piece = models.BinaryField(max_length=1024)
    before = models.CharField(max_length=4)
    target = models.BigIntegerField()

    class Meta:
        default_permissions = []


class SearchProgress(models.Model):
    """The progress of the index of 1.11.0, as `TextProgress` is of this one's."""

    orders = models.BigIntegerField()
    older = models.BigIntegerField()
    events = models.BigIntegerField()

    class Meta:
        default_permissions = []

"""Proxy models for parts of other tables, each with its own list in the admin."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from orders.models.dispatch import Dispatch
from orders.models.inbound import InboundMessage
from orders.models.order import Order

CONFLICT = {"rsp_code": "30000", "biz_code": "3001"}  # contract 2.3: this OrderNum exists with other content


class Part(models.Manager):
    """Manager of the rows that meet a condition."""

    def __init__(self, *conditions: Q, **facts):
        super().__init__()
        self.conditions, self.facts = conditions, facts

    def get_queryset(self):
        return super().get_queryset().filter(*self.conditions, **self.facts)


class BillingDispatch(Dispatch):
    """A step to the big-data side (话单下发)."""

    objects = Part(channel=Dispatch.Channel.BILLING)

    class Meta:
        proxy = True
        default_permissions = ["view"]
        verbose_name = _("billing dispatch")
        verbose_name_plural = _("billing dispatches")


class BpmDispatch(Dispatch):
    """A step to BPM (BPM 下发)."""

    objects = Part(channel=Dispatch.Channel.BPM)

    class Meta:
        proxy = True
        default_permissions = ["view"]
        verbose_name = _("BPM dispatch")
        verbose_name_plural = _("BPM dispatches")


class Conflict(InboundMessage):
    """A message with the number of a known order and different content."""

    objects = Part(**CONFLICT)

    class Meta:
        proxy = True
        default_permissions = ["view"]
        verbose_name = _("conflict")
        verbose_name_plural = _("conflicts")


def open_conflicts() -> models.QuerySet[Conflict]:
    return Conflict.objects.filter(seen=None)


class OrderFiles(Order):
    """An order with info-security files."""

    objects = Part(~Q(info_security="", info_security_table="", busi_info=""))

    class Meta:
        proxy = True
        default_permissions = ["view"]
        verbose_name = _("attachment")
        verbose_name_plural = _("attachments")

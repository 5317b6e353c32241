"""Four simple tables that could store an order."""

from django.db import models


class Message(models.Model):
    """The request as received."""

    trans_ido = models.CharField(max_length=64, db_index=True)
    received_at = models.DateTimeField(auto_now_add=True)
    body = models.JSONField()


class Order(models.Model):
    """An order."""

    message = models.ForeignKey(Message, models.PROTECT)
    number = models.CharField(max_length=64, unique=True)
    trial_number = models.CharField(max_length=64, db_index=True)
    biz_start = models.CharField(max_length=8)
    prod_type = models.CharField(max_length=32)
    product_id = models.CharField(max_length=64)
    business_type = models.CharField(max_length=8)
    billing_method = models.CharField(max_length=32)
    data_flow = models.CharField(max_length=64)
    state = models.CharField(max_length=20, default="in_progress")


class Step(models.Model):
    """A step of an order."""

    order = models.ForeignKey(Order, models.PROTECT)
    name = models.CharField(max_length=32)
    state = models.CharField(max_length=10, default="due")
    next_try_at = models.DateTimeField(auto_now_add=True)


class Event(models.Model):
    """An event of an order."""

    order = models.ForeignKey(Order, models.PROTECT)
    at = models.DateTimeField(auto_now_add=True)
    kind = models.CharField(max_length=32)
    data = models.JSONField(default=dict)

"""The serializers of the read API. /api/schema is generated from them.

Codes are plain strings in the schema. New versions may add codes, so callers should not reject unknown codes.
"""

import datetime
from collections.abc import Callable
from typing import Any

from django.urls import reverse
from rest_framework import serializers

from approvals.models import ApprovalRecord
from notifications.masks import head, mask_mail, mask_name, mask_phone
from orders.admin.order_list import mark_words
from orders.history.actors import user_name
from orders.incidents.incident_codes import SAID_BY_STAFF
from orders.lists.personal_data import mask_text_or_json
from orders.lists.service_names import service_name
from orders.models import BillingRecord, Dispatch, Order
from orders.queries.order_status import MAX_APPROVALS, iso_time, logged_error
from orders.texts.incident_texts import cause_of
from orders.texts.untrusted_text import bounded
from orders.trials.trial_state_reads import shape_row

OPINION, BYTES = 2000, 4  # OPINION: characters of an opinion that are shown; BYTES: the most bytes of a character
TIME = "ISO 8601, Asia/Shanghai"


class Text(serializers.CharField):
    """A text, or null. If the text is not an attribute of the row, `of(row)` computes it."""

    def __init__(self, about: str = "", *, null: bool = False, of: Callable[[Any], Any] | None = None, **more):
        super().__init__(allow_blank=True, allow_null=null, help_text=about, **more)
        self.of = of

    def get_attribute(self, instance):
        return self.of(instance) if self.of else super().get_attribute(instance)


class Code(Text):
    """A value of a model's choices. The schema lists all values."""

    def __init__(self, choices: type, **more):
        super().__init__(f"one of {', '.join(value for value in choices.values if value)}", **more)


class Time(Text):
    def __init__(self, about: str = TIME, **more):
        super().__init__(about, **more)

    def to_representation(self, value):
        return iso_time(value)


class Seconds(serializers.IntegerField):
    """A duration in seconds, computed by `of(row)`, or null."""

    def __init__(self, about: str, *, of: Callable[[Any], int | None], **more):
        super().__init__(allow_null=True, help_text=about, **more)
        self.of = of

    def get_attribute(self, instance):
        return self.of(instance)


class Masked(Text):
    """Personal data, or a free text that may contain personal data. If the serializer's context lacks `shown`, the
    value is masked."""

    def __init__(self, about: str = "", *, mask: Callable[[str], str] = mask_text_or_json, **more):
        super().__init__(about, **more)
        self.mask = mask

    def to_representation(self, value):
        return (bounded if self.context["shown"] else self.mask)(str(value))


class Opinion(Masked):
    """The first OPINION characters of an opinion. The text is also shortened before masking, because masking long texts
    is slow."""

    def to_representation(self, value):
        return super().to_representation(head(value, OPINION * BYTES)[0])[:OPINION]


class Address(serializers.CharField):
    """The URL of an order in the read API. DRF's HyperlinkedIdentityField would take twice as long."""

    def get_attribute(self, instance):
        return self.context["request"].build_absolute_uri(reverse("api-order", args=[instance.number]))


class ErrorSerializer(serializers.Serializer):
    """The reason of a refused call."""

    error = serializers.CharField(help_text="what is wrong")
    field = serializers.CharField(required=False, allow_blank=True, help_text="the parameter that is wrong")


class CustomerSerializer(serializers.Serializer):
    id = Text("EnterpriseID", source="enterprise_id")
    name = Text("EnterpriseName, as the order or the newest one gives it", source="enterprise_name")


def _last_day(order: Order) -> datetime.date | None:
    """Returns the last day of a trial as currently planned. For other orders, returns the last day in the order's
    message."""
    shape = shape_row(order)
    return shape.ends_on if shape else order.biz_end


def _doubt(order: Order) -> str | None:
    return mark_words(order.marks) if order.marks.doubt or order.marks.behind else None


class SummarySerializer(serializers.Serializer):
    """An order and its state. Labels are Chinese, as on the desk's pages."""

    order = serializers.CharField(source="number", help_text="OrderNum")
    kind = Code(Order.Kind)
    kind_label = Text(of=lambda order: Order.Kind(order.kind).label)
    state = Code(Order.State)
    state_label = Text(of=lambda order: Order.State(order.state).label)
    since = Time(
        f"when it got this state ({TIME}); null of an order from before the desk noted it",
        null=True,
        source="state_since",
    )
    held_because = Code(Order.Held, null=True, of=lambda order: order.held_because or None)
    held_label = Text(null=True, of=lambda order: Order.Held(order.held_because).label if order.held_because else None)
    customer = CustomerSerializer(source="*")
    attribution = Text("JT, GJ or a province's letters", null=True, source="attribution_id")
    attribution_label = Text(null=True, source="attribution.name")
    service = Text("BusinessType; of a trial the one that is meant now", null=True, source="service_now.pk")
    service_label = Text(null=True, of=lambda order: service_name(order.service_now) or None)
    product_id = Text(null=True, of=lambda order: order.product_id or None)
    start = Text(
        f"a day, or a moment ({TIME})", null=True, of=lambda order: iso_time(order.start_at) or order.biz_start
    )
    end = Text("the last day; of a trial the one that is meant now", null=True, of=_last_day)
    received_at = Time()
    live_at = Time(null=True)
    over_time = Seconds(
        "of working time beyond the limit of its state; null while it is in time",
        of=lambda order: order.overtime and order.overtime.beyond_seconds,
    )
    owner = Text(
        "the user name of whose it is while it needs somebody or is under way",
        null=True,
        of=lambda order: user_name(order.owned_by),
    )
    doubt = Text("why it is not as fine as its state says", null=True, of=_doubt)


class ListedOrderSerializer(SummarySerializer):
    """An order in a list."""

    url = Address(help_text="the order's own address")


class OrdersPageSerializer(serializers.Serializer):
    results = ListedOrderSerializer(many=True)
    next = Text("the address of the next page", null=True)


class StandsSerializer(serializers.Serializer):
    """The state of an order."""

    at = Text("the stage", source="title")
    result = Text()
    since = Time(null=True, source="at")
    cause = Text("what is wrong", null=True, source="cause.what")
    behind = Text("the order that it waits for", null=True, source="other.number")
    next = Masked(
        "what happens next, or what must be done",
        null=True,
        of=lambda stage: (stage.cause.next if stage.cause else stage.note) or None,
    )


class StepSerializer(serializers.Serializer):
    """A step of an order."""

    name = Code(Dispatch.Step, source="step")
    channel = Code(Dispatch.Channel)
    status = Code(Dispatch.State, source="state")
    attempts = serializers.IntegerField()
    next_try = Time(null=True, source="next_try_at")
    error = Masked("its code and the partner's words", null=True, of=logged_error)
    label = Text(of=lambda row: Dispatch.Step(row.step).label)
    status_label = Text(source="get_state_display")
    cause = Text(null=True, of=lambda row: cause_of(row.error_code).what if row.error_code else None)


class ApprovalRecordSerializer(serializers.Serializer):
    """An approval record of BPM or of staff."""

    recordId = Text()
    node = Masked()
    result = Code(ApprovalRecord.Result)
    operator = Masked("masked unless the token may see people's data", mask=mask_name)
    opinion = Opinion(f"its first {OPINION} characters")
    time = Text(TIME)
    finished = serializers.BooleanField()
    result_label = Text(of=lambda row: ApprovalRecord.Result(row["result"]).label)


class IncidentSerializer(serializers.Serializer):
    """An open incident that stops the order."""

    partner = Text()
    step = Text()
    code = Text()
    detail = Masked(
        "the partner's words; null where only staff's own tell more",
        null=True,
        of=lambda row: None if row["code"] in SAID_BY_STAFF else row["detail"],
    )
    state = Text()
    since = Text(TIME)
    cause = Text(of=lambda row: cause_of(row["code"]).what)
    next = Text("what to do", of=lambda row: cause_of(row["code"]).next)


class ScheduleSerializer(serializers.Serializer):
    """The job that starts an order on its day."""

    name = Text()
    next_run = Text(TIME, null=True)


class OperatorSerializer(serializers.Serializer):
    """The person at the customer. If the token may not see people's data, the person is masked."""

    name = Masked(source="oper_user", mask=mask_name)
    phone = Masked(source="oper_tel", mask=mask_phone)
    mail = Masked(source="oper_mail", mask=mask_mail)


class OrderFactsSerializer(SummarySerializer):
    """All facts of an order."""

    first = serializers.BooleanField(allow_null=True, help_text="whether it is its trial's first activation")
    trial = Text("its trial's number, as the order names it", null=True, of=lambda order: order.trial_number or None)
    stands = StandsSerializer()
    steps = StepSerializer(many=True)
    approvals = ApprovalRecordSerializer(
        many=True, source="facts.approvals", help_text=f"the newest {MAX_APPROVALS}, the oldest of them first"
    )
    incidents = IncidentSerializer(many=True, source="facts.incidents")
    records = serializers.DictField(
        child=serializers.IntegerField(),
        source="facts.records",
        help_text=f"billing records by state: {', '.join(BillingRecord.State.values)}",
    )
    bpm_process = Text(null=True, source="facts.bpm_process")
    schedule = ScheduleSerializer(allow_null=True, source="facts.schedule")
    erased_at = Text(TIME, null=True, source="facts.erased_at")
    operator = OperatorSerializer(source="*")


class BilledSerializer(serializers.Serializer):
    """The number of a customer's billing records of one type."""

    info_type = Code(BillingRecord.Type)
    label = Text(source="info_type.label")
    records = serializers.IntegerField(source="number", help_text="those in force now")
    since = Time(null=True)
    later = serializers.IntegerField(help_text="those that begin later")
    begins = Time("when the first of those begins", null=True)


class TheirsSerializer(serializers.Serializer):
    """The big-data side's last answer about a record."""

    said = Text(source="word")
    at = Time(null=True)
    differs = serializers.BooleanField()
    compared = serializers.BooleanField(help_text="false: it only accepted what we sent")


class RecordSerializer(serializers.Serializer):
    """A billing record that is live or may be live."""

    order = Text(source="order.number")
    info_type = Code(BillingRecord.Type)
    info_type_label = Text(of=lambda row: BillingRecord.Type(row.info_type).label)
    product_id = Text()
    domain = Text()
    state = Code(BillingRecord.State)
    state_label = Text(of=lambda row: BillingRecord.State(row.state).label)
    since = Time(null=True, source="create_time")
    until = Time(null=True, source="cancel_time")
    theirs = TheirsSerializer()


class BillingPageSerializer(serializers.Serializer):
    """A customer's current billing. Each page has records. The first page also has the counts of all records."""

    customer = CustomerSerializer()
    billed = BilledSerializer(many=True, allow_null=True, help_text="of all records; null behind the first page")
    results = RecordSerializer(many=True)
    next = Text("the address of the next page", null=True)

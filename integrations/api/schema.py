"""The description of the read API in /api/schema and /api/docs. It validates nothing."""

from itertools import starmap

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from approvals.models import ApprovalRecord
from integrations.api.answers import AWAY, CURSOR, LIMIT, MOST, USUAL, WORDS
from integrations.api.orders import OPINION, PERSONAL, choices, days, filters
from orders.models import BillingRecord, Dispatch, Order
from orders.queries.status_report import MOST_APPROVALS

TIME = "ISO 8601, Asia/Shanghai"
TAG = "read"


class BearerScheme(OpenApiAuthenticationExtension):
    """How a caller shows its token."""

    target_class = "integrations.api.authentication.BearerAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema) -> dict:
        return {"type": "http", "scheme": "bearer", "description": "A token that an administrator of the desk made."}


def _text(about: str = "", *, null: bool = False) -> serializers.CharField:
    return serializers.CharField(allow_blank=True, allow_null=null, help_text=about)


def _one_of(choices: type, *, null: bool = False) -> serializers.CharField:
    """A code. New ones may come with a new version, so callers should not refuse others."""
    codes = ", ".join(str(value) for value in choices.values if value)
    return _text(f"one of {codes}", null=null)


class ErrorSerializer(serializers.Serializer):
    """Why a call was refused."""

    error = serializers.CharField(help_text="what is wrong")
    field = serializers.CharField(required=False, allow_blank=True, help_text="the parameter that is wrong")


class CustomerSerializer(serializers.Serializer):
    """A customer."""

    id = _text("EnterpriseID")
    name = _text("EnterpriseName, as the order or the newest one gives it")


class SummarySerializer(serializers.Serializer):
    """What an order is, and its state. Labels are Chinese, as on the desk's pages."""

    order = serializers.CharField(help_text="OrderNum")
    kind = _one_of(Order.Kind)
    kind_label = _text()
    state = _one_of(Order.State)
    state_label = _text()
    since = _text(f"when it got this state ({TIME}); null of an order from before the desk noted it", null=True)
    held_because = _one_of(Order.Held, null=True)
    held_label = _text(null=True)
    customer = CustomerSerializer()
    attribution = _text("JT, GJ or a province's letters", null=True)
    attribution_label = _text(null=True)
    service = _text("BusinessType; of a trial the one that is meant now", null=True)
    service_label = _text(null=True)
    product_id = _text(null=True)
    start = _text(f"a day, or a moment ({TIME})", null=True)
    end = _text("the last day; of a trial the one that is meant now", null=True)
    received_at = _text(TIME)
    live_at = _text(TIME, null=True)
    doubt = _text("why it is not as fine as its state says", null=True)


class ListedOrderSerializer(SummarySerializer):
    """An order in a list."""

    url = serializers.CharField(help_text="the order's own address")


class OrdersPageSerializer(serializers.Serializer):
    """A page of orders."""

    results = ListedOrderSerializer(many=True)
    next = _text("the address of the next page", null=True)


class StandsSerializer(serializers.Serializer):
    """Where an order stands."""

    at = _text("the stage")
    result = _text()
    since = _text(TIME, null=True)
    cause = _text("what is wrong", null=True)
    behind = _text("the order that it waits for", null=True)
    next = _text("what happens next, or what must be done", null=True)


class StepSerializer(serializers.Serializer):
    """A step of an order."""

    name = _one_of(Dispatch.Step)
    label = _text()
    channel = _one_of(Dispatch.Channel)
    status = _one_of(Dispatch.State)
    status_label = _text()
    attempts = serializers.IntegerField()
    next_try = _text(TIME, null=True)
    error = _text("its code and the partner's words", null=True)
    cause = _text(null=True)


class ApprovalRecordSerializer(serializers.Serializer):
    """A record of BPM, or of staff."""

    recordId = _text()
    node = _text()
    result = _one_of(ApprovalRecord.Result)
    result_label = _text()
    operator = _text("masked unless the token may see people's data")
    opinion = _text(f"its first {OPINION} characters")
    time = _text(TIME)
    finished = serializers.BooleanField()


class IncidentSerializer(serializers.Serializer):
    """An open incident that stops the order."""

    partner = _text()
    step = _text()
    code = _text()
    detail = _text("the partner's words; null where only staff's own tell more", null=True)
    state = _text()
    since = _text(TIME)
    cause = _text()
    next = _text("what to do")


class ScheduleSerializer(serializers.Serializer):
    """The job that starts an order on its day."""

    name = _text()
    next_run = _text(TIME, null=True)


class OperatorSerializer(serializers.Serializer):
    """The customer's person, masked unless the token may see people's data."""

    name = _text()
    phone = _text()
    mail = _text()


class OrderFactsSerializer(SummarySerializer):
    """All that is told about an order."""

    first = serializers.BooleanField(allow_null=True, help_text="whether it is its trial's first activation")
    trial = _text("its trial's number, as the order names it", null=True)
    stands = StandsSerializer()
    steps = StepSerializer(many=True)
    approvals = ApprovalRecordSerializer(many=True, help_text=f"the newest {MOST_APPROVALS}, the oldest of them first")
    incidents = IncidentSerializer(many=True)
    records = serializers.DictField(
        child=serializers.IntegerField(), help_text=f"billing records by state: {', '.join(BillingRecord.State.values)}"
    )
    bpm_process = _text(null=True)
    schedule = ScheduleSerializer(allow_null=True)
    operator = OperatorSerializer()


class BilledSerializer(serializers.Serializer):
    """How many records of a kind a customer has."""

    info_type = _one_of(BillingRecord.Type)
    label = _text()
    records = serializers.IntegerField(help_text="those in force now")
    since = _text(TIME, null=True)
    later = serializers.IntegerField(help_text="those that begin later")
    begins = _text("when the first of those begins", null=True)


class TheirsSerializer(serializers.Serializer):
    """What the big-data side last said of a record."""

    said = _text()
    at = _text(TIME, null=True)
    differs = serializers.BooleanField()
    compared = serializers.BooleanField(help_text="false: it only accepted what we sent")


class RecordSerializer(serializers.Serializer):
    """A billing record that is live, or may be."""

    order = _text()
    info_type = _one_of(BillingRecord.Type)
    info_type_label = _text()
    product_id = _text()
    domain = _text()
    state = _one_of(BillingRecord.State)
    state_label = _text()
    since = _text(TIME, null=True)
    until = _text(TIME, null=True)
    theirs = TheirsSerializer()


class BillingPageSerializer(serializers.Serializer):
    """What a customer is billed now: counts of all records on the first page, and a page of them."""

    customer = CustomerSerializer()
    billed = BilledSerializer(many=True, allow_null=True, help_text="of all records; null behind the first page")
    results = RecordSerializer(many=True)
    next = _text("the address of the next page", null=True)


ERRORS = {
    400: ("a parameter is wrong; `field` names it", {"error": f"must be a number from 1 to {MOST}", "field": LIMIT}),
    401: ("no token, or one that is not in force", {"error": "the token is unknown"}),
    404: ("no such order or customer, or none that the token may see", {"error": "no order of this number"}),
    **{status: (words, {"error": words}) for status, words in WORDS.items()},
    503: (AWAY, {"error": AWAY}),
}
ROWS = {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL}
PAGING = [
    OpenApiParameter(LIMIT, ROWS, description="rows of a page"),
    OpenApiParameter(CURSOR, str, description="as in the `next` of the page before"),
]
PEOPLE = OpenApiParameter(
    PERSONAL, str, enum=["1"], description="shows people's data, if the token may; it is noted in the order's history"
)
SAME = OpenApiParameter(
    "If-None-Match", str, OpenApiParameter.HEADER, description="an ETag; 304 where nothing has changed"
)


def _responses(serializer: type, *without: int) -> dict:
    errors = {
        status: OpenApiResponse(ErrorSerializer, about, [OpenApiExample(str(status), value=body, response_only=True)])
        for status, (about, body) in ERRORS.items()
        if status not in without
    }
    return {200: serializer, 304: OpenApiResponse(description="as the caller has it"), **errors}


def _filter(name: str, about: str) -> OpenApiParameter:
    """A filter with the values that it takes, or an example."""
    words = days().get(name)
    if words is None:
        return OpenApiParameter(name, str, description=about, enum=choices().get(name))
    about = f"{about}: {', '.join(words)}, or days: 2026-11-25, 2026-11-01..2026-11-25, 2026-11-01.. or ..2026-11-25"
    return OpenApiParameter(name, str, description=about)


class OrdersSchema(AutoSchema):
    """The list's address: it takes the filters of the staff's list, whatever these are."""

    def get_operation_id(self) -> str:
        return "read_orders"

    def get_summary(self) -> str:
        return "Orders under a filter, the newest first"

    def get_tags(self) -> list[str]:
        return [TAG]

    def get_override_parameters(self) -> list[OpenApiParameter]:
        search = OpenApiParameter("q", str, description="a number or its beginning, a customer, a domain, a product id")
        return [*starmap(_filter, filters().items()), search, *PAGING, SAME]

    def get_response_serializers(self) -> dict:
        return _responses(OrdersPageSerializer, 404)


documented_order = extend_schema(
    operation_id="read_order", summary="Where an order stands", tags=[TAG], parameters=[PEOPLE, SAME],
    responses=_responses(OrderFactsSerializer),
)  # fmt: skip
documented_billing = extend_schema(
    operation_id="read_billing", summary="What a customer is billed now", tags=[TAG], parameters=[*PAGING, SAME],
    responses=_responses(BillingPageSerializer),
)  # fmt: skip

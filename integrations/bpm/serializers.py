"""The fields of an approval from BPM. Values are not coerced or trimmed (contract 3.6)."""

import datetime
import re

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from approvals.models import ApprovalRecord
from orders.local_time import SHANGHAI

RESULTS = ["pass", "reject", "return"]
_TIME = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})")
_EARLIEST_YEAR = 1970


@extend_schema_field(OpenApiTypes.STR)
class TextField(serializers.Field):
    """A string of at most `most` characters. A required one must not be blank; an optional one may be null."""

    default_error_messages = {
        "required": "is missing",
        "null": "must be a string, not null",
        "type": "must be a string",
        "blank": "must not be empty",
        "length": "is longer than {most} characters",
    }

    def __init__(self, *, most: int | None = None, **kwargs):
        kwargs.setdefault("allow_null", kwargs.get("required") is False)
        super().__init__(**kwargs)
        self.most = most

    def to_internal_value(self, data) -> str:
        if not isinstance(data, str):
            self.fail("type")
        if self.required and not data.strip():
            self.fail("blank")
        if self.most is not None and len(data) > self.most:
            self.fail("length", most=self.most)
        return data

    def to_representation(self, value) -> str:
        return value


class ResultField(TextField):
    default_error_messages = {"choice": f"must be one of {', '.join(RESULTS)}"}

    def to_internal_value(self, data) -> str:
        text = super().to_internal_value(data)
        return text if text in RESULTS else self.fail("choice")


class TimeField(TextField):
    """A time `YYYY-MM-DD HH:MM:SS` in Asia/Shanghai, read as an aware datetime."""

    default_error_messages = {"time": "is not a time YYYY-MM-DD HH:MM:SS"}

    def to_internal_value(self, data) -> datetime.datetime:
        match = _TIME.fullmatch(super().to_internal_value(data))
        try:
            moment = match and datetime.datetime(*map(int, match.groups()), tzinfo=SHANGHAI)
        except ValueError:
            moment = None
        return moment if moment and moment.year >= _EARLIEST_YEAR else self.fail("time")


@extend_schema_field(OpenApiTypes.BOOL)
class TrueOrFalseField(serializers.Field):
    """Only true or false. "true" and 1 are errors."""

    default_error_messages = {
        "required": "is missing",
        "null": "must be true or false, not null",
        "type": "must be true or false",
    }

    def to_internal_value(self, data) -> bool:
        return data if isinstance(data, bool) else self.fail("type")

    def to_representation(self, value) -> bool:
        return value


def _size(column: str) -> int:
    return ApprovalRecord._meta.get_field(column).max_length


class ApprovalSerializer(serializers.Serializer):
    """One approval record of BPM. `validated_data` has the names of `receive_approval`'s arguments."""

    recordId = TextField(source="record_id", most=_size("record_id"))
    code = TextField(source="number", help_text="The order's number")
    node = TextField(required=False, most=_size("node"))
    nodeName = TextField(source="node_name", required=False, most=_size("node_name"))
    result = ResultField(help_text=", ".join(RESULTS))
    operator = TextField(required=False, most=_size("operator"))
    opinion = TextField(required=False)
    time = TimeField(help_text="YYYY-MM-DD HH:MM:SS, Asia/Shanghai")
    finished = TrueOrFalseField()

    def validate(self, attrs: dict) -> dict:
        if attrs["finished"] and attrs["result"] == "return":
            raise serializers.ValidationError({"finished": "must be false where result is return"})
        optional = ("node", "node_name", "operator", "opinion")
        return {**attrs, **{name: attrs.get(name) or "" for name in optional}}


class AnswerSerializer(serializers.Serializer):
    """The answer to BPM."""

    code = serializers.IntegerField()
    message = serializers.CharField()

"""Serializer fields of BPM's approvals, according to the profile. Nothing is coerced or trimmed (contract 3.6, 7.1)."""

import datetime
import json
import re
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import empty

from approvals.models import ApprovalRecord
from integrations.bboss.envelope_checks import read_moment
from integrations.partners.member_rules import equals
from integrations.partners.profile import EPOCHS, Callback
from orders.rules.content import content_hash
from orders.rules.local_time import SHANGHAI

RESULTS = ["pass", "reject", "return"]
OUR_TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
_TIME = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})")
_EARLIEST_YEAR = 1970


@extend_schema_field(OpenApiTypes.STR)
class TextField(serializers.Field):
    """A string of at most `most` characters. A required string must not be blank. An optional string may be null."""

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


class RecordIdField(TextField):
    """BPM's id of the record. If the profile allows a record without an id, the record's hash is used as its id."""

    def validate_empty_values(self, data):
        if data in (empty, None, "") and _how().record_id_absent == "hash":
            return True, ""
        return super().validate_empty_values(data)


class ResultField(TextField):
    """One of the profile's values for pass, reject and return. The parsed value is ours."""

    default_error_messages = {"choice": "must be one of {known}"}

    def to_internal_value(self, data) -> str:
        how = _how()
        lists = zip(RESULTS, (how.passes, how.rejects, how.returns), strict=True)
        known = [(ours, value) for ours, values in lists for value in values]
        for ours, value in known:
            if equals(value, data):
                return ours
        if all(isinstance(value, str) for _ours, value in known):
            super().to_internal_value(data)
        return self.fail("choice", known=_listed(value for _ours, value in known))


class TimeField(TextField):
    """A time in one of the profile's forms. A time without an offset is in Asia/Shanghai. The parsed value is an aware
    datetime."""

    default_error_messages = {"time": "is not a time {forms}"}

    def to_internal_value(self, data) -> datetime.datetime:
        forms = _how().time_formats
        if type(data) is int and not EPOCHS.keys().isdisjoint(forms):
            data = str(data)
        text = super().to_internal_value(data)
        moment = next(
            filter(None, (_time(text) if form == OUR_TIME_FORMAT else read_moment(text, [form]) for form in forms)),
            None,
        )
        known = " or ".join(forms).replace(OUR_TIME_FORMAT, "YYYY-MM-DD HH:MM:SS")
        return moment if moment and moment.year >= _EARLIEST_YEAR else self.fail("time", forms=known)


def _time(text: str) -> datetime.datetime | None:
    match = _TIME.fullmatch(text)
    try:
        return match and datetime.datetime(*map(int, match.groups()), tzinfo=SHANGHAI)
    except ValueError:
        return None


def _how() -> Callback:
    return settings.PARTNERS.bpm.callback


def _listed(values) -> str:
    return ", ".join(value if isinstance(value, str) else json.dumps(value) for value in values)


@extend_schema_field(OpenApiTypes.BOOL)
class TrueOrFalseField(serializers.Field):
    """One of the profile's values for finished and unfinished. By default these are the booleans true and false, and
    the text "true" or the number 1 is refused."""

    default_error_messages = {
        "required": "is missing",
        "null": "must be true or false, not null",
        "type": "must be {known}",
    }

    def validate_empty_values(self, data):
        if data is empty and (said := _how().without_finished) is not None:
            return True, said
        return super().validate_empty_values(data)

    def to_internal_value(self, data) -> bool:
        how = _how()
        for said, values in ((True, how.finished), (False, how.unfinished)):
            if any(equals(value, data) for value in values):
                return said
        return self.fail(
            "type", known=_listed([*how.finished, *how.unfinished]).replace("true, false", "true or false")
        )

    def to_representation(self, value) -> bool:
        return value


def _size(column: str) -> int:
    return ApprovalRecord._meta.get_field(column).max_length


class ApprovalSerializer(serializers.Serializer):
    """One approval record of BPM. `validated_data` has the names of `receive_approval`'s arguments."""

    recordId = RecordIdField(source="record_id", most=_size("record_id"))
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
        found = {**attrs, **{name: attrs.get(name) or "" for name in optional}}
        return found | {"record_id": found["record_id"] or hash_of_read(self.initial_data)}


def hash_of_read(members: Mapping[str, Any]) -> str:
    """Returns the hash of the members that the serializer reads, under our names, without recordId."""
    read = ApprovalSerializer().fields.keys() - {"recordId"}
    return content_hash({name: members[name] for name in read if name in members})


class AnswerSerializer(serializers.Serializer):
    """The answer to BPM."""

    code = serializers.IntegerField()
    message = serializers.CharField()

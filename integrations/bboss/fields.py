"""Fields that take JSON strings as they are: no coercion, no trimming, messages in English (contract 2.4)."""

import re

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from integrations.bboss.envelope import shown
from integrations.bboss.times import parse_day
from orders.content import domain_fault

EARLIEST_YEAR = 1970
_NUMBER = re.compile(r"[A-Za-z0-9_-]{1,64}")


@extend_schema_field(OpenApiTypes.STR)
class StringField(serializers.Field):
    """A string. A blank one counts as missing where the member is required, else as not given."""

    default_error_messages = {
        "required": "is missing",
        "null": "must be a string, not null",
        "type": "must be a string",
        "length": "is longer than {most} characters",
    }

    def __init__(self, *, most: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self.most = most

    def to_internal_value(self, data) -> str:
        if not isinstance(data, str):
            self.fail("type")
        if not data.strip():
            return self.fail("required") if self.required else self.when_empty()
        if self.most is not None and len(data) > self.most:
            self.fail("length", most=self.most)
        return self.read(data)

    def when_empty(self):
        """What a blank optional member stands for."""
        return ""

    def read(self, text: str):
        """The value of a text that is not blank. Fails with a ValidationError."""
        return text

    def to_representation(self, value) -> str:
        return str(value)


class NumberField(StringField):
    """An order's number."""

    default_error_messages = {"form": "must be 1 to 64 of A-Z, a-z, 0-9, _ and -"}

    def read(self, text: str) -> str:
        return text if _NUMBER.fullmatch(text) else self.fail("form")


class DayField(StringField):
    """A real date YYYYMMDD, from 1970 on: a year below 1000 would leave us without its leading zeros."""

    default_error_messages = {
        "day": "{given} is not a date YYYYMMDD",
        "early": f"{{given}} lies before {EARLIEST_YEAR}",
    }

    def when_empty(self):
        return None

    def read(self, text: str):
        day = parse_day(text) or self.fail("day", given=shown(text))
        return day if day.year >= EARLIEST_YEAR else self.fail("early", given=shown(text))


class FileNameField(StringField):
    """A file's name, which may never lead out of its folder."""

    default_error_messages = {"path": "must be a plain file name, without a path"}

    def read(self, text: str) -> str:
        outside = text.startswith(".") or ".." in text or "/" in text or "\\" in text
        return self.fail("path") if outside else text


@extend_schema_field({"type": "array", "items": {"type": "object", "properties": {"ProvReq": {"type": "string"}}}})
class DomainListField(serializers.Field):
    """A list of `{"ProvReq": host name}`; gives the names as sent, as a tuple, None for an empty list.

    Not a ListField of serializers: ten thousand domains must take no noticeable time.
    """

    default_error_messages = {
        "required": "is missing",
        "null": "must be a list, not null",
        "type": "must be a list of objects",
        "empty": "is an empty list",
        "item": 'item {place} must be an object with a string "ProvReq"',
        "blank": "item {place}: ProvReq is empty",
        "name": "{name} {why}",
        "twice": "{name} is there twice",
    }

    def __init__(self, *, may_be_empty: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.may_be_empty = may_be_empty

    def to_internal_value(self, data) -> tuple[str, ...] | None:
        if not isinstance(data, list):
            self.fail("type")
        if not data and not self.may_be_empty:
            self.fail("required" if self.required else "empty")
        names = tuple(self._name(item, place) for place, item in enumerate(data, start=1))
        self._refuse_doubles(names)
        return names or None

    def _name(self, item, place: int) -> str:
        name = item.get("ProvReq") if isinstance(item, dict) else None
        if not isinstance(name, str):
            self.fail("item", place=place)
        if not name.strip():
            self.fail("blank", place=place)
        if why := domain_fault(name):
            self.fail("name", name=shown(name), why=why)
        return name

    def _refuse_doubles(self, names: tuple[str, ...]) -> None:
        seen = set()
        for key in map(str.lower, names):
            if key in seen:
                self.fail("twice", name=key)
            seen.add(key)

    def to_representation(self, value) -> list[dict]:
        return [{"ProvReq": name} for name in value]

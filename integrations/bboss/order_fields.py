"""Converts the `content` of a message to the core's `OrderContent`, member by member (contract 2.4).

Every fault is refused with 20505, and the response names the member. The fields accept JSON strings unchanged, without
coercion or trimming. Error messages are in English. Source names are the attributes of `OrderContent`.
"""

import datetime
import functools
import re
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from integrations.base.strict_json import GENERAL_BOUNDS, BadJsonError
from integrations.bboss.envelope_checks import CONTROL_CHARACTERS, read_moment
from integrations.bboss.message_decoding import parsed
from integrations.bboss.reply_codes import Code, Refused
from integrations.partners.profile import Bboss, Domains
from orders.models import Order, ServiceType
from orders.rules.content import MemberFault, OrderContent, TrialMember, shown
from orders.rules.host_names import domain_fault, domain_key, domain_meant
from orders.texts.error_messages import say_why_in_english

EARLIEST_YEAR = 1970
ORDER_NUMBER = re.compile(r"[A-Za-z0-9_-]{1,64}")
NUMBER_IN_TEXT = re.compile(r'"OrderNum\\*+"\s*+:\s*+\\*+"\s*+([A-Za-z0-9_-]{1,64})\s*+\\*+"', re.IGNORECASE)
BY_HAND = "by_hand"  # in a form's context: staff entered the order, so BBOSS's notations are not accepted
DATE_FORMAT = "%Y%m%d"
_DAY = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_ADDRESS = frozenset("/:?#")


class FaultCode(str):
    """An error code, with the parameters of its message."""

    params: dict[str, Any]


class Coded:
    """Base of fields whose error codes are FaultCodes. A page uses the code and its parameters to show the message in
    Chinese."""

    def fail(self, key: str, **params):
        code = FaultCode(key)
        code.params = params
        raise serializers.ValidationError(self.error_messages[key].format(**params), code=code)


@extend_schema_field(OpenApiTypes.STR)
class StringField(Coded, serializers.Field):
    """A string. A blank string is an error if the member is required. Otherwise the member counts as absent."""

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
        return ""

    def read(self, text: str):
        """Returns the value of a text that is not blank. Raises ValidationError."""
        return text

    def to_representation(self, value) -> str:
        return str(value)


class NumberField(StringField):
    default_error_messages = {"form": "must be 1 to 64 of A-Z, a-z, 0-9, _ and -"}

    def read(self, text: str) -> str:
        return text if ORDER_NUMBER.fullmatch(text) else self.fail("form")


class DayField(StringField):
    """A valid date from 1970 on, in the form YYYYMMDD or in a form of the profile. Earlier years are refused, because
    years below 1000 would be sent without leading zeros."""

    default_error_messages = {
        "day": "{given} is not a date {forms}",
        "early": f"{{given}} lies before {EARLIEST_YEAR}",
    }

    def when_empty(self):
        return None

    def read(self, text: str) -> datetime.date:
        forms = (DATE_FORMAT,) if self.context.get(BY_HAND) else settings.PARTNERS.bboss.day_formats
        day = next((day for form in forms if (day := _day(text, form))), None)
        day = day or self.fail("day", given=shown(text), forms=" or ".join(forms).replace(DATE_FORMAT, "YYYYMMDD"))
        return day if day.year >= EARLIEST_YEAR else self.fail("early", given=shown(text))


class FileNameField(StringField):
    """A file name. It must not lead to another folder."""

    default_error_messages = {"path": "must be a plain file name, without a path"}

    def read(self, text: str) -> str:
        outside = text.startswith(".") or ".." in text or "/" in text or "\\" in text
        return self.fail("path") if outside else text


@extend_schema_field({"type": "array", "items": {"type": "object", "properties": {"ProvReq": {"type": "string"}}}})
class DomainListField(Coded, serializers.Field):
    """A list of `{"ProvReq": host name}`. Its value is a tuple of the names as they were sent, or None for an empty
    list.

    DRF's ListField is too slow for ten thousand domains.
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
        how = settings.PARTNERS.bboss.domains
        plain = self.context.get(BY_HAND) or not (how.separators or how.urls)
        names: list[str] = []
        for place, item in enumerate(data, start=1):
            text = item.get("ProvReq") if isinstance(item, dict) else None
            if not isinstance(text, str):
                self.fail("item", place=place)
            if not text.strip():
                self.fail("blank", place=place)
            if plain and domain_fault(text) is None:
                names.append(text)
                continue
            for name in [text] if plain else names_in(text, how):
                if wrong := domain_fault(name):
                    self.fail("name", name=shown(name), why=say_why_in_english(wrong), domain=name, wrong=wrong)
                names.append(name)
        self._refuse_doubles(names)
        return tuple(names) or None

    def _refuse_doubles(self, names: list[str]) -> None:
        seen = set()
        for key, name in zip(map(domain_key, names), names, strict=True):
            if key in seen:
                self.fail("twice", name=name.lower())
            seen.add(key)

    def to_representation(self, value) -> list[dict]:
        return [{"ProvReq": name} for name in value]


def names_in(text: str, how: Domains) -> list[str]:
    """Returns the host names in a ProvReq, split as the profile says."""
    parts = [text]
    if how.separators:
        found = (part.strip() for part in re.split(f"[{re.escape(how.separators)}]", text))
        parts = [part for part in found if part] or parts
    return [domain_meant(part) if how.urls and _ADDRESS & {*part} else part for part in parts]


def _day(text: str, form: str) -> datetime.date | None:
    """Returns the date in a text such as `20230920`. If the text has another form or the day does not exist, returns
    None."""
    if form != DATE_FORMAT:
        moment = read_moment(text, (form,))
        return moment and moment.date()
    match = _DAY.fullmatch(text)
    try:
        return match and datetime.date(*map(int, match.groups()))
    except ValueError:
        return None


def _text(source: str, *, required: bool = False, field=StringField):
    """Returns a string field. Its maximum length is that of the order's column `source`."""
    return field(source=source, required=required, most=Order._meta.get_field(source).max_length)


def _service_type(*, required: bool):
    """Returns the field for BusinessType. A later check, once for the whole content, tests whether the type exists."""
    return StringField(source="service_type", required=required, most=ServiceType._meta.pk.max_length)


class TrialSerializer(serializers.Serializer):
    """A trial order (OrderType 1)."""

    OrderNum = NumberField(source="number")
    EnterpriseID = _text("enterprise_id", required=True)
    EnterpriseName = _text("enterprise_name", required=True)
    ProdType = _text("prod_type", required=True)
    BusinessType = _service_type(required=True)
    BillingMethod = _text("billing_method", required=True)
    DataFlow = _text("data_flow", required=True)
    BizStart = DayField(source="biz_start")
    ProvContent = DomainListField(source="domains")
    BizEnd = DayField(source="biz_end", required=False)
    CpID = _text("cp_id")
    UserID = _text("user_id")
    OperUser = _text("oper_user")
    OperTel = _text("oper_tel")
    OperMail = _text("oper_mail")
    Attribution = StringField(source="attribution", required=False)

    def validate(self, attrs: dict) -> dict:
        end = attrs.get("biz_end")
        if end and end < attrs["biz_start"]:
            raise serializers.ValidationError({"BizEnd": "is before BizStart"}, code="before_start")
        return attrs


class ChangeSerializer(serializers.Serializer):
    """A change of a trial (OrderType 2) with at least one change."""

    OrderNum = NumberField(source="number")
    BizRequest = _text("trial_number", required=True)
    ProvContent = DomainListField(source="domains", required=False)
    BusinessType = _service_type(required=False)
    DataFlow = _text("data_flow")
    BizEnd = DayField(source="biz_end", required=False)

    def validate(self, attrs: dict) -> dict:
        if not any(attrs.get(name) for name in ("domains", "service_type", "data_flow", "biz_end")):
            why = "is missing, and so are BusinessType, DataFlow and BizEnd: nothing would change"
            raise serializers.ValidationError({"ProvContent": why})
        return attrs


class ActivationSerializer(serializers.Serializer):
    """An activation (OrderType 3 or none)."""

    OrderNum = NumberField(source="number")
    BizRequest = _text("trial_number", required=True)
    BizStart = DayField(source="biz_start")
    ProdType = _text("prod_type", required=True)
    ProductID = _text("product_id", required=True)
    BusinessType = _service_type(required=True)
    BillingMethod = _text("billing_method", required=True)
    DataFlow = _text("data_flow")
    InfoSecurity = _text("info_security", field=FileNameField)
    InfoSecurityTable = _text("info_security_table", field=FileNameField)
    BusiInfo = _text("busi_info", field=FileNameField)
    ProvContent = DomainListField(source="domains", required=False, may_be_empty=True)


class WithdrawalSerializer(serializers.Serializer):
    """A withdrawal of the order with this number (BackFlag 1). Other members are ignored."""

    OrderNum = NumberField(source="number")


FORMS_BY_KIND = {
    "trial": (Order.Kind.TRIAL, TrialSerializer),
    "change": (Order.Kind.CHANGE, ChangeSerializer),
    "activation": (Order.Kind.ACTIVATION, ActivationSerializer),
}


def content_of(members: dict) -> dict:
    """Returns the message's content as an object. A JSON string is parsed. Raises Refused 20505."""
    content = members["content"]
    if isinstance(content, str):
        try:
            return parsed(content, GENERAL_BOUNDS, settings.PARTNERS.bboss)
        except BadJsonError as error:
            raise bad("content", str(error)) from None
    if not isinstance(content, dict):
        raise bad("content", "must be an object or a string that holds one")
    return content


def order_number_of(content) -> str:
    """Returns the order number of a content, or "" if it is missing or malformed."""
    number = content.get("OrderNum") if isinstance(content, dict) else None
    return number if isinstance(number, str) and ORDER_NUMBER.fullmatch(number) else ""


def order_number_in(text: str) -> str:
    """Returns the first well-formed OrderNum anywhere in a JSON text, or "". JSON nested in strings is searched too."""
    found = NUMBER_IN_TEXT.search(text)
    return found[1] if found else ""


def is_withdrawal(content: dict) -> bool:
    """Returns True if BackFlag has a value that the profile lists for withdrawals. Returns False if BackFlag is absent.
    Raises Refused 20505 for any other value."""
    how = settings.PARTNERS.bboss
    return _choice(content, "BackFlag", (*how.keeps, *how.withdraws)) in how.withdraws


def read_withdrawal(content: dict) -> str:
    """Returns the number of the order to withdraw. Raises Refused 20505."""
    return _validated(WithdrawalSerializer, content)["number"]


def read_order(content: dict) -> OrderContent:
    """Returns the order that the content describes. The core checks that its service type and attribution exist.

    Raises Refused 20505.
    """
    for path, value in _texts((), content):
        if match := CONTROL_CHARACTERS.search(value):
            place = ascii(".".join(path) or value)[1:-1][:80]
            raise bad(place, f"holds the control character U+{ord(match.group()):04X}")
    kind, serializer = FORMS_BY_KIND[_kind_of(content, settings.PARTNERS.bboss)]
    return OrderContent(kind=kind, **_validated(serializer, content))


def _kind_of(content: dict, how: Bboss) -> str:
    """Returns the order's kind according to OrderType. Without OrderType the order is an activation, unless the profile
    derives the kind from the members that are present."""
    values = {value: kind for kind in FORMS_BY_KIND for value in getattr(how.kinds, kind)}
    if (given := _choice(content, "OrderType", tuple(values))) is not None:
        return values[given]
    if how.kind_absent == "activation":
        return how.kind_absent
    return "trial" if "BizRequest" not in content else "activation" if "ProductID" in content else "change"


def read_trial(content: dict) -> tuple[OrderContent | None, list[MemberFault]]:
    """Returns the trial that staff entered, or None with all faults. A fault contains the error code of a field. For a
    control character the code is `control`."""
    controls = ((path[0], CONTROL_CHARACTERS.search(value)) for path, value in _texts((), content) if path)
    faults = [MemberFault(name, "control", {"character": f"U+{ord(one[0]):04X}"}) for name, one in controls if one]
    try:
        values = _form(TrialSerializer, by_hand=True).run_validation(content)
    except serializers.ValidationError as error:
        codes = ((name, errors[0].code) for name, errors in error.detail.items())
        faults += [MemberFault(name, str(code), getattr(code, "params", {})) for name, code in codes]
    return (None, faults) if faults else (OrderContent(kind=Order.Kind.TRIAL, **values), [])


def trial_members() -> list[TrialMember]:
    """Returns the members of a trial, in the order of the form."""
    fields = _form(TrialSerializer).fields.items()
    return [TrialMember(name, field.required, isinstance(field, DayField)) for name, field in fields]


def bad(name: str, why: str, *, hint: str = "") -> Refused:
    return Refused(Code.CONTENT, f"{name}: {why}", hint=hint)


def _choice(content: dict, name: str, allowed: tuple[str, ...]) -> str | None:
    """Returns the member's value, or None if the member is absent. Raises Refused 20505 if the value is not allowed."""
    if name not in content:
        return None
    given = content[name]
    if not isinstance(given, str):
        raise bad(name, "must be a string")
    if given not in allowed:
        raise bad(name, f"{shown(given)} is not one of {', '.join(allowed)}")
    return given


def _validated(serializer: type[serializers.Serializer], content: dict) -> dict:
    try:
        return _form(serializer).run_validation(content)
    except serializers.ValidationError as error:
        faults = [(name, str(errors[0])) for name, errors in error.detail.items()]
    name, why = faults[0]
    raise bad(name, why, hint="; ".join(f"{name}: {why}" for name, why in faults))


@functools.cache
def _form(serializer: type[serializers.Serializer], *, by_hand: bool = False) -> serializers.Serializer:
    """Returns the serializer. Serializers are cached, because creating a serializer copies its fields. All calls may
    share a serializer, because validation leaves no state in it."""
    return serializer(context={BY_HAND: by_hand})


def _texts(path: tuple[str, ...], value) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yields every string at any depth of a value, with its path. Keys are included, under their parent's path.

    Paths are tuples, so that a long name is not copied for each value below it. They are joined only for display.
    """
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield path, key
            if isinstance(inner, str):  # the usual case: avoids a call
                yield (*path, key), inner
            else:
                yield from _texts((*path, key), inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(path, inner)

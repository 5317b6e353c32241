"""From the wire's `content` to the core's `OrderContent` (contract 2.4). All that is bad is 20505 and is named."""

import re
from collections.abc import Iterator

from integrations.bboss import serializers
from integrations.bboss.codes import Code, Refused
from integrations.bboss.envelope import shown
from integrations.inbound.strict_json import BadJsonError, parse_text
from orders.content import OrderContent
from orders.db.compiled_sql import Prepared, Slot
from orders.models import Order, Province, ServiceType

KINDS = {
    "1": (Order.Kind.TRIAL, serializers.TrialSerializer),
    "2": (Order.Kind.CHANGE, serializers.ChangeSerializer),
    "3": (Order.Kind.ACTIVATION, serializers.ActivationSerializer),
}
SERVICE_TYPE = Prepared(lambda: ServiceType.objects.filter(code=Slot("code")).values_list("code"))
PROVINCE = Prepared(lambda: Province.objects.filter(letters=Slot("letters")).values_list("letters"))
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def content_of(members: dict) -> dict:
    """The content as an object, also when it came as a JSON string. Raises Refused 20505."""
    content = members["content"]
    if isinstance(content, str):
        try:
            return parse_text(content)
        except BadJsonError as error:
            raise bad("content", str(error)) from None
    if not isinstance(content, dict):
        raise bad("content", "must be an object or a string that holds one")
    return content


def is_withdrawal(content: dict) -> bool:
    """Whether BackFlag is 1; absent means 0. Raises Refused 20505."""
    return _choice(content, "BackFlag", ("0", "1"), absent="0") == "1"


def read_withdrawal(content: dict) -> str:
    """The number of the order to withdraw. Raises Refused 20505."""
    return _validated(serializers.WithdrawalSerializer, content)["number"]


def read_order(content: dict) -> OrderContent:
    """The order that the content describes. Raises Refused 20505. Looks up what it refers to."""
    for path, value in _texts((), content):
        if match := _CONTROL.search(value):
            place = ascii(".".join(path) or value)[1:-1][:80]
            raise bad(place, f"holds the control character U+{ord(match.group()):04X}")
    kind, serializer = KINDS[_choice(content, "OrderType", tuple(KINDS), absent="3")]
    values = _validated(serializer, content)
    _check_reference(values.get("service_type", ""), values.get("attribution", ""))
    return OrderContent(kind=kind, **values)


def bad(name: str, why: str, *, hint: str = "") -> Refused:
    """The refusal 20505 that names a member and says what is wrong with it."""
    return Refused(Code.CONTENT, f"{name}: {why}", hint=hint)


def _choice(content: dict, name: str, allowed: tuple[str, ...], *, absent: str) -> str:
    given = content.get(name, absent)
    if not isinstance(given, str):
        raise bad(name, "must be a string")
    if given not in allowed:
        raise bad(name, f"{shown(given)} is not one of {', '.join(allowed)}")
    return given


def _validated(serializer: type[serializers.serializers.Serializer], content: dict) -> dict:
    form = serializer(data=content)
    if form.is_valid():
        return form.validated_data
    faults = [(name, str(errors[0])) for name, errors in form.errors.items()]
    name, why = faults[0]
    raise bad(name, why, hint="; ".join(f"{name}: {why}" for name, why in faults))


def _check_reference(service_type: str, letters: str) -> None:
    """Nothing is asked about what is not given."""
    if service_type and not SERVICE_TYPE(code=service_type):
        raise bad("BusinessType", f"{shown(service_type)} is not a known service type")
    if letters and not PROVINCE(letters=letters):
        raise bad("Attribution", f"{shown(letters)} is not JT, GJ or a province's letters")


def _texts(path: tuple[str, ...], value) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every string in a value at any depth with where it stands, keys as well (those under their parent's path).

    The path is only joined where it is shown: a name of a megabyte above many values would be copied for each.
    """
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield path, key
            yield from _texts((*path, key), inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(path, inner)

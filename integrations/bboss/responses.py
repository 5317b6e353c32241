"""The one form in which this address answers (contract 2.3)."""

import datetime
from dataclasses import dataclass, field

from django.conf import settings

from integrations.bboss.codes import BizCode, Code
from integrations.outbound.formats import encode, wire_time


@dataclass
class Call:
    """One call of the address, as far as it is known: `members` stays empty until the body could be read."""

    now: datetime.datetime
    address: str
    trans_idh: str
    members: dict = field(default_factory=dict)
    raw: bytes = b""


@dataclass(frozen=True)
class Reply:
    """What is sent: HTTP status and body, and after how many seconds the caller may come back."""

    status: int
    body: dict
    retry_after: int | None = None


def reply(call: Call, code: Code, *, desc: str = "", result: str = "", retry_after: int | None = None) -> Reply:
    """The answer to a call. What is not known yet, or came in another type, is an empty string."""
    body = {
        "transIDO": _text(call.members.get("transIDO")),
        "transIDH": call.trans_idh,
        "transIDHTime": wire_time(call.now),
        "cutOffDay": _text(call.members.get("cutOffDay")),
        "providePartyID": f"{settings.BBOSS_DOMAIN}{settings.BBOSS_ROUTE_VALUE}0",
        "response": {"rspCode": code.value.number, "rspDesc": desc or code.value.desc},
        "result": result,
    }
    return Reply(code.value.http, body, retry_after)


def result_text(order_number: str, biz: BizCode) -> str:
    """`result`: a JSON string, compact."""
    number, desc = biz.value
    return encode({"OrderNum": order_number, "BizCode": number, "BizDesc": desc})


def _text(value) -> str:
    return value if isinstance(value, str) else ""

"""The responses to BBOSS (contract 2.3): the table of reply codes, and the form of every response."""

import datetime
from dataclasses import dataclass, field
from enum import Enum

from django.conf import settings

from integrations.outbound.wire_formats import encode, wire_time

TEXT = "text"


@dataclass(frozen=True)
class ReplyCode:
    """A row of the table: HTTP status, rspCode, rspDesc. If `desc` ends in a colon and a space, the response names the
    fault after it."""

    http: int
    number: str
    desc: str


class Code(Enum):
    """The table, in the order of the checks. The first check that fails determines the response."""

    NOT_POST = ReplyCode(405, "11002", "request method must be post")
    NOT_JSON_TYPE = ReplyCode(415, "20007", "Request Content Type Error")
    TOO_LARGE = ReplyCode(413, "20215", "request message too large (2M at most)")
    ADDRESS_REFUSED = ReplyCode(403, "20303", "User no permission")
    TOO_OFTEN = ReplyCode(429, "20308", "User call service limited")
    UNREADABLE = ReplyCode(400, "20105", "Format req stream to string Error")
    NO_TRANS_IDO = ReplyCode(200, "20402", "transido is empty")
    MISSING = ReplyCode(200, "20101", "Missing Required Args: ")
    SIGN_METHOD = ReplyCode(200, "20207", "Invalid Signature Method")
    TIME_FORM = ReplyCode(200, "20209", "Invalid Timestamp")
    TIME_DISTANCE = ReplyCode(200, "20210", "Timestamp Timeout")
    PARTY_UNKNOWN = ReplyCode(200, "20314", "User bad status")
    TOKEN_UNKNOWN = ReplyCode(200, "20305", "Invalid Token")
    TOKEN_EXPIRED = ReplyCode(200, "20311", "Expired Token")
    SIGNATURE = ReplyCode(200, "20208", "Invalid Signature")
    ROUTE_TYPE = ReplyCode(200, "20501", "Route type invalidate.")
    ROUTE_VALUE = ReplyCode(200, "20502", "Route value invalidate.")
    ENV_FLAG = ReplyCode(200, "21000", "request data does not match the configuration")
    CONTENT = ReplyCode(200, "20505", "Request body parameter invalidate: ")
    REPEAT = ReplyCode(200, "20002", "Repeat call")
    BUSINESS = ReplyCode(200, "30000", "business failure")
    SUCCESS = ReplyCode(200, "00000", "Success")
    OUR_FAULT = ReplyCode(503, "20000", "internal error; nothing was stored, send again")


class BizCode(Enum):
    DONE = ("0000", "Success")
    CONFLICT = ("3001", "this OrderNum exists with other content")
    UNKNOWN = ("3004", "no order of this OrderNum")
    CLAIMED = ("3005", "an activation holds this trial")


class Refused(Exception):  # noqa: N818  named for what it says: the request is refused
    """The request is refused with `code`.

    `detail` completes the description. `hint` describes the fault in detail for the partner's engineers. It is stored
    and never sent.
    `retry_after` is the number of seconds until the caller may try again.
    """

    def __init__(
        self,
        code: Code,
        detail: str = "",
        *,
        hint: str = "",
        biz: BizCode | None = None,
        retry_after: int | None = None,
    ):
        super().__init__(code.value.desc + detail)
        self.code = code
        self.desc = code.value.desc + detail
        self.hint = hint or self.desc
        self.biz = biz
        self.retry_after = retry_after


@dataclass
class InboundCall:
    """The known facts of one call of BBOSS.

    `wire` is the envelope as received. `members` is the envelope under our names. Both are empty until the body is
    read.
    """

    now: datetime.datetime
    address: str
    trans_idh: str
    members: dict = field(default_factory=dict)
    wire: dict = field(default_factory=dict)
    raw: bytes = b""


@dataclass(frozen=True)
class Reply:
    status: int
    body: dict
    retry_after: int | None = None


def reply(
    call: InboundCall, code: Code, *, desc: str = "", result: str | dict = "", retry_after: int | None = None
) -> Reply:
    """Builds the response to a call. A member that is not known yet or not a string becomes an empty string."""
    body = {
        "transIDO": _text(call.members.get("transIDO")),
        "transIDH": call.trans_idh,
        "transIDHTime": wire_time(call.now),
        "cutOffDay": _text(call.members.get("cutOffDay")),
        "providePartyID": f"{settings.BBOSS_DOMAIN}{settings.BBOSS_ROUTE_VALUE}0",
        "response": {"rspCode": code.value.number, "rspDesc": desc or code.value.desc},
        "result": result or ("" if settings.PARTNERS.bboss.reply.result == TEXT else {}),
    }
    return Reply(code.value.http, body, retry_after)


def result_of(order_number: str, biz: BizCode) -> str | dict:
    """Returns the value of the response's member `result`. The value is a compact JSON string. If the profile says so,
    the value is an object."""
    number, desc = biz.value
    result = {"OrderNum": order_number, "BizCode": number, "BizDesc": desc}
    return encode(result) if settings.PARTNERS.bboss.reply.result == TEXT else result


def _text(value) -> str:
    return value if isinstance(value, str) else ""

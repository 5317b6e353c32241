"""The answers of the BBOSS address as data (contract 2.3): case, HTTP status, rspCode, rspDesc."""

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True)
class Answer:
    """One row of the table. `desc` ending in a colon and a space is completed by what is wrong."""

    http: int
    number: str
    desc: str


class Code(Enum):
    """The table, in the order in which the cases are checked; the first that fails answers."""

    NOT_POST = Answer(405, "11002", "request method must be post")
    NOT_JSON_TYPE = Answer(415, "20007", "Request Content Type Error")
    TOO_LARGE = Answer(413, "20215", "request message too large (2M at most)")
    ADDRESS_REFUSED = Answer(403, "20303", "User no permission")
    TOO_OFTEN = Answer(429, "20308", "User call service limited")
    UNREADABLE = Answer(400, "20105", "Format req stream to string Error")
    NO_TRANS_IDO = Answer(200, "20402", "transido is empty")
    MISSING = Answer(200, "20101", "Missing Required Args: ")
    SIGN_METHOD = Answer(200, "20207", "Invalid Signature Method")
    TIME_FORM = Answer(200, "20209", "Invalid Timestamp")
    TIME_DISTANCE = Answer(200, "20210", "Timestamp Timeout")
    PARTY_UNKNOWN = Answer(200, "20314", "User bad status")
    TOKEN_UNKNOWN = Answer(200, "20305", "Invalid Token")
    TOKEN_EXPIRED = Answer(200, "20311", "Expired Token")
    SIGNATURE = Answer(200, "20208", "Invalid Signature")
    ROUTE_TYPE = Answer(200, "20501", "Route type invalidate.")
    ROUTE_VALUE = Answer(200, "20502", "Route value invalidate.")
    ENV_FLAG = Answer(200, "21000", "request data does not match the configuration")
    CONTENT = Answer(200, "20505", "Request body parameter invalidate: ")
    REPEAT = Answer(200, "20002", "Repeat call")
    BUSINESS = Answer(200, "30000", "business failure")
    SUCCESS = Answer(200, "00000", "Success")
    OUR_FAULT = Answer(503, "20000", "internal error; nothing was stored, send again")


class BizCode(Enum):
    """What the core says in `result`: number and text."""

    DONE = ("0000", "Success")
    CONFLICT = ("3001", "this OrderNum exists with other content")
    UNKNOWN = ("3004", "no order of this OrderNum")
    CLAIMED = ("3005", "an activation holds this trial")


class Refused(Exception):  # noqa: N818  named for what it says: the request is refused
    """The request is refused with `code`.

    `detail` completes the description; `hint` (stored, never sent) tells the partner's engineer what was wrong.
    `retry_after`: the seconds after which the caller may come back.
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

"""Checks a request's envelope: members, access token and signature (contract 2.1 to 2.3). Masks requests for storage.

The checks have the order of the table in contract 2.3. The first check that fails determines the response. An access
token is `<expiry, 14 digits><32 hex>-<4 digits>-<issue time, epoch seconds>`. The signature follows the rules of the
base service platform.
"""

import datetime
import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator
from typing import Any

from django.conf import settings

from integrations.base.old_secrets import ACCESS_TOKEN, APP_SECRET, matching_secret, note_use
from integrations.bboss.compute_signature import (
    EMPTY,
    MASK,
    Message,
    as_wire,
    masked,
    masked_text_to_sign,
    method_of,
    verify,
)
from integrations.bboss.message_decoding import Wire, ours
from integrations.bboss.reply_codes import Code, Refused
from integrations.outbound.wire_formats import encode, wire_time
from integrations.partners.profile import EPOCHS
from notifications.masks import head
from orders.rules.content import shown
from orders.rules.local_time import SHANGHAI

REQUIRED_MEMBERS = (
    "accessToken",
    "content",
    "domain",
    "envFlag",
    "routeType",
    "routeValue",
    "sign",
    "signMethod",
    "timeStamp",
    "userPartyID",
)
LONGEST_HINT = 20_000
LONGEST_TRANS_IDO = 64
MAX_UNSIGNED_BYTES = 4096  # bytes that are stored of a message without a valid signature
LONGEST_TOKEN = 14 + 32 + 1 + 4 + 1 + 12
TOKEN_LIST, NO_TOKENS = "list", "none"  # values of the profile's token check; a third value checks the form alone
MAX_OCCURRENCES = 3  # occurrences of `accessToken` that are examined in an unparsed body
TIME_FORMAT = "%Y%m%d%H%M%S"
LONGEST_TIME = 40
TOKEN_PATTERN = re.compile(r"([0-9]{14})[0-9a-fA-F]{32}-[0-9]{4}-[0-9]{1,12}")
CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_TIME = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})")


def check_envelope(members: dict[str, Any], now: datetime.datetime, wire: Wire | None = None) -> None:
    """Raises Refused for the first check that fails. `members` is the envelope under our names, with values of any
    type. If the message as received differs from `members`, pass it as `wire`."""
    wire = wire or Wire(members)
    for check in CHECKS:
        check(members, now, wire)


def is_signed(message: Message) -> bool:
    """Returns True if the message has a valid signature and, if tokens are listed, one of our tokens. Ignores other
    faults."""
    wire, how = as_wire(message), settings.PARTNERS.bboss
    try:
        members = ours(wire.members, how)
    except Refused:  # a member occurs under BBOSS's name and ours: BBOSS's name is used
        members = {name: wire.members.get(how.named(name, wire.members)) for name in ("accessToken", "sign")}
    token, given = members.get("accessToken"), members.get("sign")
    if not isinstance(given, str):
        return False
    if how.token.check == TOKEN_LIST and not (isinstance(token, str) and is_known(token, settings.BBOSS_ACCESS_TOKENS)):
        return False
    return matching_secret(APP_SECRET, lambda secret: verify(wire, given, secret)) is not None


def check_trans_ido(members: dict[str, Any], now: datetime.datetime, wire: Wire) -> None:
    """20402: the caller's transaction number is missing, empty, blank or not a string."""
    given = members.get("transIDO")
    if not isinstance(given, str) or not given.strip():
        raise Refused(Code.NO_TRANS_IDO, hint="transIDO: must be a string that is not empty")


def check_required(members: dict[str, Any], now: datetime.datetime, wire: Wire) -> None:
    """20101: another required member is missing or empty. The response names the first such member in alphabetical
    order."""
    needed = [
        name for name in REQUIRED_MEMBERS if name != "accessToken" or settings.PARTNERS.bboss.token.check != NO_TOKENS
    ]
    missing = [name for name in needed if members.get(name) in EMPTY]
    if missing:
        raise Refused(Code.MISSING, missing[0], hint=f"missing or empty: {', '.join(missing)}")


def check_sign_method(members: dict[str, Any], now: datetime.datetime, wire: Wire) -> None:
    """20207: the sign method is not in the profile."""
    given, known = members["signMethod"], settings.PARTNERS.bboss.sign.methods
    if not isinstance(given, str) or given.lower() not in [one.lower() for one in known]:
        raise Refused(Code.SIGN_METHOD, hint=f"signMethod: {shown(given)} is not one of {', '.join(known)}")


def check_time_form(members: dict[str, Any], now: datetime.datetime, wire: Wire) -> None:
    """20209: timeStamp is not a valid time. The form is YYYYMMDDHHMMSS, or one of the profile's forms."""
    given, formats = members["timeStamp"], settings.PARTNERS.bboss.time_formats
    if not isinstance(given, str) or parse_time(given) is None:
        forms = " or ".join(formats).replace(TIME_FORMAT, "YYYYMMDDHHMMSS")
        raise Refused(Code.TIME_FORM, hint=f"timeStamp: {shown(given)} is not a time {forms}")


def check_time_distance(members: dict[str, Any], now: datetime.datetime, wire: Wire) -> None:
    """20210: timeStamp differs from our clock by more than BBOSS_TIMESTAMP_SKEW_SECONDS. The value 0 switches the check
    off."""
    allowed = settings.BBOSS_TIMESTAMP_SKEW_SECONDS
    moment = parse_time(members["timeStamp"])
    if allowed and moment and abs((moment - now).total_seconds()) > allowed:
        ours = f"our clock is {wire_time(now)} (Asia/Shanghai)"
        raise Refused(Code.TIME_DISTANCE, hint=f"timeStamp: {members['timeStamp']}, {ours}, {allowed} s are allowed")


def check_party(members: dict[str, Any], now: datetime.datetime, wire: Wire) -> None:
    """20314: the caller is unknown."""
    _check_one_of(members, "userPartyID", settings.BBOSS_PARTY_IDS, Code.PARTY_UNKNOWN)


def check_token(members: dict[str, Any], now: datetime.datetime, wire: Wire) -> None:
    """20305: the token is malformed or unknown. 20311: the token has expired. If a gateway checks tokens (`check =
    "none"` in the profile), nothing is checked."""
    check = settings.PARTNERS.bboss.token.check
    if check == NO_TOKENS:
        return
    token = members["accessToken"]
    ends = token_expiry(token) if isinstance(token, str) else None
    if ends is None:
        raise Refused(Code.TOKEN_UNKNOWN, hint="accessToken: not of the form <expiry><32 hex>-<4 digits>-<epoch>")
    if check == TOKEN_LIST and not is_known(token, settings.BBOSS_ACCESS_TOKENS):
        raise Refused(Code.TOKEN_UNKNOWN, hint="accessToken: right in form, but none of the tokens set here")
    if now > ends:
        raise Refused(Code.TOKEN_EXPIRED, hint=f"accessToken: ended {wire_time(ends)}, our clock is {wire_time(now)}")


def check_signature(members: dict[str, Any], now: datetime.datetime, wire: Wire) -> None:
    """20208: the signature is wrong. If no secret is configured, every signature counts as wrong, because anybody could
    sign with an empty secret."""
    given = members["sign"]
    if not settings.BBOSS_APP_SECRET:
        raise Refused(Code.SIGNATURE, hint="BBOSS_APP_SECRET is not set on our side")
    if not isinstance(given, str):
        raise Refused(Code.SIGNATURE, hint="sign: must be a string")
    secret = matching_secret(APP_SECRET, lambda one: verify(wire, given, one))
    if secret is None:
        text, method = masked_text_to_sign(wire)[:LONGEST_HINT], method_of(wire.members, settings.PARTNERS.bboss)
        raise Refused(
            Code.SIGNATURE, hint=f"sign: is not the {method.upper()} of the text that we signed, which is: {text}"
        )
    note_use(APP_SECRET, secret)
    if settings.PARTNERS.bboss.token.check == TOKEN_LIST:
        note_use(ACCESS_TOKEN, members["accessToken"])


def check_route_type(members: dict[str, Any], now: datetime.datetime, wire: Wire) -> None:
    """20501: the route type is not accepted."""
    _check_one_of(members, "routeType", ["00", "01"], Code.ROUTE_TYPE)


def check_route_value(members: dict[str, Any], now: datetime.datetime, wire: Wire) -> None:
    """20502: the domain or exchange node is not ours."""
    _check_one_of(members, "domain", [settings.BBOSS_DOMAIN], Code.ROUTE_VALUE)
    _check_one_of(members, "routeValue", [settings.BBOSS_ROUTE_VALUE], Code.ROUTE_VALUE)


def check_env_flag(members: dict[str, Any], now: datetime.datetime, wire: Wire) -> None:
    """21000: the message has test data on a production site, or production data on a test site."""
    _check_one_of(members, "envFlag", [settings.BBOSS_ENV_FLAG], Code.ENV_FLAG)


def _check_one_of(members: dict[str, Any], name: str, allowed: list[str], code: Code) -> None:
    given = members[name]
    if not isinstance(given, str) or given not in allowed:
        raise Refused(code, hint=f"{name}: {shown(given)} is not one of {', '.join(allowed)}")


CHECKS = (
    check_trans_ido,
    check_required,
    check_sign_method,
    check_time_form,
    check_time_distance,
    check_party,
    check_token,
    check_signature,
    check_route_type,
    check_route_value,
    check_env_flag,
)


def parse_time(text: str) -> datetime.datetime | None:
    """Returns a timeStamp as an aware time, or None if it has none of the profile's forms."""
    return read_moment(text, settings.PARTNERS.bboss.time_formats)


def read_moment(text: str, formats: Iterable[str]) -> datetime.datetime | None:
    """Returns the aware time in a text, read with the first form that fits. Returns None if no form fits. A text
    without an offset is in Asia/Shanghai."""
    return next(filter(None, (_in_form(text, form) for form in formats)), None)


def _in_form(text: str, form: str) -> datetime.datetime | None:
    if form == TIME_FORMAT:
        return parse_digits(text)
    if len(text) > LONGEST_TIME or not text.isascii():
        return None
    try:
        if form in EPOCHS:
            return datetime.datetime.fromtimestamp(int(text) / EPOCHS[form], SHANGHAI) if text.isdecimal() else None
        moment = datetime.datetime.strptime(text, form)
        return moment.astimezone(SHANGHAI) if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)
    except (ValueError, OverflowError, OSError):
        return None


def parse_digits(text: str) -> datetime.datetime | None:
    """Returns the aware time (Asia/Shanghai) of a text like `20230920185339`. Returns None if the text is not a valid
    time."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = map(int, match.groups())
    try:
        return datetime.datetime(year, month, day, hour, minute, second, tzinfo=SHANGHAI)
    except ValueError:
        return None


def token_expiry(token: str) -> datetime.datetime | None:
    """Returns the token's expiry (Asia/Shanghai). None if the token is malformed."""
    match = TOKEN_PATTERN.fullmatch(token)
    return match and parse_digits(match.group(1))


def may_be_from_bboss(text: str) -> bool:
    """Returns True if an unparsed message may be from BBOSS.

    One of its first MAX_OCCURRENCES accessToken members must be a token in BBOSS_ACCESS_TOKENS. If the profile checks
    only the form, a well-formed token is enough. If the profile checks no tokens, every message may be from BBOSS.
    """
    how = settings.PARTNERS.bboss
    if how.token.check == NO_TOKENS:
        return True
    for name in {"accessToken", how.theirs.get("accessToken", "accessToken")}:
        for behind in text.split(f'"{name}"', MAX_OCCURRENCES)[1:]:
            given = behind[: 2 * LONGEST_TOKEN].partition('"')[2].partition('"')[0]
            if how.token.check != TOKEN_LIST and token_expiry(given):
                return True
            if how.token.check == TOKEN_LIST and is_known(given, settings.BBOSS_ACCESS_TOKENS):
                return True
    return False


def is_known(token: str, known: Iterable[str]) -> bool:
    """Returns True if the token is known. The token is compared with all tokens, each in constant time. So the time of
    the response does not reveal whether a guess was almost right."""
    return any([hmac.compare_digest(token.encode(), one.encode()) for one in known])  # noqa: C419


def stored_trans_ido(given: str) -> str:
    """Returns the caller's transaction number for storage. If the number is too long, or contains a token or control
    characters, returns a digest of the number."""
    if len(given) <= LONGEST_TRANS_IDO and not CONTROL_CHARACTERS.search(given) and not TOKEN_PATTERN.search(given):
        return given
    return "sha256:" + hashlib.sha256(given.encode()).hexdigest()[:57]


def masked_body(members: dict[str, Any]) -> str:
    """Returns the request as JSON text without token and signature. JSON escapes U+0000, which PostgreSQL rejects."""
    return TOKEN_PATTERN.sub(MASK, encode(masked(members, settings.PARTNERS.bboss.secret_names)))


def masked_head(members: dict[str, Any]) -> str:
    """Returns the beginning of the `masked_body` of an unsigned message. The rest is not processed, so a message of 2
    MiB costs little."""
    return _masked_tokens_of_head(encode(_Beginning(MAX_UNSIGNED_BYTES + LONGEST_TOKEN).of(members)))


def storable_hint(hint: str, *, signed: bool) -> str:
    """Returns the hint without U+0000 and with tokens masked. The hint of an unsigned message is cut."""
    masked = TOKEN_PATTERN.sub(MASK, hint) if signed else _masked_tokens_of_head(hint)
    masked = masked.replace("\0", "\\u0000")
    return masked if signed else head(masked, MAX_UNSIGNED_BYTES)[0]


def _masked_tokens_of_head(text: str) -> str:
    """Returns the beginning of a text with tokens masked. The text is cut before masking, so that long texts cost
    little. The text is cut again after masking, so that no half of a token is left."""
    masked = TOKEN_PATTERN.sub(MASK, text[: MAX_UNSIGNED_BYTES + LONGEST_TOKEN])
    if len(text) > MAX_UNSIGNED_BYTES + LONGEST_TOKEN:
        masked = masked[:-LONGEST_TOKEN]
    return head(masked, MAX_UNSIGNED_BYTES)[0]


class _Beginning:
    """Copies the beginning of a JSON value, with secrets masked.

    The JSON text of the copy has at least the first `most` characters of the value's JSON text.
    """

    def __init__(self, most: int):
        self.left, self.secret_names = most, settings.PARTNERS.bboss.secret_names

    def of(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._member(key, inner) for key, inner in self._first(value.items())}
        if isinstance(value, list):
            return [self.of(inner) for inner in self._first(value)]
        if isinstance(value, str):
            value = value[: max(self.left, 0)]
            self.left -= len(value)
        return value

    def _member(self, key: str, value: Any) -> Any:
        self.left -= len(key)
        return MASK if key.lower() in self.secret_names else self.of(value)

    def _first(self, values: Iterable[Any]) -> Iterator[Any]:
        """Yields values until `left` characters are used up. Each value uses up at least one character."""
        for value in values:
            if self.left <= 0:
                return
            self.left -= 1
            yield value

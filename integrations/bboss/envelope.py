"""The checks on the envelope, in the order of the table in contract 2.3; the first that fails answers."""

import datetime

from django.conf import settings

from integrations.bboss import signature, tokens
from integrations.bboss.codes import Code, Refused
from integrations.bboss.times import parse_time
from integrations.outbound.formats import wire_time

REQUIRED = (
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
EMPTY = (None, "", {}, [])
LONGEST_HINT = 20_000


def check_envelope(members: dict, now: datetime.datetime) -> None:
    """Raises Refused for the first check that fails. `members`: the parsed request, of any types."""
    for check in CHECKS:
        check(members, now)


def is_signed(members: dict) -> bool:
    """Whether somebody with one of our tokens and our secret sent it, whatever else is wrong with it."""
    token, given, secret = members.get("accessToken"), members.get("sign"), settings.BBOSS_APP_SECRET
    if not (secret and isinstance(token, str) and isinstance(given, str)):
        return False
    return tokens.is_known(token, settings.BBOSS_ACCESS_TOKENS) and signature.verify(members, given, secret)


def check_trans_ido(members: dict, now: datetime.datetime) -> None:
    """20402: the caller's transaction number is missing, empty, blank or not a string."""
    given = members.get("transIDO")
    if not isinstance(given, str) or not given.strip():
        raise Refused(Code.NO_TRANS_IDO, hint="transIDO: must be a string that is not empty")


def check_required(members: dict, now: datetime.datetime) -> None:
    """20101: another required member is missing or empty; the first one in order of the alphabet is named."""
    missing = [name for name in REQUIRED if members.get(name) in EMPTY]
    if missing:
        raise Refused(Code.MISSING, missing[0], hint=f"missing or empty: {', '.join(missing)}")


def check_sign_method(members: dict, now: datetime.datetime) -> None:
    """20207: only md5."""
    _one_of(members, "signMethod", ["md5"], Code.SIGN_METHOD)


def check_time_form(members: dict, now: datetime.datetime) -> None:
    """20209: timeStamp must be a time that exists, YYYYMMDDHHMMSS."""
    given = members["timeStamp"]
    if not isinstance(given, str) or parse_time(given) is None:
        raise Refused(Code.TIME_FORM, hint=f"timeStamp: {shown(given)} is not a time YYYYMMDDHHMMSS")


def check_time_distance(members: dict, now: datetime.datetime) -> None:
    """20210: timeStamp further from our clock than BBOSS_TIMESTAMP_SKEW_SECONDS; 0 switches the check off."""
    allowed = settings.BBOSS_TIMESTAMP_SKEW_SECONDS
    distance = abs((parse_time(members["timeStamp"]) - now).total_seconds())
    if allowed and distance > allowed:
        ours = f"our clock is {wire_time(now)} (Asia/Shanghai)"
        raise Refused(Code.TIME_DISTANCE, hint=f"timeStamp: {members['timeStamp']}, {ours}, {allowed} s are allowed")


def check_party(members: dict, now: datetime.datetime) -> None:
    """20314: a caller we do not know."""
    _one_of(members, "userPartyID", settings.BBOSS_PARTY_IDS, Code.PARTY_UNKNOWN)


def check_token(members: dict, now: datetime.datetime) -> None:
    """20305, 20311."""
    tokens.check_token(members["accessToken"], settings.BBOSS_ACCESS_TOKENS, now)


def check_signature(members: dict, now: datetime.datetime) -> None:
    """20208. Without a secret every signature is wrong: an empty one would let everybody in."""
    secret, given = settings.BBOSS_APP_SECRET, members["sign"]
    if not secret:
        raise Refused(Code.SIGNATURE, hint="BBOSS_APP_SECRET is not set on our side")
    if not isinstance(given, str):
        raise Refused(Code.SIGNATURE, hint="sign: must be a string")
    if not signature.verify(members, given, secret):
        text = signature.masked_text(members)[:LONGEST_HINT]
        raise Refused(Code.SIGNATURE, hint=f"sign: is not the MD5 of the text that we signed, which is: {text}")


def check_route_type(members: dict, now: datetime.datetime) -> None:
    """20501."""
    _one_of(members, "routeType", ["00", "01"], Code.ROUTE_TYPE)


def check_route_value(members: dict, now: datetime.datetime) -> None:
    """20502: domain or exchange node is not ours."""
    _one_of(members, "domain", [settings.BBOSS_DOMAIN], Code.ROUTE_VALUE)
    _one_of(members, "routeValue", [settings.BBOSS_ROUTE_VALUE], Code.ROUTE_VALUE)


def check_env_flag(members: dict, now: datetime.datetime) -> None:
    """21000: test data at a production site, or the other way round."""
    _one_of(members, "envFlag", [settings.BBOSS_ENV_FLAG], Code.ENV_FLAG)


def _one_of(members: dict, name: str, allowed: list[str], code: Code) -> None:
    given = members[name]
    if not isinstance(given, str) or given not in allowed:
        raise Refused(code, hint=f"{name}: {shown(given)} is not one of {', '.join(allowed)}")


def shown(value) -> str:
    """A sender's value as a hint may hold it: quoted, control characters escaped, short."""
    return ascii(value)[:80]


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

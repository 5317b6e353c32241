"""Access tokens: `<expiry, 14 digits><32 hex>-<4 digits>-<issue time, epoch seconds>` (contract 2.1)."""

import datetime
import hmac
import re
from collections.abc import Iterable

from integrations.bboss.codes import Code, Refused
from integrations.bboss.times import parse_time
from integrations.outbound.formats import wire_time

TOKEN = re.compile(r"([0-9]{14})[0-9a-fA-F]{32}-[0-9]{4}-[0-9]{1,12}")


def expiry(token: str) -> datetime.datetime | None:
    """When the token ends (Asia/Shanghai); None if it does not have a token's form."""
    match = TOKEN.fullmatch(token)
    return match and parse_time(match.group(1))


def check_token(token, known: Iterable[str], now: datetime.datetime) -> None:
    """Raises Refused: 20305 for a malformed or unknown token, 20311 for one past its own expiry."""
    ends = expiry(token) if isinstance(token, str) else None
    if ends is None:
        raise Refused(Code.TOKEN_UNKNOWN, hint="accessToken: not of the form <expiry><32 hex>-<4 digits>-<epoch>")
    if not is_known(token, known):
        raise Refused(Code.TOKEN_UNKNOWN, hint="accessToken: right in form, but none of the tokens set here")
    if now > ends:
        raise Refused(Code.TOKEN_EXPIRED, hint=f"accessToken: ended {wire_time(ends)}, our clock is {wire_time(now)}")


def is_known(token: str, known: Iterable[str]) -> bool:
    """Looks at all of them, each in constant time: how long it takes tells nothing about a near miss."""
    return any([hmac.compare_digest(token.encode(), one.strip().encode()) for one in known])  # noqa: C419

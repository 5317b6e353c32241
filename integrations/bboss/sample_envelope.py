"""Makes signed envelopes as BBOSS does, for the commands, the demo and the tests (contract 2.1, 2.2)."""

import datetime
import uuid
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from integrations.bboss.envelope import sign, token_expiry
from integrations.outbound.formats import wire_time
from integrations.request_body import BadJsonError, parse_bytes


class SigningError(Exception):
    """No envelope can be made. The message names the setting that is missing."""


def signed_envelope(
    content: dict[str, Any] | str,
    *,
    now: datetime.datetime,
    trans_ido: str | None = None,
    overrides: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A signed envelope around `content`. `overrides` replace members, `sign` as well. Raises SigningError."""
    number = trans_ido or uuid.uuid4().hex
    members = {
        "accessToken": current_token(now),
        "busType": "BBSS",
        "content": content,
        "cutOffDay": wire_time(now)[:8],
        "domain": settings.BBOSS_DOMAIN,
        "envFlag": settings.BBOSS_ENV_FLAG,
        "routeType": "00",
        "routeValue": settings.BBOSS_ROUTE_VALUE,
        "sessionID": number,
        "signMethod": "md5",
        "timeStamp": wire_time(now),
        "transIDO": number,
        "userPartyID": _first(settings.BBOSS_PARTY_IDS, "BBOSS_PARTY_IDS"),
        "version": "1.0.0",
    } | (overrides or {})
    secret = _first([settings.BBOSS_APP_SECRET], "BBOSS_APP_SECRET")
    return {"sign": sign(members, secret)} | members


def current_token(now: datetime.datetime) -> str:
    """The first of BBOSS_ACCESS_TOKENS that has not expired. Raises SigningError."""
    tokens: list[str] = [token.strip() for token in settings.BBOSS_ACCESS_TOKENS]
    _first(tokens, "BBOSS_ACCESS_TOKENS")
    for token in tokens:
        ends = token_expiry(token)
        if ends and now <= ends:
            return token
    raise SigningError("none of BBOSS_ACCESS_TOKENS is well-formed and still valid")


def _first(values: list[str], setting: str) -> str:
    if not values or not values[0]:
        raise SigningError(f"{setting} is not set")
    return values[0]


def add_arguments(parser: CommandParser) -> None:
    """Those of the commands `sign_message` and `send_order` (contract section 5)."""
    parser.add_argument("file", metavar="FILE", help="a JSON file that holds the message's content")
    parser.add_argument("--trans-ido", help="the caller's transaction number; a new one unless given")
    parser.add_argument("--cut-off-day", help="YYYYMMDD; today unless given")


def envelope_of(options: dict[str, Any]) -> dict[str, Any]:
    """The signed envelope around the file's content. Raises CommandError with one clear line."""
    content = _content(options["file"])
    given = {"cutOffDay": options["cut_off_day"]} if options["cut_off_day"] else {}
    try:
        return signed_envelope(content, now=timezone.now(), trans_ido=options["trans_ido"], overrides=given)
    except SigningError as error:
        raise CommandError(str(error)) from error


def _content(path: str) -> dict[str, Any]:
    try:
        return parse_bytes(Path(path).read_bytes())
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error
    except BadJsonError as error:
        raise CommandError(f"{path} is no message content: {error}") from error

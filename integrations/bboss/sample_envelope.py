"""Creates signed envelopes like BBOSS's, for the commands, the demo and the tests (contract 2.1, 2.2).

They follow the profile of partners in force, or another profile (`send_order --profile FILE`).
"""

import datetime
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from integrations.base.strict_json import BadJsonError, parse_bytes
from integrations.bboss.compute_signature import sign
from integrations.bboss.envelope_checks import TOKEN_LIST, parse_digits, token_expiry
from integrations.bboss.message_decoding import FORM, Wire
from integrations.outbound.wire_formats import encode, wire_time
from integrations.partners.profile import EPOCHS, Bboss, ProfileError, load_profile
from integrations.partners.renames import copied, inverted, paths_of, rename_in
from orders.rules.local_time import SHANGHAI

DAY = "%Y%m%d"
A_MONTH = datetime.timedelta(days=30)
KIND_VALUES = {"trial": "1", "change": "2", "activation": "3"}  # values of OrderType in our notation


class SigningError(Exception):
    """The envelope can't be created. The message names the missing setting."""


def signed_envelope(
    content: dict[str, Any] | str,
    *,
    now: datetime.datetime,
    trans_ido: str | None = None,
    overrides: dict[str, Any] | None = None,
    how: Bboss | None = None,
) -> dict[str, Any]:
    """Returns a signed envelope around `content`, with BBOSS's names of members. `overrides` replaces members, given
    under our names. `sign` may be replaced too. Raises SigningError."""
    how, number = how or settings.PARTNERS.bboss, trans_ido or uuid.uuid4().hex
    members = {
        "accessToken": _token(now, how),
        "busType": "BBSS",
        "content": content_on_the_wire(content, how) if isinstance(content, dict) else content,
        "cutOffDay": wire_time(now)[:8],
        "domain": settings.BBOSS_DOMAIN,
        "envFlag": settings.BBOSS_ENV_FLAG,
        "routeType": "00",
        "routeValue": settings.BBOSS_ROUTE_VALUE,
        "sessionID": number,
        "signMethod": how.sign.methods[0],
        "timeStamp": time_as_text(now.astimezone(SHANGHAI), how.time_formats[0]),
        "transIDO": number,
        "userPartyID": _first(settings.BBOSS_PARTY_IDS, "BBOSS_PARTY_IDS"),
        "version": "1.0.0",
    } | (overrides or {})
    secret = _first([settings.BBOSS_APP_SECRET], "BBOSS_APP_SECRET")
    rename_in(members, inverted(paths_of(how.rename)))
    name = how.theirs.get("sign", "sign")
    if name in members:
        return members
    return {name: sign(Wire(members, encode(members), how.charsets[0]), secret, how)} | members


def content_on_the_wire(content: dict[str, Any], how: Bboss) -> dict[str, Any]:
    """Returns a content in our notation with OrderType, BackFlag and dates converted to the profile's notation."""
    said: dict[str, Any] = copied(content) if how.rename else dict(content)
    values = {value: getattr(how.kinds, kind)[0] for kind, value in KIND_VALUES.items() if getattr(how.kinds, kind)}
    flags = {"0": (*how.keeps, "0")[0], "1": how.withdraws[0]}
    for name, known in (("OrderType", values), ("BackFlag", flags)):
        if said.get(name) in known:
            said[name] = known[said[name]]
    for name in ("BizStart", "BizEnd"):
        form = how.day_formats[0]
        if form != DAY and isinstance(said.get(name), str) and (moment := parse_digits(said[name] + "000000")):
            said[name] = time_as_text(moment, form)
    return said


def time_as_text(moment: datetime.datetime, form: str) -> str:
    """Returns a time in one of the profile's forms."""
    return str(int(moment.timestamp() * EPOCHS[form])) if form in EPOCHS else moment.strftime(form)


def body_of(members: dict[str, Any], how: Bboss) -> tuple[bytes, str]:
    """Returns the body of the message and its Content-Type."""
    charset, kind = how.charsets[0], how.content_types[0]
    body = encode(members).encode(charset)
    if kind == FORM:
        body = urlencode({how.form_member: body}).encode()
    return body, f"{kind}; charset={charset}"


def current_token(now: datetime.datetime) -> str:
    """Returns the first of BBOSS_ACCESS_TOKENS that has not expired. Raises SigningError."""
    tokens: list[str] = [token.strip() for token in settings.BBOSS_ACCESS_TOKENS]
    _first(tokens, "BBOSS_ACCESS_TOKENS")
    for token in tokens:
        ends = token_expiry(token)
        if ends and now <= ends:
            return token
    raise SigningError("none of BBOSS_ACCESS_TOKENS is well-formed and still valid")


def _token(now: datetime.datetime, how: Bboss) -> str:
    """Returns `current_token`. If no token is configured and the profile does not check tokens against the list,
    generates a token."""
    if how.token.check == TOKEN_LIST or any(settings.BBOSS_ACCESS_TOKENS):
        return current_token(now)
    return f"{wire_time(now + A_MONTH)}{uuid.uuid4().hex}-0000-{now.timestamp():.0f}"


def _first(values: list[str], setting: str) -> str:
    if not values or not values[0]:
        raise SigningError(f"{setting} is not set")
    return values[0]


def add_arguments(parser: CommandParser) -> None:
    """Adds the arguments of the commands `sign_message` and `send_order` (contract section 5)."""
    parser.add_argument("file", metavar="FILE", help="a JSON file that holds the message's content")
    parser.add_argument("--trans-ido", help="the caller's transaction number; a new one unless given")
    parser.add_argument("--cut-off-day", help="YYYYMMDD; today unless given")
    parser.add_argument("--profile", metavar="FILE", help="speaks by this profile of partners, not by ours")


def message_of(options: dict[str, Any]) -> tuple[bytes, str]:
    """Returns the signed message around the file's content, and its Content-Type. Raises CommandError with a one-line
    message."""
    content = _content(options["file"])
    given = {"cutOffDay": options["cut_off_day"]} if options["cut_off_day"] else {}
    try:
        how = load_profile(options["profile"]).bboss if options["profile"] else settings.PARTNERS.bboss
        about = {"trans_ido": options["trans_ido"], "overrides": given, "how": how}
        return body_of(signed_envelope(content, now=timezone.now(), **about), how)
    except (SigningError, ProfileError) as error:
        raise CommandError(str(error)) from error
    except UnicodeEncodeError as error:
        raise CommandError(f"{options['file']}: {error.object[error.start]!r} is not in {error.encoding}") from error


def _content(path: str) -> dict[str, Any]:
    try:
        return parse_bytes(Path(path).read_bytes())
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error
    except BadJsonError as error:
        raise CommandError(f"{path} is no message content: {error}") from error

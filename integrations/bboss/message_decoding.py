"""Decodes a message of BBOSS before it is checked (contract 7.1): its charset, its members' names and their types.

`Wire` is the message as received. `ours` returns the envelope under our names, `content_in` the content.
"""

import codecs
import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import unquote_to_bytes

from integrations.base.strict_json import BadJsonError, Bounds, NumberWithText, parse_text
from integrations.bboss.reply_codes import Code, Refused
from integrations.partners.member_rules import NOT_THERE, member
from integrations.partners.profile import CONTENT_TYPES, Bboss
from integrations.partners.renames import below, copied, paths_of, rename_in

JSON, PLAIN, FORM = CONTENT_TYPES
CONTENT, NUMBER, DOMAINS = "content", "OrderNum", "ProvContent"
UTF_8 = ("utf-8",)
NOTHING: tuple[Any, ...] = (None, "")
_decoder = json.JSONDecoder()
_BLANK = " \t\r\n"


@dataclass(frozen=True)
class Wire:
    """A message as received: members under BBOSS's names, the JSON text, and the charset of the body."""

    members: dict[str, Any]
    text: str = ""
    charset: str = "utf-8"

    def written(self, name: str) -> str:
        """Returns the text of a top-level member exactly as in the message. Returns "" if the member is absent."""
        at = _beyond(self.text, self.text.find("{") + 1, _BLANK)
        while self.text[at : at + 1] == '"':
            key, at = _decoder.raw_decode(self.text, at)
            start = _beyond(self.text, at, _BLANK + ":")
            _value, at = _decoder.raw_decode(self.text, start)
            if key == name:
                return self.text[start:at]
            at = _beyond(self.text, at, _BLANK + ",")
        return ""


def _beyond(text: str, at: int, passed: str) -> int:
    while text[at : at + 1] and text[at] in passed:
        at += 1
    return at


def media_type(header: str) -> str:
    """Returns the media type of a Content-Type header, in lower case, without parameters."""
    return header.split(";")[0].strip().lower()


def check_type(header: str, how: Bboss) -> None:
    """Raises Refused 20007 for a Content-Type that is not in the profile."""
    given = media_type(header)
    if given not in how.content_types:
        known = " or ".join(how.content_types)
        raise Refused(Code.NOT_JSON_TYPE, hint=f"Content-Type: {ascii(given)[:80]} is not {known}")


def text_in(body: bytes, header: str, how: Bboss) -> tuple[str, str]:
    """Returns the message's JSON text and its charset. Raises BadJsonError."""
    if media_type(header) == FORM:
        body = _of_form(body, how.form_member)
    for charset in _charsets(header, how.charsets):
        try:
            return body.decode(charset), charset
        except UnicodeDecodeError as error:
            broken = f"not {charset.upper()} (byte {error.start})"
    raise BadJsonError(broken)


def _charsets(header: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the charsets to try. Ignores the charset in the Content-Type if the profile lists only UTF-8, which is
    the default. Raises BadJsonError if the Content-Type declares a charset that the profile does not list."""
    if known == UTF_8:
        return known
    message = Message()
    message["Content-Type"] = header.replace("\r", " ").replace("\n", " ")
    named = message.get_param("charset")
    if not (named and isinstance(named, str)):
        return known
    try:
        return (next(one for one in known if codecs.lookup(one) == codecs.lookup(named)),)
    except (StopIteration, LookupError):
        raise BadJsonError(f"charset {ascii(named)[:40]} is not one of {', '.join(known)}") from None


def _of_form(body: bytes, name: str) -> bytes:
    pairs = [part.partition(b"=")[::2] for part in body.split(b"&")]
    found = [value for key, value in pairs if _unquoted(key) == name.encode()]
    if len(found) != 1:
        raise BadJsonError(f"the form must have one member {name}, not {len(found)}")
    return _unquoted(found[0])


def _unquoted(part: bytes) -> bytes:
    return unquote_to_bytes(part.replace(b"+", b" "))


def parsed(text: str, bounds: Bounds, how: Bboss) -> dict[str, Any]:
    """Returns the object in a text. Raises BadJsonError."""
    return parse_text(text, bounds, written=how.lenient)


def ours(wire: dict[str, Any], how: Bboss) -> dict[str, Any]:
    """Returns the envelope under our names, with the content unchanged. Raises Refused 20505 if a member occurs under
    BBOSS's name and under ours."""
    members = wire
    if how.rename:
        paths = paths_of(how.rename)
        rename = {theirs: one for theirs, one in paths.items() if one[0] != CONTENT or len(one) == 1}
        content = wire.get(how.named(CONTENT, wire))
        members = {name: value if value is content else copied(value) for name, value in wire.items()}
        if twice := rename_in(members, rename):
            raise Refused(Code.CONTENT, f"{twice}: is there twice, under its name here and yours")
    if not how.lenient:
        return members
    beside = normalised({name: value for name, value in members.items() if name != CONTENT})
    return beside | ({CONTENT: members[CONTENT]} if CONTENT in members else {})


def content_in(members: Mapping[str, Any], content: dict[str, Any], how: Bboss) -> dict[str, Any]:
    """Returns the content under our names and with our types. `members` is the envelope under BBOSS's names. Raises
    Refused 20505."""
    if how.rename:
        paths, content = paths_of(how.rename), copied(content)
        names = {(CONTENT,), *(theirs for theirs, one in paths.items() if one == (CONTENT,))}
        twice = rename_in(content, below(paths, names, CONTENT))
        for theirs, one in paths.items():  # members of the content that the message has outside it
            inside = any(theirs[: len(name)] == name for name in names)
            value = member(members, theirs)
            if len(one) == 2 and one[0] == CONTENT and not inside and value is not NOT_THERE:
                twice = twice or (one[1] if one[1] in content else "")
                content[one[1]] = value
        if twice:
            raise Refused(Code.CONTENT, f"{twice}: is there twice, under its name here and yours")
    if how.lenient:
        content = normalised(content)
        if isinstance(content.get(DOMAINS), dict):
            content[DOMAINS] = [content[DOMAINS]]
    return content


def brief_content(wire: Mapping[str, Any], members: Mapping[str, Any], how: Bboss) -> Any:
    """Returns the content for reading the order number. If the profile renames or converts the number, returns an
    object with the number alone. So a large content is not copied."""
    for theirs, one in paths_of(how.rename).items():
        if one == (CONTENT, NUMBER) and (value := member(wire, theirs)) is not NOT_THERE:
            return {NUMBER: normalised(value) if how.lenient else value}
    content = members.get(CONTENT)
    return normalised({NUMBER: content.get(NUMBER)}) if how.lenient and isinstance(content, dict) else content


def normalised(value: Any) -> Any:
    """Returns a JSON value with numbers and booleans as text, and without values that are null or an empty text."""
    if isinstance(value, dict):
        return {name: one for name, inner in value.items() if (one := normalised(inner)) not in NOTHING}
    if isinstance(value, list):
        return [one for inner in value if (one := normalised(inner)) not in NOTHING]
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, NumberWithText):
        return value.text
    return str(value) if isinstance(value, int | float) else value

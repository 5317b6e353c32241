"""Mutations below the level of JSON: of its text, of the bytes, and of the HTTP request around them."""

import random
import re
from dataclasses import dataclass, field

from tests.hostile import values

_VALUE = re.compile(r':\s*("(?:[^"\\]|\\.)*"|[0-9.eE+-]+|true|false|null)')
LITERALS = [
    "NaN", "-Infinity", "1e999", "-1e999", "1" * 4400, "0x10", "01", "1.", ".5", "+1", "tru", "'a'", "undefined", "",
    "1E400", "-0", '"\\ud800"', '"\\udc00\\ud800"', '"\\u0000"', '"\\x"', '"\n"', '"\t"', "/**/1", "1,", "[,]", '{"a"}',
]  # fmt: skip
ENCODINGS = ["utf-16", "utf-8-sig", "utf-32", "gb18030", "utf-7"]
METHODS = ["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "HEAD", "TRACE", "post", "PROPFIND", "X" * 50]
TYPES = [
    "", "text/plain", "application/json; charset=utf-16", "application/JSON ;x", "application/xml",
    "multipart/form-data", "multipart/form-data; boundary=a", "application/x-www-form-urlencoded",
    "application/json\0", "application/jsön", "json", ";", "application/json, text/html", "x" * 8000,
]  # fmt: skip
LENGTHS = ["0", "1", "-1", "99999999999", "²", "٣", "1_0", " 5", "+5", "0x5", "", "abc", "9" * 5000, "2097153"]
HEADERS = [
    "HTTP_ACCEPT", "HTTP_ACCEPT_LANGUAGE", "HTTP_COOKIE", "HTTP_X_FORWARDED_FOR", "HTTP_X_REQUEST_ID",
    "HTTP_AUTHORIZATION", "HTTP_X_HTTP_METHOD_OVERRIDE", "HTTP_CONTENT_ENCODING", "HTTP_RANGE", "HTTP_ORIGIN",
    "HTTP_IF_MODIFIED_SINCE", "HTTP_X_SIGNATURE", "HTTP_EXPECT", "HTTP_TRANSFER_ENCODING", "REMOTE_ADDR",
    "QUERY_STRING",
]  # fmt: skip


@dataclass
class Request:
    """One HTTP request as the server gets it. `made` names the mutations that made the request."""

    path: str
    body: bytes
    method: str = "POST"
    content_type: str = "application/json"
    meta: dict[str, str] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)


def mutate_text(text: str, chance: random.Random) -> tuple[str, str]:
    """Applies one mutation to the JSON text. Returns the text and the mutation's name."""
    act = chance.choice([literal, literal, double_member, deep, cut, insert, drop_piece, wrap])
    return act(text, chance), act.__name__


def literal(text: str, chance: random.Random) -> str:
    """Replaces a value by a literal that is just valid or just invalid JSON."""
    places = list(_VALUE.finditer(text[:20_000]))
    if not places:
        return text + "NaN"
    start, end = chance.choice(places).span(1)
    return text[:start] + chance.choice(LITERALS) + text[end:]


def double_member(text: str, chance: random.Random) -> str:
    """Repeats a member in one object."""
    places = [match.end() for match in re.finditer(r'[{,](?="[A-Za-z]+":)', text[:20_000])]
    if not places:
        return text
    place = chance.choice(places)
    name = text[place:].partition(":")[0]
    return f"{text[:place]}{name}:{chance.choice(['1', 'null', '{}'])},{text[place:]}"


def deep(text: str, chance: random.Random) -> str:
    """Adds a member with up to thousands of levels, closed or not."""
    levels = chance.choice([31, 32, 33, 1000, 100_000])
    opening, closing = chance.choice([("[", "]"), ('{"a":', "}")])
    closed = closing * levels if chance.random() < 0.7 else ""
    return text.replace("{", '{"deep":' + opening * levels + "1" + closed + ",", 1)


def cut(text: str, chance: random.Random) -> str:
    return text[: chance.randrange(len(text) + 1)]


def insert(text: str, chance: random.Random) -> str:
    place = chance.randrange(len(text) + 1)
    return text[:place] + chance.choice(values.TEXTS + LITERALS) + text[place:]


def drop_piece(text: str, chance: random.Random) -> str:
    place = chance.randrange(len(text) + 1)
    return text[:place] + text[place + chance.randint(1, 20) :]


def wrap(text: str, chance: random.Random) -> str:
    """Puts the text into another outermost value, or adds something before or after it."""
    before, after = chance.choice([("[", "]"), (" \n\t", " "), ("\ufeff", ""), ("", "x"), ("", text), ('{"a":', "}")])
    return before + text + after


def encoded(text: str, chance: random.Random, strange: float) -> bytes:
    """Returns the text as bytes, sometimes in another encoding than UTF-8."""
    encoding = chance.choice(ENCODINGS) if chance.random() < strange else "utf-8"
    return text.encode(encoding, errors="surrogatepass" if "utf-" in encoding else "replace")


def mutate_bytes(body: bytes, chance: random.Random) -> bytes:
    """Changes, removes or inserts a few bytes. Rarely makes the body too large."""
    if chance.random() < 0.05:
        return body + b" " * (2 * values.MIB + 1 - len(body))
    raw = bytearray(body)
    for _ in range(chance.randint(1, 8)):
        place = chance.randrange(len(raw) + 1)
        raw[place : place + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
    return bytes(raw)


def mutate_request(request: Request, chance: random.Random) -> str:
    """Mutates the request around the body. Returns the mutation's name."""
    act = chance.choice([method, content_type, content_type, length, length, header, header, chunked])
    act(request, chance)
    return act.__name__


def method(request: Request, chance: random.Random) -> None:
    request.method = chance.choice(METHODS)


def content_type(request: Request, chance: random.Random) -> None:
    request.content_type = chance.choice(TYPES)


def length(request: Request, chance: random.Random) -> None:
    """Sets a Content-Length that is wrong, or is no number."""
    near = str(len(request.body) + chance.choice([-1, 1, 1000]))
    request.meta["CONTENT_LENGTH"] = chance.choice([*LENGTHS, near])


def header(request: Request, chance: random.Random) -> None:
    """Sets a strange header. Servers pass headers on as Latin-1, so the value is Latin-1."""
    value = chance.choice([*values.TEXTS, "x" * 8000]).encode("utf-8", "replace").decode("latin-1")
    request.meta[chance.choice(HEADERS)] = value


def chunked(request: Request, chance: random.Random) -> None:
    """Removes the length: the server may or may not know where the body ends."""
    request.meta |= {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": chance.choice(["chunked", "Chunked", "gzip", ""])}
    request.meta["wsgi.input_terminated"] = chance.choice([True, True, False])

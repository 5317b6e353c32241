"""The cost of a stranger's message before its signature is known to be right (contract 2.3, last paragraph)."""

import json
import time

import pytest
from django.conf import settings

from integrations.base.strict_json import STRANGER_BOUNDS
from integrations.bboss.envelope_checks import masked_body, masked_head, storable_hint
from tests.bboss.conftest import PATH, TRIAL, envelope

SIZE = 2 * 1024 * 1024 - 100
TOKEN = settings.BBOSS_ACCESS_TOKENS[0]
MOST = STRANGER_BOUNDS.values - 10


def text(piece: str) -> str:
    return '{"a":"' + piece * (SIZE // len(piece.encode())) + '"}'


def listed(piece: str, most: int = MOST) -> str:
    """Returns a JSON list of as many of these pieces as a stranger may send, filled up with letters to 2 MiB."""
    count = min(most, SIZE // (len(piece) + 1))
    inner = ",".join([piece] * count)
    return '{"a":[' + inner + '],"b":"' + "x" * (SIZE - len(inner)) + '"}'


def keyed(value: str, most: int = MOST, letter: str = "") -> str:
    inner = ",".join(f'"{letter}{number}":{value}' for number in range(min(most, SIZE // 12)))
    return "{" + inner + ',"b":"' + "x" * (SIZE - len(inner)) + '"}'


def signed_like(**members) -> str:
    """Returns an envelope with these members. All other members have the right form."""
    return json.dumps(envelope(accessToken=TOKEN[:-1] + "9") | members, ensure_ascii=False)


EXPENSIVE = {
    "digits": lambda: text("1"),
    "hex": lambda: text("1" * 14 + "a" * 31),
    "tokens": lambda: text(TOKEN + " "),
    "escapes": lambda: text("\\u5355"),
    "line feeds": lambda: text("\\n"),
    "quotes": lambda: text('\\"'),
    "wide": lambda: text("单"),
    "mails": lambda: text("a@b."),
    "long numbers": lambda: listed("1" * 4290),
    "numbers of 40 digits": lambda: listed("1" * 40),
    "floats": lambda: listed("1e300"),
    "one long float": lambda: '{"a":0.' + "1" * SIZE + "}",
    "objects": lambda: listed('{"a":1}', MOST // 2),
    "lists": lambda: listed("[]", MOST // 2),
    "keys": lambda: keyed('"x"'),
    "keys, escaped": lambda: keyed('"x"', letter="\\ud83d\\ude00"),
    "a key twice": lambda: keyed('"x"')[:-1] + ',"b":1}',
    "more lists than may be": lambda: listed("[]", 120_000),
    "more keys than may be": lambda: keyed("1", 180_000),
    "a long number of the call": lambda: signed_like(transIDO="x" * (SIZE - 2000)),
    "a wide method": lambda: signed_like(signMethod="单" * (SIZE // 4)),
    "a list for a token": lambda: signed_like(accessToken=[1] * MOST),
    "content in a string": lambda: signed_like(content=listed("1")[: SIZE - 2000]),
}


def cost(client, raw: bytes, times: int) -> float:
    """Returns the processor seconds of a call: the smallest of `times` measurements."""
    found = []
    for _ in range(times):
        began = time.process_time()
        client.generic("POST", PATH, raw, "application/json")
        found.append(time.process_time() - began)
    return min(found)


@pytest.mark.parametrize("what", EXPENSIVE)
def test_2_mib_of_anything_cost_little_more_than_2_mib_of_letters(client, db, clock, what):
    """On a quiet machine such a message costs at most twice as much as letters of its size. The test's limit is higher
    for busy machines. A cost that grows with the square of the size would be 100 times as high."""
    letters, raw = text("x").encode(), EXPENSIVE[what]().encode()
    assert len(raw) <= 2 * 1024 * 1024
    assert any(cost(client, raw, times) < 4 * cost(client, letters, times) for times in (3, 9))


NUMBERS = ["1" * 41, "-" + "1" * 41, "0." + "1" * 40, "1" * 41 + "e-9", "1" * 4290]


@pytest.mark.parametrize("number", NUMBERS, ids=range(len(NUMBERS)))
def test_a_number_of_more_than_40_digits_is_unreadable_before_the_signature_is_right(post, kept, number):
    long, short = (json.dumps({"content": 0}).replace("0", text) for text in (number, "1" * 40))
    assert (post(long.encode()).status, post(long.encode()).code, kept()) == (400, "20105", [])
    assert post(short.encode()).code == "20402"


@pytest.mark.parametrize("more", [{"a": int("1" * 41)}, {"a": [1] * 60_000}], ids=["digits", "values"])
def test_signed_messages_keep_their_bounds(post, kept, more):
    assert post(envelope(TRIAL | more)).code == "00000"
    assert json.loads(kept()[0].body)["content"]["a"] == more["a"]
    assert post(envelope(TRIAL | more, envFlag="1")).code == "21000"
    assert post(envelope(TRIAL | more, accessToken=TOKEN[:-1] + "9")).code == "20105"


def test_a_large_order_is_told_what_is_wrong_with_it(post):
    domains = [{"ProvReq": f"d{number}.example.com"} for number in range(20_000)]
    most, many = (TRIAL | {"ProvContent": domains[:count]} for count in (20_000, 7_000))
    assert post(envelope(most, sign="F" * 32)).code == "20208"
    assert post(envelope(many, accessToken=TOKEN[:-1] + "9")).code == "20305"
    assert post(envelope(TRIAL | {"a": int("1" * 41)}, sign="F" * 32)).code == "20105"


VALUES = [
    {"a": "x" * 10},
    {"a": "x" * 9000, "b": 1},
    {"a": ["单" * 100] * 100, "sign": "s"},
    {"a": {"b": [1, 2.5] * 5000}},
    {f"k{number}": {"accessToken": "t", "n": None} for number in range(900)},
    {"k" * 9000: "x"},
    {"a": "x" * 4090, "b" * 90: 1},
    {"x" * 4158: "a", "x" * 4159: "b", "x" * 4163: "c"},
]


@pytest.mark.parametrize("members", VALUES, ids=range(len(VALUES)))
def test_what_is_kept_is_the_beginning_of_the_whole(members):
    whole, beginning = masked_body(members), masked_head(members)
    assert whole.startswith(beginning)
    assert len(beginning.encode()) > min(len(whole.encode()), 4096) - 400


@pytest.mark.parametrize("before", range(3960, 4180))
def test_no_half_of_a_token_is_kept(before):
    """No part of a token is kept where a text is cut, also if masks before it make room for more of the text."""
    for front in ("x" * before, (TOKEN + " ") * (before // 66) + "x" * (before % 66)):
        for back in ("", "y" * 9000):
            assert TOKEN[:9] not in masked_head({"a": front + TOKEN + back})
            assert TOKEN[:9] not in storable_hint(front + TOKEN + back, signed=False)

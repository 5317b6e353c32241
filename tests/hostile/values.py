"""Values that nobody should send. Each function returns a random one."""

import random

MIB = 1024 * 1024
TEXTS = [
    "", " ", "\0", "a\0b", "\x1b[31m", "\r\nX-Evil: 1", "\x7f", "\x85", "\u2028", "\ufeff1", "\ufffe", "\U0010ffff",
    "\ud800", "a\udfffb", "\u202eneerg", "שלום", "مرحبا", "😀" * 20, "👩‍👩‍👧‍👦", "e\u0301" * 30, "é", "İ", "ß", "K",
    "ſ", "１２３", "²", "٣", "null", "true", "0", "-1", "1e5", "NaN", "{}", "[]", "__proto__", "../../etc/passwd",
    "..\\x", "' OR 1=1 --", "{{7*7}}", "%s%n", "<script>alert(1)</script>", "=1+1", "*.example.com",
    "a..example.com", "xn--a", "-a.example.com", "127.0.0.1", "[::1]", "例子.测试", "straße.de", "a" * 64 + ".com",
    "pass", "return", "1", "4",
]  # fmt: skip
DAYS = [
    "20230931", "20230229", "20240229", "00000000", "00010101", "09991231", "19000101", "99991231", "99981231",
    "2023092", "202309200", "2023-09-20", "20231301", "２０２３０９２０",
]  # fmt: skip
TIMES = [
    "20230920185460", "20230920240000", "20230931000000", "00010101000000", "99991231235959", "20230920185436 ",
    "2023-09-20 24:00:00", "2023-02-30 10:00:00", "0001-01-01 00:00:00", "1970-01-01 00:00:00", "9999-12-31 23:59:59",
    "2023-09-20T19:19:10", "2023-09-20 19:19:60", "２０２３-09-20 19:19:10",
]  # fmt: skip
NUMBERS = [0, -1, 1, 2**31, 2**63, 2**64, -(2**63) - 1, 10**400, 1.5, -0.0, 1e308, 5e-324, 10**4299]
NOT_JSON = [float("nan"), float("inf"), float("-inf")]


def hostile(chance: random.Random):
    """Returns a value of a random type."""
    draw = chance.choice([text, text, day, moment, number, literal, collection, nested, huge_text])
    return draw(chance)


def size(chance: random.Random, usual: list[int], huge: int) -> int:
    """Returns a usual size, and one time in fifty a huge size. The huge sizes take most of the time."""
    return huge if chance.random() < 0.02 else chance.choice(usual)


def text(chance: random.Random) -> str:
    return chance.choice(TEXTS)


def day(chance: random.Random) -> str:
    return chance.choice(DAYS)


def moment(chance: random.Random) -> str:
    return chance.choice(TIMES)


def number(chance: random.Random):
    return chance.choice(NUMBERS + NOT_JSON)


def literal(chance: random.Random):
    return chance.choice([None, True, False])


def collection(chance: random.Random):
    """Returns a list or object that is empty or has a few strange values."""
    things = [text(chance) for _ in range(chance.randrange(4))]
    return chance.choice([things, dict.fromkeys(things, 1), [things], [{"ProvReq": thing} for thing in things]])


def nested(chance: random.Random):
    """Returns a list or objects that are nested about as deep as the 32 levels that are allowed."""
    value = text(chance)
    as_list = chance.random() < 0.5
    for _ in range(chance.randint(20, 45)):
        value = [value] if as_list else {"a": value}
    return value


def huge_text(chance: random.Random) -> str:
    """Returns a text that is usually just longer than a column, and rarely has a mebibyte."""
    length = size(chance, [33, 65, 129, 256, 257, 5000], MIB)
    return chance.choice(["x", "x", "单", "\0"]) * (length // (1 if length < MIB else 3))


def domains(chance: random.Random) -> list:
    """Returns a list of good or bad domains, rarely ten thousand of them."""
    count = size(chance, [1, 2, 5, 50, 500], 10_000)
    form = chance.choice(["{}.example.com", "{}.例子.测试", "单{}.cn", "a.{}", "{}.Example.COM"])
    rows = [{"ProvReq": form.format(f"d{place}")} for place in range(count)]
    if chance.random() < 0.5:
        rows[chance.randrange(count)] = chance.choice([{"ProvReq": text(chance)}, text(chance), rows[0], {}])
    return rows

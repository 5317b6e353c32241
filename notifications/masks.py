"""Masks phones, mail addresses, identity numbers and people's names for readers who may not see them. Pure functions.

Pages, logs, mails, exports and the read API use the same mask for running text, `mask_text`. The texts may come from
outside, so every pattern takes linear time. A mask does not show the length of the masked text.
"""

import datetime
import functools
import re
import string
import unicodedata
from collections.abc import Callable

BYTES_SHOWN = 64 * 1024  # bytes of a text from outside that a page shows
LONGEST_PHONE = 200  # characters of a field with phones; a longer text is hidden completely
LONGEST_WORD = 320  # characters; the longest mail address
_IN_A_WORD = string.ascii_letters + string.digits + "._%+-@"
_IN_A_NUMBER = string.digits + " -+()"  # characters between groups of digits

# --- Normalisation: the patterns below match only plain characters


_PLAIN = frozenset(f"{string.ascii_letters}{string.digits}@._%+-() ")  # the characters in the patterns below
_LATER = range(0x1D400, 0x1D800)  # mathematical letters and digits; all other variants are in Unicode's first plane


@functools.cache
def _folding() -> dict[int, str]:
    """Returns a table for `str.translate` that maps variants of the characters in _PLAIN to these characters.

    Dashes become "-". Blanks and format characters become " ". Each other character is replaced by its NFKC form if
    that form is a single plain character.
    """
    found = {}
    for code in (*range(0x80, 0x10000), *_LATER):
        plain = unicodedata.normalize("NFKC", chr(code))
        kind = unicodedata.category(plain[0])
        plain = "-" if kind == "Pd" or plain == "\u2212" else " " if kind in {"Zs", "Cf"} else plain
        if plain in _PLAIN:
            found[code] = plain
    return found


@functools.cache
def _odd() -> frozenset[str]:
    return frozenset(map(chr, _folding()))


def folded(text: str) -> str:
    """Returns the text with full-width and other variants of letters, digits, blanks and dashes in their plain form.
    The length does not change."""
    return text if text.isascii() or _odd().isdisjoint(text) else text.translate(_folding())


# --- Numbers

_GAP = "[ -]{0,3}"
_BEFORE = r"(?:(?<![0-9A-Za-z])|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4}))"  # the letter of an escape is not text
_FILES = "(?:xlsx?|csv|docx?|pdf|zip|rar|txt|png|jpe?g|eml|msg)(?![0-9A-Za-z])"
_AFTER = (
    r"(?![0-9A-Za-z]|-[0-9A-Fa-f]{4}-"  # part of a UUID
    rf"|(?:-[0-9A-Za-z-]{{0,62}})?\.(?!{_FILES})[a-z])"  # a domain
)
_ABROAD = rf"(?:(?:\+|00)86{_GAP}|\+)"
_MOBILE = rf"1[3-9][0-9](?:{_GAP}[0-9]{{4}}{_GAP}|[0-9]{_GAP}[0-9]{{3}}{_GAP})[0-9]{{4}}"
_AREA, _LONG_AREA = "(?:10|2[0-9])", "[3-9][0-9]{2}"
_IN_TOWN = rf"(?:{_AREA}\)?{_GAP}[0-9]{{4}}|{_LONG_AREA}\)?{_GAP}[0-9]{{3,4}}){_GAP}[0-9]{{4}}"
_UUID = "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"
NUMBER = re.compile(
    rf"(?=[0-9+(]){_BEFORE}(?:"
    rf"(?:{_ABROAD}|86{_GAP})?(?P<mobile>{_MOBILE})"
    rf"|(?P<identity>[0-9]{{17}}[0-9Xx]|[0-9]{{6}}[ -][0-9]{{8}}[ -][0-9]{{3}}[0-9Xx]|[0-9]{{15}})"
    r"|(?<![0-9A-Fa-f]-)(?:"
    rf"\(?(?P<landline>0{_IN_TOWN})|(?:{_ABROAD}|86[ -]{{1,3}})(?:\(0\)|\(?0?)(?P<abroad>{_IN_TOWN})"
    rf"|(?P<service>400{_GAP}(?:[0-9]{{3}}{_GAP}[0-9]{{4}}|[0-9]{{4}}{_GAP}[0-9]{{3}}))"
    rf")){_AFTER}"
)
PHONE = re.compile(r"(?<![0-9A-Za-z])(\+?[0-9]{3})[0-9-]{3,}([0-9]{2})(?![0-9A-Za-z])")
LEFT_OPEN = re.compile(r"[0-9]{4}|@")
REGIONS = re.compile("1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[123]|91")
"""The first digits of identity numbers: the provinces of GB/T 2260."""
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECK_DIGITS = "10X98765432"  # GB 11643
FIRST_OLD_YEAR = 1924
"""The first birth year of 15-digit identity numbers. Order numbers contain times (yymmddHHMMSS), which look like
earlier birth years."""


def _is_identity(number: str) -> bool:
    """Returns True if these 15 or 18 characters are an identity number. It must begin with a province and contain a
    birth date. If it has 18 characters, it must also have a correct check digit."""
    if not REGIONS.match(number):
        return False
    if len(number) == 15:
        return int(number[6:8]) + 1900 >= FIRST_OLD_YEAR and _is_date(f"19{number[6:12]}")
    total = sum(int(digit) * weight for digit, weight in zip(number[:17], WEIGHTS, strict=True))
    return CHECK_DIGITS[total % 11] == number[17] and "1900" <= number[6:10] < "2100" and _is_date(number[6:14])


def _is_date(digits: str) -> bool:
    try:
        datetime.date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return False
    return True


def _number(found: re.Match) -> str | None:
    said = re.sub("[^0-9X]", "", found[str(found.lastgroup)].upper())
    if found.lastgroup == "identity" and not _is_identity(said):
        return None
    return f"{said[:3]}***{said[-2:]}"


# --- Mail addresses

_AT = re.compile(r"([\w.%+-]++)(?=@\w)|[\w.%+-]++")  # matches a whole word, so that no word is scanned twice
_ADDRESS = re.compile(r"(?<![\w.%+-])([\w.%+-]++)@[\w-]++(?:\.[\w-]++)*+", re.ASCII)
HIDDEN = "***"
MESSAGE_ID = re.compile(rf"{_UUID}|[0-9A-Fa-f]{{20}}|[0-9]{{12}}[.-][0-9A-Za-z]")
"""The part before the @ in a Message-ID, which is not a person's address."""
_CHINESE = r"\u3400-\u9fff\uf900-\ufaff"
_RUNS_ON = re.compile(rf".*[{_CHINESE}](?=[^{_CHINESE}._%+-])", re.DOTALL)


def _mail(found: re.Match) -> str | None:
    """Returns the masked part before the @, or None if that part needs no mask.

    Chinese text has no blanks before an address. So an address in Latin letters begins after the last Chinese
    character.
    """
    if found[1] is None or MESSAGE_ID.search(found[1]):
        return None
    text = _RUNS_ON.match(found[1])
    before = text[0] if text else ""
    name = found[1][len(before) :].lstrip("._%+-")
    kept = found[1][: len(found[1]) - len(name)]
    return f"{kept}{name[0]}***" if name else None


# --- Functions for other modules


def mask_name(name: str) -> str:
    return f"{name[0]}**" if name else ""


def mask_phone(phone: str) -> str:
    """Masks a phone: `13700001234` becomes `137***34`. A text that does not look like a phone is hidden completely."""
    masked = PHONE.sub(r"\1***\2", folded(phone)) if len(phone) <= LONGEST_PHONE else "***"
    return "***" if phone and (masked == folded(phone) or LEFT_OPEN.search(masked)) else masked


def mask_mail(mail: str) -> str:
    """Masks an address: `zhang@example.com` becomes `z***@example.com`. A text without a mail address is hidden
    completely."""
    masked = mask_mails(mail)
    return masked if masked != mail or not mail else "***"


def mask_mails(text: str) -> str:
    return _replaced(_AT, text, _mail) if "@" in folded(text) else text


def mask_text(text: str) -> str:
    """Masks mail addresses, Chinese phones and identity numbers. Digits inside a word of letters and digits stay."""
    return _replaced(NUMBER, mask_mails(text), _number)


def hide_all(text: str, known: re.Pattern | None = None) -> str:
    """Replaces mail addresses, phones and identity numbers, and all matches of `known`, completely by `***`."""
    if known:
        text = _replaced(known, text, lambda found: HIDDEN)
    text = _replaced(_ADDRESS, text, lambda found: None if MESSAGE_ID.search(found[1]) else HIDDEN)
    return _replaced(NUMBER, text, lambda found: HIDDEN if _number(found) else None)


def _replaced(pattern: re.Pattern, text: str, mask: Callable[[re.Match], str | None]) -> str:
    """Replaces the matches of the pattern in the folded text by `mask(match)`. If that is None, leaves the match."""
    parts, at = [], 0
    for found in pattern.finditer(folded(text)):
        if (masked := mask(found)) is not None:
            parts += [text[at : found.start()], masked]
            at = found.end()
    return "".join([*parts, text[at:]]) if parts else text


def head(text: str, most: int = BYTES_SHOWN) -> tuple[str, int]:
    """Returns at most the first `most` bytes of a text, and the number of bytes left out.

    The cut is before a word or phone and never inside, because the masks do not recognise half of an address or phone.
    """
    if len(text) * 4 <= most:
        return text, 0
    raw = text.encode("utf-8", "replace")
    if len(raw) <= most:
        return text, 0
    shown = raw[:most].decode("utf-8", "ignore")
    end = folded(shown[-LONGEST_WORD:])
    whole = end.rstrip(_IN_A_WORD)
    whole = whole.rstrip(_IN_A_NUMBER) or whole
    shown = shown[: len(shown) - len(end) + len(whole)] if whole else shown
    return shown, len(raw) - len(shown.encode("utf-8", "replace"))

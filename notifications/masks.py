"""Masks phones, mail addresses and people's names for readers who may not see them. Pure text; hides lengths too.

Strangers write these texts, so every pattern takes linear time for any text.
"""

import re
import string

MOST = 64 * 1024
"""How many bytes of a foreign text a page shows."""
_WORD = "A-Za-z0-9._%+-"
_IN_A_WORD = string.ascii_letters + string.digits + "._%+-@"
_AT = re.compile(rf"([{_WORD}]++)@([A-Za-z0-9.-]++)|[{_WORD}]++")  # takes a whole word, so that no word is read twice
_BEFORE = r"(?:(?<![0-9A-Za-z])|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4}))"  # an escape's letter is not text
MOBILE = re.compile(_BEFORE + r"(1[0-9]{2})[0-9]{6}([0-9]{2})(?![0-9A-Za-z])")
PHONE = re.compile(r"(?<![0-9A-Za-z])(\+?[0-9]{3})[0-9-]{3,}([0-9]{2})(?![0-9A-Za-z])")
LONGEST_PHONE = 200  # of a member that holds one or a few
LONGEST_WORD = 320  # a mail address


def mask_name(name: str) -> str:
    """`张三丰` becomes `张**`."""
    return f"{name[0]}**" if name else ""


def mask_phone(phone: str) -> str:
    """`13700001234` becomes `137***34`. A text that does not look like a phone is hidden completely."""
    masked = PHONE.sub(r"\1***\2", phone) if len(phone) <= LONGEST_PHONE else "***"
    return masked if masked != phone or not phone else "***"


def mask_mail(mail: str) -> str:
    """`zhang@example.com` becomes `z***@example.com`. A text that looks like no mail address is hidden completely."""
    masked = mask_mails(mail)
    return masked if masked != mail or not mail else "***"


def mask_mails(text: str) -> str:
    """Masks mail addresses in running text."""
    return _AT.sub(_mail, text) if "@" in text else text


def mask_text(text: str) -> str:
    """Masks mail addresses and mainland mobile numbers in running text."""
    return MOBILE.sub(r"\1***\2", mask_mails(text))


def head(text: str, most: int = MOST) -> tuple[str, int]:
    """The first `most` bytes of a text in UTF-8, and how many bytes are left out.

    A word is never cut: half of a phone or mail address would not be recognised and masked.
    """
    if len(text) * 4 <= most:
        return text, 0
    raw = text.encode("utf-8", "replace")
    if len(raw) <= most:
        return text, 0
    shown = raw[:most].decode("utf-8", "ignore")
    whole = shown[-LONGEST_WORD:].rstrip(_IN_A_WORD)
    shown = shown[: len(shown) - LONGEST_WORD] + whole if whole else shown
    return shown, len(raw) - len(shown.encode("utf-8", "replace"))


def _mail(found: re.Match) -> str:
    if found[2] is None:
        return found[0]
    name = found[1].lstrip("._%+-")
    return f"{found[1][: len(found[1]) - len(name)]}{name[0]}***@{found[2]}" if name else found[0]

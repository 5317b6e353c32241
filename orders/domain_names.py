"""Which host names a customer can order (contract 2.4): real ones, IDN allowed, no address, no wildcard."""

import re
from functools import lru_cache

import idna

from orders.error_messages import say_in_english

LONGEST = 253
MOST_DOMAINS = 20_000  # of one order (contract 2.4)
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# The common case in one step: ASCII, at least two labels, the last not of digits only. xn-- takes the long way.
_PLAIN = re.compile(rf"(?!xn--)(?:{_LABEL}\.(?!xn--))+(?![0-9]+\Z){_LABEL}")


def fault(name: str) -> str | None:
    """What is wrong with a host name, in words for its sender; None if nothing is. Letter case does not matter."""
    found = find_fault(name)
    return say_in_english(found["code"], found) if found else None


def find_fault(name: str) -> dict | None:
    """The same as a code of `orders/error_messages.py`: `{"code": ..., ...}`."""
    lower = name.lower()
    if len(lower) <= LONGEST and _PLAIN.fullmatch(lower) and name.isascii():
        return None
    code = _fault_of_form(name) or _fault_of_labels(lower)
    return {"code": code, "most": LONGEST} if code else None


def _fault_of_form(name: str) -> str | None:
    if len(name) > LONGEST:
        return "name_long"
    if name.lower().isascii() and not name.isascii():
        return "name_looks_ascii"
    if "*" in name:
        return "name_wildcard"
    if name.endswith("."):
        return "name_dot"
    if "." not in name:
        return "name_one_label"
    return "name_address" if _is_address(name) else None


def _is_address(name: str) -> bool:
    last = name.rpartition(".")[2]
    return last.isascii() and last.isdigit()


def _fault_of_labels(lower: str) -> str | None:
    labels = lower.split(".")
    faults = [_label_fault(label) for label in labels]
    if any(faults):
        return next(filter(None, faults))
    wire_length = sum(len(_a_label(label)) + 1 for label in labels) - 1
    return "name_long_in_ascii" if wire_length > LONGEST else None


def _label_fault(label: str) -> str | None:
    if not label:
        return "name_empty_label"
    try:
        valid = re.fullmatch(_LABEL, _a_label(label))
    except (idna.IDNAError, UnicodeError):
        return "name_bad_label"
    if len(_a_label(label)) > 63:
        return "name_long_label"
    return None if valid else "name_letters"


@lru_cache(maxsize=4096)
def _a_label(label: str) -> str:
    """The label in ASCII. Raises idna.IDNAError for one outside ASCII, or an xn-- one, that IDNA 2008 forbids."""
    if not label.isascii():
        return idna.alabel(label).decode()
    if label.startswith("xn--"):
        idna.ulabel(label)
    return label

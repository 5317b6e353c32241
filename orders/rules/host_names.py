"""The rules for host names of domains: what is valid, and the forms for comparison and display (contract 2.4)."""

import re
import unicodedata
from functools import lru_cache
from typing import Any

import idna
from django.conf import settings

WILDCARD = "*."
LONGEST_NAME = 253
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# The common case in one step: ASCII, at least two labels, the last label not only digits. xn-- is checked in full.
_PLAIN = re.compile(rf"(?!xn--)(?:{_LABEL}\.(?!xn--))+(?![0-9]+\Z){_LABEL}")
_ADDRESS = re.compile(r"^(?:[a-z][a-z0-9+.-]*:)?//(?:[^/?#@\s]*@)?", re.IGNORECASE)
_DOTS = str.maketrans("。．｡", "...")  # what IDNA takes for dots


def domain_fault(name: str) -> dict[str, Any] | None:
    """Returns the error of a domain's host name as `{"code": ..., ...}` (`orders/texts/error_messages.py`), or None if
    the name is valid.

    IP addresses are refused. If the partner profile does not allow wildcards (`*.example.com`), these are refused too.
    Internationalized names are allowed. Letter case does not matter.
    """
    lower = name.lower()
    if len(lower) <= LONGEST_NAME and _PLAIN.fullmatch(lower) and name.isascii():
        return None
    wild = lower.startswith(WILDCARD) and lower.count("*") == 1 and len(lower) <= LONGEST_NAME
    if wild and settings.PARTNERS.bboss.domains.wildcards:
        return domain_fault(name.removeprefix(WILDCARD))
    code = _fault_of_form(name) or _fault_of_labels(lower)
    return {"code": code, "most": LONGEST_NAME} if code else None


def _fault_of_form(name: str) -> str | None:
    if len(name) > LONGEST_NAME:
        return "name_long"
    if name.lower().isascii() and not name.isascii():
        return "name_looks_ascii"
    if "*" in name:
        return "name_wildcard"
    if name.endswith("."):
        return "name_dot"
    if "." not in name:
        return "name_one_label"
    last = name.rpartition(".")[2]
    return "name_address" if last.isascii() and last.isdigit() else None


def _fault_of_labels(lower: str) -> str | None:
    labels = lower.split(".")
    faults = [_label_fault(label) for label in labels]
    if any(faults):
        return next(filter(None, faults))
    wire_length = sum(len(_a_label(label)) + 1 for label in labels) - 1
    return "name_long_in_ascii" if wire_length > LONGEST_NAME else None


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


def domain_key(name: str) -> str:
    """Returns a domain's key for comparisons: lower case, each label in ASCII (`xn--`; contract 2.4).

    A partner's records may contain texts that are no host names. The key of such a text is the text in lower case. The
    function is idempotent.
    """
    lower = name.lower()
    if lower.isascii() or len(lower) > LONGEST_NAME:  # the form in ASCII is longer still
        return lower
    try:
        key = ".".join(map(_a_label, lower.split(".")))
    except (idna.IDNAError, UnicodeError):
        return lower
    return key if len(key) <= LONGEST_NAME else lower


def domain_meant(text: str) -> str:
    """Returns the host name within a URL or text that somebody typed or pasted. Without a host name, returns the text
    without outer spaces."""
    ordinary = unicodedata.normalize("NFKC", text).translate(_DOTS).strip()
    host = re.split(r"[/?#\\]", _ADDRESS.sub("", ordinary))[0]
    return re.sub(r":\d*$", "", host).rstrip(".") or text.strip()


def unicode_form(key: str) -> str:
    """Returns a domain's key in Unicode, with `xn--` labels decoded. An invalid key is returned unchanged."""
    if "xn--" not in key:
        return key
    try:
        return ".".join(idna.ulabel(label) if label.startswith("xn--") else label for label in key.split("."))
    except (idna.IDNAError, UnicodeError):
        return key


@lru_cache(maxsize=4096)
def _a_label(label: str) -> str:
    """Returns the label in ASCII. Raises idna.IDNAError if IDNA 2008 forbids it."""
    if not label.isascii():
        return idna.alabel(label).decode()
    if label.startswith("xn--"):
        idna.ulabel(label)
    return label

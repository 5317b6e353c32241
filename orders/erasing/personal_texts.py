"""Erases people's names, phones and mails from stored texts (contract 3.14). Reads nothing but the profile of partners.

A value is a JSON value or a text, which may itself contain JSON. Members such as `OperTel` become `***`, whatever they
hold. In all other texts the people's known values become `***`.
"""

import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

from django.conf import settings

from notifications.masks import HIDDEN, folded, hide_all

NAMES = {"operuser", "username", "oper_user", "operator"}
MEMBERS = NAMES | {"opertel", "usertel", "oper_tel", "opermail", "usermail", "oper_mail", "opinion"}
"""The members with personal data, in messages, payloads, callbacks and our own rows, in lower case. The profile of
partners may have other names for them."""
SHORTEST_NAME, SHORTEST_PHONE = 2, 5
TEXTS_IN_TEXTS = 3  # levels of JSON in strings, as on pages


def is_personal(path: str) -> bool:
    """Returns True for the path of a member with personal data, such as `.content.OperTel`."""
    path = path.lower()
    if path.rpartition(".")[2] in MEMBERS:
        return True
    renamed = settings.PARTNERS.renamed_members
    return any(
        ours.rpartition(".")[2].lower() in MEMBERS and path.endswith(f".{theirs.lower()}") for ours, theirs in renamed
    )


def personal_values(value: object, path: str = "", texts: int = TEXTS_IN_TEXTS) -> Iterator[str]:
    """Yields what the members with personal data hold, at any depth. `path`: where the value stands."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from personal_values(inner, f"{path}.{name}", texts)
    elif isinstance(value, list):
        for inner in value:
            yield from personal_values(inner, path, texts)
    elif is_personal(path):
        if value not in {None, "", HIDDEN}:
            yield str(value).strip()
    elif isinstance(value, str) and texts and (inner := _parsed(value)) is not None:
        yield from personal_values(inner, path, texts - 1)


class People:
    """The known values of the people of a line.

    `codes`: words of our own, such as states, and the line's numbers. A person's name that is such a word is erased
    from its member only, since rows would lose their meaning.
    """

    def __init__(self, values: Iterable[str], codes: Iterable[str] = ()):
        self.codes = frozenset(codes)
        self.values = sorted({one for one in values if one and one not in self.codes}, key=len, reverse=True)
        patterns = [found for one in self.values for found in _patterns(one)]
        self.known = re.compile("|".join(patterns), re.IGNORECASE) if patterns else None

    def erase(self, value: object, *, free: bool = True, path: str = "", texts: int = TEXTS_IN_TEXTS):
        """Returns the value without personal data. `free`: also hides every phone, mail address and identity number, in
        texts that people wrote."""
        if isinstance(value, dict):
            return {
                name: self.erase(inner, free=free, path=f"{path}.{name}", texts=texts) for name, inner in value.items()
            }
        if isinstance(value, list):
            return [self.erase(inner, free=free, path=path, texts=texts) for inner in value]
        if value is None or isinstance(value, bool) or value == "":
            return value
        if is_personal(path):
            return HIDDEN
        if not isinstance(value, str):
            return value if self._hide(str(value), free=False) == str(value) else HIDDEN
        return self.text(value, free=free, path=path, texts=texts)

    def text(self, text: str, *, free: bool = True, path: str = "", texts: int = TEXTS_IN_TEXTS) -> str:
        if text in self.codes:
            return text
        if text.lstrip().startswith(("{", "[")):
            value = _parsed(text) if texts else None
            if value is not None:
                return json.dumps(self.erase(value, free=free, path=path, texts=texts - 1), ensure_ascii=False)
            if '"' in text:  # cut JSON, in which members can't be recognised
                return HIDDEN
        return self._hide(text, free=free)

    def _hide(self, text: str, *, free: bool) -> str:
        if free:
            return hide_all(text, self.known)
        return self.known.sub(HIDDEN, text) if self.known else text

    def are_in(self, data: bytes) -> bool:
        """Returns True if a file's text has one of the values."""
        return self.known is not None and self.known.search(folded(data.decode("utf-8", "replace"))) is not None


def _patterns(value: str) -> Iterator[str]:
    """Yields patterns for a value and for its forms in an address and in JSON."""
    digits = re.sub(r"\D", "", folded(value))
    if len(digits) >= SHORTEST_PHONE and re.fullmatch(r"[\d +()-]+", folded(value)):
        yield rf"(?<!\d){'[ -]?'.join(digits)}(?!\d)"
    elif len(value) >= SHORTEST_NAME:
        for form in forms_of(value):
            before, after = (r"(?<![A-Za-z0-9_])", r"(?![A-Za-z0-9_])") if form.isascii() else ("", "")
            yield f"{before}{re.escape(form)}{after}"


def forms_of(value: str) -> list[str]:
    """Returns the value as it is, and as it stands in an address and in ASCII JSON."""
    return list(dict.fromkeys((value, quote(value), quote_plus(value), json.dumps(value)[1:-1])))


def _parsed(text: str) -> dict | list | None:
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None

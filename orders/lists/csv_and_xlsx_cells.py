"""Converts values of columns to cells of CSV and xlsx files."""

import datetime
import re
import unicodedata
from typing import Any

from django.db.models import Model
from django.utils import timezone
from django.utils.translation import gettext as _

Cell = None | str | int | float | bool | datetime.date | datetime.datetime
"""The value of a cell. Times are naive, in Asia/Shanghai."""
NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,14})|-?(0|[1-9][0-9]{0,8})\.[0-9]{1,6}", re.ASCII)
NOTHING = "-"  # an empty cell on pages
LONGEST_TEXT = 32_767  # Excel's limit for a cell, in UTF-16 units
# Characters that are illegal in XML, and single surrogates, which can't be encoded.
ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
FORMULA = ("=", "+", "-", "@")
"""Spreadsheets treat a text with one of these prefixes as a formula, which could send data or start programs."""


def plain(value: Any) -> Cell:
    """Returns the value as a cell. Times are converted to Asia/Shanghai. `-` becomes an empty cell."""
    if value is None or isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, datetime.datetime):
        return timezone.localtime(value).replace(tzinfo=None, microsecond=0)
    if isinstance(value, datetime.date):
        return value
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return None if text in {"", NOTHING} else text


def as_number(cell: Cell) -> Cell:
    """Converts a text with a number to a number. Numbers of more than 15 digits stay text, since spreadsheets would
    round them."""
    if not isinstance(cell, str) or not NUMBER.fullmatch(cell):
        return cell
    return float(cell) if "." in cell else int(cell)


def field_value(row: Model, name: str) -> Any:
    label = getattr(row, f"get_{name}_display", None)
    return label() if label else getattr(row, name)


def clean(text: str) -> str:
    """Replaces illegal characters and cuts the text to LONGEST_TEXT."""
    text = ILLEGAL.sub("\ufffd", text)
    if len(text) * 2 <= LONGEST_TEXT or len(text.encode("utf-16-le")) <= LONGEST_TEXT * 2:
        return text
    return text.encode("utf-16-le")[: (LONGEST_TEXT - 1) * 2].decode("utf-16-le", "ignore") + "…"


def csv_cell(value: Cell) -> Cell:
    """Returns the value for a CSV file, escaped if a spreadsheet could treat it as a formula."""
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ", "seconds")
    if not isinstance(value, str):
        return value
    text = clean(value)
    return f"'{text}" if _looks_like_formula(value) else text


def _looks_like_formula(text: str) -> bool:
    """Returns True if a spreadsheet may treat the text as a formula. Some spreadsheets skip invisible characters or
    accept fullwidth signs."""
    first = next((one for one in text if unicodedata.category(one)[0] not in "ZC"), "")
    return unicodedata.normalize("NFKC", first).startswith(FORMULA)

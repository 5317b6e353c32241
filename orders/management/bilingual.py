"""Texts at a terminal: in Chinese as on pages and mails, in English, and with the code."""

import unicodedata

from django.utils.functional import Promise
from django.utils.translation import override


def in_language(tongue: str, text: str | Promise) -> str:
    with override(tongue):
        return str(text)


def both(text: str | Promise) -> str:
    return f"{in_language('zh-hans', text)} {in_language('en', text)}"


def word(choice) -> str:
    """Returns a choice in both languages with its code: `失败 Failed (failed)`; docs/statuses.md lists all."""
    return f"{both(choice.label)} ({choice.value})"


def padded(text: str, width: int) -> str:
    """Pads a text with spaces to a width in columns; a Chinese character takes two."""
    taken = sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
    return text + " " * (width - taken)


def with_code(text: str | Promise, code: str) -> str:
    """Returns a label or sentence in Chinese with its code: `归属未知 (attribution_unknown)`."""
    return f"{in_language('zh-hans', text)} ({code})"

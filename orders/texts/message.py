"""The message of an error: a sentence in English and in words for pages. `orders/texts/error_messages.py` has the table
of all."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.functional import Promise


@dataclass(frozen=True)
class Message:
    """`english` is for commands, logs and BBOSS, and names steps and states by their codes. `words` are for pages, in
    the reader's language, and name them by their labels. If only one of them is given, it is used for both."""

    english: str = ""
    words: str | Promise = ""


def in_words(sentences: Mapping[str, str | Promise]) -> dict[str, Message]:
    """{code: Message} of sentences that pages and terminals say alike, from {code: words}."""
    return {code: Message(words=words) for code, words in sentences.items()}

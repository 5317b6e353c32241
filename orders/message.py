"""What a sentence is made of; `orders/error_messages.py` has the table of all."""

from dataclasses import dataclass

from django.utils.functional import Promise


@dataclass(frozen=True)
class Message:
    """`english` is for commands, logs and BBOSS. `words` are for pages, in the reader's language.

    If only one of them is given, it is used for both. `words` name steps and states by their labels, `english` by their
    codes.
    """

    english: str = ""
    words: str | Promise = ""

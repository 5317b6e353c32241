"""The message of an error, in English and in words for pages.

`orders/texts/error_messages.py` has the table of all messages.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.functional import Promise


@dataclass(frozen=True)
class Message:
    """The two forms of a message. If only one of them is given, it is used for both.

    `english` is for commands, logs and BBOSS, and uses the codes of steps and states. `words` is for pages, in the
    reader's language, and uses their labels. `acts`: the decisions that `words` advise, as in `Advice.act`.
    """

    english: str = ""
    words: str | Promise = ""
    acts: str = ""


def in_words(sentences: Mapping[str, str | Promise]) -> dict[str, Message]:
    """Returns {code: Message} from {code: words}, for sentences that are the same on pages and terminals."""
    return {code: Message(words=words) for code, words in sentences.items()}

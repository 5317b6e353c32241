"""Whether people can read a name that somebody typed in."""

import unicodedata

UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode's categories of what nobody sees in a name: controls, line ends, what turns a text's direction around."""


def is_readable(name: str) -> bool:
    """Whether it holds nothing that nobody sees."""
    return not any(unicodedata.category(letter) in UNSEEN for letter in name)

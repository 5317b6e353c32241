"""The characters that a typed name may hold. Pages and mails show it as text."""

import unicodedata

from orders.texts.errors import NotAllowedError

UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode's categories of what nobody sees in a name: controls, line ends, what turns a text's direction around."""
LINK = "://"  # mail programs make a link of what holds it


def why_not_a_name(text: str) -> NotAllowedError | None:
    """Returns why nothing can be called this: it holds what nobody sees, or a link. None if it can."""
    if any(unicodedata.category(letter) in UNSEEN for letter in text):
        return NotAllowedError("name_unreadable")
    if LINK in unicodedata.normalize("NFKC", text):
        return NotAllowedError("name_link")
    return None

"""The characters allowed in a name that staff enter. Pages and mails show such names as text."""

import unicodedata

from orders.texts.errors import NotAllowedError

UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode's categories of what nobody sees in a name: controls, line ends, what turns a text's direction around."""
LINK = "://"  # mail programs turn a text with this into a link


def why_not_a_name(text: str) -> NotAllowedError | None:
    """Returns the reason why this text can't be a name (invisible characters or a link); None if it can."""
    if any(unicodedata.category(letter) in UNSEEN for letter in text):
        return NotAllowedError("name_unreadable")
    if LINK in unicodedata.normalize("NFKC", text):
        return NotAllowedError("name_link")
    return None

"""Terms of a search, and the texts that they are compared with. Pure."""

LEAST = 2  # characters of a term that is not ASCII


def folded(text: str) -> str:
    return text.strip().casefold()


def is_long_enough(term: str, whole: int) -> bool:
    """Returns True if a (folded) term matches any part of a text. ASCII of up to `whole` characters does not."""
    return len(term) > (whole if term.isascii() else LEAST - 1)

"""Terms of a search, and the texts that the terms are compared with. Pure."""

LEAST = 2  # characters of a term that is not ASCII


def folded(text: str) -> str:
    return text.strip().casefold()


def is_long_enough(term: str, whole: int) -> bool:
    """Returns True if a (folded) term is long enough to match any part of a text. A term in ASCII of up to `whole`
    characters is not."""
    return len(term) > (whole if term.isascii() else LEAST - 1)

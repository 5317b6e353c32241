"""A list of order numbers from BBOSS, one a line (contract section 5, `reconcile --numbers`)."""

from pathlib import Path

from integrations.bboss.content import NUMBER


class NumberListError(Exception):
    """The file can't be read, or one of its lines is not an order number. The message is one line."""


def read_numbers(path: str) -> list[str]:
    """The order numbers of a UTF-8 file, each once, in its sequence, blanks ignored. Raises NumberListError."""
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it is not a text in UTF-8"
        raise NumberListError(f"{path}: {why}") from error
    numbers: dict[str, None] = {}
    for place, line in enumerate(lines, start=1):
        number = line.strip()
        if number and not NUMBER.fullmatch(number):
            raise NumberListError(f"{path}: line {place} is no order number: {number[:80]!r}")
        if number:
            numbers[number] = None
    if not numbers:
        raise NumberListError(f"{path}: it holds no order numbers")
    return list(numbers)

"""JSON that others wrote, as a page may show it: what came over the wire can hold more than an answer of ours can."""

import json

DEEPEST = 64


def load(text: str) -> object:
    """The value of a JSON text, halves of surrogate pairs as question marks.

    Raises ValueError for what is no JSON or is nested deeper than DEEPEST: that is shown as the text that it is.
    """
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if _depth_exceeds(value, DEEPEST):
        raise ValueError("nested too deep")
    if "\\u" in text:  # only an escape can bring one in
        value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    return value


def _depth_exceeds(value: object, most: int) -> bool:
    """Level by level: a function that calls itself would meet the same limit."""
    level = [value]
    for _ in range(most):
        level = [inner for one in level for inner in _inner(one)]
        if not level:
            return False
    return True


def _inner(value: object) -> list:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []

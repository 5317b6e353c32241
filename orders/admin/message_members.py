"""The members of a stored message. It was JSON, but pruning or somebody's change may have cut it."""

from orders import untrusted_text


def members_of(body) -> dict:
    """The members of an object, given as a dict or as JSON text. Empty if it is neither."""
    if isinstance(body, str):
        try:
            body = untrusted_text.load(body)
        except ValueError:
            return {}
    return body if isinstance(body, dict) else {}

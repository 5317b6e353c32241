"""A kept message as members: it was JSON once, but pruning or a hand may have cut it."""

from orders import untrusted_text


def members_of(body) -> dict:
    """The members of an object, given as such or as JSON text; none where it is neither."""
    if isinstance(body, str):
        try:
            body = untrusted_text.load(body)
        except ValueError:
            return {}
    return body if isinstance(body, dict) else {}

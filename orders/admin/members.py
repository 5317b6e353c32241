"""A kept message as members: it was JSON once, but pruning or a hand may have cut it."""

from orders import foreign_json


def members_of(body) -> dict:
    """The members of an object, given as such or as JSON text; none where it is neither."""
    if isinstance(body, str):
        try:
            body = foreign_json.load(body)
        except ValueError:
            return {}
    return body if isinstance(body, dict) else {}

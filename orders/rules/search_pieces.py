"""Pieces of texts, by which an ordinary index finds any part of a text. Pure.

A text is stored once for every third or fourth of its characters, from there to its end, with the characters in
front: `100A2309` as `100A2309`, `A2309` and `09`. A term is looked for from each of its first three or four characters
on: `0A23` as a piece that begins with `0A23`, one that begins with `A23` behind a `0`, and one with `23` behind `0A`.
One of them is there wherever the term stands. A text that is not ASCII is stored from every character on, so two
Chinese characters suffice.
"""

from collections.abc import Iterator
from typing import NamedTuple

LONGEST = 48  # characters of a piece that is not the whole text
LEAST = 2  # characters of a term that is not ASCII
END = b"\xff"  # behind every text in UTF-8


class Piece(NamedTuple):
    """`text` in UTF-8, and the characters before it."""

    text: bytes
    before: str


class Lookup(NamedTuple):
    """Pieces from `first` up to, not including, `end`, behind characters that end in `before`."""

    first: bytes
    end: bytes
    before: str


def folded(text: str) -> str:
    return text.strip().casefold()


def is_long_enough(term: str, every: int) -> bool:
    """Returns True if a (folded) term can be looked up in texts that are stored at every third, fourth ...
    character."""
    return len(term) > (every if term.isascii() else LEAST - 1)


def pieces_of(text: str, every: int) -> Iterator[Piece]:
    """Returns the pieces that are stored of a text. `every`: at which characters a piece begins, if the text is
    ASCII."""
    text = folded(text)
    step = every if text.isascii() else 1
    for place in range(0, len(text), step):
        piece = text[place : place + LONGEST] if place else text
        yield Piece(piece.encode(), text[max(0, place - step + 1) : place])


def whole_piece(text: str) -> Piece:
    """Returns the piece that is stored of a text that is found by its beginning alone."""
    return Piece(folded(text).encode(), "")


def lookups_of(term: str, every: int) -> list[Lookup]:
    """Returns the pieces by which a term within texts is looked up. It is folded and long enough."""
    places = range(every if term.isascii() else 1)
    return [_lookup(term[place : place + LONGEST], term[:place]) for place in places]


def beginning(term: str) -> Lookup:
    """Returns the pieces by which texts that begin with the term are looked up, among whole pieces."""
    return _lookup(term, "")


def _lookup(text: str, before: str) -> Lookup:
    first = text.encode()
    return Lookup(first, first + END, before)

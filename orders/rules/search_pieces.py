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
END = b"\xff"  # sorts after any text in UTF-8


class Piece(NamedTuple):
    """A stored piece: `text` in UTF-8, and the characters before it."""

    text: bytes
    before: str


class Lookup(NamedTuple):
    """A range of pieces, from `first` up to but without `end`, whose preceding characters end with `before`."""

    first: bytes
    end: bytes
    before: str


def folded(text: str) -> str:
    return text.strip().casefold()


def is_long_enough(term: str, every: int) -> bool:
    """Returns True if a folded term is long enough for pieces that begin at every `every`th character."""
    return len(term) > (every if term.isascii() else LEAST - 1)


def pieces_of(text: str, every: int) -> Iterator[Piece]:
    """Yield the pieces of a text to store. In an ASCII text a piece begins at every `every`th character."""
    text = folded(text)
    step = every if text.isascii() else 1
    for place in range(0, len(text), step):
        piece = text[place : place + LONGEST] if place else text
        yield Piece(piece.encode(), text[max(0, place - step + 1) : place])


def whole_piece(text: str) -> Piece:
    """Returns the piece to store for a text that is searched by its beginning only."""
    return Piece(folded(text).encode(), "")


def lookups_of(term: str, every: int) -> list[Lookup]:
    """Returns the lookups that find a term anywhere in a text. The term must be folded and long enough."""
    places = range(every if term.isascii() else 1)
    return [_lookup(term[place : place + LONGEST], term[:place]) for place in places]


def beginning(term: str) -> Lookup:
    """Returns the lookup that finds whole pieces that begin with the term."""
    return _lookup(term, "")


def _lookup(text: str, before: str) -> Lookup:
    first = text.encode()
    return Lookup(first, first + END, before)

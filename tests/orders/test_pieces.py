"""Any part of a text is found by one of its pieces."""

import pytest

from orders.rules.search_pieces import Lookup, is_long_enough, lookups_of, pieces_of

NUMBER = "100A230920170126001"


def hits(text: str, term: str, every: int) -> bool:
    """Whether a lookup of the term meets a piece of the text, as the query has it."""
    return any(meets(piece, one) for piece in pieces_of(text, every) for one in lookups_of(term, every))


def meets(piece, one: Lookup) -> bool:
    return one.first <= piece.text < one.end and piece.before.endswith(one.before)


@pytest.mark.parametrize("every", [3, 4])
def test_every_part_of_a_number_is_found(every):
    text = NUMBER.casefold()
    parts = {text[a:b] for a in range(len(text)) for b in range(a + every + 1, len(text) + 1)}
    assert {part for part in parts if not hits(NUMBER, part, every)} == set()
    assert not hits(NUMBER, "01271", every)


def test_two_chinese_characters_suffice():
    name = "北京云帆网络科技有限公司"
    pairs = {name[place : place + 2] for place in range(len(name) - 1)}
    assert all(hits(name, pair, 3) for pair in pairs)
    assert not hits(name, "京帆", 3)
    assert hits("北京ABCD科技", "abcd", 3)


def test_a_number_takes_few_rows():
    assert len(list(pieces_of(NUMBER, 3))) == 7


@pytest.mark.parametrize(
    "term, enough",
    [("", False), ("1", False), ("123", False), ("1234", True), ("云", False), ("云帆", True), ("%", False)],
)
def test_what_is_long_enough(term, enough):
    assert is_long_enough(term, 3) is enough

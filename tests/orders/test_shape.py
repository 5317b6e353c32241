"""A trial's target state, computed from everything that affects it (contract 3.9, 19)."""

import datetime
from dataclasses import replace

import pytest

from orders.rules.trial_shape import AcceptedEndDate, ChangeRequest, Ending, Shape, effective_part, fold, is_same
from tests.conftest import shanghai

TRIAL = ChangeRequest(number=0, domains=("a.cn", "b.cn"), service="1", end=datetime.date(2023, 9, 25))


def day(number: int) -> datetime.date:
    return datetime.date(2023, 9, number)


def told(shape: Shape) -> tuple[list[str], str, datetime.date | None]:
    return list(shape.domains.values()), shape.service, shape.end


def live(domains: str, service: str = "1", end: int | None = 25) -> dict:
    """Returns live records by service and domain, with their end day."""
    return {(service, f"{one}.cn"): end and day(end) for one in domains}


def test_each_says_only_what_its_message_gives():
    more = ChangeRequest(number=1, domains=("a.cn", "c.cn"))
    service, later = ChangeRequest(number=2, service="2"), ChangeRequest(number=3, end=day(28))
    assert told(fold([later, more, TRIAL, service])) == (["a.cn", "c.cn"], "2", day(28)), "by number"
    assert told(fold([TRIAL, service, later])) == (["a.cn", "b.cn"], "2", day(28)), "without the list"
    assert told(fold([TRIAL, more, service])) == (["a.cn", "c.cn"], "2", day(25)), "without the end"


def test_a_domain_is_one_in_all_its_spellings():
    shape = fold([TRIAL, ChangeRequest(number=1, domains=("A.cn", "例子.cn"))])
    assert shape.domains == {"a.cn": "A.cn", "xn--fsqu00a.cn": "例子.cn"}
    assert is_same(shape, fold([TRIAL, ChangeRequest(number=1, domains=("xn--fsqu00a.cn", "a.CN"))]))
    assert not is_same(shape, replace(shape, service="2"))


@pytest.mark.parametrize(
    "later, over", [(None, True), (24, True), (25, True), (26, False)], ids=["no end", "earlier", "same", "later"]
)
def test_an_ending_counts_until_a_change_names_a_later_end(later, over):
    shape = fold([TRIAL, Ending(number=1), ChangeRequest(number=2, end=later and day(later))])
    assert shape.is_over(day(20)) is over


def test_where_there_was_no_end_any_revives():
    assert not fold([replace(TRIAL, end=None), Ending(number=1), ChangeRequest(number=2, end=day(22))]).is_over(day(20))


def test_an_ending_counts_for_all_that_came_before_it():
    assert fold([TRIAL, ChangeRequest(number=1, end=day(28)), Ending(number=2)]).is_over(day(20))


def test_a_taken_end_counts_until_a_change_that_names_one():
    taken = AcceptedEndDate(number=2, end=day(22))
    assert fold([TRIAL, ChangeRequest(number=1, end=day(28)), taken]).end == day(22)
    assert fold([TRIAL, taken, ChangeRequest(number=3, domains=("a.cn",))]).end == day(22)
    assert fold([TRIAL, taken, ChangeRequest(number=3, end=day(29))]).end == day(29)
    assert fold([TRIAL, AcceptedEndDate(number=1, end=None)]).end is None


def test_a_trial_is_over_after_its_last_day_and_without_domains():
    assert [fold([TRIAL]).is_over(day(one)) for one in (25, 26)] == [False, True]
    assert fold([TRIAL, ChangeRequest(number=1, domains=())]).is_over(day(20))
    assert not fold([replace(TRIAL, end=None)]).is_over(datetime.date(2099, 1, 1))


def test_a_record_ends_as_it_is_meant_to():
    made = shanghai("2023-09-20 18:54:36")
    assert fold([TRIAL]).ends_at == shanghai("2023-09-25 23:59:59")
    assert fold([TRIAL]).fits(made, shanghai("2023-09-25 23:59:59"))
    assert not fold([TRIAL]).fits(made, shanghai("2023-09-25 23:59:58"))
    assert not fold([TRIAL]).fits(None, shanghai("2023-09-25 23:59:59")), "nobody knows when it was made"
    endless = fold([replace(TRIAL, end=None)])
    assert endless.ends_at is None
    assert endless.fits(made, shanghai("2033-09-20 18:54:36"))
    assert endless.fits(made, shanghai("2034-01-01 00:00:00")), "any from ten years on will do"
    assert not endless.fits(made, shanghai("2033-09-20 18:54:35"))


BEFORE = fold([TRIAL])
WHOLE = ChangeRequest(number=1, domains=("a.cn", "c.cn"), service="1", end=day(28))


@pytest.mark.parametrize(
    "held, left",
    [
        (live("ab"), (["a.cn", "b.cn"], "1", day(25))),
        (live("ac", end=28), (["a.cn", "c.cn"], "1", day(28))),
        (live("abc", end=28), (["a.cn", "c.cn", "b.cn"], "1", day(28))),
        (live("a", end=28), (["a.cn"], "1", day(28))),
        (live("a", end=28) | live("c"), (["a.cn", "c.cn"], "1", day(25))),
        (live("ac"), (["a.cn", "c.cn"], "1", day(25))),
    ],
    ids=["nothing", "all", "cancel given up", "create given up", "extension of one", "no extension"],
)
def test_a_change_says_only_what_it_did(held, left):
    said = effective_part(BEFORE, WHOLE, held)
    assert told(fold([TRIAL, said])) == left
    assert is_same(BEFORE, fold([TRIAL, said])) is (left == told(BEFORE))


def test_a_service_counts_only_if_every_domain_has_it():
    said = ChangeRequest(number=1, service="2")
    assert fold([TRIAL, effective_part(BEFORE, said, live("ab", service="2"))]).service == "2"
    half = live("a", service="2") | live("b")
    assert fold([TRIAL, effective_part(BEFORE, said, half)]).service == "1"
    assert fold([TRIAL, effective_part(BEFORE, said, {})]).service == "1", "cancelled, and never made"


def test_what_a_domain_is_not_said_of_stays_as_it_was():
    """A change has no effect on the domains in `not_done`. They stay as they were until a later list of domains."""
    said = replace(WHOLE, not_done=frozenset({"b.cn", "c.cn"}))
    assert list(fold([TRIAL, said]).domains) == ["a.cn", "b.cn"]
    assert list(fold([TRIAL, said, ChangeRequest(number=2, domains=("a.cn",))]).domains) == ["a.cn"]

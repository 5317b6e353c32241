"""Tests of meant.py, sentence by sentence of contract 3.9, 19, and of the plays that need no desk."""

import pytest

from tests.model.meant import (
    END_OF_DAY,
    Ending,
    Row,
    Said,
    Shape,
    Taken,
    as_of,
    fold,
    in_effect,
    left_of,
    right_end,
    wrong_trial_records,
)

NOW = "20230920185436"
LATER = "20330920185436"


def day(number: int | None) -> str:
    """Returns the end of a day of September 2023, or "" for no end."""
    return f"202309{number:02}{END_OF_DAY}" if number else ""


def names(letters: str) -> frozenset[str]:
    return frozenset(letters)


def say(place: int, domains: str | None = None, service: str = "", end: int | None = None, gone: int | None = None):
    listed = None if domains is None else names(domains)
    return Said(place, f"O{place}", listed, service, day(end), gone=gone)


def trial(domains: str, end: int | None = None, service: str = "1"):
    return say(0, domains, service, end)


def gone(said: Said, place: int = 99) -> Said:
    return Said(said.place, said.number, said.domains, said.service, said.end, said.about, place)


def live(domains: str, service: str = "1", end: int | None = None, created: str = NOW) -> list[Row]:
    until = day(end) or LATER
    return [Row("T0", service, one, True, created, until, "1", service) for one in domains]


def shape(*items) -> tuple[str, str, str]:
    """Returns (domains, service, end) of the items in effect."""
    found = fold(in_effect(items))
    return "".join(sorted(found.domains)), found.service, found.end


def over(moment: str, *items) -> bool:
    return fold(in_effect(items)).is_over(moment)


# --- shapes by number


def test_each_says_only_what_its_message_gives():
    assert shape(trial("a", 21), say(1, "ab"), say(2, end=25), say(3, service="4")) == ("ab", "4", day(25))


def test_the_list_says_of_every_domain_whether_it_is_on_trial():
    assert shape(trial("ab"), say(1, "bc")) == ("bc", "1", "")


def test_the_number_decides_and_not_the_sequence_in_which_it_is_told():
    assert shape(say(2, "b"), trial("a"), say(1, "c")) == ("b", "1", "")


def test_a_change_is_in_effect_until_it_is_withdrawn():
    extends = say(1, end=25)
    assert shape(trial("a", 21), extends)[2] == day(25)
    assert shape(trial("a", 21), gone(extends))[2] == day(21)


def test_what_was_in_effect_at_a_moment():
    items = [trial("a"), say(3, "ab", gone=7), say(5, "abc")]
    assert [one.place for one in as_of(items, 4)] == [0, 3]
    assert [one.place for one in as_of(items, 8)] == [0, 5]


def test_a_withdrawn_extension_ends_the_trial_on_its_old_day():
    """A1: the trial lasts until the 21st, and today is the 23rd."""
    assert over(day(22), trial("a", 21), gone(say(1, end=25)))
    assert not over(day(22), trial("a", 21), say(1, end=25))


def test_two_changes_withdrawn_in_turn_leave_the_first_end():
    """A3 and A4: b was removed together with one end, and added again with another."""
    first, second = say(1, "a", end=26), say(2, "ab")
    assert shape(trial("ab", 23), gone(first), gone(second)) == ("ab", "1", day(23))
    assert shape(trial("ab"), gone(first), gone(second)) == ("ab", "1", "")
    assert shape(trial("ab", 23), first, gone(second)) == ("a", "1", day(26))
    assert shape(trial("ab", 23), gone(first), second) == ("ab", "1", day(23))


def test_a_change_behind_keeps_the_list_and_loses_the_end():
    """T[a] until the 23rd, C0 until the 30th, C1 [a, b], C0 withdrawn: both last until the 23rd. So with a service."""
    assert shape(trial("a", 23), gone(say(1, end=30)), say(2, "ab")) == ("ab", "1", day(23))
    assert shape(trial("a", 23), gone(say(1, service="4")), say(2, "ab")) == ("ab", "1", day(23))


def test_an_activation_bills_what_is_left_when_it_was_planned():
    """B14: C0 adds b, an activation takes over, and C0 is withdrawn."""
    items = [trial("a"), say(1, "ab", gone=5)]
    assert fold(in_effect(items)).domains == names("a")


# --- endings, and ends that staff took


def test_an_ending_leaves_no_domain():
    assert shape(trial("a", 21), Ending(5))[0] == ""
    assert over(NOW, trial("a", 25), Ending(5))
    assert fold([trial("a"), Ending(5)]).listed == names("a")


@pytest.mark.parametrize(
    ("end", "named", "lives"), [(21, 29, True), (21, 21, False), (21, 20, False), (None, 20, True)]
)
def test_a_later_end_lets_it_live_again(end, named, lives):
    """For a trial without an end, any end is a later end."""
    assert shape(trial("a", end), Ending(5), say(6, end=named))[0] == ("a" if lives else "")


def test_a_change_without_an_end_or_with_a_lower_number_revives_nothing():
    assert shape(trial("a", 21), Ending(5), say(6, "ab"))[0] == ""
    assert shape(trial("a", 21), say(3, end=29), Ending(5))[0] == ""


def test_a_withdrawn_revival_leaves_the_ending():
    """A0 was withdrawn late and ended T, which had no end. C9 revives T until the 30th. C9 is withdrawn."""
    assert shape(trial("a"), Ending(5), say(6, end=30))[0] == "a"
    assert shape(trial("a"), Ending(5), gone(say(6, end=30)))[0] == ""


def test_a_revived_trial_whose_change_is_withdrawn_has_ended():
    """T until the 21st, ended. C0 until the 29th, withdrawn on the 24th."""
    assert over(day(23), trial("a", 21), gone(say(1, end=29)))


def test_a_withdrawn_shortening_revives():
    """A10: T until the 29th, C0 until the 22nd. On the 24th T has ended, and C0 is withdrawn."""
    assert over(day(23), trial("a", 29), say(1, end=22))
    assert not over(day(23), trial("a", 29), gone(say(1, end=22)))


def test_a_taken_end_counts_until_a_change_names_one():
    assert shape(trial("a", 23), Taken(4, day(30)))[2] == day(30)
    assert shape(trial("a", 23), Taken(4, day(30)), say(5, "ab"))[2] == day(30)
    assert shape(trial("a", 23), Taken(4, day(30)), say(5, end=25))[2] == day(25)
    assert shape(trial("a", 23), Taken(4, ""))[2] == ""


def test_no_domain_is_over():
    assert fold([]).is_over(NOW)


# --- the records of a shape


def wrong(rows, domains="a", service="1", end=None):
    return list(wrong_trial_records(Shape(names(domains), service, day(end), names(domains)), rows, NOW))


def test_one_live_record_a_domain():
    assert not wrong(live("a"))
    assert wrong([]) == ["a has no live record"]
    assert wrong(live("ab")) == [f"b runs on until {LATER}, and is not meant"]
    assert wrong([*live("a"), *live("a", "4")]) == ["a has 2 live records, under ['1', '4']"]
    assert wrong(live("a", "4")) == ["a is live under service 4, meant is 1"]


def test_its_end_is_the_shapes():
    assert not wrong(live("a", end=25), end=25)
    assert wrong(live("a", end=25), end=26) == [f"a runs until {day(25)}, meant is {day(26)}"]
    assert wrong(live("a"), end=26)
    assert wrong(live("a", end=25)) == [f"a runs until {day(25)}, meant is no end"]


def test_without_an_end_anything_from_ten_years_on_will_do():
    (row,) = live("a")
    assert right_end(row, "")
    assert right_end(row._replace(until="20350101000000"), "")
    assert not right_end(row._replace(until="20330920185435"), "")
    assert right_end(row._replace(created="20240229120000", until="20340228120000"), "")


def test_what_has_run_out_or_is_cancelled_does_not_count():
    assert not wrong([*live("a"), *live("b", end=19)])
    assert not wrong([*live("a"), *(row._replace(live=False) for row in live("b"))])
    assert wrong(live("a", end=19)) == ["a has no live record"]


def test_nothing_of_an_ended_trial_runs_on():
    assert list(wrong_trial_records(None, live("a", end=25), NOW)) == [f"a runs on until {day(25)}, and is not meant"]
    assert not list(wrong_trial_records(None, live("a", end=19), NOW))


# --- the rest of a given-up item


def left(change: Said, before, rows, now: str = NOW) -> set[tuple[str, str, str]]:
    """Returns the shapes of all readings."""
    base = [*before]
    found = left_of(change, fold(base), rows, now)
    return {shape(*base, one) for one in found}


def test_a_change_that_did_nothing_says_nothing():
    """A11: permanently refused."""
    before = [trial("a", 23)]
    assert left(say(1, "ab", end=30), before, live("a", end=23)) == {("a", "1", day(23))}
    assert any(one.says_nothing() for one in left_of(say(1, "ab", end=30), fold(before), live("a", end=23), NOW))
    assert left(say(1, service="4"), before, live("a", end=23)) == {("a", "1", day(23))}


def test_a_cancel_that_was_given_up_leaves_its_domains():
    """C0 [a, x]; C1 [c], its cancel given up, leaves [a, x, c]; C0 withdrawn: [a, c]."""
    base, first = trial("a"), say(1, "ax")
    found = left_of(say(2, "c"), fold([base, first]), live("axc"), NOW)
    assert {shape(base, first, one)[0] for one in found} == {"acx"}
    assert {shape(base, gone(first), one)[0] for one in found} == {"ac"}


def test_an_end_that_only_some_have_says_nothing():
    """A5: b was added with the new end, and the partner refused to change a's end."""
    rows = [*live("a", end=23), *live("b", end=30)]
    assert left(say(1, "ab", end=30), [trial("a", 23)], rows) == {("ab", "1", day(23))}


def test_an_end_that_all_have_counts():
    """A11: the look-ups show the new end. A12: the same for a shortening."""
    assert left(say(1, end=30), [trial("a", 23)], live("a", end=30)) == {("a", "1", day(30))}
    assert left(say(1, end=21), [trial("a", 23)], live("a", end=21)) == {("a", "1", day(21))}


def test_the_end_beside_a_refused_cancel():
    """A6: b replaces a, until the 29th. The cancel of a is refused."""
    rows = [*live("a", end=22), *live("b", end=29)]
    assert left(say(1, "b", end=29), [trial("a", 22)], rows) == {("ab", "1", day(22))}


def test_a_service_whose_cancel_was_done_and_whose_create_was_refused_is_put_back():
    assert left(say(1, service="4"), [trial("a")], []) == {("a", "1", "")}


def test_a_domain_that_was_cancelled_is_gone():
    """C0: b replaces a. a is cancelled and b refused, so no domain is left."""
    assert {one[0] for one in left(say(1, "b"), [trial("a")], [])} == {""}


def test_a_trial_that_was_given_up_says_nothing_about_what_was_not_made():
    found = left_of(trial("a"), fold([]), [], NOW)
    assert {shape(one)[0] for one in found} == {""}
    assert all(fold([one]).is_over(NOW) for one in found)
    assert {shape(one, say(1, "b"))[0] for one in found} == {"b"}


def test_what_stands_behind_does_not_make_it_say_more():
    """B12: C0 adds b, is refused and given up. C1 comes after it."""
    base, behind = trial("a"), say(2, end=30)
    found = left_of(say(1, "ab"), fold([base]), live("a"), NOW)
    assert {shape(base, one, behind) for one in found} == {("a", "1", day(30))}
    assert any(one.says_nothing() for one in found)


def test_what_has_run_out_was_not_cancelled():
    """The cancel of c was refused, and c's end has passed since. So nothing was done, although c is not billed any
    more."""
    base, change = trial("bc", 23), say(1, "b")
    found = left_of(change, fold([base]), live("bc", end=23), day(24))
    assert any(one.says_nothing() for one in found)

"""Tests meant.py by each sentence of contract 3.9, rule 19, and by the plays that need no desk.

The plays, such as A1, are those of test_found_shape.py.
"""

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
    """Returns (domains, service, end) of the shape that these items give, without withdrawn items."""
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
    """A trial lasts until the 21st, and its extension is withdrawn. On the 23rd the trial has ended (play A1)."""
    assert over(day(22), trial("a", 21), gone(say(1, end=25)))
    assert not over(day(22), trial("a", 21), say(1, end=25))


def test_two_changes_withdrawn_in_turn_leave_the_first_end():
    """One change removes b and sets another end, and the next change adds b again. Then both are withdrawn.

    The trial has its first end again (plays A3 and A4).
    """
    first, second = say(1, "a", end=26), say(2, "ab")
    assert shape(trial("ab", 23), gone(first), gone(second)) == ("ab", "1", day(23))
    assert shape(trial("ab"), gone(first), gone(second)) == ("ab", "1", "")
    assert shape(trial("ab", 23), first, gone(second)) == ("a", "1", day(26))
    assert shape(trial("ab", 23), gone(first), second) == ("ab", "1", day(23))


def test_a_change_behind_keeps_the_list_and_loses_the_end():
    """One change moves the end to the 30th, the next change adds b, and the first change is withdrawn.

    Both domains last until the 23rd, the trial's own end. The same applies to a service.
    """
    assert shape(trial("a", 23), gone(say(1, end=30)), say(2, "ab")) == ("ab", "1", day(23))
    assert shape(trial("a", 23), gone(say(1, service="4")), say(2, "ab")) == ("ab", "1", day(23))


def test_an_activation_bills_what_is_left_when_it_was_planned():
    """A change adds b, an activation takes over, and the change is withdrawn.

    The activation bills only a (play B14).
    """
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
    """An activation ended a trial. A change that names a later end revives the trial.

    For a trial without an end, any end is a later end.
    """
    assert shape(trial("a", end), Ending(5), say(6, end=named))[0] == ("a" if lives else "")


def test_a_change_without_an_end_or_with_a_lower_number_revives_nothing():
    assert shape(trial("a", 21), Ending(5), say(6, "ab"))[0] == ""
    assert shape(trial("a", 21), say(3, end=29), Ending(5))[0] == ""


def test_a_withdrawn_revival_leaves_the_ending():
    """A late withdrawal ended a trial without an end, and a change revived the trial until the 30th.

    After the change is withdrawn, the trial has ended again.
    """
    assert shape(trial("a"), Ending(5), say(6, end=30))[0] == "a"
    assert shape(trial("a"), Ending(5), gone(say(6, end=30)))[0] == ""


def test_a_revived_trial_whose_change_is_withdrawn_has_ended():
    """A trial ended on the 21st, and a change revived it until the 29th. The change is withdrawn on the 24th.

    The trial has ended again.
    """
    assert over(day(23), trial("a", 21), gone(say(1, end=29)))


def test_a_withdrawn_shortening_revives():
    """A change shortens a trial from the 29th to the 22nd, and is withdrawn on the 24th.

    The trial runs again (play A10).
    """
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
    """Returns the shapes of all readings of a given-up change."""
    base = [*before]
    found = left_of(change, fold(base), rows, now)
    return {shape(*base, one) for one in found}


def test_a_change_that_did_nothing_says_nothing():
    """A change that was permanently refused and given up leaves the trial's shape as it was (play A11)."""
    before = [trial("a", 23)]
    assert left(say(1, "ab", end=30), before, live("a", end=23)) == {("a", "1", day(23))}
    assert any(one.says_nothing() for one in left_of(say(1, "ab", end=30), fold(before), live("a", end=23), NOW))
    assert left(say(1, service="4"), before, live("a", end=23)) == {("a", "1", day(23))}


def test_a_cancel_that_was_given_up_leaves_its_domains():
    """A change gives c instead of a and x, and its cancel is given up. So the trial has a, x and c.

    After the change that added x is withdrawn, the trial has a and c.
    """
    base, first = trial("a"), say(1, "ax")
    found = left_of(say(2, "c"), fold([base, first]), live("axc"), NOW)
    assert {shape(base, first, one)[0] for one in found} == {"acx"}
    assert {shape(base, gone(first), one)[0] for one in found} == {"ac"}


def test_an_end_that_only_some_have_says_nothing():
    """A given-up change added b with a new end, and the partner refused to change a's end.

    The end does not count (play A5).
    """
    rows = [*live("a", end=23), *live("b", end=30)]
    assert left(say(1, "ab", end=30), [trial("a", 23)], rows) == {("ab", "1", day(23))}


def test_an_end_that_all_have_counts():
    """The look-ups show that all records have the new end of a given-up change. So this end counts.

    The change is an extension (play A11) or a shortening (play A12).
    """
    assert left(say(1, end=30), [trial("a", 23)], live("a", end=30)) == {("a", "1", day(30))}
    assert left(say(1, end=21), [trial("a", 23)], live("a", end=21)) == {("a", "1", day(21))}


def test_the_end_beside_a_refused_cancel():
    """A given-up change replaces a by b until the 29th, and the cancel of a is refused.

    The trial's end counts (play A6).
    """
    rows = [*live("a", end=22), *live("b", end=29)]
    assert left(say(1, "b", end=29), [trial("a", 22)], rows) == {("ab", "1", day(22))}


def test_a_service_whose_cancel_was_done_and_whose_create_was_refused_is_put_back():
    assert left(say(1, service="4"), [trial("a")], []) == {("a", "1", "")}


def test_a_domain_that_was_cancelled_is_gone():
    """A given-up change replaces a by b. The cancel of a was carried out, and b was refused. So no domain is left."""
    assert {one[0] for one in left(say(1, "b"), [trial("a")], [])} == {""}


def test_a_trial_that_was_given_up_says_nothing_about_what_was_not_made():
    found = left_of(trial("a"), fold([]), [], NOW)
    assert {shape(one)[0] for one in found} == {""}
    assert all(fold([one]).is_over(NOW) for one in found)
    assert {shape(one, say(1, "b"))[0] for one in found} == {"b"}


def test_what_stands_behind_does_not_make_it_say_more():
    """A change that adds b is refused and given up. The next change does not make it count again (play B12)."""
    base, behind = trial("a"), say(2, end=30)
    found = left_of(say(1, "ab"), fold([base]), live("a"), NOW)
    assert {shape(base, one, behind) for one in found} == {("a", "1", day(30))}
    assert any(one.says_nothing() for one in found)


def test_what_has_run_out_was_not_cancelled():
    """The cancel of c was refused, and c's end has passed since. So the given-up change did nothing.

    This is so although c is not billed any more.
    """
    base, change = trial("bc", 23), say(1, "b")
    found = left_of(change, fold([base]), live("bc", end=23), day(24))
    assert any(one.says_nothing() for one in found)

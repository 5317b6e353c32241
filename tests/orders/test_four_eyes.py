"""How the setting FOUR_EYES is read (contract 4)."""

import pytest

from orders.rules.four_eyes_acts import is_asked, read_acts, rows_alone


def test_it_is_a_list_of_acts_and_one_number():
    assert read_acts("") == {}
    assert read_acts(" decide, bulk:100 ,withdraw") == {"decide": 0, "bulk": 100, "withdraw": 0}


@pytest.mark.parametrize(
    "given, told",
    [
        ("decide,resend", "'resend' is no act"),
        ("decide,decide", "decide is named twice"),
        ("bulk", "bulk needs a number"),
        ("bulk:", "must be a whole one"),
        ("bulk:-1", "must be a whole one"),
        ("bulk:1e3", "must be a whole one"),
        ("waive:5", "waive has no number"),
    ],
)
def test_what_it_can_not_mean_is_refused(given, told):
    with pytest.raises(ValueError, match=told):
        read_acts(given)


def test_export_second_person_is_one_of_them(settings):
    settings.FOUR_EYES, settings.EXPORT_SECOND_PERSON = {"decide": 0}, True
    assert (is_asked("export_personal"), is_asked("decide"), is_asked("waive"), rows_alone()) == (
        True,
        True,
        False,
        None,
    )

"""Tests story.py with stories written by hand.

The stories show what follows from messages and acts of staff (contract 3.9, 13 to 19).
"""

import datetime

from tests.flows import contents
from tests.model.meant import END_OF_DAY, Row
from tests.model.story import Books, Order, Story, Told

TODAY = 20


class Play:
    """Builds a story event by event. Each event is a second later than the one before.

    `today` is a day of September 2023.
    """

    def __init__(self, *domains: str, end: int | None = None):
        self.orders, self.states, self.books = {}, {}, []
        self.place, self.today, self.holder, self.rows = 0, TODAY, "", []
        self.order("T0", contents.trial("T0", *domains, **_end(end)))
        self.is_now("T0", "trialing")

    def order(self, number: str, content: dict, state: str = "in_progress") -> None:
        self.orders[number] = Order(number, content)
        self.tell(number, "received", state=state)
        self.states[number] = state

    def change(self, number: str, *domains: str, end: int | None = None, state: str = "applied", **more) -> None:
        self.order(number, contents.change(number, *domains, of="T0", **_end(end), **more))
        if state != "in_progress":
            self.is_now(number, state)

    def activation(self, number: str, *domains: str, state: str = "active", **more) -> None:
        self.order(number, contents.activation(number, *domains, of="T0", **more))
        self.is_now(number, state)

    def is_now(self, number: str, state: str) -> None:
        self.tell(number, "state", old=self.states[number], new=state)
        self.states[number] = state

    def tell(self, number: str, kind: str, **data) -> None:
        self.place += 1
        at = datetime.datetime(2023, 9, self.today, 12, 0, self.place)
        self.orders[number].told.append(Told(self.place, number, kind, data, at))

    def withdraw(self, number: str, **more) -> None:
        self.tell(number, "withdrawn", **more)
        self.is_now(number, "withdrawn")

    def there(self, domains: str, job: str = "T0", service: str = "1", end: int | None = None, start: str = "") -> None:
        """Adds live records at the partner. They exist from now on."""
        kind, product = ("1", service) if job == "T0" else ("2", f"P-{job}")
        until = f"202309{end:02}{END_OF_DAY}" if end else "20330925000000"
        created = start or f"202309{self.today}120000"
        self.rows += [Row(job, product, one, True, created, until, kind, service) for one in domains]

    def look(self) -> None:
        """Stores the partner's present records in the story, because the records may change afterwards."""
        since = self.books[-1].until + 1 if self.books else 0
        self.books.append(Books(since, self.place, tuple(self.rows)))

    def story(self) -> Story:
        now = datetime.datetime(2023, 9, self.today, 13)
        last = Books(self.books[-1].until + 1 if self.books else 0, self.place, tuple(self.rows))
        return Story("T0", self.orders, self.states, self.holder, [*self.books, last], now)

    def wrong(self) -> list[str]:
        return [one.text for one in self.story().wrong()]

    def lived_with(self) -> bool:
        """Returns True if staff accepted the records of the story's only error."""
        story = self.story()
        (wrong,) = story.wrong()
        return story.lived_with(wrong)


def _end(day: int | None) -> dict:
    return {"BizEnd": f"202309{day:02}"} if day else {}


def test_a_trial_has_what_its_changes_say():
    play = Play("a", end=23)
    play.change("C0", "a", "b", end=25)
    play.there("ab", end=25)
    assert not play.wrong()
    play.withdraw("C0")
    assert play.wrong() == [
        "T0 is trialing: a runs until 20230925235959, meant is 20230923235959",
        "T0 is trialing: b runs on until 20230925235959, and is not meant",
    ]


def test_a_held_change_says_nothing_yet():
    play = Play("a")
    play.activation("A0", state="scheduled", start="20230927")
    play.holder = "A0"
    play.order("C0", contents.change("C0", "b", of="T0"), state="held")
    play.tell("C0", "held", because="claim_held")
    play.there("a")
    play.there("a", "A0", start="20230927000000")
    assert not play.wrong()
    play.holder = ""
    assert play.wrong() == ["C0 is held (claim_held, and nobody holds the claim)"]


def test_a_change_that_was_held_takes_its_number_when_it_is_planned():
    """A held change gets its number when it is planned.

    So C0, which arrived before C1 and was planned after C1, decides.
    """
    play = Play("a")
    play.order("C0", contents.change("C0", "b", of="T0"), state="held")
    play.tell("C0", "held", because="claim_held")
    play.change("C1", "c")
    play.tell("C0", "went_on", was="claim_held")
    play.is_now("C0", "applied")
    play.there("b")
    assert not play.wrong()


def test_the_state_follows_from_the_shape_and_not_from_what_is_live():
    play = Play("a", end=21)
    play.today = 22
    assert play.wrong() == ["T0 is trialing, meant is ended"]
    play.is_now("T0", "ended")
    assert not play.wrong()
    play.there("a", end=25)
    assert play.wrong() == ["T0 is ended: a runs on until 20230925235959, and is not meant"]


def test_a_started_holder_converts_and_leaves_no_trial_record():
    play = Play("a")
    play.activation("A0")
    play.holder = "A0"
    play.there("a", "A0")
    assert play.wrong() == ["T0 is trialing, meant is converted"]
    play.is_now("T0", "converted")
    assert not play.wrong()
    play.there("a")
    assert play.wrong() == ["T0 is converted: a runs on until 20330925000000, and is not meant"]


def test_an_activation_bills_what_is_still_in_effect_of_what_it_was_planned_upon():
    """A change is withdrawn after an activation was planned with it. The activation must not bill the change's domain.

    This is play B14 of test_found_shape.py.
    """
    play = Play("a")
    play.change("C0", "a", "b", state="in_progress")
    play.activation("A0")
    play.holder = "A0"
    play.is_now("T0", "converted")
    play.withdraw("C0")
    play.there("ab", "A0")
    assert play.wrong() == ["A0 is active: b is billed, and is not meant"]


def test_an_activation_bills_its_own_domains_from_its_start():
    play = Play("a")
    play.activation("A0", "c", state="scheduled", start="20230927")
    play.holder = "A0"
    play.there("a")
    play.there("c", "A0", start="20230926000000")
    assert play.wrong() == ["A0 is scheduled: c is billed from 20230926000000, meant is 20230927000000"]


def test_a_given_up_change_is_judged_by_the_books_of_that_moment():
    """A change's cancel is given up, and then an earlier change is withdrawn.

    The given-up change is judged by the partner's records of that moment (play E7 of test_found_shape.py).
    """
    play = Play("a")
    play.change("C0", "a", "x")
    play.change("C1", "c", state="failed")
    play.there("axc")
    play.tell("C1", "given_up", step="cancel_trial_billing")
    play.is_now("C1", "applied")
    play.look()
    assert not play.wrong()
    play.withdraw("C0")
    assert play.wrong() == ["T0 is trialing: x runs on until 20330925000000, and is not meant"]
    play.rows = [row for row in play.rows if row.domain != "x"]
    assert not play.wrong()


def test_a_given_up_change_that_did_nothing_is_withdrawn():
    play = Play("a", end=23)
    play.change("C0", "a", "b", end=25, state="failed")
    play.there("a", end=23)
    play.tell("C0", "given_up", step="create_trial_billing")
    play.is_now("C0", "applied")
    assert play.wrong() == ["C0 is applied, meant is withdrawn"]
    play.is_now("C0", "withdrawn")
    assert not play.wrong()


def test_a_late_undoing_is_an_ending():
    play = Play("a")
    play.activation("A0")
    play.is_now("T0", "converted")
    play.withdraw("A0", how="cancel")
    play.tell("T0", "claim_released", activation="A0")
    play.is_now("T0", "trialing")
    play.there("a")
    assert play.wrong() == ["T0 is trialing, meant is ended"]
    play.is_now("T0", "ended")
    play.rows = []
    assert not play.wrong()
    play.change("C0", end=25)
    play.is_now("T0", "trialing")
    play.there("a", end=25)
    assert not play.wrong()
    play.withdraw("C0")
    assert play.wrong() == ["T0 is trialing, meant is ended"]


def test_a_taken_end_is_the_trials():
    """Somebody moved the trial's end at the partner, and staff took the record. The trial lasts until this end.

    This is play A9 of test_found_shape.py.
    """
    play = Play("a", end=21)
    play.there("a", end=29)
    play.tell("T0", "taken", steps=[])
    play.look()
    play.today = 23
    assert not play.wrong()
    play.change("C0", end=25)
    assert play.wrong() == ["T0 is trialing: a runs until 20230929235959, meant is 20230925235959"]


def test_changes_are_withdrawn_with_their_trial_and_still_say_what_it_looked_like():
    play = Play("a")
    play.change("C0", "a", "b")
    play.withdraw("T0")
    assert play.wrong() == ["C0 is applied, meant is compensating or withdrawn"]
    play.is_now("C0", "withdrawn")
    play.activation("A0")
    play.holder = "A0"
    play.there("ab", "A0")
    assert not play.wrong()


def test_a_change_that_came_after_its_trials_withdrawal_is_held():
    play = Play("a")
    play.withdraw("T0")
    play.order("C0", contents.change("C0", "b", of="T0"), state="held")
    play.tell("C0", "held", because="trial_closed")
    assert not play.wrong()


def test_acceptance_is_about_records_as_they_were():
    play = Play("a", end=23)
    play.there("a", end=25)
    play.tell("T0", "accepted", codes=["difference"], steps=[])
    assert play.lived_with()
    play.look()
    play.rows = [row._replace(until="20230928235959") for row in play.rows]
    assert not play.lived_with()


def test_what_changed_since_and_was_moved_back_is_accepted_no_more():
    """Staff accepted an end, and a change moved it. When the accepted end is set again, it is not accepted any more.

    This is play E18 of test_found_shape.py.
    """
    play = Play("a", end=23)
    play.there("a", end=25)
    play.tell("T0", "accepted", codes=["difference"], steps=[])
    play.look()
    accepted, play.rows = play.rows, []
    play.there("a", end=30)
    play.change("C0", end=30)
    play.look()
    play.rows = accepted
    assert not play.lived_with()


def test_an_activation_that_staff_let_go_on_with_a_withdrawn_change_bills_what_the_change_added():
    """Staff accept that an activation goes on with a withdrawn change. So it bills the domain that the change added.

    Its records are created after the acceptance, so staff could not accept the records as they were.
    """
    play = Play("a")
    play.change("C0", "a", "b")
    play.activation("A0", start="20230927", state="scheduled")
    play.holder = "A0"
    play.there("a")
    play.withdraw("C0")
    unasked = len(play.rows)
    play.there("ab", "A0", start="20230927000000")
    assert play.wrong() == ["A0 is scheduled: b is billed, and is not meant"]
    del play.rows[unasked:]
    play.tell("C0", "accepted", codes=["change_built_upon"], steps=[])
    play.look()
    play.there("ab", "A0", start="20230927000000")
    assert not play.wrong()
    play.tell("A0", "planned_again")
    assert play.wrong() == ["A0 is scheduled: b is billed, and is not meant"]

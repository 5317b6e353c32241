"""What dry runs say about trials and changes, held against what follows (contract 3.9, 13 and 19)."""

from django.utils import timezone

from orders.models import Order
from orders.queries import dry_run

DAY = 86400


def foreseen(what, number: str) -> dict[str, object]:
    """{code of a sentence: its number} of a dry run."""
    order = Order.objects.select_related("trial").get(number=number)
    return {one.code: one.params.get("n") for one in what(order, now=timezone.now())}


def test_withdrawing_an_extension_says_that_the_trial_ends(desk):
    desk.trial("T0", "a", end=1)
    desk.deliver()
    desk.change("C0", "T0", end=5)
    desk.deliver()
    desk.wait(3 * DAY)
    told = foreseen(dry_run.withdraw, "C0")
    assert told["cancels_trial"] == 1
    assert "ends_without" in told
    desk.withdraw("C0")
    desk.check()
    assert (desk.state("T0"), desk.live_there("T0")) == ("ended", [])


def test_withdrawing_a_shortening_says_that_the_trial_runs_again(desk):
    desk.trial("T0", "a", end=9)
    desk.deliver()
    desk.change("C0", "T0", end=1)
    desk.deliver()
    desk.wait(3 * DAY)
    desk.sweep()
    assert "runs_without" in foreseen(dry_run.withdraw, "C0")
    desk.withdraw("C0")
    desk.check()
    assert (desk.state("T0"), desk.ends_there("T0")) == ("trialing", {"a": "20230929"})


def test_withdrawing_a_change_counts_what_moves_and_what_comes_back(desk):
    desk.trial("T0", "ab", end=3)
    desk.deliver()
    desk.change("C0", "T0", "ac", end=9)
    desk.deliver()
    told = foreseen(dry_run.withdraw, "C0")
    assert (told["cancels_trial"], told["restores"], told["moves_ends"]) == (1, 1, 1)
    desk.withdraw("C0")
    desk.check()
    assert desk.ends_there("T0") == {"a": "20230923", "b": "20230923"}


def test_giving_up_says_what_becomes_of_a_change(desk):
    desk.trial("T0", "a", end=3)
    desk.deliver()
    desk.change("C0", "T0", end=9)
    desk.deliver("bigdata", fates=("refuse",))
    assert "change_shrinks" in foreseen(dry_run.give_up, "C0")


def test_giving_up_what_a_withdrawn_change_takes_back_says_that_it_stays_open(desk):
    desk.trial("T0", "a")
    desk.deliver()
    desk.change("C0", "T0", "b", end=9)
    desk.deliver()
    desk.refuses("cancel", "b")
    desk.withdraw("C0")
    desk.play_out()
    assert "runs_on" in foreseen(dry_run.give_up, "C0")
    desk.refuses("live", "a")
    desk.give_up("C0")
    desk.play_out()
    assert "not_put_back" in foreseen(dry_run.give_up, "C0")


def test_giving_up_an_activations_restore_says_that_the_trial_ends(desk):
    desk.trial("T0", "a")
    desk.deliver()
    desk.activation("A0", "T0")
    desk.deliver()
    desk.refuses("live", "a")
    desk.withdraw("A0")
    desk.play_out()
    assert "no_restore" in foreseen(dry_run.give_up, "A0")


def test_a_fix_says_that_it_sends_what_the_orders_say(desk):
    desk.trial("T0", "a")
    desk.deliver()
    desk.change("C0", "T0", end=5)
    desk.deliver()
    desk.refuses("live", "a")
    desk.withdraw("C0")
    desk.play_out()
    desk.refuses()
    desk.give_up("C0")
    assert foreseen(dry_run.fix, "T0")["fix_as_meant"] == 1
    desk.press("T0", "fix")
    desk.check()
    assert desk.ends_there("T0") == {"a": ""}
    assert not desk.stuck()

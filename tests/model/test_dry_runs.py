"""Compares what dry runs predict about trials and changes with what then happens (contract 3.9, 13 and 19)."""

import re
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from django.utils.translation import override

from orders.actions import action_previews
from orders.actions.all_actions import DECISIONS
from orders.actions.undo_acts import HOW
from orders.mails.mail_resend import send_again
from orders.management.arguments import wire_day
from orders.models import BillingRecord, Order
from orders.order_words.order_facts import facts_of
from orders.sending import resend as resends
from tests import factories as make

DAY = 86400
CODES = {
    (BillingRecord.Type.COMMERCIAL, "deleted"): "deletes",
    (BillingRecord.Type.COMMERCIAL, "cancelled"): "cancels",
    (BillingRecord.Type.TRIAL, "cancelled"): "cancels_trial",
    (BillingRecord.Type.TRIAL, "live"): "restores",
}  # by (type of a record, its new state)


def previewed(what, number: str) -> dict[str, object]:
    """Returns {code of a predicted sentence: the number in this sentence} for the preview function `what`."""
    order = Order.objects.select_related("trial").get(number=number)
    return {one.code: one.params.get("n") for one in what(order, now=timezone.now())}


def test_withdrawing_an_extension_says_that_the_trial_ends(desk):
    desk.trial("T0", "a", end=1).deliver()
    desk.change("C0", "T0", end=5).deliver()
    desk.wait(3 * DAY)
    told = previewed(action_previews.withdraw, "C0")
    assert told["cancels_trial"] == 1
    assert "ends_without" in told
    desk.withdraw("C0").check()
    assert (desk.state("T0"), desk.live_there("T0")) == ("ended", [])


def test_withdrawing_a_change_of_domains_says_nothing_about_the_trials_end(desk):
    desk.trial("T0", "a", end=9).deliver()
    desk.change("C0", "T0", "ab").deliver()
    assert not {"ends_without", "runs_without"} & previewed(action_previews.withdraw, "C0").keys()


def test_a_late_withdrawal_says_that_the_trial_ends_of_the_one_that_holds_it_alone(desk):
    desk.trial("T0", "a")
    desk.activation("A0", "T0", "").deliver()
    desk.activation("A1", "T0", "bc").deliver()
    desk.callback("A1", "pass", "A1-r1").deliver()
    desk.wait(3 * DAY)
    late = partial(action_previews.withdraw, how="cancel")
    assert "ends_trial" in previewed(late, "A0")
    assert "ends_trial" not in previewed(late, "A1")
    desk.withdraw("A1").deliver().withdraw_by_staff("A1", "cancel").check()
    assert (desk.state("A1"), desk.state("T0")) == ("withdrawn", "converted")


def test_withdrawing_a_shortening_says_that_the_trial_runs_again(desk):
    desk.trial("T0", "a", end=9).deliver()
    desk.change("C0", "T0", end=1).deliver()
    desk.wait(3 * DAY).sweep()
    assert "runs_without" in previewed(action_previews.withdraw, "C0")
    desk.withdraw("C0").check()
    assert (desk.state("T0"), desk.ends_there("T0")) == ("trialing", {"a": "20230929"})


def test_giving_up_says_what_becomes_of_a_change(desk):
    desk.trial("T0", "a", end=3).deliver()
    desk.change("C0", "T0", end=9).deliver("bigdata", fates=("refuse",))
    assert "change_shrinks" in previewed(action_previews.give_up, "C0")


def test_giving_up_what_a_withdrawn_change_takes_back_says_that_it_stays_open(desk):
    desk.trial("T0", "a").deliver()
    desk.change("C0", "T0", "b", end=9).deliver()
    desk.refuses("cancel", "b")
    desk.withdraw("C0").play_out()
    assert "runs_on" in previewed(action_previews.give_up, "C0")
    desk.refuses("live", "a")
    desk.give_up("C0").play_out()
    assert "not_put_back" in previewed(action_previews.give_up, "C0")


def test_giving_up_an_activations_restore_says_that_the_trial_ends(desk):
    desk.trial("T0", "a").deliver()
    desk.activation("A0", "T0").deliver()
    desk.refuses("live", "a")
    desk.withdraw("A0").play_out()
    assert "no_restore" in previewed(action_previews.give_up, "A0")


def test_a_fix_says_that_it_sends_what_the_orders_say(desk):
    desk.trial("T0", "a").deliver()
    desk.change("C0", "T0", end=5).deliver()
    desk.refuses("live", "a")
    desk.withdraw("C0").play_out()
    desk.refuses().give_up("C0")
    assert previewed(action_previews.fix, "T0")["fix_as_meant"] == 1
    desk.press("T0", "fix").check()
    desk.stands(ends={"a": ""}, stuck=())


def active(desk) -> str:
    desk.trial("T0", "ab").deliver()
    desk.activation("A0", "T0").deliver()
    return "A0"


def live_for_long(desk) -> str:
    number = active(desk)
    desk.wait(3 * DAY)
    return number


def changed(desk) -> str:
    desk.trial("T0", "ab", end=3).deliver()
    desk.change("C0", "T0", "ac", end=9).deliver()
    return "C0"


def refused(desk) -> str:
    desk.refuses("live", "a")
    desk.trial("T0", "ab", end=3)
    desk.change("C0", "T0", end=9).deliver()
    return "T0"


def not_taken_back(desk) -> str:
    number = changed(desk)
    desk.refuses("cancel", "c")
    desk.withdraw(number).play_out()
    desk.refuses()
    return number


def compensated(desk) -> str:
    number = active(desk)
    desk.compensate(number).play_out()
    return number


def scheduled(desk) -> str:
    desk.trial("T0", "ab", end=5).deliver()
    desk.activation("A0", "T0", start=3).deliver()
    return "A0"


def everything() -> dict:
    """Returns everything that a dry run must leave unchanged.

    This is all rows, the functions that a commit would call, and the files of this machine and of the orders.
    """
    folders = [Path(settings.STATE_DIR), Path(settings.ATTACHMENT_DIR)]
    files = {path: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}
    rows = {model: sorted(map(str, model.objects.values())) for model in apps.get_models()}
    return rows | {"files": files, "on commit": list(connection.run_on_commit)}


def records() -> dict[int, tuple]:
    rows = BillingRecord.objects.values_list("pk", "info_type", "state", "cancel_time")
    return {pk: what for pk, *what in rows}


def taken_back(before: dict, after: dict) -> Counter:
    """Returns the actual effects on records, by the codes of the sentences that predict them."""
    found = Counter()
    for pk, (kind, state, end) in before.items():
        now_state, now_end = after[pk][1:]
        if state == "to_send":
            continue  # at the partner, the record never existed
        if state != now_state:
            found[CODES[kind, now_state]] += 1
        elif end != now_end:
            found["moves_ends"] += 1
    return found


@pytest.mark.parametrize(
    ("situation", "act", "how", "given"),
    [
        (active, "withdraw", "", {}),
        (live_for_long, "withdraw", "cancel", {}),
        (live_for_long, "withdraw", "delete", {}),
        (changed, "withdraw", "", {}),
        (refused, "give_up", "", {}),
        (not_taken_back, "give_up", "", {}),
        (refused, "resend", "", {}),
        (not_taken_back, "resend", "", {}),
        (compensated, "resend", "", {}),
        (scheduled, "move_start", "", {"day": wire_day("20230930")}),
    ],
)
def test_what_the_page_previews_the_dry_run_reports_and_the_act_does(desk, capsys, situation, act, how, given):
    number = situation(desk)
    days = [f"{day:%Y%m%d}" for day in given.values()]
    options = [act, number, "--reason=x", *days, *([f"--{how}"] if how else [])]
    order = Order.objects.select_related("trial").get(number=number)
    with override("en"):
        page = chosen_of(DECISIONS[act].will(facts_of(order, now=timezone.now()), **given), how)
    if act == "withdraw":
        counted = {code: n for code, n in previewed(partial(action_previews.withdraw, how=how), number).items() if n}
    kept, before = everything(), records()
    call_command(*options, "--dry-run")
    *reported, end = capsys.readouterr().out.splitlines()
    assert everything() == kept, "what is rolled back leaves nothing"
    call_command(*options)
    *said, _end = capsys.readouterr().out.splitlines()
    assert reported == said, "the act does what its dry run reports"
    if act == "resend":
        assert (len(page), end) == (len(set(reported)), f"{len(reported)} would be queued, 0 declined")
        return
    assert end == "dry run: nothing was changed"
    assert page == {re.sub(r" \(\w+\)$", "", line.removeprefix(f"{number}: ")) for line in reported}
    if act == "withdraw":
        desk.play_out()
        assert taken_back(before, records()) == counted


def test_the_dry_run_of_a_mail_about_no_order_sends_it_again_and_rolls_back(desk, capsys, monkeypatch):
    row, sent = make.MailFactory(order=None, state="failed", written_at=timezone.now()), []
    monkeypatch.setattr(resends, "send_again", lambda mail, now: (sent.append(mail.pk), send_again(mail, now=now)))
    kept = everything()
    call_command("resend", "--channel=mail", "--dry-run")
    *reported, end = capsys.readouterr().out.splitlines()
    assert (sent, everything(), end) == ([row.pk], kept, "1 would be queued, 0 declined")
    call_command("resend", "--channel=mail")
    assert (capsys.readouterr().out.splitlines(), sent) == ([*reported, "1 queued, 0 declined"], [row.pk] * 2)
    row.refresh_from_db()
    assert row.state == "due"


def chosen_of(sentences: list[str], how: str) -> set[str]:
    """Returns the sentences of a preview that apply to the choice `how`.

    A sentence that differs between the choices begins with the name of its choice. This name is removed.
    """
    found = set()
    for sentence in sentences:
        choice, _, rest = sentence.partition(": ")
        other = {str(word) for key, word in HOW.items() if key != how}
        if choice not in other:
            found.add(rest if how and choice == str(HOW[how]) else sentence)
    return found

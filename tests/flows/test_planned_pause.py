"""Pauses that are planned ahead, once or weekly, on the page and by command (contract 3.5; 5, `pause --from`)."""

import json
import re

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from orders.models import Dispatch, Pause, PlannedPause
from orders.pauses.pause_and_resume import end_pauses, resume
from orders.pauses.planned import begin_planned_pauses
from tests.flows.conftest import code_of
from tests.flows.contents import trial

BEGINS, ENDS = "2023-09-21T00:00", "2023-09-21T06:00"
PAGE = reverse("admin:orders_pause_partner", args=["bigdata"])


def plan(**more):
    given = {"begins": BEGINS, "until": ENDS} | more
    words = [f"--{'from' if name == 'begins' else name}={value}" for name, value in given.items() if value]
    weekly = ["--weekly"] if given.get("weekly") else []
    words = [word for word in words if not word.startswith("--weekly")]
    call_command("pause", "bigdata", "--reason", "对方维护", *words, *weekly)


def at(desk, moment):
    """Runs the sweep's work on pauses at this moment. Returns True if a partner is paused then."""
    desk.at(moment)
    begin_planned_pauses(now=timezone.now())
    end_pauses(now=timezone.now())
    return Pause.objects.in_force(timezone.now()).exists()


def test_what_falls_into_it_waits_and_goes_out_afterwards(desk, capsys):
    plan()
    out = capsys.readouterr().out
    assert re.match(
        r"planned as \d+: bigdata from 2023-09-21 00:00 until 2023-09-21 06:00, by command:\w+ \(对方维护\)", out
    )
    desk.play(trial("T1", "a.example.com"))
    assert desk.state("T1") == "trialing"
    assert not at(desk, "2023-09-20 23:58:00")
    assert at(desk, "2023-09-20 23:59:00")  # up to a minute early, because the sweep runs once a minute
    desk.play(trial("T2", "b.example.com"))
    step = Dispatch.objects.get(order__number="T2")
    assert (step.state, step.attempts, desk.state("T2")) == ("due", 0, "in_progress")
    assert at(desk, "2023-09-21 05:59:59")
    assert not at(desk, "2023-09-21 06:00:01")
    desk.deliver()
    assert desk.state("T2") == "trialing"
    assert not at(desk, "2023-09-28 03:00:00")
    assert PlannedPause.objects.get().over_at is not None


def test_a_weekly_one_comes_again_and_one_that_was_resumed_does_not_come_back(desk):
    plan(weekly=True)
    assert at(desk, "2023-09-21 00:00:00")
    resume(partner="bigdata", by="command:test", now=timezone.now())
    assert not at(desk, "2023-09-21 03:00:00")
    assert not at(desk, "2023-09-21 06:01:00")
    assert not at(desk, "2023-09-27 23:58:00")
    assert at(desk, "2023-09-28 00:00:00")
    assert not at(desk, "2023-10-12 06:01:00")  # the sweep did not run in the meantime
    row = PlannedPause.objects.get()
    assert (f"{timezone.localtime(row.begins):%m-%d %H:%M}", row.over_at) == ("10-19 00:00", None)


def test_a_pause_that_stands_longer_stays_as_it_is(desk):
    call_command("pause", "bigdata", reason="割接")
    plan()
    assert at(desk, "2023-09-21 00:00:00")
    pause = Pause.objects.get()
    assert (pause.reason, pause.until) == ("割接", None)
    assert at(desk, "2023-09-21 07:00:00")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"until": ""}, "needs --until"),
        ({"until": "2023-09-20T23:00"}, "later than --from"),
        ({"until": "2023-09-28T00:00", "weekly": True}, "shorter than a week"),
        ({"begins": "2023-09-20T18:00"}, "passed already"),
        ({"begins": "tomorrow"}, "no moment"),
        ({"begins": "", "weekly": True}, "--weekly goes with --from"),
    ],
)
def test_what_can_not_be_planned_says_why(desk, given, says):
    with pytest.raises(CommandError, match=says):
        plan(**given)
    assert not PlannedPause.objects.exists()


def test_it_is_called_off_by_its_number(desk):
    plan()
    row = PlannedPause.objects.get()
    with pytest.raises(CommandError, match="there is no planned pause"):
        call_command("resume", "bpm", planned=row.pk)
    call_command("resume", "bigdata", planned=row.pk)
    assert not at(desk, "2023-09-21 00:00:00")
    with pytest.raises(CommandError, match="there is no planned pause"):
        call_command("resume", "bigdata", planned=row.pk)


def test_the_page_plans_it_the_dashboard_says_so_the_day_before_and_it_is_called_off(desk, admin_client):
    form = {"reason": "对方维护窗口", "begins": "2023-09-22T00:00", "until": "2023-09-22T06:00", "weekly": "on"}
    assert "比开始晚" in admin_client.post(PAGE, form | {"until": ""}).text
    assert "每周重复的暂停需要开始时间" in admin_client.post(PAGE, form | {"begins": ""}).text
    assert not Pause.objects.exists()
    assert admin_client.post(PAGE, form)["Location"] == PAGE
    page = admin_client.get(PAGE).text
    assert ("对方维护窗口" in page, "2023-09-22 00:00" in page, "每周重复" in page) == (True, True, True)
    index = reverse("admin:index")
    assert "计划暂停" not in admin_client.get(index).text
    desk.at("2023-09-21 09:00:00")
    assert "计划暂停" in admin_client.get(index).text
    row = PlannedPause.objects.get()
    assert "已取消" in admin_client.post(PAGE, {"off": row.pk}, follow=True).text
    assert "已不在计划中" in admin_client.post(PAGE, {"off": row.pk}, follow=True).text
    assert "计划暂停" not in admin_client.get(index).text
    assert not at(desk, "2023-09-22 00:00:00")
    assert not Pause.objects.exists()


def test_status_lists_what_is_planned_until_it_is_over(desk, capsys):
    def planned():
        code_of("status")
        return [line for line in capsys.readouterr().out.splitlines() if line.startswith("planned  ")]

    assert planned() == []
    plan(weekly=True)
    row = PlannedPause.objects.get()
    capsys.readouterr()
    times = "from 2023-09-21T00:00:00+08:00 until 2023-09-21T06:00:00+08:00"
    assert [line.split(", by ")[0] for line in planned()] == [f"planned      {row.pk}: bigdata {times}, weekly"]
    code_of("status", "--json")
    [listed] = json.loads(capsys.readouterr().out)["planned"]
    begins, ends = listed["from"], listed["until"]
    assert (listed["number"], listed["partner"], listed["weekly"], listed["reason"]) == (
        row.pk, "bigdata", True, "对方维护",
    )  # fmt: skip
    assert f"from {begins} until {ends}" == times
    call_command("resume", "bigdata", planned=row.pk)
    assert planned() == []

"""Plays all acts of a desk on orders of many domains.

An order has at most `count` domains (contract 2.4: up to 20,000). `test_sizes.py` counts the statements of the acts,
and `python -m bench.large` measures their time.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from django.db import connection

from tests.model.harness import Stage
from tests.model.world import Desk

DAY = 24 * 3600
PLAYS: dict[str, Callable[[Desk, Callable], None]] = {}


def play(act: Callable) -> Callable:
    PLAYS[act.__name__] = act
    return act


def domains(begin: int, end: int) -> tuple[str, ...]:
    return tuple(f"d{number}.example.com" for number in range(begin, end))


def meddle(desk, number: str, what: str, to: str = ""):
    """Changes all records of a jobId at the big-data side manually."""
    for row in desk.wire.partners.store.records(number):
        desk.wire.meddle(row, what, to)
    return desk


@play
def changes(desk, some):
    """Plays changes of domains, service and end. Some changes are withdrawn while later changes are in effect."""
    desk.trial("T0", some(0, 1), end=90).deliver()
    desk.change("C0", "T0", some(0.5, 1.5)).deliver()
    desk.change("C1", "T0", service="4").deliver()
    desk.change("C2", "T0", end=60).deliver()
    desk.change("C3", "T0", some(0.7, 1.7)).change("C4", "T0", some(1, 2), end=50)
    desk.withdraw("C1").deliver()
    desk.withdraw("C4").deliver()
    desk.withdraw("C3").deliver()
    desk.withdraw("T0").deliver()


@play
def activations(desk, some):
    """Plays first and subsequent activations. Each of them is withdrawn, compensated and opened again."""
    desk.trial("T0", some(0, 1)).deliver()
    desk.activation("A0", "T0").deliver()
    desk.change("C0", "T0", some(0, 0.5))  # held, because an activation has claimed the trial
    desk.activation("A1", "T0", some(2, 3)).deliver().callback("A1", "pass", "A1-r1").deliver()
    desk.compensate("A1").deliver().resend("A1").deliver()
    desk.compensate("A0").deliver().resend("A0").deliver()
    desk.callback("A0", "reject", "A0-r1").deliver()
    desk.decide("A0", "pass").deliver()
    desk.withdraw("A1").deliver()
    desk.withdraw("A0").deliver()


@play
def first_comes_last(desk, some):
    """Plays orders that arrive before their trial, and orders that are held for domains, an attribution or files."""
    desk.activation("A0", "T0", files=True).change("C0", "T0", some(0.5, 1.5))
    desk.activation("A1", "T0").activation("A2", "T1", some(0, 1))
    desk.trial("T0", some(0, 1), known=False).attribute("T0").deliver()
    desk.waive("A0").deliver()
    desk.name_domains("A1", some(3, 4)).deliver().sweep().deliver()


@play
def late(desk, some):
    """Plays activations that are undone late, two days after their start, in the way that staff choose.

    One activation continues although its trial has ended.
    """
    desk.trial("T0", some(0, 1)).deliver()
    desk.activation("A0", "T0").deliver().wait(2 * DAY)
    desk.withdraw("A0").withdraw_by_staff("A0", how="cancel").deliver()
    desk.activation("A1", "T0", some(0, 1)).proceed("A1").deliver().wait(2 * DAY)
    desk.callback("A1", "pass", "A1-r1").deliver().wait(2 * DAY)
    desk.withdraw("A1").withdraw_by_staff("A1", how="delete").deliver()


@play
def moves(desk, some):
    """Plays moves of a start day. Moves are accepted, are refused, or have an unknown result.

    Some records differ, and staff take them.
    """
    desk.setting(retries=[30]).trial("T0", some(0, 1)).deliver()
    desk.activation("A0", "T0", start=5).deliver()
    desk.move_start("A0", 6).deliver()
    desk.move_start("A0", 7).deliver(fates=("refuse",))
    desk.move_start("A0", 8).deliver(fates=("lost",)).next_moment().deliver(fates=("refuse",))
    desk.meddle("A0", "d0", "start", to=5).play_out().resend("A0")
    desk.deliver(fates=("lost",)).next_moment().deliver(fates=("refuse",))
    desk.meddle("A0", "d1", "start", to=5).play_out().wait(6 * DAY)
    desk.take("A0").sweep().deliver().wait(3 * DAY).sweep().deliver()


@play
def moved_ends(desk, some):
    """Plays moves of a trial's end. Moves are accepted, are refused, or have an unknown result.

    Refused moves are resent or given up.
    """
    desk.setting(retries=[30]).trial("T0", some(0, 1)).deliver()
    desk.move_end("T0", 20).deliver().change("C0", "T0", some(0.5, 1.5)).deliver()
    desk.move_end("T0", 10).deliver(fates=("refuse",)).resend("T0").deliver()
    desk.move_end("T0", 30).deliver(fates=("lost",)).next_moment().deliver(fates=("refuse",)).play_out()
    desk.resend("T0").deliver().wait(1800)
    desk.move_end("T0", 25).deliver(fates=("refuse",)).give_up("T0").deliver()
    desk.reconcile("T0", fix=True, reason="x").deliver()
    desk.activation("A0", "T0").deliver().withdraw("A0").deliver().play_out()


@play
def unknown(desk, some):
    """Plays calls without an answer, the look-ups that follow, and orders that are given up, taken or accepted."""
    desk.setting(retries=[30]).trial("T0", some(0, 0.6)).deliver(fates=("lost",))
    desk.next_moment().deliver(fates=("broken",)).give_up("T0").play_out()
    desk.change("C0", "T0", some(0.3, 1)).deliver(fates=("broken",))
    desk.next_moment().deliver(fates=("broken",)).give_up("C0").play_out()
    desk.change("C1", "T0", some(0.2, 1.2)).deliver(fates=("refuse", "ok", "refuse")).give_up("C1").play_out()
    desk.change("C2", "T0", end=40).deliver(fates=("refuse",)).resend("C2").deliver()
    desk.change("C3", "T0", some(0.8, 1.8)).deliver(fates=("409",))
    meddle(desk, "T0", "cancel").take("C3").deliver().reconcile("T0", fix=True, reason="x").deliver()
    desk.activation("A0", "T0").deliver("bigdata", fates=("ok", "late"))
    desk.next_moment().deliver("bigdata", fates=("refuse",)).play_out()
    desk.compensate("A0").deliver("bigdata", fates=("refuse", "refuse")).give_up("A0").accept("A0").play_out()


@play
def undoing_late_calls(desk, some):
    """Plays the undoing of orders with late calls. Look-ups follow and correct the records."""
    desk.trial("T0", some(0, 1)).deliver()
    desk.change("C0", "T0", some(0.5, 1.5)).deliver(fates=("late",)).next_moment().deliver(fates=("ok",))
    desk.withdraw("C0").play_out()
    desk.activation("A0", "T0").deliver("bigdata", fates=("late", "late")).next_moment().deliver()
    desk.withdraw("A0").play_out()
    desk.withdraw("T0").play_out()


@play
def forced(desk, some):
    desk.trial("T0", some(0, 1)).deliver()
    desk.resend("T0", force=True, channel="billing").deliver()
    desk.activation("A0", "T0", some(0, 1)).deliver()
    desk.resend("A0", force=True).deliver()
    desk.resend("A0", force=True, channel="billing").deliver(fates=("refuse",)).give_up("A0")
    desk.fetch_usage("T0").deliver()


@play
def books(desk, some):
    """Plays comparisons with the partner's records, their fixes, and records that staff take or accept.

    The records are those of an activation and of a trial.
    """
    desk.trial("T0", some(0, 1)).trial("T1", some(0, 1)).deliver()
    desk.activation("A0", "T0").deliver()
    for number in ("A0", "T1"):
        meddle(desk, number, "cancel").reconcile().reconcile(number, fix=True, reason="x").deliver()
        what = ("end", "20240101235959") if number == "T1" else ("times",)
        meddle(desk, number, *what).reconcile(number).take(number).deliver()
        held = desk.wire.partners.store.records(number)
        meddle(desk, number, "delete").reconcile(number).accept(number).deliver()
        desk.withdraw(number).deliver()
        for row in held:
            desk.wire.meddle(row, "live")
        desk.reconcile(number, fix=True, reason="x").deliver()


@play
def restored(desk, some):
    desk.trial("T0", some(0, 1)).deliver().activation("A0", "T0", start=3)
    desk.copy().deliver().change("C0", "T0", some(0.5, 1.5)).deliver()
    desk.restore().word().send_missing().deliver()
    meddle(desk.play_out(), "T0", "times").sweep().reconcile(listed="T0 A0 C0").take("T0").play_out()


def in_need(desk, some: Callable) -> None:
    """Brings orders into every state in which staff look at them and decide."""
    desk.setting(retries=[30])
    for number in range(5):
        desk.trial(f"T{number}", some(0, 1))
    desk.deliver().change("C0", "T0", some(0, 0.5)).deliver(fates=("broken",))
    desk.next_moment().deliver(fates=("broken",))
    desk.activation("A1", "T1", start=5).deliver().change("C1", "T1", some(0.5, 1.5))
    desk.activation("A2", "T2").deliver("bigdata").deliver("bpm", fates=("refuse",)).deliver()
    desk.activation("A3", "T3", files=True).activation("A4", "T4").deliver().wait(2 * DAY).withdraw("A4")
    meddle(desk, "A1", "times")
    meddle(desk, "T4", "live").reconcile()
    desk.activation("A5", "T9").activation("A6", "T0", some(0, 1)).deliver()


@dataclass
class Act:
    """An act of a play. `line` is the act's call and result. `seconds` is its duration."""

    name: str
    line: str = ""
    statements: int = 0
    longest: float = 0.0  # duration of the slowest statement in seconds
    seconds: float = 0.0
    cpu: float = 0.0  # CPU seconds of this process


class Watched:
    """A desk that measures each of its acts."""

    def __init__(self, desk: Desk, acts: list[Act]):
        self._desk, self._acts = desk, acts

    def __getattr__(self, name: str):
        own = getattr(self._desk, name)
        if not callable(own):
            return own

        def acting(*args, **more) -> "Watched":
            act = Act(name)
            self._acts.append(act)
            began, busy = time.perf_counter(), time.process_time()
            own(*args, **more)
            act.seconds, act.cpu = time.perf_counter() - began, time.process_time() - busy
            act.line = str(self._desk.log[-1])
            return self

        return acting


def measure(stage: Stage, name: str, count: int) -> list[Act]:
    """Runs the play `name` with orders of `count` domains. Returns the play's acts."""
    acts: list[Act] = []

    def some(begin: float, end: float) -> tuple[str, ...]:
        return domains(round(begin * count), round(end * count))

    def watch(execute, sql, params, many, context):
        began = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            acts[-1].statements += 1
            acts[-1].longest = max(acts[-1].longest, time.perf_counter() - began)

    random.seed(1)  # the waits between attempts are random
    with stage.play() as desk:
        desk.note_books = lambda: None  # the model would read all records of the partner before each call
        with connection.execute_wrapper(watch):
            PLAYS[name](Watched(desk, acts), some)
    return acts

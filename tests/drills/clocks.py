"""A desk's only worker has a wrong clock for a while: all goes on, and nothing stands afterwards (contract 3.9, 10).

Its machine's clock is wrong from the start, and is put wrong further while it runs.
"""

import time

from tests.drills.drill import Found, Logs, wait_for_it
from tests.drills.stage import Stage

CLOCKS = {"clock-ahead": 3 * 3600, "clock-behind": -2 * 3600}  # seconds
TOLD, OVER = 60.0, 150.0  # seconds: until the incident is there, and until it has ended by itself
OPEN = "SELECT count(*) FROM orders_incident WHERE code = 'database_clock' AND state = 'open'"
STANDING = {  # each counts rows whose moment nothing sets so far ahead
    "steps": "SELECT count(*) FROM orders_dispatch WHERE next_try_at > now() + interval '10 minutes'",
    "mails": "SELECT count(*) FROM notifications_mail WHERE next_try_at > now() + interval '40 minutes'",
    "calls": "SELECT count(*) FROM orders_attempt WHERE started_at > now() + interval '5 s'",
    "heartbeats": "SELECT count(*) FROM integrations_heartbeat WHERE seen_at > now() + interval '5 s'",
    "sweeps": "SELECT count(*) FROM django_q_schedule WHERE name = 'desk-sweep' AND next_run > now() + interval '80 s'",
    "nights": "SELECT count(*) FROM django_q_schedule WHERE name LIKE 'desk-%' AND next_run > now() + interval '25 h'",
    "tasks": "SELECT count(*) FROM django_q_ormq WHERE lock > now() + interval '4 minutes'",
    "put right": "SELECT count(*) FROM orders_orderevent WHERE kind IN ('moment_put_right', 'moments_put_right')",
}


def play_clock(stage: Stage, off: int, *, seconds: float) -> Found:
    """Replaces the worker by one whose clock is off, and puts it back."""
    found, logs, desk = Found(), Logs(stage.desk), stage.desk
    clock = desk.folder / "wrong-clock"
    clock.write_text(f"{off:+}")
    desk.stop("worker")
    wrong = {"TEST_CLOCK_FILE": str(clock), "CLOCK_SKEW_SECONDS": "60"}
    desk.start_worker("worker-off", **wrong)
    try:
        began = time.monotonic()
        desk.cluster("worker-off")
        moment = stage.primary.sql("SELECT now()")[0][0]
        clock.write_text(f"{2 * off:+}")
        wait_for_it(lambda: desk.rows(OPEN) == [(1,)], TOLD, least=seconds)
        found.figures["played"] = f"{time.monotonic() - began:.0f} s"
        found.expect(desk.rows(OPEN) == [(1,)], "no incident names the clock")
        said = desk.manage("status", check=False).stdout
        found.expect("database_clock" in said, f"status does not name the clock: {said}")
        done = desk.rows(f"SELECT count(*) FROM orders_dispatch WHERE done_at BETWEEN '{moment}' AND now()")[0][0]
        found.figures["steps done"] = str(done)
        found.expect(done, "nothing was delivered")
    finally:
        desk.stop("worker-off")
    for what, statement in STANDING.items():
        found.expect(desk.rows(statement) == [(0,)], f"{what} stand: {desk.rows(statement)}")
    desk.start_worker(CLOCK_SKEW_SECONDS="60")  # the machine's clock was put right
    wait_for_it(lambda: desk.rows(OPEN) == [(0,)], OVER)
    found.expect(desk.rows(OPEN) == [(0,)], "the incident did not end")
    desk.stop("worker")
    desk.start_worker()  # the others go by the stage's clock, which is moved later
    desk.cluster()
    found.wrong += logs.tracebacks()
    return found

"""A desk's only worker has a wrong clock for a while. All work goes on, and afterwards no stored time is too far ahead
(contract 3.9, 10).

The worker's machine is three hours ahead from its start, and later two hours behind.
"""

from tests.drills.drill import Found, Logs, wait_for_it
from tests.drills.stage import Stage

WRONG_CLOCK = "wrong-clock"  # the drill's name
AHEAD, BACK = 3 * 3600, -2 * 3600  # seconds
TOLD, OVER = 60.0, 150.0  # seconds until the incident exists, and until it has ended by itself
OPEN = "SELECT count(*) FROM orders_incident WHERE code = 'database_clock' AND state = 'open'"
STANDING = {  # each query counts rows with a time that nothing sets so far ahead
    "steps": "SELECT count(*) FROM orders_dispatch WHERE next_try_at > now() + interval '10 minutes'",
    "mails": "SELECT count(*) FROM notifications_mail WHERE next_try_at > now() + interval '40 minutes'",
    "calls": "SELECT count(*) FROM orders_attempt WHERE started_at > now() + interval '5 s'",
    "heartbeats": "SELECT count(*) FROM integrations_heartbeat WHERE seen_at > now() + interval '5 s'",
    "sweeps": "SELECT count(*) FROM django_q_schedule WHERE name = 'desk-sweep' AND next_run > now() + interval '80 s'",
    "nights": "SELECT count(*) FROM django_q_schedule WHERE name LIKE 'desk-%' AND next_run > now() + interval '25 h'",
    "tasks": "SELECT count(*) FROM django_q_ormq WHERE lock > now() + interval '4 minutes'",
    "put right": "SELECT count(*) FROM orders_orderevent WHERE kind IN ('moment_put_right', 'moments_put_right')",
}


def play_wrong_clock(stage: Stage, *, seconds: float) -> Found:
    """Replaces the worker by one with a wrong clock, and corrects the clock at the end."""
    found, logs, desk = Found(), Logs(stage.desk), stage.desk
    clock = desk.folder / "wrong-clock"
    clock.write_text(f"{AHEAD:+}")
    desk.stop("worker")
    desk.start_worker("worker-off", TEST_CLOCK_FILE=str(clock), CLOCK_SKEW_SECONDS="60")
    try:
        desk.cluster("worker-off")
        for off in (AHEAD, BACK):
            clock.write_text(f"{off:+}")
            _play(found, stage, off, seconds=seconds / 2)
    finally:
        desk.stop("worker-off")
    desk.start_worker(CLOCK_SKEW_SECONDS="60")  # the machine's clock is right again
    wait_for_it(lambda: desk.rows(OPEN) == [(0,)], OVER)
    found.expect(desk.rows(OPEN) == [(0,)], "the incident did not end")
    desk.stop("worker")
    desk.start_worker()  # the other drills use the stage's clock, which is moved later
    desk.cluster()
    found.wrong += logs.tracebacks()
    return found


def _play(found: Found, stage: Stage, off: int, *, seconds: float) -> None:
    """Plays one wrong time of the clock. The worker does its work, the incident and `status` name the clock, and no
    row has a time that is too far ahead."""
    desk, ((moment,),) = stage.desk, stage.desk.rows("SELECT now()")
    done = f"SELECT count(*) FROM orders_dispatch WHERE done_at BETWEEN '{moment}' AND now()"
    wait_for_it(lambda: desk.rows(OPEN) == [(1,)] and desk.rows(done) != [(0,)], TOLD, least=seconds)
    found.expect(desk.rows(OPEN) == [(1,)], f"{off:+} s: no incident names the clock")
    said = desk.manage("status", check=False).stdout
    found.expect("database_clock" in said, f"{off:+} s: status does not name the clock: {said}")
    found.figures[f"steps done at {off:+} s"] = str(desk.rows(done)[0][0])
    found.expect(desk.rows(done) != [(0,)], f"{off:+} s: nothing was delivered")
    for what, statement in STANDING.items():
        found.expect(desk.rows(statement) == [(0,)], f"{off:+} s: {what} stand: {desk.rows(statement)}")

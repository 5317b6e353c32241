"""The series of a desk in a quiet week from Monday to Sunday, with a value for each minute, for promtool.

The week has office hours, evenings, nights and a weekend. There are a backup at 01:00, nightly jobs at 02:10 and
03:10, a restart, and a pause.
"""

import random
from collections.abc import Callable

DAY, MINUTES = 1440, 7 * 1440
BUCKETS = ("0.05", "0.5", "1.0", "2.5", "10.0", "+Inf")
RARE_CODES = {"20505": 40, "20002": 60, "20208": 400}  # the code is the answer to one of so many calls
GIB = 2**30


def calls(minute: int) -> float:
    """Returns the number of orders that BBOSS sends in this minute."""
    day, hour = minute // DAY, minute % DAY / 60
    if 9 <= hour < 18:
        return 6 if day < 5 else 0.5
    return 1 if 7 <= hour < 23 else 0.05


def quiet_week() -> dict[str, str]:
    chance = random.Random(7)
    came = [chance.random() < calls(m) % 1 for m in range(MINUTES)]
    number = [int(calls(m)) + more for m, more in enumerate(came)]
    rows: dict[str, list[float]] = {}

    def gauge(series: str, value: Callable[[int], float]) -> None:
        rows[series] = [value(m) for m in range(MINUTES)]

    def counter(series: str, grows: Callable[[int], float]) -> None:
        total = 0.0
        rows[series] = [total := total + grows(m) for m in range(MINUTES)]

    def clock(minute: int) -> int:
        return minute % DAY

    for code, one_of in RARE_CODES.items():
        counter(
            f'desk_inbound_total{{source="bboss",code="{code}"}}', lambda m, n=one_of: chance.random() * n < number[m]
        )
    counter('desk_inbound_total{source="bboss",code="00000"}', lambda m: number[m])
    # while the database restarts
    counter('desk_inbound_total{source="bboss",code="20000"}', lambda m: 4 if m == 4000 else 0)
    counter('desk_inbound_total{source="bpm",code="200"}', lambda m: number[m])
    counter('desk_inbound_total{source="bpm",code="404"}', lambda m: chance.random() < 0.002)
    counter('desk_database_errors_total{kind="away"}', lambda m: 12 if m == 4000 else 0)
    counter('desk_database_errors_total{kind="deadline"}', lambda m: chance.random() < 0.002)
    for name, labels, slow in (
        ("desk_inbound_seconds", 'source="bboss"', lambda m: 60 <= clock(m) < 90),  # while the backup runs
        ("desk_call_seconds", 'partner="bpm",step="start_bpm"', lambda m: 190 <= clock(m) < 200),
    ):
        for place, le in enumerate(BUCKETS):
            below = lambda m, p=place, s=slow: number[m] if p >= (3 if s(m) else 1) else 0  # noqa: E731
            counter(f'{name}_bucket{{{labels},le="{le}"}}', below)
        counter(f"{name}_count{{{labels}}}", lambda m: number[m])
    for partner, step in (("bigdata", "create_billing"), ("bpm", "start_bpm"), ("mail", "mail_billed")):
        counter(f'desk_calls_total{{partner="{partner}",step="{step}",outcome="done"}}', lambda m: number[m])
        counter(
            f'desk_calls_total{{partner="{partner}",step="{step}",outcome="refused"}}',
            lambda m: chance.random() < 0.004,
        )
        gauge(f'desk_oldest_due_seconds{{partner="{partner}"}}', lambda m: chance.random() * 20)
        gauge(f'desk_breaker_open{{partner="{partner}"}}', lambda m: 0)
        gauge(f'desk_paused{{partner="{partner}"}}', lambda m, p=partner: p == "bpm" and 5 * DAY < m < 5 * DAY + 200)
    for channel in ("usage", "billing", "bpm", "mail"):
        jobs = lambda m, c=channel: max(0, 900 - 60 * (clock(m) - 130)) if c == "usage" and clock(m) >= 130 else 0  # noqa: E731
        gauge(f'desk_dispatches{{channel="{channel}",state="due"}}', lambda m, j=jobs: j(m) + number[m])
        # steps that wait for their start days
        gauge(f'desk_dispatches{{channel="{channel}",state="waiting"}}', lambda m: 5000 + m)
        gauge(f'desk_dispatches{{channel="{channel}",state="retrying"}}', lambda m: m % 300 < 25)
    for code in ("disk_low", "delivery_failed", "code_400", "database_clock"):
        gauge(f'desk_open_incidents{{code="{code}"}}', lambda m, c=code: c == "code_400" and m % 500 < 60)
    # until the differences are fixed
    gauge('desk_open_differences{kind="missing"}', lambda m: 3 if 190 <= clock(m) < 196 else 0)
    gauge("desk_unbilled_orders", lambda m: 1 if 190 <= clock(m) < 196 else 0)
    gauge("desk_stuck_orders", lambda m: 1 if m % 400 < 25 else 0)
    gauge("desk_heartbeat_age_seconds", lambda m: chance.random() * 65)
    gauge("desk_last_backup_age_seconds", lambda m: (m - 90) % DAY * 60)
    gauge("desk_mails_given_up", lambda m: 0)
    gauge("desk_restored", lambda m: 0)
    gauge("desk_database_up", lambda m: m != 4000)
    gauge('up{job="ibs-desk",instance="a"}', lambda m: m not in (2000, 2001))  # a restart
    # has ended, while a newer token is valid
    gauge('desk_expires_seconds{what="bboss_token",name="1"}', lambda m: (3 * DAY - m) * 60)
    gauge('desk_expires_seconds{what="bboss_token",name="2"}', lambda m: (200 * DAY - m) * 60)
    gauge('desk_expires_seconds{what="api_token",name="old"}', lambda m: -(30 * DAY + m) * 60)
    gauge('desk_expires_seconds{what="client_certificate",name="PARTNER_CLIENT_CERT"}', lambda m: (90 * DAY - m) * 60)
    gauge("node_timex_offset_seconds", lambda m: chance.random() / 100)
    for mount in ("/", "/var/lib/postgresql"):
        used = lambda m: 40 + m / 2000 + (4 if 60 <= clock(m) < 120 else 0)  # noqa: E731  WAL while the backup runs
        gauge(
            f'node_filesystem_avail_bytes{{mountpoint="{mount}",fstype="ext4"}}', lambda m, u=used: (100 - u(m)) * GIB
        )
        gauge(f'node_filesystem_size_bytes{{mountpoint="{mount}",fstype="ext4"}}', lambda m: 100 * GIB)
    return {series: " ".join(f"{float(value):.10g}" for value in values) for series, values in rows.items()}

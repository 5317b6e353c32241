"""Statistics of a day's calls: to partners by step, and from BBOSS by our answer. Counted in the database."""

import datetime
from dataclasses import dataclass

from django.db import connection
from django.db.models import Count, DateTimeField

from orders.models import Attempt, InboundMessage
from orders.rules.local_time import midnight
from orders.rules.steps import STEPS as STEP_KINDS
from orders.rules.steps import Partner, Step

DAY = datetime.timedelta(days=1)
UNTIMED = (Attempt.Outcome.LOST, Attempt.Outcome.HANDED_BACK)  # their end is not the end of a call
MILLISECONDS = {
    "postgresql": "EXTRACT(EPOCH FROM orders_attempt.finished_at - orders_attempt.started_at)::double precision * 1000",
    "sqlite": "(JULIANDAY(orders_attempt.finished_at) - JULIANDAY(orders_attempt.started_at)) * 86400000",
}
# The calls are grouped by step and millisecond first: sorting each of them would take several times as long. `upto` of
# `timed` calls took at most `took`. The median is the first `took` that covers half of them (percentile_disc).
STEPS = """
WITH counted AS (
    SELECT orders_dispatch.step,
        CASE WHEN orders_attempt.outcome NOT IN (%s, %s) THEN CAST(ROUND({milliseconds}) AS BIGINT) END AS took,
        COUNT(*) AS calls,
        COUNT(*) FILTER (WHERE orders_attempt.outcome = %s) AS accepted,
        COUNT(*) FILTER (WHERE orders_attempt.outcome = %s) AS refused,
        COUNT(*) FILTER (WHERE orders_attempt.outcome = %s) AS failed,
        COUNT(*) FILTER (WHERE orders_attempt.number > 1) AS retries
    FROM orders_attempt JOIN orders_dispatch ON orders_dispatch.id = orders_attempt.dispatch_id
    WHERE orders_attempt.started_at >= %s AND orders_attempt.started_at < %s
    GROUP BY 1, 2
), ranked AS (
    SELECT counted.*, SUM(calls) OVER (PARTITION BY step, took IS NULL ORDER BY took) AS upto,
        SUM(calls) OVER (PARTITION BY step, took IS NULL) AS timed
    FROM counted
)
SELECT step, SUM(calls), SUM(accepted), SUM(refused), SUM(failed), SUM(retries),
    MIN(took) FILTER (WHERE upto * 100 >= timed * 50), MIN(took) FILTER (WHERE upto * 100 >= timed * 99)
FROM ranked GROUP BY step
"""


@dataclass(frozen=True)
class StepCalls:
    """A step's attempts of a day. `retries`: attempts that were not the first of their step.

    `median` and `p99`: the duration in seconds (percentile_disc) of finished attempts, except those whose worker died;
    None without one.
    """

    step: Step
    calls: int
    accepted: int
    refused: int
    failed: int
    retries: int
    median: float | None
    p99: float | None

    @property
    def partner(self) -> str:
        """Returns the step's partner. Versions before 1.8.0 planned mails as steps, whose attempts are kept."""
        return STEP_KINDS[self.step].partner if self.step in STEP_KINDS else Partner.MAIL

    @property
    def others(self) -> int:
        """Returns the number of attempts with another outcome: open, held, lost, late and the like."""
        return self.calls - self.accepted - self.refused - self.failed


def calls_by_step(day: datetime.date) -> list[StepCalls]:
    """Returns the calls that began on this day (Asia/Shanghai), by partner and step. One query."""
    values = [*UNTIMED, Attempt.Outcome.OK, Attempt.Outcome.REFUSED, Attempt.Outcome.RETRY]
    values += [DateTimeField().get_db_prep_value(moment, connection) for moment in _moments(day)]
    with connection.cursor() as cursor:
        cursor.execute(STEPS.format(milliseconds=MILLISECONDS[connection.vendor]), values)
        rows = [
            StepCalls(
                Step(step), int(calls), int(ok), int(refused), int(failed), int(retries), _seconds(p50), _seconds(p99)
            )
            for step, calls, ok, refused, failed, retries, p50, p99 in cursor.fetchall()
        ]
    return sorted(rows, key=lambda row: (Partner.values.index(row.partner), Step.values.index(row.step)))


def messages_by_answer(day: datetime.date) -> list[tuple[str, str, int]]:
    """Returns (rspCode, BizCode of a business failure, number) of BBOSS's messages of this day, highest number first.
    One query."""
    since, until = _moments(day)
    rows = InboundMessage.objects.filter(received_at__gte=since, received_at__lt=until).order_by()
    counts = rows.values_list("rsp_code", "biz_code").annotate(number=Count("pk"))
    return sorted(counts, key=lambda row: (-row[2], row[0], row[1]))


def _moments(day: datetime.date) -> tuple[datetime.datetime, datetime.datetime]:
    return midnight(day), midnight(day + DAY)


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000

"""Keeps the traffic that trials used, as the big-data side reports it (contract 3.3)."""

import datetime

from orders.models import Order, TrialUsage

LIMIT = 1e300


def usage_rows(trial_id: int, rows: list[dict], now: datetime.datetime) -> list[TrialUsage]:
    """Rows to keep; an entry without a number in `dataflow` is left out."""
    return [
        TrialUsage(
            trial_id=trial_id,
            product_id=str(row.get("productId", ""))[:64],
            enterprise_id=str(row.get("enterpriseId", ""))[:64],
            data_flow=float(row["dataflow"]),
            asked_at=now,
        )
        for row in rows
        if _is_number(row.get("dataflow"))
    ]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -LIMIT < value < LIMIT  # no NaN


def store_usage(trial: Order, rows: list[dict], *, now: datetime.datetime) -> list[TrialUsage]:
    """Saves what the big-data side answered about a trial; returns the rows kept."""
    return TrialUsage.objects.bulk_create(usage_rows(trial.pk, rows, now))

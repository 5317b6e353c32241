"""The named one-time schedule of an activation with a later start (contract 3.2)."""

import datetime

from django_q.models import Schedule

from orders.models import Order

JOB = "orders.activation.run_job"


def schedule_name(order: Order) -> str:
    """`BBossOrderJob_<OrderNum>_<start in UTC, YYYYMMDDHHMMSS>`. The order must have a later start."""
    return f"BBossOrderJob_{order.number}_{order.start_at.astimezone(datetime.UTC):%Y%m%d%H%M%S}"


def build_schedule(order: Order) -> Schedule:
    """The unsaved schedule that wakes the order on its start day. If it is lost, the sweep finds the order later."""
    return Schedule(
        name=schedule_name(order),
        func=JOB,
        args=repr((order.number,)),
        schedule_type=Schedule.ONCE,
        next_run=order.start_at.astimezone(datetime.UTC),
    )


def find_schedule(order: Order) -> Schedule | None:
    return Schedule.objects.filter(name=schedule_name(order)).first() if order.start_at else None

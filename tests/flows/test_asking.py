"""The step that queries the big-data side's records of an order (contract 3.5, 3.9)."""

import pytest
from django.utils import timezone

from orders.models import Dispatch
from tests.flows.conftest import QUERY


@pytest.mark.parametrize("about, job", [({}, "T1"), ({"job": "T9"}, "T9")])
def test_it_asks_for_the_order_or_for_the_job_that_it_is_about(desk, about, job, trialing):
    now = timezone.now()
    Dispatch.objects.create(
        order=desk.order("T1"),
        step="ask_billing",
        channel="billing",
        position=600,
        about=about,
        state="due",
        next_try_at=now,
        created_at=now,
    )
    desk.deliver()
    assert (desk.sent(QUERY), desk.step("T1", "ask_billing").state) == ([{"jobId": job}], "done")

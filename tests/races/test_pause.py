"""A partner is paused while several workers claim steps (contract 3.5).

Nothing is claimed after the pause's commit.
"""

from functools import partial

import pytest
from django.utils import timezone

from orders.models import Attempt, Dispatch, Order, Pause
from orders.pauses.pause_and_resume import pause_partner
from orders.sending.reread_answers import resume_partner
from tests.processes.orders import activation, trial
from tests.races.conftest import at_once
from tests.races.test_delivery import until

pytestmark = pytest.mark.django_db(transaction=True)
BIGDATA = {"dispatch__channel": "billing"}


def pause_and_count() -> int:
    """Pauses the big-data side after some calls. Returns the number of calls claimed when the pause was committed."""
    until(lambda: Attempt.objects.filter(**BIGDATA).count() > 5)
    pause_partner(partner="bigdata", reason="升级维护", by="staff:li", now=timezone.now())
    return Attempt.objects.filter(**BIGDATA).count()


def test_nothing_is_claimed_after_its_commit(desk):
    """Workers claim nothing for the big-data side after the commit of its pause.

    Calls are slow until the pause, so that the workers do not finish before a busy machine writes the pause.
    """
    desk.sandbox.fault(path="/bigdata/productInfos", kind="slow", count=400, seconds=2)
    desk.accept(*[make(n) for n in range(30) for make in (trial, activation)])
    *_workers, claimed = at_once(desk.deliver, desk.deliver, desk.deliver, pause_and_count)
    desk.deliver()
    assert Attempt.objects.filter(**BIGDATA).count() == claimed
    assert not Dispatch.objects.filter(state="sending").exists()
    assert Dispatch.objects.filter(channel="billing", state="due").exists()
    assert len(desk.sandbox.calls(path="/bigdata/productInfos")) <= claimed
    desk.sandbox.partners.faults.clear()
    resume_partner(partner="bigdata", by="staff:li", now=timezone.now())
    at_once(desk.deliver, desk.deliver)
    desk.deliver()
    assert set(Order.objects.filter(kind="activation").values_list("state", flat=True)) == {"active"}
    assert desk.sandbox.state()["violations"] == []
    assert set(Attempt.objects.values_list("outcome", flat=True)) <= {"ok", "handed_back"}


def test_two_people_pause_at_once(desk):
    act = partial(pause_partner, partner="bpm", reason="升级维护", by="staff:li", now=timezone.now())
    at_once(act, act, act)
    assert Pause.objects.count() == 1
    at_once(partial(resume_partner, partner="bpm", by="staff:li", now=timezone.now()))
    assert Pause.objects.get().resumed_at

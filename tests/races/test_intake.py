"""Orders that arrive at the same moment (contract 2.3, 3.9 First claim, 3.10)."""

import json
from functools import partial

import pytest

from orders.models import AcceptedCall, Order, OrderEvent, TrialClaim
from tests.processes.orders import activation, trial
from tests.races.conftest import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def codes(replies: list[dict]) -> list[str]:
    return sorted(reply["response"]["rspCode"] for reply in replies)


def named(n: int) -> dict:
    """Returns an activation of trial 1 that names its domains, so that it may be a subsequent activation."""
    return activation(n, trial=1, ProvContent=[{"ProvReq": f"a{n}.example.com"}])


def test_of_twenty_first_activations_one_gets_the_claim(desk):
    desk.accept(trial(1))
    replies = at_once(*[partial(desk.post, named(n)) for n in range(20)])
    assert codes(replies) == ["00000"] * 20
    assert TrialClaim.objects.count() == 1
    assert Order.objects.filter(first=True).count() == 1
    assert Order.objects.filter(first=False).count() == 19
    desk.deliver()
    desk.each_was_sent_once()
    assert desk.state("100T0001") == "converted"


def test_without_domains_only_the_first_is_accepted(desk):
    desk.accept(trial(1))
    replies = at_once(*[partial(desk.post, activation(n, trial=1)) for n in range(20)])
    assert codes(replies) == ["00000"] + ["20505"] * 19
    assert Order.objects.filter(kind="activation").count() == 1


def test_the_same_order_fifty_times_is_one_order_with_one_number(desk):
    desk.accept(trial(1))
    replies = at_once(*[partial(desk.post, activation(1)) for _ in range(50)])
    assert codes(replies) == ["00000"] * 50
    assert len({reply["transIDH"] for reply in replies}) == 1
    assert Order.objects.filter(number="100A0001").count() == 1
    assert OrderEvent.objects.filter(order__number="100A0001", kind="received").count() == 1
    assert AcceptedCall.objects.filter(order__number="100A0001").count() == 50


def test_of_one_number_with_other_contents_one_is_accepted(desk):
    desk.accept(trial(1))
    replies = at_once(*[partial(desk.post, activation(1, ProductID=f"6100{n}")) for n in range(20)])
    assert codes(replies) == ["00000"] + ["30000"] * 19
    refused = [json.loads(reply["result"])["BizCode"] for reply in replies if reply["response"]["rspCode"] == "30000"]
    assert refused == ["3001"] * 19
    assert Order.objects.filter(kind="activation").count() == 1


def test_of_one_trans_ido_with_two_contents_one_is_accepted(desk):
    for n in range(10):
        replies = at_once(*[partial(desk.post, trial(10 * n + k), trans_ido=f"same{n}") for k in range(2)])
        assert codes(replies) == ["00000", "20002"]
    assert Order.objects.count() == 10


def test_an_activation_and_its_trial_may_come_in_the_same_moment(desk):
    """An activation and its trial arrive at the same moment. The activation goes on without help.

    It is held for an instant at most.
    """
    pairs = [partial(desk.post, make(n)) for n in range(10) for make in (activation, trial)]
    assert codes(at_once(*pairs)) == ["00000"] * 20
    desk.deliver()
    desk.deliver()  # delivers what was planned while the first drain ran
    assert {desk.state(f"100A{n:04d}") for n in range(10)} == {"active"}
    assert desk.sandbox.state()["violations"] == []


def test_an_order_and_its_withdrawal_in_the_same_moment(desk):
    """An order and its withdrawal arrive at the same moment. Either may be first.

    If the withdrawal finds the order, the order is withdrawn. Otherwise the withdrawal is refused.
    """
    desk.accept(trial(1))
    original, withdrawal = activation(1), {"OrderNum": "100A0001", "BackFlag": "1"}
    first, second = at_once(partial(desk.post, original), partial(desk.post, withdrawal))
    assert codes([first]) == ["00000"]
    desk.deliver()
    if codes([second]) == ["00000"]:
        assert desk.state("100A0001") == "withdrawn"
        assert TrialClaim.objects.filter(released_at=None).count() == 0
    else:
        assert codes([second]) == ["30000"]
        assert desk.state("100A0001") == "active"


def test_ten_withdrawals_at_once_are_one(desk):
    desk.accept(trial(1), activation(1))
    replies = at_once(*[partial(desk.post, {"OrderNum": "100A0001", "BackFlag": "1"}) for _ in range(10)])
    assert codes(replies) == ["00000"] * 10
    assert len({reply["transIDH"] for reply in replies}) == 1
    assert OrderEvent.objects.filter(kind="withdrawn").count() == 1

"""Hostile input at both addresses: each answer is one of the contract's, and nothing wrong is stored."""

import pytest

from tests.hostile import valid
from tests.hostile.desk import Desk, connection_stays_open
from tests.hostile.memory import held, objects
from tests.hostile.mutations import BBOSS, BPM, hostile_request

SEED, COUNT = 20230920, 500
REACHED = {
    BBOSS: {"00000", "11002", "20007", "20105", "20402", "20101", "20208", "20209", "20505", "30000"},
    BPM: {200, 400, 401, 404, 405},
}


@pytest.fixture
def desk(db, clock):
    valid.make_orders()
    with connection_stays_open():
        yield Desk()


@pytest.mark.parametrize("path", [BBOSS, BPM])
def test_no_input_breaks_a_promise(desk, path):
    """No input breaks a promise. Some inputs also pass the first checks, so most codes occur, and orders and approvals
    are accepted."""
    found = {}
    for number in range(COUNT):
        request = hostile_request(path, SEED, number)
        if faults := desk.faults(request):
            found[number] = (request.made, faults)
    assert not found
    assert desk.seen >= REACHED[path]


def test_memory_stays_flat(desk):
    """If the same inputs come a second time, neither the number of objects nor the memory grows."""
    requests = [hostile_request(path, SEED, number) for number in range(80) for path in (BBOSS, BPM)]
    assert not any(desk.faults(request) for request in requests)
    count, size = objects(), held()
    assert not any(desk.faults(request) for request in requests)
    assert objects() - count < 1000
    assert held() - size < 16 * 1024 * 1024


def test_an_input_can_be_made_again():
    for path in (BBOSS, BPM):
        requests = [hostile_request(path, SEED, number) for number in range(50)]
        assert requests == [hostile_request(path, SEED, number) for number in range(50)]
        assert len({request.body for request in requests}) > 40

"""A desk in one process: the real endpoint, the real delivery, the sandbox over real HTTP; the clock stands."""

import pytest

from integrations.delivery import drain
from orders.models import Order
from orders.reading import standing
from tests.bboss_messages import accepted, post_order
from tests.conftest import shanghai


class Desk:
    """What a flow needs: post, deliver, look."""

    def __init__(self, client, clock, sandbox):
        self.client, self.clock, self.sandbox = client, clock, sandbox

    def post(self, content: dict, **overrides) -> dict:
        """Posts and expects 00000."""
        reply = post_order(self.client, content, **overrides)
        assert accepted(reply), reply
        return reply

    def deliver(self):
        """Delivers all that is due at the clock's moment."""
        return drain(seconds=None, linger=False)

    def at(self, text: str):
        """Moves the clock to a wall-clock time of Shanghai, or to an ISO time with its zone."""
        self.clock.move_to(shanghai(text) if "+" not in text else text)

    def order(self, number: str) -> Order:
        return Order.objects.get(number=number)

    def standing(self, number: str) -> dict:
        return standing(self.order(number))

    def sent(self, path: str) -> list[dict]:
        """The bodies that arrived at a partner's address, in order of arrival."""
        return [call["body"] for call in self.sandbox.calls(path=path)]

    def play_case(self, case: dict, *, extra: dict | None = None):
        """Posts a case's setup and its order, each delivered, at the case's times."""
        if "clock_setup" in case:
            self.at(case["clock_setup"])
        for content in case.get("setup", []):
            self.post(content)
            self.deliver()
        self.at(case["clock"])
        self.post(case["content"] | (extra or {}))
        self.deliver()


@pytest.fixture
def desk(client, clock, sandbox, db, settings, tmp_path):
    settings.ATTACHMENT_DIR = tmp_path
    return Desk(client, clock, sandbox)

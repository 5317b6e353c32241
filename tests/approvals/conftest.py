import pytest

from orders.models import Order
from tests.conftest import shanghai


@pytest.fixture
def order(db):
    """An activation without a plan, to which approval records can be added."""
    return make_order("100A230920170127001")


def make_order(number: str) -> Order:
    return Order.objects.create(
        number=number,
        kind=Order.Kind.ACTIVATION,
        content={},
        content_hash="0" * 64,
        trans_idh="1",
        received_at=shanghai("2023-09-20 18:54:36"),
    )

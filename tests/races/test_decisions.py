"""Two people decide about one order at the same moment. One succeeds. The other is refused and sees why."""

from functools import partial

import pytest
from django.test import Client

from orders.order_words.order_facts import last_event
from tests.admin.orders import billed, deciding, failed, staff
from tests.races.conftest import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("key, make, kind", [("resend", failed, "resend"), ("compensate", billed, "compensated")])
def test_one_decides_and_the_other_is_told(key, make, kind):
    order, clients = make(), []
    for name in ("wang", "li"):
        clients.append(Client())
        clients[-1].force_login(staff("resend_order", "compensate_order", name=name))
    form = {"reason": "客户经理要求", "seen": last_event(order)}
    answers = at_once(*(partial(client.post, deciding(order, key), form) for client in clients))
    assert sorted(answer.status_code for answer in answers) == [302, 409]
    assert order.events.filter(kind=kind).count() == 1

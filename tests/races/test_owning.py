"""Two people take the same thing at the same moment. One becomes its owner, and the other is told who the owner is."""

from functools import partial

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from orders.models import OrderEvent
from tests import factories as make
from tests.races.conftest import at_once

pytestmark = pytest.mark.django_db(transaction=True)
TAKEN = {"order": "owner_taken", "incident": "incident_acknowledged", "difference": "difference_taken"}


def signed_in(username, display_name):
    user = make.UserFactory(username=username, display_name=display_name)
    user.groups.set(Group.objects.filter(name="业务人员"))
    client = Client()
    client.force_login(user)
    client.person = user
    return client


def taking(client, row, seen=0):
    """Takes it in the browser of somebody whose page shows the owner `seen`.

    Returns (status, text) of the response.
    """
    url = reverse(f"admin:orders_{row._meta.model_name}_own", args=[row.pk])
    answer = client.post(url, {"act": "take", "seen": seen})
    return answer.status_code, answer.content.decode()


@pytest.mark.parametrize("kind", TAKEN)
def test_of_two_who_take_it_one_gets_it_and_the_other_is_told(kind):
    order = make.OrderFactory(state="failed")
    row = {
        "order": lambda: order,
        "incident": lambda: make.AffectedOrderFactory(order=order).incident,
        "difference": lambda: make.DifferenceFactory(order=order),
    }[kind]()
    people = [signed_in("li", "李娜"), signed_in("wang", "王敏")]
    answers = at_once(*(partial(taking, client, row) for client in people))
    assert sorted(status for status, _text in answers) == [302, 409]
    row.refresh_from_db()
    assert [status for status, _text in answers].index(302) == [one.person for one in people].index(row.owner)
    [told] = [text for status, text in answers if status == 409]
    assert row.owner.display_name in told
    assert OrderEvent.objects.filter(kind=TAKEN[kind]).count() == 1

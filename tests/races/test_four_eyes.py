"""Two people act at the same moment on an act that waits for a second person.

The act is carried out once, or not at all.
"""

from functools import partial

import pytest
from django.utils import timezone

from orders.actions.all_actions import DECISIONS
from orders.actions.run_action import ChangedMeanwhileError, ask_second, confirm_second, digest_of
from orders.history.actors import staff_actor
from orders.models import AskedAct, Order, OrderEvent
from orders.office.asked_ends import call_off, lapse_asked
from orders.order_words.order_facts import last_event
from orders.texts.errors import NotAllowedError, OrderError
from tests.admin.orders import billed, staff
from tests.races.conftest import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def four_eyes(settings):
    settings.FOUR_EYES = {"decide": 0}


def asking(order, account, key="pass"):
    """Requests an act about the order. Returns True if the request was accepted."""
    about = {"number": order.number, "last_event_id": None, "reason": "x", "now": timezone.now(), "record": key}
    try:
        return bool(ask_second(DECISIONS[key], by=staff_actor(account), **about))
    except NotAllowedError:
        return False


def confirming(pk, judge):
    """Confirms a request as the judge sees it now. Returns True if it was confirmed."""
    row = AskedAct.objects.select_related("order").get(pk=pk)
    about = {"last_event_id": last_event(row.order), "digest": digest_of(row.told), "now": timezone.now()}
    try:
        confirm_second(row, judge=judge, **about)
    except (OrderError, ChangedMeanwhileError):
        return False
    return True


def ended(pk, act):
    try:
        act(AskedAct.objects.get(pk=pk))
    except OrderError:
        return False
    return True


def decisions():
    return OrderEvent.objects.filter(kind="decided").count()


def test_of_two_who_confirm_one_does():
    order = billed()
    assert asking(order, staff("decide_order", name="li"))
    row = AskedAct.objects.get()
    judges = [staff("decide_order", name=name) for name in ("wang", "zhao")]
    assert sorted(at_once(*(partial(confirming, row.pk, judge) for judge in judges))) == [False, True]
    row.refresh_from_db()
    assert (decisions(), row.state) == (1, "confirmed")
    assert row.ender_id in {judge.pk for judge in judges}


def test_of_two_who_ask_one_does():
    order = billed()
    people = [staff("decide_order", name=name) for name in ("li", "wang")]
    keys = ("pass", "reject")
    answers = at_once(*(partial(asking, order, who, key) for who, key in zip(people, keys, strict=True)))
    assert sorted(answers) == [False, True]
    assert AskedAct.objects.count() == 1


@pytest.mark.parametrize("end", ["called off", "lapsed"])
def test_what_is_confirmed_as_it_ends_is_carried_out_or_not(end):
    order, clerk = billed(), staff("decide_order", name="li")
    assert asking(order, clerk)
    row, judge = AskedAct.objects.get(), staff("decide_order", name="wang")

    def lapse():
        AskedAct.objects.filter(pk=row.pk, state="asked").update(lapses_at=timezone.now())
        lapse_asked(now=timezone.now())

    other = lapse if end == "lapsed" else partial(ended, row.pk, partial(call_off, user=clerk, now=timezone.now()))
    confirmed, _other = at_once(partial(confirming, row.pk, judge), other)
    row.refresh_from_db()
    assert (row.state == "confirmed") == confirmed == (decisions() == 1)
    assert Order.objects.get(pk=order.pk).decision == ("pass" if confirmed else "")

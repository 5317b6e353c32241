"""People enter trials while others enter the same trials, and while BBOSS sends these trials (contract 2.3, 3.10)."""

from functools import partial

import pytest
from django.utils import timezone

from orders.models import BillingRecord, Order, OrderEvent
from orders.office.trials.enter_trials import import_trials
from orders.office.trials.sheet import Entry, TrialSheet
from tests.entering.workbooks import MEMBERS
from tests.processes.orders import trial
from tests.races.conftest import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def content(number: int) -> dict:
    """Returns the content of a trial with only those members that a file must contain."""
    return {name: value for name, value in trial(number).items() if name in ("OrderType", *MEMBERS[:9])}


def enter(*numbers: int):
    """Imports a file with these trials as a person. Returns the result."""
    entries = [Entry(content(number), row=place) for place, number in enumerate(numbers, start=2)]
    return import_trials(TrialSheet(entries), by="staff:wang", letters=None, file="a.xlsx", now=timezone.now())


def test_two_files_with_the_same_trials_and_bboss_make_each_order_once(desk):
    files = [partial(enter, 1, 2, 3), partial(enter, 3, 2, 1)] * 3
    sent = [partial(desk.post, content(number)) for number in (1, 2, 3)] * 2
    answers = at_once(*files, *sent)
    assert all(report.is_right for report in answers[: len(files)])
    assert {reply["response"]["rspCode"] for reply in answers[len(files) :]} == {"00000"}
    assert Order.objects.count() == 3
    assert OrderEvent.objects.filter(kind__in=["entered", "received"]).count() == 3
    assert BillingRecord.objects.count() == 3
    desk.deliver()
    desk.each_was_sent_once()

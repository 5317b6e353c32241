"""A POST and a batch of steps need few queries, and no more queries for many orders than for one."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from integrations.delivery.channels import send_step
from notifications.models import Contact, MailRule
from orders.sending.mail_claim_and_record import record_mails
from orders.sending.record import record_outcomes
from tests.flows.contents import activation, trial

POST = {"postgresql": 6, "sqlite": 14}  # the largest allowed number, including the test's savepoint
# the largest allowed number for a batch's four rounds of claiming and recording
ACTIVATION = {"postgresql": 143, "sqlite": 138}


def carry_out(desk) -> list[tuple[int, int]]:
    """Carries out by hand all that is due, one batch after the other. Returns the number of statements of each claim
    and of each recording."""
    found = []
    while True:
        with CaptureQueriesContext(connection) as claimed:
            works = desk.claim("bigdata", "bpm", "mail")
        if not works:
            return found
        outcomes = [send_step(work) for work in works]
        with CaptureQueriesContext(connection) as recorded:
            record_outcomes([one for one in outcomes if not one.mail], now=timezone.now())
            record_mails([one for one in outcomes if one.mail], now=timezone.now())
        found.append((len(claimed), len(recorded)))


def asked_for(desk, numbers: range, *, subsequent: bool) -> list[tuple[int, int]]:
    """Returns the numbers of statements for the first activations of these trials, or for the subsequent activations
    behind them."""
    for number in numbers:
        desk.post(trial(f"T{number}", f"www{number}.example.com"))
    desk.deliver()
    for number in numbers:
        desk.post(activation(f"A{number}", of=f"T{number}"))
    if subsequent:
        desk.deliver()
        for number in numbers:
            desk.post(activation(f"B{number}", f"more{number}.example.com", of=f"T{number}"))
    return carry_out(desk)


def test_a_post_is_a_few_statements(desk, trialing):
    desk.play(activation("A0"), trial("T2"))
    with CaptureQueriesContext(connection) as asked:
        desk.post(activation("A1", of="T2"))
    assert len(asked) <= POST[connection.vendor]


@pytest.mark.parametrize("subsequent", [False, True])
def test_a_batch_asks_as_much_for_many_orders_as_for_one(desk, subsequent):
    for role in Contact.Role.values:
        Contact.objects.create(attribution_id="BJ", role=role, name=role, mail=f"{role}@example.com")
    MailRule.objects.create(event="mail_billed", to_default=True)
    asked_for(desk, range(1), subsequent=subsequent)  # the queries that a process makes only once
    one = asked_for(desk, range(1, 2), subsequent=subsequent)
    many = asked_for(desk, range(2, 12), subsequent=subsequent)
    assert many == one
    assert sum(map(sum, one)) <= ACTIVATION[connection.vendor]

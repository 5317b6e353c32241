"""An order with more domains than one SQL statement can have values, and an order with the allowed maximum of
domains."""

import json

import pytest
from django.core.management import call_command
from django.db import connection

from tests.bboss_messages import post_order
from tests.flows.conftest import BILLING, BPM
from tests.flows.contents import activation, change, trial, withdrawal

MANY = [f"d{number}.example.com" for number in range(2000)]
MOST = 1500  # `insert_rows` inserts about a hundred rows with a dozen columns at once


@pytest.mark.whole
def test_no_statement_grows_with_the_number_of_domains(desk, settings):
    """PostgreSQL refuses a statement with more than 65,535 values. Such a statement would make a claim fail, together
    with all other steps in the claim."""
    settings.DISPATCH_RETRY_SECONDS = [30]
    values: list[int] = []

    def count(execute, sql, params, many, context):
        values.append(0 if many or params is None else len(params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(count):
        desk.sandbox.fault(path=BILLING, kind="refusal")
        desk.play(trial("T1", *MANY))
        desk.command("resend", "T1")
        desk.play(change("C1", *MANY[1:], "new.example.com"))
        desk.sandbox.fault(path=BPM, kind="429", count=2)
        desk.sandbox.fault(path=BILLING, kind="slow", seconds=0, count=1)
        desk.sandbox.fault(path=BILLING, kind="reset_after")
        desk.play(activation("A1"))
        desk.wait_out()
        desk.command("resend", "A1")
        assert (desk.state("A1"), len(desk.alive_there("A1"))) == ("active", 2000)
        desk.play(withdrawal("A1"), withdrawal("T1"))
        call_command("reconcile")
    assert (desk.state("A1"), desk.state("T1")) == ("withdrawn", "withdrawn")
    assert (desk.alive_there("A1"), desk.alive_there("T1")) == ([], [])
    assert max(values) <= MOST


TOO_MANY = "Request body parameter invalidate: ProvContent: holds 20001 domains, at most 20000 are taken"


def named(count: int) -> list[str]:
    return [f"d{number}.example.com" for number in range(count)]


@pytest.mark.parametrize("make", [trial, change, activation])
def test_more_domains_than_allowed_are_refused(desk, make, trialing):
    """Orders of all kinds with too many domains are refused, and nothing of them is stored: a trial, a change, a first
    or a subsequent activation."""
    content = make("X1", *named(20_001))
    reply = post_order(desk.client, content)
    assert (reply["response"]["rspCode"], reply["response"]["rspDesc"]) == ("20505", TOO_MANY)
    assert not desk.knows("X1")


def test_an_order_that_was_taken_before_the_limit_is_still_known(desk, monkeypatch):
    """An order that was accepted before the limit existed is still answered with its first transIDH when it comes
    again."""
    monkeypatch.setattr("orders.intake.receive.MAX_DOMAINS", 3)
    content = trial("T1", *named(3))
    first = desk.post(content)["transIDH"]
    monkeypatch.setattr("orders.intake.receive.MAX_DOMAINS", 2)
    assert desk.post(content)["transIDH"] == first
    assert desk.refused(trial("T2", *named(3))) == ("20505", "")


@pytest.mark.whole
def test_an_order_of_the_most_domains(desk, admin_client, capsys):
    """An order with the allowed maximum of domains is accepted, delivered, shown and reconciled. No cost grows faster
    than the number of domains."""
    desk.play(trial("T1", *named(20_000)))
    assert desk.state("T1") == "trialing"
    call_command("show", "T1", "--json")
    assert len(json.loads(capsys.readouterr().out)["billing"]) == 20_000
    order = desk.order("T1").pk
    for tab in ("overview", "domains", "billing", "raw"):
        assert admin_client.get(f"/admin/orders/order/{order}/change/?tab={tab}").status_code == 200
    for name in ("order", "billingrecord", "dispatch", "orderevent"):
        assert admin_client.get(f"/admin/orders/{name}/").status_code == 200
    call_command("reconcile")
    assert "1 orders, 20000 records: 0 differences" in capsys.readouterr().out

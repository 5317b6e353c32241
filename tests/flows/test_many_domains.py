"""An order with more domains than one statement of the database takes values: 2 MiB hold a hundred thousand."""

from django.core.management import call_command
from django.db import connection

from orders import batches
from tests.flows.conftest import BILLING, BPM
from tests.flows.contents import activation, change, trial, withdrawal

MANY = [f"d{number}.example.com" for number in range(2000)]
MOST = 1500  # insert_rows: a hundred rows of a dozen columns


def test_no_statement_grows_with_the_number_of_domains(desk, settings, monkeypatch):
    """PostgreSQL refuses more than 65,535 values: the claim that held such an order failed, and with it all others."""
    monkeypatch.setattr(batches, "KEYS_A_STATEMENT", 500)
    settings.DISPATCH_RETRY_SECONDS = [30]
    values: list[int] = []

    def count(execute, sql, params, many, context):
        values.append(0 if many or params is None else len(params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(count):
        desk.sandbox.fault(path=BILLING, kind="refusal")
        desk.play(trial("T1", *MANY))
        call_command("resend", "T1")
        desk.deliver()
        desk.play(change("C1", *MANY[1:], "new.example.com"))
        desk.sandbox.fault(path=BPM, kind="503", count=2)
        desk.sandbox.fault(path=BILLING, kind="slow", seconds=0, count=1)
        desk.sandbox.fault(path=BILLING, kind="reset_after")
        desk.play(activation("A1"))
        desk.wait_out()
        call_command("resend", "A1")
        desk.deliver()
        assert (desk.state("A1"), len(desk.alive_there("A1"))) == ("active", 2000)
        desk.play(withdrawal("A1"), withdrawal("T1"))
        call_command("reconcile")
    assert (desk.state("A1"), desk.state("T1")) == ("withdrawn", "withdrawn")
    assert (desk.alive_there("A1"), desk.alive_there("T1")) == ([], [])
    assert max(values) <= MOST

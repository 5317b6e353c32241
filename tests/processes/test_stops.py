"""Several parts of a desk stop at once.

A real worker names each stop by `status` and by a mail, within two minutes.
"""

import contextlib
import json
import sqlite3

import psycopg

from tests.bboss_messages import accepted
from tests.harness.desk import ProcessDesk
from tests.harness.ports import free_port
from tests.processes.orders import trial

TRIGGER = {
    "sqlite": "CREATE TRIGGER stop_rows BEFORE INSERT ON orders_dispatch BEGIN SELECT RAISE(ABORT, 'not today'); END",
    "postgres": "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not today'; END $$;"
    "CREATE TRIGGER stop_rows BEFORE INSERT ON orders_dispatch FOR EACH ROW EXECUTE FUNCTION no()",
}
LONG_AGO = "UPDATE orders_inboundmessage SET received_at = '2023-09-20 18:54:36+00:00'"
WANTED = {"DeskDown", "OrdersNotStored", "IntakeQuiet"}


def write(desk: ProcessDesk, *statements: str) -> None:
    if desk.postgres:
        with psycopg.connect(desk.database_url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)
        return
    with contextlib.closing(sqlite3.connect(desk.folder / "desk.sqlite3", timeout=20)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_each_stop_is_named_by_status_and_a_mail(tmp_path, postgres):
    with ProcessDesk(tmp_path, postgres=postgres, SITE_URL=f"http://127.0.0.1:{free_port()}") as desk:
        desk.settings["INTAKE_QUIET_MINUTES"] = "720"
        assert accepted(desk.post(trial(1)))
        desk.start_worker()
        desk.cluster()
        write(desk, LONG_AGO)

        def mailed() -> set[str]:
            sent = "SELECT body FROM notifications_mail WHERE kind = 'notice_alarm' AND sent_at IS NOT NULL"
            return {name for (body,) in desk.rows(sent) for name in WANTED if f"{name}: " in body}

        desk.until(lambda: mailed() >= {"DeskDown", "IntakeQuiet"}, seconds=120, what="two stops are mailed")
        write(desk, TRIGGER["postgres" if desk.postgres else "sqlite"])
        assert desk.post(trial(2))["response"]["rspCode"] == "20000"
        desk.until(lambda: mailed() == WANTED, seconds=120, what="the stop of orders is mailed")
        found = json.loads(desk.manage("status", "--json", check=False).stdout)
        assert {row["name"] for row in found["alarms"]} >= {"DeskDown", "OrdersNotStored"}
        assert "the trigger stop_rows of orders_dispatch refuses it" in found["unwritable"]
        assert found["not_stored"]["number"] == 1
        codes = {code for (code,) in desk.rows("SELECT code FROM orders_incident WHERE state = 'open'")}
        assert codes >= {"desk_down", "orders_not_stored"}

"""A worker is killed between a notice's sending and its record: the slot's file and notice come once all the same.

The same mail may go out a second time, with the Message-ID of the first. Two minutes: `-m kills`.
"""

import email
import email.policy

import pytest
from aiosmtpd.controller import Controller

from tests.harness.desk import ProcessDesk
from tests.harness.ports import free_port
from tests.harness.proc import kill
from tests.processes.conftest import QUICK, SHORT

pytestmark = pytest.mark.kills
BEGIN = """
import datetime
from django.utils import timezone
from orders.office.views.models import SavedView
from orders.office.schedules.models import ScheduledExport
from project.models import User
now = timezone.now()
keeper = User.objects.create_superuser("keeper", "keeper@example.com")
view = SavedView.objects.create(owner=keeper, list_name="orders", name="x", columns=["number"], created_at=now)
row = ScheduledExport.objects.create(owner=keeper, view=view, name="x", weekdays="1234567", at=datetime.time(8),
                                     format="csv", created_at=now, next_run_at=now)
row.recipients.add(keeper)
"""


class Server:
    """An SMTP server that takes each mail. With the first one in hand it calls `at_first`, before it says so."""

    def __init__(self):
        self.port, self.got, self.at_first = free_port(), [], lambda: None

    async def handle_DATA(self, server, session, envelope):  # noqa: N802  aiosmtpd's name
        self.got.append(email.message_from_bytes(envelope.content, policy=email.policy.default)["Message-ID"])
        if len(self.got) == 1:
            self.at_first()
        return "250 OK"


@pytest.fixture
def smtp():
    server = Server()
    controller = Controller(server, hostname="127.0.0.1", port=server.port)
    controller.start()
    yield server
    controller.stop()


def test_a_slot_gives_one_file_and_one_message(tmp_path, postgres, smtp):
    with ProcessDesk(tmp_path, postgres=postgres, **SHORT | {"EMAIL_URL": f"smtp://127.0.0.1:{smtp.port}"}) as desk:
        smtp.at_first = lambda: kill(*desk.cluster().of("all"))
        desk.manage("shell", "-c", BEGIN)
        desk.start_worker(**QUICK)
        desk.until(lambda: smtp.got, seconds=120)
        [(state, attempts)] = desk.rows("SELECT state, attempts FROM notifications_mail")
        assert (state, attempts) == ("sending", 1)
        desk.until(lambda: desk.rows("SELECT id FROM notifications_mail WHERE state = 'done'"), seconds=200)
        assert len(smtp.got) == 2
        assert len(set(smtp.got)) == 1
        assert desk.rows("SELECT state FROM orders_export") == [("done",)]
        assert len(list((tmp_path / "exports").iterdir())) == 1

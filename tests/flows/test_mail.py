"""Mail through the outbox to a real SMTP server: at least once, each alone, blocking nothing (contract 3.9, Mail)."""

import datetime
import email
import email.policy
import json
import re
import threading

import pytest
from aiosmtpd.controller import Controller
from django.utils import timezone

from integrations.delivery.channels import send_step
from notifications.models import Contact, Mail
from orders.models import AffectedOrder, Attempt, Dispatch
from orders.services.outbox.claim import claim
from tests.flows.conftest import BILLING, BPM
from tests.flows.contents import activation, change, trial
from tests.flows.test_cases import approve
from tests.harness.ports import free_port
from tests.sampling import sampled


class Server:
    """An SMTP server in this process. `answers`: the answers to the next DATA commands; then 250."""

    def __init__(self):
        self.port, self.got, self.answers, self.lock = free_port(), [], [], threading.Lock()
        self.controller = None

    def start(self) -> None:
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self.controller.start()

    def stop(self) -> None:
        if self.controller:
            self.controller.stop()
            self.controller = None

    async def handle_DATA(self, server, session, envelope):  # noqa: N802  aiosmtpd's name
        with self.lock:
            answer = self.answers.pop(0) if self.answers else "250 OK"
            if answer.startswith("250"):
                message = email.message_from_bytes(envelope.content, policy=email.policy.default)
                self.got.append((envelope.rcpt_tos, message))
        return answer


@pytest.fixture
def smtp(settings):
    server = Server()
    server.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    settings.DISPATCH_RETRY_SECONDS = [10, 10]
    yield server
    server.stop()


@pytest.fixture
def beijing(db):
    for name, role in (("sa-one", "sa"), ("sa-two", "sa"), ("manager", "copy")):
        Contact.objects.create(attribution_id="BJ", name=name, mail=f"{name}@example.com", tel="1", role=role)


ALL = ["sa-one@example.com", "sa-two@example.com", "manager@example.com"]


def test_an_activation_sent_to_bpm_is_one_mail_a_recipient(desk, smtp, beijing, case):
    desk.play_case(case(1))
    assert [recipients for recipients, _ in smtp.got] == [[address] for address in ALL]
    for [recipient], message in smtp.got:
        assert message["To"] == recipient
        assert case(1)["content"]["OrderNum"] in message["Subject"]
        assert "北京泽天伟业商贸有限公司" not in message["Subject"]
        assert "pull.api-eas-3.li.com" in message.get_content()
        assert message["Message-ID"] == Mail.objects.get().message_id


def test_who_has_got_it_gets_no_repeat(desk, smtp, beijing, case, admin_client):
    """Also by a worker of the version before, which sends the payload to all its recipients."""
    smtp.answers = ["250 OK", "451 try later", "554 no"]
    desk.play_case(case(1))
    row = Dispatch.objects.get(channel="mail")
    assert (row.state, json.loads(row.payload)["to"]) == ("retrying", ["sa-two@example.com"])
    assert shown(admin_client, row.order) == [
        "s***@example.com",
        "s***@example.com（尚未送达）",
        "m***@example.com（被拒收）",
    ]
    desk.clock.shift(15)
    desk.deliver()
    assert [recipients for recipients, _ in smtp.got] == [[address] for address in ALL[:2]]
    assert Dispatch.objects.get(channel="mail").state == "done"
    assert shown(admin_client, row.order)[1:] == ["s***@example.com", "m***@example.com（被拒收）"]


def shown(client, order) -> list[str]:
    text = client.get(f"/admin/orders/order/{order.pk}/change/?tab=mails").content.decode()
    return re.search(r'收件人 <span class="mono">(.*?)</span>', text)[1].split(", ")


def test_without_a_contact_the_default_one_gets_it(desk, smtp, case):
    desk.play_case(case(1))
    assert [recipients for recipients, _ in smtp.got] == [["desk@example.com"]]


def test_what_is_held_before_its_plan_is_mailed_to_its_trials_people(desk, smtp, beijing):
    """It has no attribution yet, and the default contact is for attributions without a contact."""
    desk.play(trial("T1"), activation("A1"), change("C1", "b.example.com"))
    assert desk.order("C1").held_because == "claim_held"
    assert [recipient for [recipient], message in smtp.got if "C1" in message["Subject"]] == ALL


def test_a_server_that_is_away_delays_the_mail_and_nothing_else(desk, smtp, case):
    smtp.stop()
    desk.play_case(case(1))
    assert desk.order(case(1)["content"]["OrderNum"]).state == "active"
    assert Dispatch.objects.get(channel="mail").state == "retrying"
    smtp.start()
    desk.clock.shift(15)
    desk.deliver()
    assert len(smtp.got) == 1
    assert Dispatch.objects.get(channel="mail").state == "done"


def test_a_temporary_refusal_is_tried_again_with_the_same_message_id(desk, smtp, case):
    smtp.answers = ["451 try later"]
    desk.play_case(case(1))
    assert smtp.got == []
    first = Mail.objects.get().message_id
    desk.clock.shift(15)
    desk.deliver()
    assert [message["Message-ID"] for _, message in smtp.got] == [first]


def test_a_refusal_for_good_is_an_incident_and_the_order_goes_on(desk, smtp, case):
    smtp.answers = ["554 no"]
    desk.play_case(case(1))
    number = case(1)["content"]["OrderNum"]
    assert desk.order(number).state == "active"
    assert Dispatch.objects.get(channel="mail").state == "failed"
    trouble = AffectedOrder.objects.get(order__number=number, closed_at=None)
    assert trouble.incident.partner == "mail"
    desk.deliver()
    assert smtp.got == []  # no mail about a mail that could not be sent


def test_a_worker_that_died_after_sending_leads_to_the_same_message_id(desk, smtp, case):
    """The server took the mail, and we do not know (contract 3.9, 12)."""
    smtp.answers = ["451 try later"]
    desk.play_case(case(1))
    desk.clock.shift(15)
    lease = datetime.timedelta(seconds=60)
    [work] = claim(rooms={"mail": 1}, now=timezone.now(), lease=lease, worker="dies")
    send_step(work)  # its outcome is lost
    desk.clock.shift(61)
    desk.deliver()
    assert len(smtp.got) == 2
    assert len({message["Message-ID"] for _, message in smtp.got}) == 1
    outcomes = Attempt.objects.filter(dispatch__channel="mail").order_by("pk").values_list("outcome", flat=True)
    assert list(outcomes) == ["retry", "lost", "ok"]


def test_a_rejection_and_a_billed_subsequent_activation_are_mailed(desk, smtp, case):
    desk.play_case(case(1))
    for number, result in (("S1", "pass"), ("S2", "reject")):
        desk.post(
            case(1)["content"] | {"OrderNum": number, "ProvContent": [{"ProvReq": f"{number.lower()}.example.com"}]}
        )
        desk.deliver()
        approve(desk, case(2)["expect"]["approval"] | {"code": number, "recordId": number, "result": result})
        desk.deliver()
    kinds = list(Mail.objects.filter(order__number__in=["S1", "S2"]).order_by("pk").values_list("kind", flat=True))
    assert kinds == ["mail_sent_to_bpm", "mail_billed", "mail_sent_to_bpm", "mail_rejected"]
    assert len(smtp.got) == 5


ENGLISH = re.compile(r"[A-Za-z]{3,} [A-Za-z]{2,} [A-Za-z]{2,}")


@pytest.mark.parametrize(
    "kind, path", sampled([("refusal", BILLING), ("503", BILLING), ("refusal", BPM), ("reset", BILLING)], every=2)
)
def test_mails_about_incidents_quote_no_english_of_logs(desk, settings, kind, path):
    settings.DISPATCH_RETRY_SECONDS = []
    desk.sandbox.fault(path=path, kind=kind, count=9)
    desk.play(trial("T1"), activation("A1", InfoSecurity="A1_50004020027_20230920185436.xlsx"))
    desk.play(activation("A2", "b.example.com"))
    told = [f"{row.subject}\n{row.body}" for row in Mail.objects.all()]
    assert told
    assert [text for text in told if ENGLISH.search(text)] == []


def test_a_mail_about_a_file_says_what_is_wrong_in_words(desk):
    desk.play(trial("T1"), activation("A1", InfoSecurity="A1_50004020027_20230920185436.xlsx"))
    assert "附件目录中没有此文件" in Mail.objects.get(kind="mail_held").body

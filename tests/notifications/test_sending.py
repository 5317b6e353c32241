"""A mail is sent over real SMTP to each recipient separately. The server's answers decide which recipients need a
retry.
"""

import socket
from unittest.mock import Mock

import pytest
import requests
from anymail.exceptions import AnymailAPIError, AnymailRecipientsRefused, AnymailRequestsAPIError

from notifications import sending
from notifications.sending import MailError, send
from tests.harness.ports import free_port
from tests.harness.smtp import SmtpServer

PAYLOAD = {
    "subject": "[订单台] 订单已挂起: 100A230920170127001, 请补齐文件后继续",
    "body": "订单号: 100A230920170127001\n" + "很长的一行" * 300 + "\n",
    "to": ["sa@example.com", "copy@example.com"],
    "message_id": "<00000000-0000-0000-0000-000000000007@ibs-order-desk>",
    "from": "IBS 订单台 <desk@example.com>",
}


@pytest.fixture
def server(settings):
    with SmtpServer() as running:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", running.port, 2
        yield running


def refusal(payload=PAYLOAD) -> MailError:
    with pytest.raises(MailError) as caught:
        send(payload)
    return caught.value


def test_each_recipient_gets_it_alone_and_a_repeat_carries_the_same_message_id(server):
    send(PAYLOAD)
    assert [recipients for recipients, _ in server.got] == [["sa@example.com"], ["copy@example.com"]]
    for [recipient], message in server.got:
        assert message["To"] == recipient
        # the header line is folded before the first word of the subject
        assert message["Subject"].strip() == PAYLOAD["subject"]
        assert message["From"] == PAYLOAD["from"]
        assert message.get_content().replace("\r\n", "\n") == PAYLOAD["body"]
    send(PAYLOAD)
    assert [message["Message-ID"] for _, message in server.got] == [PAYLOAD["message_id"]] * 4


@pytest.mark.parametrize("at", ["RCPT", "DATA"])
@pytest.mark.parametrize("answer, permanent", [("451 later", False), ("421 busy", False), ("554 never", True)])
def test_the_servers_answer_decides(server, at, answer, permanent):
    server.refuses[at] = answer
    error = refusal()
    assert error.permanent == permanent
    assert answer.split()[1] in str(error)
    assert len(error.code) <= 32
    assert server.got == []


def test_all_refused_one_of_them_for_now_is_for_now(server):
    server.refuses = {"sa@example.com": "550 unknown", "copy@example.com": "450 later"}
    error = refusal()
    assert not error.permanent
    assert error.left["to"] == ["copy@example.com"]
    server.refuses["copy@example.com"] = "550 unknown"
    assert refusal(error.left).permanent


def test_a_server_that_takes_it_for_some_has_taken_it(server):
    server.refuses = {"sa@example.com": "550 unknown"}
    after = send(PAYLOAD)
    assert [recipients for recipients, _ in server.got] == [["copy@example.com"]]
    assert (after["got"], after["refused"], after["to"]) == (["copy@example.com"], ["sa@example.com"], [])


def test_who_has_got_it_gets_no_repeat(server):
    server.refuses = {"copy@example.com": "450 later"}
    left = refusal().left
    server.refuses = {"copy@example.com": "550 unknown"}
    assert send(left)["refused"] == ["copy@example.com"]
    assert [recipients for recipients, _ in server.got] == [["sa@example.com"]]


def test_a_failed_login_is_not_the_mails_fault(server, settings):
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "desk", "wrong"
    assert not refusal().permanent


def test_no_server_and_a_silent_one_are_for_now(server, settings):
    settings.EMAIL_PORT = free_port()
    error = refusal()
    assert (error.permanent, error.code) == (False, "connection")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = silent.getsockname()[1], 0.3
        error = refusal()
    assert (error.permanent, error.code) == (False, "timeout")


def test_nobody_to_send_to_is_permanent(server):
    error = refusal({**PAYLOAD, "to": []})
    assert (error.permanent, error.code) == (True, "no_recipients")


@pytest.mark.parametrize("member", ["subject", "from", "message_id"])
def test_a_header_can_not_be_added(server, member):
    forged = "a@example.com\nBcc: victim@example.com"
    error = refusal({**PAYLOAD, member: forged})
    assert (error.permanent, error.code) == (True, "bad_mail")
    assert refusal({**PAYLOAD, "to": [forged]}).permanent
    assert server.got == []


def answered(status: int) -> AnymailRequestsAPIError:
    response = requests.Response()
    response.status_code, response.reason = status, "answered"
    return AnymailRequestsAPIError(response=response)


FOR_GOOD = [AnymailRecipientsRefused(), answered(400), answered(422)]
FOR_NOW = [AnymailAPIError("no connection"), answered(401), answered(429), answered(503)]


def test_a_mail_providers_refusals_and_answers(monkeypatch):
    for error in FOR_GOOD + FOR_NOW:
        monkeypatch.setattr(sending.EmailMessage, "send", Mock(side_effect=error))
        assert refusal().permanent == (error in FOR_GOOD), error

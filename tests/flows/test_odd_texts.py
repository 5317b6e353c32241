"""Texts that a database can't store, and very long texts, from a partner, BBOSS or a mail server."""

import json
import smtplib
from unittest.mock import Mock

import pytest
from anymail.exceptions import AnymailAPIError
from django.core import mail
from django.core.management import CommandError, call_command
from django.utils import timezone

from integrations.bboss.sample_envelope import signed_envelope
from notifications import sending
from orders.models import Attempt, Difference, InboundMessage, TrialUsage
from orders.sending.trial_traffic import ask_for_usage
from tests.bboss_messages import URL, post_order
from tests.bpm_messages import approval, post_signed
from tests.flows.contents import activation, trial, withdrawal

# JSON texts, as they arrive in a message
ODD = {
    "NUL": r'"a\u0000b"',
    "half a pair": r'"a\ud800b"',
    "the other half": r'"\udfff"',
    "endless": '"' + "网" * 100_000 + '"',
    "controls": r'"\u001b[31m\u0085\u2028\ufffe"',
    "a number": "9" * 4000,
    "nested": "[" * 900 + "]" * 900,
    "an object": r'{"a\u0000": ["\ud800"]}',
    "null": "null",
}
odd = pytest.mark.parametrize("text", ODD.values(), ids=ODD)
MEMBERS = ("recordId", "code", "node", "nodeName", "result", "operator", "opinion", "time", "unknown", "finished")
PAGES = {"overview", "billing", "bpm", "usage", "events", "mails", "raw"}


@pytest.fixture
def partner(httpserver, settings):
    """Returns a function: after `partner(path, body)` the partner answers this body (a JSON text) at this path."""

    def answer(path: str, body: str, status: int = 200, **headers: str):
        httpserver.clear()
        httpserver.expect_request(path, method="POST").respond_with_data(body, status=status, headers=headers)
        settings.BPM_BASE_URL = settings.BIGDATA_BASE_URL = httpserver.url_for("").rstrip("/")

    return answer


def look_at(client, desk, tabs: dict[str, set[str]]):
    """Checks that all pages about these orders that may show such a text open, that the lists open, and that `show`
    prints each order."""
    for number, shown in tabs.items():
        order = desk.order(number).pk
        for tab in shown:
            assert client.get(f"/admin/orders/order/{order}/change/?tab={tab}").status_code == 200, (number, tab)
        call_command("show", number)
    for name in ("incident", "dispatch", "attempt", "orderevent", "trialusage", "difference"):
        assert client.get(f"/admin/orders/{name}/").status_code == 200, name


def no_fault_of_ours():
    """Checks that no attempt has an internal error. A text that the desk could not write would cause one."""
    assert not Attempt.objects.filter(error__startswith="internal").exists()


@odd
def test_odd_answers(desk, partner, admin_client, text, trialing):
    """Odd texts come in every answer of the partners and in BPM's callbacks. The pages are opened once, after all of
    them."""
    traffic_of_t1(desk, partner, text)
    records_of_t1(desk, partner, text)
    refusal_and_code(desk, partner, text)
    process_and_approvals(desk, partner, text)
    no_fault_of_ours()
    for row in Difference.objects.all():
        assert admin_client.get(f"/admin/orders/difference/{row.pk}/change/").status_code == 200
    trials = dict.fromkeys(("T2", "T3", "T4"), PAGES - {"bpm", "usage"})
    look_at(admin_client, desk, {"T1": PAGES - {"bpm"}, **trials, "A4": PAGES - {"usage"}})


def traffic_of_t1(desk, partner, text):
    """The trial's traffic is queried by the nightly schedule's function and by the command."""
    rows = f'[{{"enterpriseId": {text}, "productId": {text}, "jobId": {text}, "dataflow": 1.5, "x": {text}}}]'
    partner("/trialFlow/query", f'{{"code": 200, "result": {rows}}}')
    ask_for_usage(by="test", now=timezone.now())
    desk.deliver()
    assert desk.step("T1", "fetch_usage").state == "done"
    partner("/trialFlow/query", json.dumps({"result": f'{{"code": 200, "result": {rows}}}'}))
    call_command("fetch_usage", "T1")
    assert [row.data_flow for row in TrialUsage.objects.all()] == [1.5, 1.5]


def records_of_t1(desk, partner, text):
    """A comparison names the records that differ, and goes on."""
    [record] = desk.held_there("T1").values()
    for name in ("productId", "domain", "createTime", "enterpriseName", "unknown"):
        partner("/productInfos/query", f'{{"code": 200, "result": [{written(record, name, text)}]}}')
        if name == "unknown":
            call_command("reconcile")
        else:
            with pytest.raises(CommandError, match=r"^\d differences$"):
                call_command("reconcile")


def refusal_and_code(desk, partner, text):
    """A refusal with a code of the partner's own is permanent. A code that is neither a word nor a number counts as no
    code."""
    desk.deliver()
    mail.outbox.clear()
    desk.post(trial("T2", "t2.example.com"))
    partner("/productInfos", f'{{"code": 400, "message": {text}, "result": {text}}}')
    desk.deliver()
    row = desk.step("T2", "create_trial_billing")
    assert (row.state, row.error_code, row.definite) == ("failed", "code_400", True)
    assert len(row.error) < 1000
    assert desk.mails("T2", "mail_incident") == len(mail.outbox) == 1
    desk.post(trial("T3", "t3.example.com"))
    partner("/productInfos", f'{{"code": {text}, "message": "no"}}')
    desk.deliver()
    row, word = desk.step("T3", "create_trial_billing"), text.startswith('"')
    assert row.state == ("failed" if word else "retrying")
    assert row.error_code.startswith("code_" if word or text[0] == "9" else "no_code")


def process_and_approvals(desk, partner, text):
    """A trial is accepted with odd texts. Its activation gets an odd process number and odd approvals."""
    desk.post(trial("T4", "t4.example.com"))
    partner("/productInfos", f'{{"code": 200, "message": {text}, "result": {text}}}')
    desk.deliver()
    assert desk.state("T4") == "trialing"
    desk.post(activation("A4", of="T4"))
    while desk.step("A4", "start_bpm").state != "due":
        for work in desk.claim():
            desk.end(work)
    partner("/flows/start", f'{{"code": 200, "message": {text}, "result": {{"processId": {text}}}}}')
    desk.deliver()
    assert desk.step("A4", "start_bpm").state == "done"
    assert len(desk.order("A4").bpm_process) <= 128
    for name in MEMBERS:
        record = approval("A4", recordId=f"bpm-{name}")
        answer = post_signed(desk.client, written(record, name, text).encode())
        assert answer.status_code in {200, 400, 404}


RETRY_AFTER = (
    "9" * 5000,
    "-1",
    "1e9",
    "²",
    "NaN",
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "Fri, 31 Dec 9999 23:59:59 -2359",
    "Mon, 01 Jan 0001 00:00:00 +2359",
    "a, b; c=\x80",
    "Wed, 21 Oct 2015 07:28:00",
    "Thu, 99 Xyz 99999 99:99:99 +99999",
)


def test_an_odd_retry_after(desk, partner, settings):
    settings.BREAKER_FAILURES = 100
    found = {}
    for number, header in enumerate(RETRY_AFTER):
        desk.post(trial(f"T{number}", f"t{number}.example.com"))
        partner("/productInfos", "", 503, **{"Retry-After": header})
        desk.deliver()
        row = desk.step(f"T{number}", "create_trial_billing")
        in_bounds = 20 < (row.next_try_at - row.frozen_at).total_seconds() <= 6 * 3600
        found[header] = (row.state, row.error_code, in_bounds)
    assert found == dict.fromkeys(RETRY_AFTER, ("retrying", "http_503", True))
    no_fault_of_ours()


MAIL_ERRORS = (
    (smtplib.SMTPResponseException(550, b"no\0\xff" * 1000), "smtp_550"),
    (smtplib.SMTPResponseException(-1, "no\ud800"), "smtp_-1"),
    (smtplib.SMTPResponseException(10**40, b""), "smtp_1000"),
    (smtplib.SMTPRecipientsRefused({"a\0@\ud800": (550, b"\0")}), "recipients_refused"),
    (smtplib.SMTPServerDisconnected("\ud800\0"), "connection"),
    (AnymailAPIError("a\0b\ud800" * 1000), "provider_trouble"),
    (ValueError("\udfff\0"), "bad_mail"),
)


def test_a_mail_server_s_odd_words(desk, monkeypatch, settings, admin_client):
    settings.BREAKER_FAILURES = 100
    numbers, wrong = [f"A{n}" for n in range(len(MAIL_ERRORS))], []
    for number, (error, code) in zip(numbers, MAIL_ERRORS, strict=True):
        monkeypatch.setattr(sending, "_message", Mock(side_effect=error))
        desk.play(trial(f"T{number}", f"{number}.example.com"), activation(number, of=f"T{number}"))
        row = desk.step(number, "mail_sent_to_bpm")
        if not row.error_code.startswith(code) or row.state not in {"failed", "retrying"} or len(row.error) >= 1000:
            wrong.append((code, row.state, row.error_code, row.error[:1000]))
    assert wrong == []
    no_fault_of_ours()
    look_at(admin_client, desk, dict.fromkeys(numbers, PAGES - {"billing", "bpm", "usage"}))


ANSWERS = {"00000", "20105", "20215", "20505", "30000"}


@odd
def test_odd_members_of_an_order(desk, admin_client, text):
    """The desk accepts the members that it can store and refuses the others by name. It has no internal error, and it
    keeps each message."""
    for number, name in enumerate(("Unknown", "EnterpriseName", "ProvContent")):
        for content in (written(trial(f"T{number}"), name, text), written(withdrawal(f"T{number}"), name, text)):
            assert code_of(desk, content) in ANSWERS
            if storable(text):
                assert code_of(desk, json.loads(content)) in ANSWERS
    body = written(signed_envelope(trial(), now=timezone.now()), "busType", text)
    reply = desk.client.post(URL, body, content_type="application/json").json()
    assert reply["response"]["rspCode"] in {"20208", "20105"}
    desk.deliver()
    assert InboundMessage.objects.exists()
    for row in InboundMessage.objects.all():
        assert admin_client.get(f"/admin/orders/inboundmessage/{row.pk}/change/").status_code == 200


def written(members: dict, name: str, text: str) -> str:
    """Returns the members as JSON, with this JSON text as the value of the named member."""
    return json.dumps(members | {name: "@"}, ensure_ascii=False).replace('"@"', text)


def code_of(desk, content: dict | str) -> str:
    return post_order(desk.client, content)["response"]["rspCode"]


def storable(text: str) -> bool:
    try:
        json.dumps(json.loads(text), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True

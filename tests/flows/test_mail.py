"""Mail through the outbox to a real SMTP server. Each mail is sent at least once and on its own, and blocks nothing
else (contract 3.9, Mail)."""

import re

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.urls import reverse
from django.utils import timezone

from integrations.delivery.channels import send_step
from integrations.models import Breaker
from notifications.models import Contact, Mail, MailRule
from orders.incidents.incidents import close_troubles, open_incident
from orders.mails.mail_creation import queue_mail, tell_missed
from orders.models import AffectedOrder, Dispatch, Order
from orders.sending.mail_claim_and_record import claim_mails
from orders.undoing.by_staff import compensate
from tests import factories as make
from tests.flows.conftest import BILLING, BPM
from tests.flows.contents import activation, change, trial
from tests.flows.test_cases import approve
from tests.harness.smtp import SmtpServer


@pytest.fixture
def smtp(settings):
    with SmtpServer() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
        settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
        settings.DISPATCH_RETRY_SECONDS = [10, 10]
        yield server


@pytest.fixture
def beijing(db):
    for name, role in (("sa-one", "sa"), ("sa-two", "sa"), ("manager", "copy")):
        Contact.objects.create(attribution_id="BJ", name=name, mail=f"{name}@example.com", tel="1", role=role)


COUNTS = {"orders": 1, "records": 1, "differences": 0, "fixed": 0}
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
    smtp.answers = ["250 OK", "451 try later", "554 no"]
    desk.play_case(case(1))
    row = Mail.objects.get()
    assert (row.state, row.fate["got"]) == ("retrying", ["sa-one@example.com"])
    assert shown(admin_client, row.order) == [
        "s***@example.com",
        "s***@example.com（尚未送达）",
        "m***@example.com（被拒收）",
    ]
    desk.deliver(after=15)
    assert [recipients for recipients, _ in smtp.got] == [[address] for address in ALL[:2]]
    assert Mail.objects.get().state == "done"
    assert shown(admin_client, row.order)[1:] == ["s***@example.com", "m***@example.com（被拒收）"]


def shown(client, order) -> list[str]:
    text = client.get(f"/admin/orders/order/{order.pk}/change/?tab=mails").content.decode()
    people = re.search(r'<ul class="recipients plain">(.*?)</ul>', text, re.DOTALL)[1]
    return re.findall(r'<span\s+class="mono">(.*?)</span>', people)


def test_a_mail_that_a_rule_switches_off_goes_to_nobody_and_says_so(desk, smtp, beijing, case, admin_client):
    rule = MailRule.objects.create(attribution_id="BJ", event="mail_sent_to_bpm", to_sa=False, to_copies=False)
    desk.play_case(case(1))
    row = Mail.objects.get(kind="mail_sent_to_bpm")
    assert (row.state, smtp.got, AffectedOrder.objects.count()) == ("done", [], 0)
    text = admin_client.get(f"/admin/orders/order/{row.order_id}/change/?tab=mails").content.decode()
    assert f"未发送：规则 {rule.pk}：北京" in text


def test_mails_to_nobody_say_nothing_of_the_server_and_hold_up_none(desk, smtp, monkeypatch):
    """Mails without a recipient are done without the mail server, so the server's open breaker stays open. A mail with
    a recipient behind them is still found at once."""
    MailRule.objects.create(event="mail_sent_to_bpm", to_sa=False, to_copies=False)
    down = Breaker.objects.create(partner="mail", failures=20, opened_at=timezone.now(), probe_at=timezone.now())
    order, seen = make.OrderFactory(), []
    for held in (False, True):
        for number in range(3):
            queue_mail(order, "mail_sent_to_bpm", cause=f"{held} {number}", now=timezone.now())
        if held:
            queue_mail(order, "mail_held", cause="x", now=timezone.now(), because="trial_unknown")
        desk.deliver()
        down.refresh_from_db()
        seen.append((len(smtp.got), down.opened_at is not None))
        desk.clock.shift(20)
    assert seen == [(0, True), (1, False)]
    assert {row.state for row in Mail.objects.all()} == {"done"}


def test_without_a_contact_the_default_one_gets_it(desk, smtp, case):
    desk.play_case(case(1))
    assert [recipients for recipients, _ in smtp.got] == [["desk@example.com"]]


def test_what_is_held_before_its_plan_is_mailed_to_its_trials_people(desk, smtp, beijing):
    """An order that is held before its plan has no attribution yet. Its mail goes to the people of its trial's
    attribution, not to the default contact."""
    desk.play(trial("T1"), activation("A1"), change("C1", "b.example.com"))
    assert desk.order("C1").held_because == "claim_held"
    assert [recipient for [recipient], message in smtp.got if "C1" in message["Subject"]] == ALL


def test_a_server_that_is_away_delays_the_mail_and_nothing_else(desk, smtp, case):
    smtp.stop()
    desk.play_case(case(1))
    assert desk.order(case(1)["content"]["OrderNum"]).state == "active"
    assert Mail.objects.get().state == "retrying"
    smtp.start()
    desk.deliver(after=15)
    assert len(smtp.got) == 1
    assert Mail.objects.get().state == "done"


def test_a_refusal_for_good_is_an_incident_and_the_order_goes_on(desk, smtp, case):
    smtp.answers = ["554 no"]
    desk.play_case(case(1))
    number = case(1)["content"]["OrderNum"]
    assert desk.order(number).state == "active"
    assert Mail.objects.get().state == "failed"
    trouble = AffectedOrder.objects.get(order__number=number, closed_at=None)
    assert trouble.incident.partner == "mail"
    desk.deliver()
    assert smtp.got == []  # there is no mail about a mail that could not be sent


def test_a_temporary_refusal_is_tried_again_with_the_same_message_id(desk, smtp, case):
    """A mail keeps its Message-ID when it is sent again. This also holds for the next worker if a worker died after
    sending, because the server may have accepted the mail (contract 3.9, 12)."""
    smtp.answers = ["451 try later"]
    desk.play_case(case(1))
    assert smtp.got == []
    first = Mail.objects.get().message_id
    desk.clock.shift(15)
    [work] = desk.claim("mail")
    send_step(work)  # the outcome of this call is lost
    desk.deliver(after=61)
    assert [message["Message-ID"] for _, message in smtp.got] == [first] * 2
    assert (Mail.objects.get().attempts, Mail.objects.get().state) == (3, "done")


def test_a_rejection_and_a_billed_subsequent_activation_are_mailed(desk, smtp, case):
    desk.play_case(case(1))
    for number, result in (("S1", "pass"), ("S2", "reject")):
        desk.play(
            case(1)["content"] | {"OrderNum": number, "ProvContent": [{"ProvReq": f"{number.lower()}.example.com"}]}
        )
        approve(desk, case(2)["expect"]["approval"] | {"code": number, "recordId": number, "result": result})
        desk.deliver()
    kinds = list(Mail.objects.filter(order__number__in=["S1", "S2"]).order_by("pk").values_list("kind", flat=True))
    assert kinds == ["mail_sent_to_bpm", "mail_billed", "mail_sent_to_bpm", "mail_rejected"]
    assert len(smtp.got) == 5


ENGLISH = re.compile(r"[A-Za-z]{3,} [A-Za-z]{2,} [A-Za-z]{2,}")


@pytest.mark.parametrize("kind, path", [("refusal", BILLING), ("503", BILLING), ("refusal", BPM), ("reset", BILLING)])
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


def test_an_acceptance_that_was_recorded_without_its_mail_is_mailed_once(desk, smtp, beijing, trialing, monkeypatch):
    """The mail of an acceptance is missing, as it can be for an order that was reopened meanwhile. The sweep writes
    the mail, and only once."""
    with monkeypatch.context() as missing:
        missing.setattr("orders.sending.outcome_effects.tell_accepted", lambda done, *, now: None)
        desk.play(activation("A1", "a.example.com"))
    assert (desk.state("A1"), desk.mails("A1", "mail_sent_to_bpm")) == ("active", 0)
    for _ in range(2):
        tell_missed(now=timezone.now())
        desk.deliver()
    assert len([message for _, message in smtp.got if "A1" in message["Subject"]]) == len(ALL)


def test_a_reopened_order_is_not_mailed_again(desk, smtp, beijing, trialing):
    desk.play(activation("A1", "a.example.com"))
    assert desk.mails("A1", "mail_sent_to_bpm") == 1
    compensate(number="A1", reason="wrong", by="staff:x", now=timezone.now())
    desk.wait_out()
    call_command("resend", "A1")
    desk.wait_out()
    assert (desk.state("A1"), desk.mails("A1", "mail_sent_to_bpm")) == ("active", 1)


def test_a_mail_that_nobody_got_is_written_anew_when_it_is_sent_again(
    desk, smtp, settings, trialing, capsys, admin_client
):
    settings.DEFAULT_CONTACT_MAIL = ""
    desk.play(activation("A1", "a.example.com"))
    assert (desk.step("A1", "mail_sent_to_bpm").error_code, desk.troubles("A1")) == ("no_recipients", ["no_recipients"])
    page = reverse("admin:notifications_mail_change", args=[Mail.objects.get(order__number="A1").pk])
    assert "发给现在的收件人" in admin_client.get(page).content.decode()
    settings.DEFAULT_CONTACT_MAIL = "late@example.com"
    call_command("resend", "A1", "--channel", "mail")
    assert "A1 mail_sent_to_bpm: will send" in capsys.readouterr().out
    desk.deliver()
    assert [recipients for recipients, _ in smtp.got] == [["late@example.com"]]
    assert desk.troubles("A1") == []


def test_a_database_that_fails_as_mails_are_claimed_holds_up_no_step_that_is_claimed(desk, monkeypatch):
    failures = [OperationalError("the connection is lost")]

    def fail_once(**how):
        if failures and Dispatch.objects.filter(state="sending").exists():
            raise failures.pop()
        return claim_mails(**how)

    monkeypatch.setattr("integrations.delivery.loop.claim_mails", fail_once)
    desk.play(trial("T1"))
    assert (failures, desk.state("T1")) == ([], "trialing")
    assert not Dispatch.objects.filter(lost__gt=0).exists()


def test_deliver_waits_for_a_mail_that_is_tried_again_within_seconds(desk, smtp, settings, clock, monkeypatch):
    monkeypatch.setattr("integrations.management.commands.deliver.time.sleep", clock.shift)
    settings.DISPATCH_RETRY_SECONDS = [1]
    smtp.answers = ["451 try later"]
    queue_mail(None, "mail_reconciled", cause="x", now=timezone.now(), error="", reconciliation=1, **COUNTS)
    call_command("deliver", "--until-idle")
    assert (Mail.objects.get().state, Mail.objects.get().attempts) == ("done", 2)


def test_a_claim_of_mails_is_bounded_by_their_domains_too(desk, monkeypatch):
    """A claim of mails is limited by their orders' domains, because the domains go into the mails' texts and many
    would fill the memory (contract 3.9, 10)."""
    monkeypatch.setattr("orders.outbox.leases.RECORDS_A_CLAIM", 3)
    for number in ("A1", "A2"):
        order = make.OrderFactory(number=number)
        for name in ("a", "b"):
            make.OrderDomainFactory(order=order, name=f"{name}.example.com")
        queue_mail(order, "mail_sent_to_bpm", cause="bpm", now=timezone.now())
    assert [len(desk.claim("mail")) for _ in range(3)] == [1, 1, 0]


def test_mails_about_no_order_are_sent_again_by_a_filter(desk, smtp, capsys):
    smtp.answers = ["554 no"]
    queue_mail(None, "mail_reconciled", cause="x", now=timezone.now(), error="", reconciliation=1, **COUNTS)
    desk.deliver()
    assert Mail.objects.get().state == "failed"
    call_command("resend", "--channel", "mail", "--dry-run")
    assert Mail.objects.get().state == "failed"
    desk.command("resend", "--failed")
    assert (len(smtp.got), Mail.objects.get().state) == (1, "done")
    assert "- mail_reconciled: will send" in capsys.readouterr().out


def stop_and_go_on() -> Order:
    """Returns an order that a fault stopped. The test lets the order go on before its mail was sent."""
    order = make.OrderFactory(attribution_id="BJ")
    open_incident(order, partner="bigdata", step="create_billing", code="http_503", detail="x", now=timezone.now())
    return order


def go_on(desk, order: Order) -> None:
    desk.clock.shift(30)
    close_troubles(order, now=timezone.now(), by="test")


def subjects(smtp) -> list[str]:
    return [message["Subject"].partition("】")[2].partition("：")[0] for [to], message in smtp.got if to == ALL[0]]


def test_what_was_over_before_it_could_be_mailed_is_one_mail_that_says_both(desk, smtp, beijing):
    """The mail server was down between an incident's begin and end. Then one mail reports both, neither is reported
    twice, and no mail follows."""
    smtp.answers = ["451 try later"] * 3
    order = stop_and_go_on()
    desk.deliver()
    assert Mail.objects.get().state == "retrying"
    go_on(desk, order)
    desk.deliver()
    assert subjects(smtp) == ["异常已结束"]
    assert {row.kind: row.state for row in Mail.objects.all()} == {
        "mail_incident": "closed",
        "mail_incident_over": "done",
    }
    assert "2023-09-20 18:54 起需要处理" in smtp.got[-1][1].get_content()
    desk.wait_out()
    assert subjects(smtp) == ["异常已结束"]
    with pytest.raises(CommandError):
        call_command("resend", order.number, channel="mail")


@pytest.mark.parametrize("ended", ["ok", "retry"])
def test_the_end_is_never_mailed_while_the_beginning_is_being_sent(desk, smtp, beijing, ended):
    order = stop_and_go_on()
    (work,) = desk.claim("mail")
    go_on(desk, order)
    desk.deliver()
    assert smtp.got == []
    desk.end(work, ended)
    desk.deliver(after=3)
    assert subjects(smtp) == ["异常已结束"]
    assert Mail.objects.get(kind="mail_incident").state == {"ok": "done", "retry": "closed"}[ended]
    assert ("起需要处理" in smtp.got[-1][1].get_content()) is (ended == "retry")


def test_a_beginning_that_went_out_is_followed_by_its_end(desk, smtp, beijing):
    order = stop_and_go_on()
    desk.deliver()
    go_on(desk, order)
    desk.deliver()
    assert subjects(smtp) == ["需要处理", "异常已结束"]
    assert "起需要处理" not in smtp.got[-1][1].get_content()

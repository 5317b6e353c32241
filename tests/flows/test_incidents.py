"""One incident for each cause, one mail when it opens and one when it closes (contract 3.5, 3.9 Mail)."""

import threading

import pytest
from django.core import mail
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from orders.errors import NotAllowedError
from orders.models import AffectedOrder, Dispatch, Incident, Order, OrderEvent
from orders.services.incident_desk import (
    acknowledge_incident,
    hand_over_incident,
    ignore_incident,
    note_incident,
    resolve_incident,
)
from orders.services.incidents import BOOKS_ONLY, close_troubles, open_incident
from tests.bboss.conftest import TRIAL
from tests.factories import NOW, OrderFactory
from tests.flows import contents

BILLING = "/bigdata/productInfos"
CAUSE = {"partner": "bigdata", "step": "create_trial_billing", "code": "code_400"}
BY = "staff:lisi"


def refuse(desk, *numbers: str, message: str = "域名未备案"):
    """Posts trials that the big-data side refuses."""
    desk.sandbox.fault(path=BILLING, kind="refusal", count=len(numbers), code=400, message=message)
    for number in numbers:
        desk.post(TRIAL | {"OrderNum": number})
    desk.deliver()


def resend(desk, *numbers: str):
    call_command("resend", *numbers)
    desk.deliver()


def subjects() -> list[str]:
    return [message.subject.split("：")[0] for message in mail.outbox]


def test_thirty_orders_with_one_cause(desk):
    numbers = [f"100T{number:02}" for number in range(30)]
    refuse(desk, *numbers)
    incident = Incident.objects.get()
    assert (incident.partner, incident.step, incident.code, incident.state) == (*CAUSE.values(), "open")
    assert (incident.count, incident.affected.filter(closed_at=None).count()) == (30, 30)
    assert (len(mail.outbox), mail.outbox[0].to) == (1, ["desk@example.com"])
    assert "域名未备案" in mail.outbox[0].body

    desk.clock.shift(600)
    resend(desk, *numbers[:-1])
    incident.refresh_from_db()
    assert (incident.state, len(mail.outbox)) == ("open", 1)
    resend(desk, numbers[-1])
    incident.refresh_from_db()
    assert (incident.state, (incident.last_at - incident.first_at).total_seconds()) == ("resolved", 600)
    assert not incident.affected.filter(closed_at=None).exists()
    assert len(mail.outbox) == 2
    assert subjects()[0] != subjects()[1]
    assert "影响订单 30 单" in mail.outbox[1].body
    assert {desk.order(number).state for number in numbers} == {"trialing"}


def test_another_cause_is_another_incident(desk):
    refuse(desk, "100T1")
    desk.sandbox.fault(path=BILLING, kind="refusal", code=422)
    desk.post(TRIAL | {"OrderNum": "100T2"})
    desk.deliver()
    assert set(Incident.objects.values_list("code", "count")) == {("code_400", 1), ("code_422", 1)}
    assert len(mail.outbox) == 2


def test_the_same_order_failing_again_is_counted_and_not_mailed(desk):
    refuse(desk, "100T1")
    desk.sandbox.fault(path=BILLING, kind="refusal", message="仍未备案")
    resend(desk, "100T1")
    incident = Incident.objects.get()
    assert (incident.count, incident.affected.count(), len(mail.outbox)) == (2, 1, 1)
    assert "仍未备案" in incident.detail


def test_after_its_end_the_cause_opens_a_new_one(desk):
    refuse(desk, "100T1")
    resend(desk, "100T1")
    refuse(desk, "100T2")
    assert list(Incident.objects.order_by("pk").values_list("state", flat=True)) == ["resolved", "open"]
    assert len(mail.outbox) == 3


def test_a_held_order_has_its_own_mail_and_no_other(desk):
    desk.post(TRIAL | {"OrderNum": "100T1", "EnterpriseID": "000A1"})
    desk.deliver()
    assert Incident.objects.get().partner == "order"
    call_command("attribute", "100T1", "BJ", reason="客户经理确认")
    desk.deliver()
    assert Incident.objects.get().state == "resolved"
    assert [row.step for row in Dispatch.objects.filter(channel="mail")] == ["mail_held"]


def test_a_mail_that_gets_nowhere_is_told_by_no_mail(desk, settings):
    settings.DEFAULT_CONTACT_MAIL = ""
    refuse(desk, "100T1")
    codes = set(Incident.objects.values_list("partner", "code"))
    assert codes == {("bigdata", "code_400"), ("mail", "no_recipients")}
    assert Dispatch.objects.filter(channel="mail").count() == 1


def test_a_breaker_is_told_at_its_opening_and_its_closing(desk, settings):
    settings.BREAKER_FAILURES = 3
    desk.sandbox.fault(path=BILLING, kind="503", count=3)
    for number in range(3):
        desk.post(TRIAL | {"OrderNum": f"100T{number}"})
    desk.deliver()
    incident = Incident.objects.get(code="breaker_open")
    assert (incident.state, len(mail.outbox)) == ("open", 1)
    close_troubles(incident.affected.get().order, now=timezone.now(), by="test")
    desk.clock.shift(120)
    desk.deliver()
    incident.refresh_from_db()
    assert (incident.state, len(mail.outbox)) == ("resolved", 2)


@pytest.fixture
def incident(desk) -> Incident:
    refuse(desk, "100T1")
    return Incident.objects.get()


def act(service, incident: Incident, **more) -> Incident:
    return service(incident_id=incident.pk, by=BY, now=timezone.now(), **more)


def events(kind: str):
    return OrderEvent.objects.filter(kind=kind, actor=BY)


def test_acknowledged_it_still_ends_by_itself(desk, incident, admin_user):
    act(acknowledge_incident, incident, note="在联系大数据侧", owner_id=admin_user.pk)
    refuse(desk, "100T2")
    incident.refresh_from_db()
    assert (incident.state, incident.count, incident.owner) == ("acknowledged", 2, admin_user)
    assert f"{BY}: 在联系大数据侧" in incident.note
    assert events("incident_acknowledged").get().data["incident"] == incident.pk
    resend(desk, "100T1", "100T2")
    incident.refresh_from_db()
    assert (incident.state, len(mail.outbox)) == ("resolved", 2)


def test_ignored_it_stays_so_for_its_orders_and_others_open_a_new_one(desk, incident):
    act(ignore_incident, incident, note="测试客户")
    desk.sandbox.fault(path=BILLING, kind="refusal")
    resend(desk, "100T1")
    incident.refresh_from_db()
    assert (incident.state, incident.count, Incident.objects.count()) == ("ignored", 2, 1)
    refuse(desk, "100T2")
    assert set(Incident.objects.values_list("state", flat=True)) == {"ignored", "open"}
    assert len(mail.outbox) == 2
    resend(desk, "100T1")
    incident.refresh_from_db()
    assert (incident.state, len(mail.outbox)) == ("ignored", 2)


def test_resolved_by_hand_it_frees_its_orders_and_is_mailed(desk, incident):
    assert act(resolve_incident, incident, note="线下处理").state == "resolved"
    desk.deliver()
    assert not AffectedOrder.objects.filter(closed_at=None).exists()
    assert (len(mail.outbox), events("incident_resolved").count()) == (2, 1)
    assert desk.order("100T1").state == "failed"


@pytest.mark.django_db
@pytest.mark.parametrize("code", sorted(BOOKS_ONLY))
def test_what_only_the_books_end_is_neither_resolved_nor_ignored_by_hand(code):
    """3.9 (14): such an incident can be acknowledged, but ends only by the books or by `accept`."""
    order = OrderFactory()
    incident = open_incident(order, partner="bigdata", step="", code=code, detail="x", now=NOW)
    for service, act_word in ((resolve_incident, "resolved"), (ignore_incident, "ignored")):
        with pytest.raises(NotAllowedError, match=f"can't be {act_word} by hand: .*, or accept it"):
            act(service, incident)
    assert act(acknowledge_incident, incident).state == "acknowledged"
    act(note_incident, incident, note="在核对")
    close_troubles(order, code=code, now=NOW, by="test")
    incident.refresh_from_db()
    assert incident.state == "resolved"


def test_what_is_over_cannot_be_taken_up(incident):
    act(resolve_incident, incident)
    for service in (acknowledge_incident, ignore_incident, resolve_incident):
        with pytest.raises(NotAllowedError, match="resolved"):
            act(service, incident)
    with pytest.raises(NotAllowedError, match="unknown"):
        acknowledge_incident(incident_id=0, by=BY, now=NOW)


def test_notes_are_added_and_owners_change(incident, admin_user):
    act(note_incident, incident, note="第一条")
    act(note_incident, incident, note="第二条")
    act(hand_over_incident, incident, owner_id=admin_user.pk)
    incident.refresh_from_db()
    assert [line.split(": ")[1] for line in incident.note.splitlines()] == ["第一条", "第二条"]
    assert (incident.owner, events("incident_noted").count()) == (admin_user, 2)
    with pytest.raises(NotAllowedError):
        act(note_incident, incident, note=" ")


@pytest.mark.django_db(transaction=True)
def test_two_workers_open_the_same_incidents_at_once():
    """Each in one transaction, and in the other order: neither waits for the other for ever, nothing is counted out."""
    orders = [OrderFactory(), OrderFactory()]
    codes = ["code_400", "code_422"]
    begin, errors = threading.Barrier(2), []

    def work(order: Order, mine: list[str]):
        try:
            begin.wait(5)
            for _ in range(5):
                with transaction.atomic():
                    for code in mine:
                        open_incident(order, **CAUSE | {"code": code}, detail="x", now=NOW)
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=pair) for pair in zip(orders, (codes, codes[::-1]), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert errors == []
    assert sorted(Incident.objects.values_list("code", "count")) == [("code_400", 10), ("code_422", 10)]
    assert AffectedOrder.objects.count() == 4
    assert Dispatch.objects.filter(step="mail_incident").count() == 2


def test_a_mail_about_a_whole_order_leaves_no_line_half_empty(desk):
    """An activation whose trial has not come has no customer, no attribution and no domains, its incident no detail."""
    desk.post(contents.activation("A1"))
    desk.play(contents.trial("T2"), contents.change("C1", "b.example.com", of="T2"))
    desk.play(contents.change("C2", "c.example.com", of="T2"), contents.withdrawal("C1"))
    assert len(mail.outbox) == 2
    for message in mail.outbox:
        assert [line for line in message.body.splitlines() if line.rstrip().endswith((":", "："))] == []
        assert message.subject == message.subject.strip()

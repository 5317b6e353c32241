"""The order's page names whom to push for an approval. 催办 mails this person at most once a day, and notes who did
it.
"""

import datetime
import re

import pytest
from django.core import mail
from django.core.management import call_command
from django.urls import reverse

from integrations.delivery import write_and_send_mail as delivery
from integrations.delivery.loop import drain
from notifications.models import Contact, Mail
from notifications.sending import MailError
from tests import factories as make
from tests.admin.orders import awaiting, deciding, filled, page
from tests.admin.walking import words_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


@pytest.fixture
def order(settings):
    settings.SITE_URL, settings.BPM_TASK_URL = "https://desk.example.com", "https://bpm.example.com/task/{process}"
    make.ContactFactory(attribution_id="BJ", name="赵六", mail="zhao@example.com", tel="13700001234")
    make.ContactFactory(attribution_id="BJ", name="钱七", mail="qian@example.com", role="copy")
    return awaiting()


@pytest.fixture
def clerk(member):
    return member("业务人员")


def push(client, order, **more):
    return client.post(deciding(order, "push"), filled(order, "push", **{"reason": ""} | more))


def test_the_page_names_the_sa_the_days_and_bpm_s_page(clerk, member, order):
    text = words_of(clerk.get(page(order)))
    assert "已等待 3 天（自然日）" in text
    assert "北京 SA 赵** 137***34 z***@example.com" in text
    assert "赵六 13700001234 zhao@example.com" in words_of(clerk.get(page(order, "?personal=1")))
    assert order.events.filter(kind="personal_data_seen").exists()
    assert 'href="https://bpm.example.com/task/P-7"' in clerk.get(page(order)).content.decode()
    assert "赵六" not in words_of(member("审批主管").get(page(order, "?personal=1")))


def test_whom_to_push_is_one_click_from_the_list(clerk, order):
    listed = clerk.get(reverse("admin:orders_order_changelist"), {"state__exact": "awaiting_approval"}).content.decode()
    [address] = set(re.findall(rf'href="(/admin/orders/order/{order.pk}/change/[^"]*)"', listed))
    assert "赵**" in words_of(clerk.get(address.replace("&amp;", "&")))


def test_it_shows_the_mail_sends_it_to_the_sas_alone_and_notes_it(clerk, order):
    asked = words_of(clerk.get(deciding(order, "push")))
    assert f"请尽快审批：{order.number}" in asked
    assert "邮件将发给：北京 SA 赵**" in asked
    assert push(clerk, order, reason="客户在催").status_code == 302
    drain(seconds=None, linger=False)
    [sent] = mail.outbox
    assert (sent.to, sent.subject) == (["zhao@example.com"], f"【IBS 订单台】请尽快审批：{order.number}")
    for told in (
        "已等待 3 天",
        "附言: 客户在催",
        "https://bpm.example.com/task/P-7",
        f"/admin/orders/order/{order.pk}/",
    ):
        assert told in sent.body
    event = order.events.get(kind="pushed")
    assert (event.actor, event.data) == (
        f"staff:{clerk.person.username}",
        {"people": ["赵**"], "reason": "客户在催", "caller": "127.0.0.1"},
    )
    assert "赵** z***@example.com 北京 SA" in words_of(clerk.get(page(order, "?tab=mails")))
    assert "催办审批：赵**" in words_of(clerk.get(page(order, "?tab=events")))


def test_once_a_day_and_the_second_is_told_who_did_it(clerk, member, order, clock):
    stale = filled(order, "push", reason="")
    assert push(clerk, order).status_code == 302
    first = clerk.person.username
    other = member("审批主管")
    answer = other.post(deciding(order, "push"), {**stale, "seen": filled(order, "push")["seen"]})
    assert answer.status_code == 409
    assert re.search(rf"{first} 今天 \d\d:\d\d 已催办", words_of(answer))
    assert f"今天已由 {first} 催办" in words_of(other.get(page(order)))
    assert deciding(order, "push") not in other.get(page(order)).content.decode()
    assert Mail.objects.count() == 1
    clock.shift(datetime.timedelta(days=1).total_seconds())
    other = member("审批主管")
    assert push(other, order).status_code == 302
    assert Mail.objects.count() == 2


@pytest.mark.parametrize("contact, expected", [("desk@example.com", 302), ("", 409)])
def test_without_an_sa_the_default_contact_is_pushed_if_there_is_one(clerk, order, settings, contact, expected):
    Contact.objects.all().delete()
    settings.DEFAULT_CONTACT_MAIL = contact
    if contact:
        assert "默认联系人（未设置其他人）" in words_of(clerk.get(page(order)))
        asked = words_of(clerk.get(deciding(order, "push")))
        assert "邮件将发给：默认联系人（未设置其他人）" in asked
        assert "SA 将收到" not in asked
    answer = push(clerk, order)
    assert answer.status_code == expected
    assert [row.recipients for row in Mail.objects.all()] == ([[contact]] if contact else [])
    if not contact:
        assert "没有设置带邮箱的 SA 或默认联系人" in words_of(answer)
        assert not order.events.filter(kind="pushed").exists()


def test_a_contact_that_was_switched_off_meanwhile_gets_nothing(clerk, order):
    push(clerk, order)
    Contact.objects.update(active=False)
    drain(seconds=None, linger=False)
    assert mail.outbox == []


@pytest.mark.parametrize("role, letters", [("工程师", None), ("管理员", None), ("业务人员", ["SH"])])
def test_others_may_not(member, order, role, letters):
    staff = member(role, letters=letters)
    assert push(staff, order).status_code in {403, 404}
    assert Mail.objects.count() == 0


@pytest.mark.parametrize("of", [["A1"], ["--failed"]], ids=str)
def test_one_that_was_given_up_can_be_sent_again(clerk, member, order, monkeypatch, of):
    with monkeypatch.context() as server:
        refusal = MailError("no", permanent=True, code="smtp_554")
        server.setattr(delivery, "send_in_time", lambda payload: (_ for _ in ()).throw(refusal))
        push(clerk, order)
        drain(seconds=None, linger=False)
    assert list(order.troubles.unresolved().values_list("incident__code", flat=True)) == ["smtp_554"]
    call_command("resend", *[order.number if one == "A1" else one for one in of], "--channel", "mail")
    drain(seconds=None, linger=False)
    assert (mail.outbox[0].to, Mail.objects.get().state) == (["zhao@example.com"], "done")
    assert not order.troubles.unresolved().exists()
    for tab in ("", "?tab=history", "?tab=mails"):
        assert member("工程师").get(page(order, tab)).status_code == 200

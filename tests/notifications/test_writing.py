"""The text of a mail, and that a mail is written once."""

import json

import pytest
from django.template import TemplateDoesNotExist
from django.utils import translation

from notifications.contacts_and_recipients import choose
from notifications.mail_rendering import MailFacts, mail_payload, write_text
from notifications.models import Mail
from orders.models import Dispatch, Province
from tests.conftest import shanghai

pytestmark = pytest.mark.django_db
KINDS = [step for step in Dispatch.Step if step.startswith("mail_")]
# The mail about a reconciliation is not about an order: see tests/flows/test_reconcile.py.
ABOUT_AN_ORDER = [kind for kind in KINDS if kind != Dispatch.Step.MAIL_RECONCILED]


def facts(**changes) -> MailFacts:
    given = {
        "order_number": "100A230920170127001",
        "kind_label": "开通单",
        "state_label": "处理中",
        "enterprise_name": "北京泽天伟业商贸有限公司",
        "attribution": "北京",
        "domains": ["pull.api-easss-3.li.com"],
        "start": shanghai("2023-09-30 00:00:00"),
        "cause": "信安文件缺失",
        "next_step": "补齐文件",
        "admin_path": "/admin/orders/order/7/change/",
    }
    return MailFacts(**{**given, **changes})


@pytest.fixture
def write(db):
    """Returns a function. `write(kind, facts)` returns a mail with its text."""

    def write(kind="mail_held", told=None, letters="BJ"):
        mail = Mail(kind=kind, message_id="<7@ibs-order-desk>")
        write_text(mail, told or facts(), choose(letters, kind))
        return mail

    return write


@pytest.mark.parametrize("kind", ABOUT_AN_ORDER)
def test_every_kind_of_mail_tells_all_that_is_known(write, kind):
    mail = write(kind)
    told = facts()
    assert told.order_number in mail.subject
    assert told.enterprise_name not in mail.subject  # a free text, which anybody may have written
    for value in (told.order_number, told.kind_label, told.state_label, told.enterprise_name, told.attribution):
        assert value in mail.body
    for value in (*told.domains, "2023-09-30 00:00:00", told.cause, told.next_step, told.admin_path):
        assert value in mail.body
    assert "{" not in mail.subject + mail.body
    assert mail.recipients == ["desk@example.com"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_at_its_end_why_it_comes(write, contact, kind):
    """The last line of a mail says why its recipients get it. All recipients read the same text, so it names each rule
    that chose one of them.
    """
    assert write(kind).body.splitlines()[-1] == "您收到此邮件，因为您是默认联系人。"
    contact("BJ", "sa@example.com")
    assert write(kind).body.splitlines()[-1] == "您收到此邮件，因为您是北京的 SA 联系人。"
    contact("BJ", "sa2@example.com")
    contact("BJ", "copy@example.com", role="copy")
    assert write(kind).body.splitlines()[-1] == "您收到此邮件，因为您是北京的 SA 联系人或北京的抄送联系人。"


def test_who_stands_in_for_another_attribution_is_told_their_own(write, contact):
    contact("GJ", "group@example.com")
    place = Province.objects.get(letters="GJ").name
    assert write(letters="JT").body.splitlines()[-1] == f"您收到此邮件，因为您是{place}的 SA 联系人。"


def test_a_mail_to_nobody_gives_no_reason(write, settings):
    settings.DEFAULT_CONTACT_MAIL = ""
    assert "您收到此邮件" not in write().body


def test_every_kind_has_its_own_subject_in_chinese_whoever_writes(write):
    assert len({write(kind).subject for kind in KINDS}) == len(KINDS)
    with translation.override("en"):
        english = write().subject
    assert english == write().subject
    assert english.startswith("【IBS 订单台】")


def test_what_is_empty_is_left_out(write):
    body = write(told=facts(cause="", next_step="", start=None, admin_path="", domains=[])).body
    assert "/admin/" not in body
    assert "2023" not in body.replace("100A230920170127001", "")


def test_many_domains_are_counted_and_the_first_named(write):
    body = write(told=facts(domains=[f"d{number}.example.com" for number in range(25)])).body
    assert "25" in body
    assert "d19.example.com" in body
    assert "d20.example.com" not in body
    assert "5" in body.split("d19.example.com")[1].splitlines()[1]


def test_a_name_is_no_html_and_can_not_break_out_of_its_line(write):
    assert "A&B <公司> 'x'" in write(told=facts(enterprise_name="A&B <公司> 'x'")).body
    mail = write(told=facts(enterprise_name="公司\r\nBcc: victim@example.com\u2028x\0", cause="a\nb"))
    assert "公司 Bcc: v***@example.com x\n" in mail.body
    assert len(mail.subject.splitlines()) == 1
    assert "a b" in mail.body


def test_the_payload_is_json_and_its_link_leads_to_the_address_that_people_use(write, settings):
    settings.DEFAULT_FROM_EMAIL, settings.SITE_URL = "desk@example.com", "https://ibs.example.com"
    mail = write()
    assert "https://ibs.example.com/admin/orders/order/7/change/" in mail.body
    assert json.loads(json.dumps(mail_payload(mail))) == {
        "subject": mail.subject,
        "body": mail.body,
        "to": ["desk@example.com"],
        "message_id": mail.message_id,
        "from": "desk@example.com",
    }


def test_an_unknown_kind_is_an_error(write):
    with pytest.raises(TemplateDoesNotExist):
        write("mail_nothing")

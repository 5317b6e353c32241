"""Pages of inbound messages: refused messages show why, conflicts show both contents, and people's data stay masked
until somebody opens them.
"""

import json

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from orders.models import OrderEvent
from orders.texts.refusal_hints import ANSWERS, UNKNOWN, why_refused
from tests import factories as make
from tests.admin.walking import page_of

pytestmark = pytest.mark.django_db
BODY = {"userPartyID": "BBSS9980"}


def page(client, row, **query):
    return client.get(page_of(row), query).text


@pytest.mark.parametrize("code", ["20208", "20305", "20311", "20209", "20210"])
def test_a_refused_message_tells_why_and_what_to_do(member, code):
    row = make.InboundMessageFactory(rsp_code=code, biz_code="", hint="accessToken: ended 20261101000000")
    text = page(member("工程师"), row)
    assert str(ANSWERS[code].what) in text
    assert "ended 20261101000000" in text


def test_every_code_of_a_kept_message_is_explained():
    from integrations.bboss.reply_codes import Code

    never_kept = {"11002", "20007", "20215", "20303", "20308", "20105", "20000"}
    kept = {code.value.number for code in Code} - never_kept - {"30000"}
    assert kept == set(ANSWERS)
    for biz in ("3001", "3004", "3005"):
        assert why_refused(make.InboundMessageFactory(rsp_code="30000", biz_code=biz)) is not UNKNOWN


@pytest.fixture
def conflict():
    """Makes an order, and a second message with its number."""
    content = {
        "OrderNum": "100A1",
        "DataFlow": "1",
        "OperTel": "13700001234",
        "ProvContent": [{"ProvReq": "a.example.com"}],
    }
    order = make.OrderFactory(number="100A1", content=content)
    make.InboundMessageFactory(
        order_number="100A1", remote_address="10.0.0.1", body=json.dumps({"userPartyID": "FIRST", "content": content})
    )
    other = content | {"DataFlow": "500", "ProvContent": [{"ProvReq": "b.example.com"}]}
    row = make.ConflictFactory(
        order_number=order.number,
        remote_address="10.0.0.2",
        body=json.dumps({"userPartyID": "SECOND", "content": json.dumps(other)}),
    )
    return row


def test_a_conflict_shows_both_and_who_sent_them(member, conflict):
    answer = member("审计员").get(reverse("admin:orders_conflict_change", args=[conflict.pk]))
    facts = answer.context["conflict"]
    assert [row.name for row in facts["rows"] if row.differs] == ["DataFlow", "ProvContent"]
    assert (facts["rows"][0].ours, facts["rows"][0].theirs) == ("1", "500")
    assert (facts["first"].party, facts["first"].address) == ("FIRST", "10.0.0.1")
    assert (facts["second"].party, facts["second"].address) == ("SECOND", "10.0.0.2")
    assert "b.example.com" in answer.content.decode()


def test_a_conflict_without_the_first_message_or_a_readable_body(member, conflict):
    pruned = make.ConflictFactory(order_number=make.OrderFactory().number, body="{cut")
    unknown = make.ConflictFactory(order_number="gone")
    staff = member("审计员")
    for row in (pruned, unknown):
        assert staff.get(reverse("admin:orders_conflict_change", args=[row.pk])).status_code == 200


def test_people_s_data_are_masked_until_opened_and_opening_is_noted(member, conflict):
    staff = member("业务人员")
    assert "13700001234" not in page(staff, conflict)
    assert not OrderEvent.objects.filter(kind="personal_data_seen").exists()
    assert "13700001234" in page(staff, conflict, personal="1")
    event = OrderEvent.objects.get(kind="personal_data_seen")
    assert (event.order.number, event.actor) == ("100A1", f"staff:{staff.person.username}")


def test_a_contact_is_called_by_the_word_of_its_province(member):
    contact, staff = make.ContactFactory(attribution_id="BJ"), member("管理员")
    urls = [
        reverse(f"admin:notifications_contact_{name}", args=[contact.pk]) for name in ("change", "history", "delete")
    ]
    for url in urls:
        text = staff.get(url).content.decode()
        assert f"北京 SA {contact.pk}" in text
        assert "BJ SA" not in text
    given = {"attribution": "BJ", "role": contact.role, "name": contact.name, "mail": contact.mail, "tel": "1"}
    staff.post(urls[0], given)
    assert LogEntry.objects.get().object_repr == f"北京 SA {contact.pk}"


def test_opening_a_mail_or_a_contact_is_logged(member):
    mail, contact = make.MailFactory(body="13700001234"), make.ContactFactory(tel="13700001234")
    assert "13700001234" in page(member("业务人员"), mail, personal="1")
    staff = member("管理员")
    assert "13700001234" in page(staff, contact)
    assert "13700001234" not in page(staff, mail, personal="1")
    seen = OrderEvent.objects.filter(kind="personal_data_seen").order_by("pk").values_list("order", "data__where")
    assert list(seen) == [(mail.order_id, f"mail {mail.pk}"), (None, f"contact {contact.pk}")]

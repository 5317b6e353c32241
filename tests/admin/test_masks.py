"""Phones, mail addresses and names of people are masked on every page without the permission, and each opening is
noted.
"""

import json

import pytest
from django.urls import reverse

from orders.models import CustomerNote, IncidentNote, OrderEvent
from orders.order_page.tabs import TABS
from tests import factories as make
from tests.admin.rows import kept_for_a_module, written
from tests.admin.walking import rows, standard

pytestmark = pytest.mark.django_db
PHONE, MAIL, NAME = "13712345678", "ops@secret.example.com", "欧阳张三丰"
PEOPLE = {"operUser": NAME, "OperTel": PHONE, "operMail": MAIL, "userList": [{"userName": NAME, "userTel": PHONE}]}
TEXT = json.dumps({"data": PEOPLE, "content": json.dumps(PEOPLE, ensure_ascii=False)}, ensure_ascii=False)
SAID = f"请联系 {PHONE} 或 {MAIL}"
SIGNED = f"secretaccessTokenxcontent{TEXT}domainCDNPsecret"
FIELDS = {
    "orders_order": {"oper_user": NAME, "oper_tel": PHONE, "oper_mail": MAIL, "content": PEOPLE},
    "orders_dispatch": {"payload": TEXT, "error": SAID, "about": PEOPLE},
    "orders_billingdispatch": {"payload": TEXT, "error": SAID},
    "orders_bpmdispatch": {"payload": TEXT, "error": SAID},
    "orders_attempt": {"answer": TEXT, "error": SAID},
    "orders_orderevent": {"data": PEOPLE | {"reason": SAID}},
    "orders_incident": {"detail": SAID},
    "orders_timeline": {"reason": SAID},
    "orders_pause": {"reason": SAID, "resumed_at": None, "until": None},
    "orders_affectedorder": {"detail": SAID},
    "orders_inboundmessage": {"body": TEXT, "hint": SIGNED, "rsp_desc": SAID},
    "orders_conflict": {"body": TEXT, "hint": SIGNED},
    "orders_difference": {"detail": PEOPLE},
    "notifications_mail": {"recipients": [MAIL], "body": SAID},
    "notifications_contact": {"name": NAME, "mail": MAIL, "tel": PHONE},
    "integrations_breaker": {"last_error": SAID},
    "integrations_bpmcallback": {"body": TEXT, "why": SAID},
    "orders_export": {"reason": SAID, "query": f"q={PHONE}"},
    "orders_reconciliation": {"error": SAID},
    "project_user": {"phone": PHONE, "email": MAIL},
}


SPELLED = "张三：+86 137 1234 5678，０１０－６２３４５６７８"
SPELLINGS = ["137 1234 5678", "０１０－６２３４５６７８", "62345678"]
PEOPLES_OWN_WORDS = {
    "orders_trialupload": {"file_name": f"{SPELLED}.xlsx"},
    "orders_savedview": {"name": SPELLED},
    "orders_scheduledexport": {"name": SPELLED, "reason": SPELLED},
    "orders_bulkrun": {"reason": SPELLED, "query": f"q={SPELLED}"},
    "orders_export": {"reason": SPELLED, "query": f"q={SPELLED}"},
    "orders_orderevent": {"kind": "undo_mark", "data": {"why": SPELLED}},
    "orders_incident": {"words": SPELLED, "detail": SPELLED},
    "orders_affectedorder": {"detail": SPELLED, "reason": SPELLED},
    "orders_pause": {"reason": SPELLED, "resumed_at": None, "until": None},
    "orders_timeline": {"reason": SPELLED},
    "orders_difference": {"reason": SPELLED},
    "orders_reconciliation": {"error": SPELLED},
    "notifications_mail": {"subject": SPELLED, "body": SPELLED, "error": SPELLED},
    "integrations_breaker": {"last_error": SPELLED},
    "admin_logentry": {"object_repr": SPELLED, "change_message": SPELLED},
}
"""What people and partners write in words of their own, beside messages and answers."""


@pytest.fixture(scope="module")
def found(django_db_setup, django_db_blocker):
    """Rows for every page, with people's data wherever partners or customers could have written them."""
    with kept_for_a_module(django_db_blocker):
        yield rows_with_people()


def rows_with_people():
    found = rows()
    order = found["orders_order"]
    # a row that can't be changed later
    found["approvals_approvalrecord"] = make.ApprovalRecordFactory(order=order, opinion=SAID)
    make.TrailEntryFactory(code="command", about=SAID, data={"words": SAID})  # also a row that can't be changed later
    found |= {name: written(found[name], **texts) for name, texts in FIELDS.items()}
    incident = found["orders_incident"]
    IncidentNote.objects.create(incident=incident, at=make.NOW, by="staff:someone", text=SAID)
    note = {"enterprise_id": found["orders_customer"].pk, "at": make.NOW, "by": "staff:someone", "text": SAID}
    CustomerNote.objects.create(**note)
    make.OrderEventFactory(order=order, kind="note", data={"reason": SAID})
    number = found["orders_order"].number
    assert found["orders_conflict"].order_number == number
    return found


def addresses(found):
    """Returns the addresses of lists, pages and histories, and of each tab of the order."""
    asked = [url for (_name, page), url in standard(found).items() if page in {"changelist", "change", "history"}]
    page = reverse("admin:orders_order_change", args=[found["orders_order"].pk])
    asked += [f"{page}?tab={tab.key}" for tab in TABS]
    asked += [reverse("admin:orders_order_decide", args=[found["orders_order"].pk, "note"])]
    asked += [reverse("admin:index"), reverse("admin:restored"), reverse("admin:trail")]
    many = reverse("admin:orders_order_resend") + "?partner=bigdata"
    return [*asked, many]


def told(client, url):
    """Returns the people's data that a page shows."""
    text = client.get(url).content.decode()
    return [word for word in (PHONE, MAIL, NAME) if word in text]


@pytest.mark.parametrize("role", ["工程师", "审计员", "业务人员"])
@pytest.mark.whole
def test_no_page_tells_them_unasked(member, found, role):
    """No page shows people's data before the person asks. This holds for those with the permission too. Opening the
    edit page of a contact counts as asking.
    """
    staff = member(role)
    own = reverse("admin:notifications_contact_change", args=[found["notifications_contact"].pk])
    pages = [url for url in addresses(found) if (role, url) != ("业务人员", own)]
    leaks = {url: words for url in pages if (words := told(staff, url))}
    assert leaks == {}
    assert not found["orders_order"].events.filter(kind="personal_data_seen").exists()


@pytest.mark.parametrize("role", ["工程师", "审计员"])
@pytest.mark.whole
def test_asking_does_not_help_those_who_may_not(member, found, role):
    staff = member(role)
    asked = [url + ("&" if "?" in url else "?") + "personal=1" for url in addresses(found)]
    assert {url: words for url in asked if (words := told(staff, url))} == {}


def test_a_waivers_reason_is_masked_wherever_it_stands(member):
    order = make.OrderFactory(info_security="F_50004020027_20261120120000.xlsx")
    make.DispatchFactory(order=order, step="check_files", channel="files", state="done", next_try_at=None)
    make.ApprovalRecordFactory(order=order, result="waive", source="staff", operator="staff:someone", opinion=SAID)
    page, staff = reverse("admin:orders_order_change", args=[order.pk]), member("审计员")
    assert {tab.key: words for tab in TABS if (words := told(staff, f"{page}?tab={tab.key}"))} == {}


def spelled(found):
    """Returns the same rows, with phones in other spellings."""
    found, order = {**found}, found["orders_order"]
    make.ApprovalRecordFactory(order=order, opinion=SPELLED, operator=SPELLED, node_name=SPELLED)
    make.OrderEventFactory(order=order, kind="undo_mark", data={"why": SPELLED})
    make.OrderEventFactory(order=order, kind="trials_imported", data={"file": SPELLED, "count": 1})
    make.OrderEventFactory(order=None, kind="schedule_saved", data={"name": SPELLED})
    make.MailFactory(order=order, subject=SPELLED, body=SPELLED)
    for name, texts in PEOPLES_OWN_WORDS.items():
        known = {field.name for field in found[name]._meta.concrete_fields}
        assert known >= set(texts), name
        found[name] = written(found[name], **texts)
    return found


@pytest.mark.whole
def test_what_people_write_is_masked_however_it_is_spelled(admin_client, found, admin_user):
    """All texts that people write are masked in every spelling: also names of files, views and schedules, subjects,
    the journal, a reason inside another sentence, and BPM's texts.
    """
    found = spelled(found)
    admin_user.groups.add(found["orders_savedview"].role)
    type(found["orders_trialupload"])._base_manager.update(made_by=admin_user)
    pages = addresses(found)
    customer = reverse("admin:orders_customer_change", args=[found["orders_customer"].pk])
    pages += [f"{customer}?tab=events", f"{customer}?tab=incidents", reverse("admin:orders_order_import")]
    pages += [reverse("admin:orders_order_import_review", args=[found["orders_trialupload"].pk])]
    pages += [reverse("admin:orders_scheduledexport_delete", args=[found["orders_scheduledexport"].pk])]
    pages += [reverse("admin:orders_order_changelist"), reverse("admin:orders_scheduledexport_add")]
    leaks = {}
    for url in pages:
        text = admin_client.get(url).content.decode()
        if words := [word for word in SPELLINGS if word in text]:
            leaks[url] = words
    assert leaks == {}


OPENING = [
    "orders_dispatch",
    "orders_attempt",
    "orders_inboundmessage",
    "orders_conflict",
    "integrations_bpmcallback",
    "orders_orderevent",
    "notifications_mail",
    "notifications_contact",
    "approvals_approvalrecord",
]


def noted():
    return OrderEvent.objects.filter(kind="personal_data_seen").count()


@pytest.mark.parametrize("name", OPENING)
def test_each_opening_is_noted(member, found, name):
    url = reverse(f"admin:{name}_change", args=[found[name].pk]) + "?personal=1"
    for number in (1, 3):
        staff = member("业务人员")
        assert told(staff, url)
        assert noted() == number
        told(staff, url)
        assert noted() == number + 1


def test_a_message_of_no_order_is_noted_by_itself(member, found):
    one, two = (make.InboundMessageFactory(order_number="", body=TEXT) for _ in range(2))
    staff = member("业务人员")
    for row in (one, one, two):
        staff.get(reverse("admin:orders_inboundmessage_change", args=[row.pk]) + "?personal=1")
    seen = OrderEvent.objects.filter(kind="personal_data_seen", order=None).order_by("pk")
    assert [event.data["where"] for event in seen] == [f"inboundmessage {row.pk}" for row in (one, one, two)]

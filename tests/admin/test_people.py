"""Pages show people by their names, and not by the account names that events store."""

import io

import openpyxl
import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from orders.history.actors import actor_of
from orders.incidents.incident_handling import note_incident
from orders.lists import page_fingerprint
from orders.models import Order, OrderEvent
from orders.pauses.pause_and_resume import pause_partner
from project.accounts.permission_words import permission_words
from project.models import User
from tests import factories
from tests.admin.walking import page_of, words_of
from tests.factories import NOW

pytestmark = pytest.mark.django_db


def test_pages_name_who_did_it_whose_it_is_and_who_wrote(member):
    """Pages show the person's name in an order's history, in events, at an incident with its notes, and on each page
    while a partner is paused.
    """
    wang = factories.UserFactory(username="wangmin", display_name="王敏")
    wang.groups.set(Group.objects.filter(name="业务人员"))
    event = factories.OrderEventFactory(kind="note", actor="staff:wangmin")
    incident = factories.IncidentFactory(owner=wang, state="acknowledged")
    note_incident(incident_id=incident.pk, by="staff:wangmin", now=NOW, note="在联系")
    staff = member("工程师")

    def named(url, words="王敏", **query):
        shown = words_of(staff.get(url, query))
        assert (words in shown, "wangmin" in shown) == (True, False), url

    named(page_of(event.order), tab="events")
    named(reverse("admin:orders_orderevent_changelist"))
    named(page_of(event))
    named(reverse("admin:orders_incident_changelist"))
    named(page_of(incident), "王敏： 在联系")
    pause_partner(partner="bpm", reason="升级维护", by="staff:wangmin", now=NOW)
    named(reverse("admin:orders_order_changelist"), "王敏：升级维护")
    assert OrderEvent.objects.get(pk=event.pk).actor == "staff:wangmin"


def test_people_are_told_apart_and_who_has_no_name_goes_by_what_is_stored():
    """The cases: two people of the same name, a name that is somebody else's account, an account without a name, a
    deleted account, and machines.
    """
    names = {"wangmin": "王敏", "wangmin2": "王敏", "wang": "lina", "lina": "", "unnamed": ""}
    for account, name in names.items():
        factories.UserFactory(username=account, display_name=name)
    told = {
        "staff:wangmin": "王敏（wangmin）",
        "staff:wangmin2": "王敏（wangmin2）",
        "staff:wang": "lina（wang）",
        "staff:unnamed": "unnamed",
        "staff:gone": "gone",
        "command:wangmin": "wangmin",
        "bboss": "BBOSS",
    }
    assert {actor: actor_of(actor)[0] for actor in told} == told
    assert actor_of("staff:wangmin")[1] is actor_of("staff:wangmin2")[1] is True


def test_the_head_of_a_page_greets_the_person(member):
    staff = member("工程师")
    staff.person.display_name = "王敏"
    staff.person.save()
    page = staff.get(reverse("admin:sessions")).text
    assert f'<strong title="{staff.person.username}">王敏</strong>' in page


@pytest.mark.parametrize("name", ["approvals_approvalrecord_changelist", "approvals_approvalrecord_change"])
def test_a_waiver_names_the_person_and_bpms_records_stay_as_bpm_has_them(member, name):
    factories.UserFactory(username="wangmin", display_name="王敏")
    ours = factories.ApprovalRecordFactory(source="staff", result="waive", operator="staff:wangmin")
    factories.ApprovalRecordFactory(operator="staff:wangmin2")
    shown = words_of(member("工程师").get(reverse(f"admin:{name}", args=[ours.pk] if name.endswith("_change") else [])))
    assert "王敏" in shown
    assert ("staff:wangmin2" in shown) == name.endswith("list")


def test_the_journal_tells_people_of_one_name_apart(member):
    for account in ("wangmin", "wangmin2"):
        user = factories.UserFactory(username=account, display_name="王敏")
    entry = LogEntry.objects.create(user=user, object_repr="x", action_flag=CHANGE, change_message="x")
    staff = member("审计员")
    for url in (reverse("admin:admin_logentry_changelist"), reverse("admin:admin_logentry_change", args=[entry.pk])):
        assert "王敏（wangmin2）" in words_of(staff.get(url))


def test_many_people_take_one_query(member):
    order = factories.OrderFactory()
    staff, url = member("工程师"), reverse("admin:orders_order_change", args=[order.pk])

    def asked():
        page_fingerprint._counted.clear()  # otherwise the orders would be counted again only after some seconds
        with CaptureQueriesContext(connection) as captured:
            assert staff.get(url, {"tab": "events"}).status_code == 200
        return sum('"project_user"."date_joined" AS' in query["sql"] for query in captured), len(captured)

    _one_person(order)
    first = asked()
    for _ in range(20):
        _one_person(order)
    assert asked() == first
    assert first[0] == 1


def _one_person(order: Order):
    person = factories.UserFactory(display_name=f"李{OrderEvent.objects.count()}")
    factories.OrderEventFactory(order=order, kind="note", actor=f"staff:{person.username}")


def test_events_are_found_by_person_customer_and_day_and_exported(member):
    """The list of events shows what 李娜 did in November, with the reason, the exact time and the order."""
    factories.UserFactory(username="lina", display_name="李娜")
    order = factories.OrderFactory(attribution_id="BJ", enterprise_name="云帆网络", enterprise_id="100A1")
    about = {"order": order, "at": NOW, "data": {"reason": "已电话确认"}}
    mine = factories.OrderEventFactory(kind="note", actor="staff:lina", **about)
    factories.OrderEventFactory(kind="note", actor="staff:other", **about)
    elsewhere = factories.OrderFactory(attribution_id="SH", enterprise_name="别家", enterprise_id="100A2")
    factories.OrderEventFactory(kind="note", actor="staff:lina", **about | {"order": elsewhere})
    url, clerk = reverse("admin:orders_orderevent_changelist"), member("业务人员", letters=["BJ"])

    def found(**query):
        return [row.pk for row in clerk.get(url, query).context["cl"].result_list]

    assert (found(q="李娜"), found(q="lina"), len(found(q="云帆")), found(q="李")) == ([mine.pk], [mine.pk], 2, [])
    assert (len(found(at="2023-09-20")), found(at="2023-09-21")) == (2, [])
    query = "?q=李娜&at=2023-09-01..2023-09-30"
    form = {"format": "xlsx", "columns": ["what", "order_link", "who", "more", "moment"]}
    answer = clerk.post(reverse("admin:orders_export_new", args=["events"]) + query, form)
    [row] = openpyxl.load_workbook(io.BytesIO(b"".join(answer.streaming_content))).active.iter_rows(
        min_row=2, values_only=True
    )
    assert row == ("备注", order.number, "李娜", "已电话确认", NOW.replace(tzinfo=None))


def journal(client):
    return words_of(client.get(reverse("admin:admin_logentry_changelist")))


def test_the_journal_says_from_what_to_what_in_chinese(admin_client):
    """Changes to accounts, roles and attributions are noted with the old and the new value. Passwords and unmasked
    people's data are not noted, and 上次登录 can't be edited.
    """
    user = factories.UserFactory(username="lina", display_name="李娜", phone="13712345678")
    url = reverse("admin:project_user_change", args=[user.pk])
    form = {
        "username": "lina",
        "display_name": "李娜娜",
        "phone": "13787654321",
        "limited": "on",
        "attributions": ["BJ"],
        "is_staff": "on",
        "groups": [Group.objects.get(name="审计员").pk],
        "last_login_0": "2020-01-01",
        "last_login_1": "00:00:00",
    }
    assert admin_client.post(url, form).status_code == 302
    history = words_of(admin_client.get(reverse("admin:project_user_history", args=[user.pk])))
    for text in (journal(admin_client), history):
        for words in ("姓名：李娜 → 李娜娜", "已停用账号", "否 → 是", "137***78 → 137***21"):
            assert words in text, words
        assert "角色：（空） → 审计员" in text
        assert "归属：（空） → 北京" in text
        assert "Active" not in text
        assert "已开通" not in text
    user.refresh_from_db()
    assert (user.is_active, user.last_login) == (False, None)
    assert "13712345678" not in LogEntry.objects.latest("pk").change_message
    admin_client.post(reverse("admin:orders_province_change", args=["SH"]), {"code": "210", "name": "上海市"})
    assert "上海 → 上海市" in journal(admin_client)


def test_roles_and_their_rights_are_told_from_what_to_what_on_the_page_and_by_audit(admin_client, capsys):
    user = factories.UserFactory(username="lina")
    user.groups.set(Group.objects.filter(name__in=["业务人员", "审批主管"]))
    user.attributions.set(["BJ", "SH"])
    form = {"username": "lina", "is_staff": "on", "is_active": "on", "limited": "on", "attributions": ["BJ", "TJ"]}
    form |= {"groups": [str(row.pk) for row in Group.objects.filter(name__in=["业务人员", "工程师"])]}
    admin_client.post(reverse("admin:project_user_change", args=[user.pk]), form)
    role, many = Group.objects.get(name="业务人员"), Permission.objects.order_by("pk")[:20]
    held = role.permissions.exclude(codename="add_note")
    rights = [str(row.pk) for row in held | Permission.objects.filter(codename="compensate_order")]
    changed = admin_client.post(
        reverse("admin:auth_group_change", args=[role.pk]), {"name": "业务人员", "permissions": rights}
    )
    assert changed.status_code == 302
    admin_client.post(reverse("admin:auth_group_add"), {"name": "客服", "permissions": [row.pk for row in many]})
    call_command("audit")
    for text in (journal(admin_client), capsys.readouterr().out):
        assert "仅限所选归属：否 → 是；归属：上海、北京 → 北京、天津；" in text
        assert "；角色：业务人员、审批主管 → 业务人员、工程师" in text
        for sign, right in (("+", "compensate_order"), ("−", "add_note")):
            assert f"{sign} {permission_words(Permission.objects.get(codename=right))}" in text
        assert all(permission_words(row) in text for row in many)


def test_an_entry_of_before_names_its_fields_in_chinese(admin_client):
    user = User.objects.get(username="admin")
    LogEntry.objects.log_actions(
        user.pk, [user], CHANGE, [{"changed": {"fields": ["Active", "Limited to attributions"]}}], single_object=True
    )
    text = journal(admin_client)
    assert "已开通" not in text
    assert "Limited" not in text

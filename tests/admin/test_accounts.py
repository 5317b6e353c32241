"""Accounts: what the page of a member of staff shows, and what it refuses."""

import datetime
import re

import pytest
from axes.models import AccessAttempt
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from orders.admin.journal_values import entry_words
from orders.models import Order
from project.accounts.account_admin import StaffForm
from project.models import CompanyAccount, EmergencyAccount, User
from tests import factories

pytestmark = pytest.mark.django_db
NEW = {"sees": "all", "is_staff": "on"}  # fields that the form of a new account requires


def page(user):
    return reverse("admin:project_user_change", args=[user.pk])


def form(user, **changes):
    """Returns the fields that a browser sends from the account's page."""
    return {"username": user.username, "is_active": "on", "is_staff": "on"} | changes


def errors(response):
    return response.context["adminform"].form.errors


def numbers(client):
    return set(
        client.get(reverse("admin:orders_order_changelist")).context["cl"].queryset.values_list("number", flat=True)
    )


def test_the_list_says_how_each_logs_in_and_who_made_the_account(member, settings):
    manager = member("管理员")
    manager.person.display_name = "王敏"
    manager.person.save()
    add = {"username": "li", "display_name": "李明", "email": "li@example.com"} | NEW
    assert manager.post(reverse("admin:project_user_add"), add).status_code == 302
    li = User.objects.get(username="li")
    li.set_password("Xuanwu-Lake-1368")
    li.save()
    factories.UserFactory(username="guest", password="!")
    company = factories.UserFactory(username="zhao", given_by={"company": "2026-11-28T10:00:00+08:00"})
    CompanyAccount.objects.create(user=company, issuer="x", subject="u-1")
    keeper = User.objects.create_user("keeper", password="right")
    EmergencyAccount.objects.create(user=keeper, marked_at=timezone.now())
    listed = manager.get(reverse("admin:project_user_changelist"))
    rows = {row.username: row for row in listed.context["cl"].result_list}
    own = listed.context["cl"].model_admin
    assert {
        name: (str(own.way(rows[name])), str(own.maker(rows[name]))) for name in ("li", "guest", "zhao", "keeper")
    } == {
        "li": ("密码登录", "王敏"),
        "guest": ("-", "-"),
        "zhao": ("公司账号登录", "公司账号登录"),
        "keeper": ("密码（应急账号）", "-"),
    }
    assert all(f">{words}</td>" in listed.text for words in ("密码登录", "王敏", "公司账号登录", "密码（应急账号）"))
    shown = manager.get(page(rows["li"])).text
    assert all(words in shown for words in ("王敏", "密码登录", "查看和结束会话"))
    settings.PASSWORD_LOGIN = "emergency"
    assert own.way(rows["li"]) == "-"


@pytest.mark.parametrize("name, shown", [("", "wangmin"), ("王敏", "wangmin (王敏)")])
def test_a_person_without_a_name_goes_by_the_account(member, name, shown):
    user = factories.UserFactory(username="wangmin", display_name=name)
    assert str(user) == (name or "wangmin")
    row = factories.ContactFactory()
    kind = ContentType.objects.get_for_model(row)
    LogEntry.objects.create(user=user, content_type=kind, object_id=row.pk, object_repr="x", action_flag=CHANGE)
    history = member("管理员").get(reverse("admin:notifications_contact_history", args=[row.pk])).text
    assert f"<td>{shown}</td>" in history


def test_the_limit_of_the_page_is_the_limit_of_the_lists(member, client):
    here, there = (factories.OrderFactory(attribution_id=letters) for letters in ("BJ", "SH"))
    manager, user = member("管理员"), factories.UserFactory()
    user.groups.set(manager.person.groups.all())
    client.force_login(user)
    assert numbers(client) == {here.number, there.number}
    for chosen, seen in ((["BJ"], {here.number}), ([], set())):
        client.force_login(manager.person)
        groups = [str(row.pk) for row in user.groups.all()]
        given = form(user, limited="on", attributions=chosen, groups=groups)
        assert client.post(page(user), given).status_code == 302
        client.force_login(user)
        assert numbers(client) == seen
    assert Order.objects.count() == 2


def test_attributions_without_the_limit_are_refused(member):
    manager, user = member("管理员"), factories.UserFactory()
    response = manager.post(page(user), form(user, attributions=["BJ"]))
    assert errors(response) == {"limited": ["已选择归属：请同时勾选“仅限所选归属”，或清空所选归属。"]}
    assert not user.attributions.exists()


def test_two_of_one_name_can_be_told_apart_where_a_deputy_is_chosen(member):
    manager, user = member("管理员"), factories.UserFactory(username="li")
    first, _second = (factories.UserFactory(username=name, display_name="王敏") for name in ("wang.min", "wang.min2"))
    query = {"app_label": "project", "model_name": "user", "field_name": "deputy", "term": "王敏"}
    offered = manager.get(reverse("admin:autocomplete"), query).json()["results"]
    assert {row["text"] for row in offered} == {"王敏（wang.min）", "王敏（wang.min2）"}
    User.objects.filter(pk=user.pk).update(deputy=first, away_until="2099-12-05")
    assert "王敏（wang.min）" in manager.get(page(user)).text


def test_the_list_shows_names_and_limits_and_finds_both(member):
    manager = member("管理员")
    factories.UserFactory(display_name="王敏", letters=["BJ"]).groups.add(Group.objects.get(name="业务人员"))
    factories.UserFactory(display_name="李强", letters=[])
    found = manager.get(reverse("admin:project_user_changelist") + "?q=王").text
    assert "王敏" in found
    assert "北京" in found
    assert '<td class="field-roles">业务人员</td>' in found
    assert "李强" not in found
    assert "无：看不到任何订单" in manager.get(reverse("admin:project_user_changelist") + "?q=李").text


@pytest.mark.parametrize("role, number", [("管理员", 1), ("审计员", 0)])
def test_mail_addresses_are_searched_by_those_who_may_read_them(member, role, number):
    factories.UserFactory(email="wang@example.com")
    found = member(role).get(reverse("admin:project_user_changelist") + "?q=wang@ex")
    assert found.context["cl"].result_count == number


def test_who_is_deleted_leaves_nobody_without_an_account(member):
    user = factories.UserFactory()
    left = factories.UserFactory(deputy=user)
    user.delete()
    left.refresh_from_db()
    assert left.deputy is None


def test_createsuperuser_asks_for_what_it_always_asked_for(monkeypatch):
    for name, text in {"USERNAME": "root", "EMAIL": "root@example.com", "PASSWORD": "Qiu-7-tian"}.items():
        monkeypatch.setenv(f"DJANGO_SUPERUSER_{name}", text)
    call_command("createsuperuser", interactive=False, verbosity=0)
    root = User.objects.get(username="root")
    assert root.is_superuser
    assert root.check_password("Qiu-7-tian")
    assert str(root) == "root"


def test_nobody_deletes_an_account(admin_client):
    user = factories.UserFactory()
    assert admin_client.get(reverse("admin:project_user_delete", args=[user.pk])).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [user.pk], "post": "yes"}
    admin_client.post(reverse("admin:project_user_changelist"), chosen)
    assert User.objects.filter(pk=user.pk).exists()


@pytest.mark.parametrize("superuser", [False, True])
def test_who_a_person_is_is_noted_and_the_user_name_and_the_day_of_the_account_stay(member, admin_client, superuser):
    user = factories.UserFactory()
    client = admin_client if superuser else member("管理员")
    given = form(user, username="other", date_joined_0="2001-01-01", date_joined_1="00:00:00")
    assert client.post(page(user), given | {"display_name": "王敏", "phone": "010-5550"}).status_code == 302
    kept = User.objects.get(pk=user.pk)
    assert (kept.username, kept.date_joined) == (user.username, user.date_joined)
    assert (str(kept), kept.display_name, kept.phone) == ("王敏", "王敏", "010-5550")


def add(client, name):
    return client.post(reverse("admin:project_user_add"), {"username": name, "email": "li@example.com"} | NEW)


def test_a_name_that_was_used_is_never_given_again(member):
    manager = member("管理员")
    assert add(manager, "li.lei").status_code == 302
    User.objects.filter(username="li.lei").delete()  # as if somebody had changed it in the database
    assert errors(add(manager, "li.lei")) == {
        "username": ["该用户名正在使用或曾被使用。用户名始终归同一人，请另选一个。"]
    }
    with pytest.raises(CommandError, match="用户名正在使用或曾被使用|has or had this user name"):
        call_command("createsuperuser", interactive=False, username="li.lei", email="a@b.cn", verbosity=0)
    assert not User.objects.filter(username="li.lei").exists()


def test_code_can_t_rename_an_account():
    user = factories.UserFactory()
    user.username = "other"
    with pytest.raises(ValidationError, match="username"):
        user.save()


def roles(*names):
    return [str(row.pk) for row in Group.objects.filter(name__in=names)]


@pytest.mark.parametrize("role", ["业务人员", "工程师", "审计员", "管理员"])
def test_an_administrator_gives_roles_without_having_their_rights(member, role):
    manager, user = member("管理员"), factories.UserFactory()
    assert manager.post(page(user), form(user, groups=roles(role))).status_code == 302
    assert [given.name for given in user.groups.all()] == [role]


def test_only_a_superuser_makes_a_second_person_of_somebody_and_others_can_take_the_role(member, admin_client):
    manager, user = member("管理员"), factories.UserFactory()
    answer = manager.post(page(user), form(user, groups=roles("业务人员", "审批主管")))
    assert errors(answer) == {"groups": ["该角色只能由超级用户或公司账号登录授予：审批主管"]}
    assert not user.groups.exists()
    assert admin_client.post(page(user), form(user, groups=roles("审批主管"))).status_code == 302
    assert [role.name for role in user.groups.all()] == ["审批主管"]
    for names in (["审批主管", "业务人员"], ["业务人员"]):
        assert member("管理员").post(page(user), form(user, groups=roles(*names))).status_code == 302
        assert {role.name for role in user.groups.all()} == set(names)


TWO_PEOPLE = "管理账号或接口令牌的人不能同时办理订单业务，请将这些角色分给不同的人。"
ONLY_READS = "审计人员只能查看，不能同时拥有其他角色或修改权限。"


@pytest.mark.parametrize("superuser", [False, True])
@pytest.mark.parametrize(
    "held, given, why",
    [
        (["管理员"], "业务人员", TWO_PEOPLE),
        (["工程师"], "管理员", TWO_PEOPLE),
        (["审计员"], "管理员", ONLY_READS),
        (["业务人员"], "审计员", ONLY_READS),
    ],
)
def test_nobody_gets_two_roles_that_must_stay_apart(member, admin_client, superuser, held, given, why):
    user = factories.UserFactory()
    user.groups.set(Group.objects.filter(name__in=held))
    client = admin_client if superuser else member("管理员")
    assert errors(client.post(page(user), form(user, groups=roles(*held, given)))) == {"groups": [why]}
    assert [role.name for role in user.groups.all()] == held
    assert client.post(page(user), form(user, groups=roles(given))).status_code == 302


def test_what_an_account_has_from_before_it_keeps_until_one_is_taken(member):
    manager, user = member("管理员"), factories.UserFactory()
    user.groups.set(Group.objects.filter(name__in=["管理员", "业务人员"]))
    both = form(user, groups=roles("管理员", "业务人员"), display_name="王敏")
    assert manager.post(page(user), both).status_code == 302
    user.refresh_from_db()
    assert (user.display_name, user.groups.count()) == ("王敏", 2)
    more = manager.post(page(user), form(user, groups=roles("管理员", "业务人员", "工程师")))
    assert errors(more) == {"groups": [TWO_PEOPLE]}
    assert manager.post(page(user), form(user, groups=roles("业务人员"))).status_code == 302


def rights(*codenames):
    return [str(row.pk) for row in Permission.objects.filter(codename__in=codenames)]


def test_single_rights_and_a_site_s_own_roles_are_looked_at_too(admin_client):
    own, user = Group.objects.create(name="客服"), factories.UserFactory()
    own.permissions.set(Permission.objects.filter(codename__in=["view_order", "add_note"]))
    user.groups.set(Group.objects.filter(name="管理员"))
    assert errors(admin_client.post(page(user), form(user, groups=roles("管理员", "客服")))) == {"groups": [TWO_PEOPLE]}
    single = form(user, groups=roles("管理员"), user_permissions=rights("withdraw_order"))
    assert errors(admin_client.post(page(user), single)) == {"user_permissions": [TWO_PEOPLE]}
    address = reverse("admin:auth_group_change", args=[own.pk])
    answer = admin_client.post(address, {"name": "客服", "permissions": rights("add_note", "change_user")})
    assert errors(answer) == {"permissions": [TWO_PEOPLE]}
    assert own.permissions.count() == 2


OWN = ["is_active", "is_staff", "is_superuser", "limited", "attributions", "groups", "user_permissions"]
LAST = "没有其他人能管理账号"


def standing_of(user):
    kept = User.objects.get(pk=user.pk)
    flags = [kept.is_active, kept.is_staff, kept.is_superuser, kept.limited]
    return flags, *(list(rows.all()) for rows in (kept.attributions, kept.groups, kept.user_permissions))


@pytest.mark.parametrize("superuser", [False, True])
@pytest.mark.parametrize(
    "sent",
    [
        {},  # no box is ticked
        {"is_active": "on"},
        {"is_staff": "on", "is_superuser": "on"},
        {"is_active": "on", "is_staff": "on", "is_superuser": "on", "groups": "审批主管"},
        {"is_active": "on", "is_staff": "on", "limited": "on", "attributions": ["BJ"]},
        {"is_active": "on", "is_staff": "on", "groups": "管理员", "user_permissions": "withdraw_order"},
    ],
)
def test_nobody_changes_their_own_standing(member, superuser, sent):
    client = member("管理员")
    User.objects.filter(pk=client.person.pk).update(is_superuser=superuser)
    before = standing_of(client.person)
    shown = client.get(page(client.person))
    assert not set(OWN) & shown.context["adminform"].form.fields.keys()
    assert not any(f'name="{name}"' in shown.text for name in OWN)
    sent = sent | ({"groups": roles(sent["groups"])} if "groups" in sent else {})
    sent |= {"user_permissions": rights(sent["user_permissions"])} if "user_permissions" in sent else {}
    answer = client.post(page(client.person), {"username": client.person.username, "display_name": "王敏"} | sent)
    assert answer.status_code == 302
    assert standing_of(client.person) == before
    assert User.objects.get(pk=client.person.pk).display_name == "王敏"


def all_ways(client, user):
    """Tries every page by which an account may be disabled or lose its role."""
    chosen = {"_selected_action": [user.pk], "post": "yes"}
    for action in ("delete_selected", "disable", "resubmit_task"):
        client.post(reverse("admin:project_user_changelist"), chosen | {"action": action})
    client.post(reverse("admin:project_user_delete", args=[user.pk]), {"post": "yes"})
    client.post(reverse("admin:project_user_standing", args=[user.pk]), {"active": "True"})
    client.post(page(user), {"username": user.username})
    client.post(page(user), form(user, limited="on", groups=roles("管理员")))
    client.post(page(user), form(user, groups=[]))


@pytest.mark.parametrize("superuser", [False, True])
def test_one_who_manages_accounts_is_always_left(member, superuser):
    """The only account that manages accounts keeps that right. The others are disabled, may not log in, or are
    limited.
    """
    client, others = member("管理员"), [factories.UserFactory() for _ in range(3)]
    User.objects.filter(pk=client.person.pk).update(is_superuser=superuser)
    for other, fields in zip(others, [{"is_active": False}, {"is_staff": False}, {"limited": True}], strict=True):
        other.groups.set(Group.objects.filter(name="管理员"))
        User.objects.filter(pk=other.pk).update(**fields)
    before = standing_of(client.person)
    all_ways(client, client.person)
    assert standing_of(client.person) == before


def test_of_two_who_manage_accounts_one_may_go(member):
    first, client = factories.UserFactory(), member("管理员")
    first.groups.set(Group.objects.filter(name="管理员"))
    assert client.post(page(first), form(first)).status_code == 302
    assert not first.groups.exists()


@pytest.mark.parametrize("lost", [{"is_active": None}, {"is_staff": None}, {"groups": []}, {"limited": "on"}])
def test_the_last_one_is_kept_from_whoever_was_lowered_this_moment(member, monkeypatch, lost):
    """Two administrators lower each other. When the later request begins, its sender is still an administrator."""
    last, client = factories.UserFactory(), member("管理员")
    last.groups.set(Group.objects.filter(name="管理员"))
    lowered = client.person.pk
    late = StaffForm.clean

    def clean(self):
        User.objects.filter(pk=lowered).update(is_active=False)
        return late(self)

    monkeypatch.setattr(StaffForm, "clean", clean)
    sent = form(last, groups=roles("管理员")) | lost
    answer = client.post(page(last), {name: value for name, value in sent.items() if value is not None})
    assert any(LAST in text for text in errors(answer)["__all__"])
    assert standing_of(last)[0] == [True, True, False, False]
    assert [role.name for role in last.groups.all()] == ["管理员"]


def test_a_role_made_by_the_site_that_manages_accounts_is_bound_too(client):
    helper, user = factories.UserFactory(), factories.UserFactory()
    helper.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "change_user"]))
    client.force_login(helper)
    assert client.post(page(helper), form(helper, groups=roles("业务人员"))).status_code == 302
    assert "groups" in errors(client.post(page(user), form(user, groups=roles("审批主管"))))
    assert not helper.groups.exists()
    assert not user.groups.exists()


def test_an_account_is_made_in_one_form(member):
    manager = member("管理员")
    form = manager.get(reverse("admin:project_user_add")).text
    assert re.search(r'<input[^>]*name="is_staff"[^>]* checked', form)
    person = {"username": "li.lei", "display_name": "李雷", "email": "li@example.com", "phone": "010-5550"}
    given = person | {"groups": roles("业务人员"), "sees": "some", "attributions": ["BJ", "TJ"], "is_staff": "on"}
    answer = manager.post(reverse("admin:project_user_add"), given)
    assert (answer.status_code, answer.headers["Location"]) == (302, reverse("admin:project_user_changelist"))
    user = User.objects.get(username="li.lei")
    assert (str(user), user.phone, user.is_staff, user.limited) == ("李雷", "010-5550", True, True)
    assert [role.name for role in user.groups.all()] == ["业务人员"]
    assert {row.letters for row in user.attributions.all()} == {"BJ", "TJ"}
    assert str(manager.person.pk) in user.given_by
    listed = manager.get(reverse("admin:project_user_changelist")).text
    assert all(words in listed for words in ("李雷", "业务人员", "北京", "可登录"))


@pytest.mark.parametrize(
    "given, wrong",
    [
        ({}, "sees"),
        ({"sees": "some"}, "attributions"),
        ({"sees": "all", "attributions": ["BJ"]}, "sees"),
        ({"sees": "all", "groups": ["审批主管"]}, "groups"),
        ({"sees": "all", "groups": ["业务人员", "管理员"]}, "groups"),
        ({"sees": "all", "display_name": "\u202e"}, "display_name"),
    ],
)
def test_a_new_account_passes_all_guards(member, given, wrong):
    given = {"username": "li.lei"} | given | ({"groups": roles(*given["groups"])} if "groups" in given else {})
    assert list(errors(member("管理员").post(reverse("admin:project_user_add"), given))) == [wrong]
    assert not User.objects.filter(username="li.lei").exists()


def test_an_account_is_disabled_and_enabled_by_an_act(member, client):
    manager, user = member("管理员"), factories.UserFactory(display_name="李雷")
    other = Client()
    other.force_login(user)
    act = reverse("admin:project_user_standing", args=[user.pk])
    assert f'href="{act}"' in manager.get(page(user)).text
    asked = manager.get(act).text
    assert all(words in asked for words in ("停用 李雷 的账号", "此人不能再登录。", "1 个打开的会话立即结束。"))
    assert manager.post(act, {"active": "True"}).status_code == 302
    user.refresh_from_db()
    assert not user.is_active
    assert other.get(reverse("admin:index")).status_code == 302
    assert entry_words(LogEntry.objects.latest("pk")) == "已停用账号"
    assert "已停用" in manager.get(reverse("admin:project_user_changelist")).text
    manager.post(act, {"active": "True"})  # sent from a page that was opened before the change
    assert not User.objects.get(pk=user.pk).is_active
    manager.post(act, {})
    assert User.objects.get(pk=user.pk).is_active
    assert entry_words(LogEntry.objects.latest("pk")) == "已启用账号"


def test_nobody_disables_themselves_a_superuser_or_the_last_account_for_an_emergency(member, admin_user, settings):
    settings.PASSWORD_LOGIN = "emergency"
    manager, keeper = member("管理员"), User.objects.create_user("keeper", password="right", is_staff=True)
    EmergencyAccount.objects.create(user=keeper, marked_at=timezone.now())
    for user, status in ((manager.person, 403), (admin_user, 403), (keeper, 409)):
        act = reverse("admin:project_user_standing", args=[user.pk])
        assert manager.post(act, {"active": "True"}).status_code == status
        assert User.objects.get(pk=user.pk).is_active
    assert member("业务人员").get(reverse("admin:project_user_standing", args=[keeper.pk])).status_code == 403
    assert member("管理员").get(reverse("admin:project_user_standing", args=[10**6])).status_code == 404


def test_the_list_says_who_is_locked_or_away(member):
    manager, today = member("管理员"), timezone.localdate()
    users = [factories.UserFactory() for _ in range(4)]
    AccessAttempt.objects.create(
        username=users[0].username, ip_address="10.0.0.1", failures_since_start=5, attempt_time=timezone.now()
    )
    User.objects.filter(pk=users[1].pk).update(away_until=today)
    later = today + datetime.timedelta(days=3)
    User.objects.filter(pk=users[2].pk).update(away_from=later, away_until=later)
    User.objects.filter(pk=users[3].pk).update(is_staff=False)
    listed = manager.get(reverse("admin:project_user_changelist")).context["cl"]
    said = {row.pk: listed.model_admin.standing(row) for row in listed.result_list}
    wanted = ["登录已锁定", f"离岗至 {today:%m-%d}", "可登录", "不可登录"]
    assert all(words in said[user.pk] for user, words in zip(users, wanted, strict=True))


@pytest.mark.parametrize("name", ["groups", "attributions", "user_permissions"])
@pytest.mark.parametrize("value", ["9" * 30, "9" * 19, "x", "-1"])
def test_a_choice_that_is_no_row_is_refused_by_its_field(admin_client, name, value):
    user = factories.UserFactory()
    page = reverse("admin:project_user_change", args=[user.pk])
    form = admin_client.get(page).context["adminform"].form
    sent = {key: "" if form[key].value() is None else form[key].value() for key in form.fields if key != "password"}
    answer = admin_client.post(page, sent | {name: [value]})
    assert answer.status_code == 200
    assert set(answer.context["adminform"].form.errors) == {name}

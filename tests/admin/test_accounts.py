"""Accounts: what the page of a member of staff holds, and what it refuses."""

import datetime

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.urls import reverse

from orders.lists.registration import Role
from orders.models import Order
from project.models import User
from tests import factories

pytestmark = pytest.mark.django_db


def page(user):
    return reverse("admin:project_user_change", args=[user.pk])


def form(user, **changes):
    """What a browser sends from the account's page, which shows two fields for a moment."""
    joined = user.date_joined.astimezone(datetime.timezone(datetime.timedelta(hours=8)))
    given = {"username": user.username, "is_active": "on", "is_staff": "on"}
    return given | {"date_joined_0": f"{joined:%Y-%m-%d}", "date_joined_1": f"{joined:%H:%M:%S}"} | changes


def errors(response):
    return response.context["adminform"].form.errors


def numbers(client):
    return set(
        client.get(reverse("admin:orders_order_changelist")).context["cl"].queryset.values_list("number", flat=True)
    )


def test_a_manager_notes_who_a_person_is(member):
    manager, user, other = member("管理员"), factories.UserFactory(), factories.UserFactory()
    noted = {"display_name": "王敏", "phone": "010-5550", "away_until": "2026-12-01", "deputy": str(other.pk)}
    assert manager.post(page(user), form(user, **noted)).status_code == 302
    user.refresh_from_db()
    assert (str(user), user.phone, user.away_until) == ("王敏", "010-5550", datetime.date(2026, 12, 1))
    assert user.deputy == other


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


def test_nobody_is_their_own_deputy(member):
    manager, user = member("管理员"), factories.UserFactory()
    response = manager.post(page(user), form(user, deputy=str(user.pk)))
    assert errors(response) == {"deputy": ["代理人不能是本人。"]}


def test_two_of_one_name_can_be_told_apart_where_a_deputy_is_chosen(member):
    manager, user = member("管理员"), factories.UserFactory(username="li")
    first, _second = (factories.UserFactory(username=name, display_name="王敏") for name in ("wang.min", "wang.min2"))
    query = {"app_label": "project", "model_name": "user", "field_name": "deputy", "term": "王敏"}
    offered = manager.get(reverse("admin:autocomplete"), query).json()["results"]
    assert {row["text"] for row in offered} == {"王敏（wang.min）", "王敏（wang.min2）"}
    User.objects.filter(pk=user.pk).update(deputy=first)
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
def test_a_user_name_and_the_day_of_an_account_stay(member, admin_client, superuser):
    user = factories.UserFactory()
    client = admin_client if superuser else member("管理员")
    given = form(user, username="other", date_joined_0="2001-01-01", date_joined_1="00:00:00", display_name="王敏")
    assert client.post(page(user), given).status_code == 302
    kept = User.objects.get(pk=user.pk)
    assert (kept.username, kept.date_joined, kept.display_name) == (user.username, user.date_joined, "王敏")


def add(client, name):
    return client.post(
        reverse("admin:project_user_add"),
        {
            "username": name,
            "display_name": "",
            "usable_password": "true",
            "password1": "Qiu-7-tian",
            "password2": "Qiu-7-tian",
        },
    )


def test_a_name_that_was_used_is_never_given_again(member):
    manager = member("管理员")
    assert add(manager, "li.lei").status_code == 302
    User.objects.filter(username="li.lei").delete()  # by hand, in the database
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


@pytest.mark.parametrize("role, given", [("审计员", True), ("管理员", True), ("审批主管", False), ("业务人员", False)])
def test_only_who_has_all_rights_of_a_role_gives_it(member, role, given):
    manager, user = member("管理员"), factories.UserFactory()
    answer = manager.post(page(user), form(user, groups=roles(role)))
    assert user.groups.filter(name=role).exists() == given
    if not given:
        assert errors(answer) == {"groups": [f"只有拥有某角色全部权限的人才能授予该角色：{role}"]}


def test_a_role_that_the_account_has_stays_and_can_be_taken(member):
    manager, user = member("管理员"), factories.UserFactory()
    user.groups.set(Group.objects.filter(name__in=["业务人员", "审批主管"]))
    assert manager.post(page(user), form(user, groups=roles("业务人员"))).status_code == 302
    assert [role.name for role in user.groups.all()] == ["业务人员"]


def test_nobody_gives_a_role_to_themselves(member):
    manager = member("管理员")
    answer = manager.post(page(manager.person), form(manager.person, groups=roles("管理员", "审计员")))
    assert errors(answer) == {"groups": ["不能给自己的账号添加角色，须由他人操作。"]}
    assert [role.name for role in manager.person.groups.all()] == ["管理员"]


def test_a_role_made_by_the_site_gives_nothing_beyond_itself(client):
    helper, user = factories.UserFactory(), factories.UserFactory()
    helper.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "change_user"]))
    client.force_login(helper)
    for role in Role:
        assert "groups" in errors(client.post(page(user), form(user, groups=roles(role))))
    assert not user.groups.exists()

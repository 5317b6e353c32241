"""Accounts: what the page of a member of staff holds, and what it refuses."""

import datetime

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.urls import reverse

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
    factories.UserFactory(display_name="王敏", letters=["BJ"])
    factories.UserFactory(display_name="李强", letters=[])
    found = manager.get(reverse("admin:project_user_changelist") + "?q=王").text
    assert "王敏" in found
    assert "北京" in found
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


def test_an_account_with_views_and_scheduled_exports_can_be_deleted(admin_client):
    schedule = factories.ScheduledExportFactory()
    owner = schedule.owner
    delete = reverse("admin:project_user_delete", args=[owner.pk])
    assert schedule.name in admin_client.get(delete).content.decode()
    assert admin_client.post(delete, {"post": "yes"}).status_code == 302
    assert not User.objects.filter(pk=owner.pk).exists()

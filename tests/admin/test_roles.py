"""The five roles have exactly the permissions that this module lists by hand, independently of the code."""

import importlib
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.urls import reverse

from project.accounts.roles import give_new_right
from project.models import User
from tests import factories

pytestmark = pytest.mark.django_db
EVERYBODY_SEES = {
    "order", "orderdomain", "orderfiles", "orderevent", "trialclaim", "trialend", "acceptedcall", "incident",
    "affectedorder", "bpmcallback",
    "dispatch", "billingdispatch", "bpmdispatch", "attempt", "billingrecord", "trialusage", "reconciliation",
    "difference", "inboundmessage", "conflict", "province", "servicetype", "approvalrecord", "mail", "contact",
    "mailrule", "heartbeat", "breaker", "pause", "trialupload", "customer", "savedview", "bulkrun", "bulkitem",
    "calendarday", "timelimit", "askedact",
}  # fmt: skip
ENGINE_ROOM = {"timeline", "leaselock", "schedule", "success", "failure", "ormq"}
ACTS = {
    #                         业务 工程 审计 管理 审批
    "see_personal_data": "yes no  no  no  no",
    "export_list": "yes yes yes yes yes",
    "judge_export": "no  no  no  no  yes",
    "confirm_act": "no  no  no  no  yes",
    "view_export": "no  no  yes yes yes",
    "view_scheduledexport": "no  no  yes yes no",
    "stop_bulkrun": "no  no  no  yes no",
    "stop_scheduledexport": "no  no  no  yes no",
    "resend_order": "yes yes no  no  no",
    "compensate_order": "no  yes no  no  yes",
    "withdraw_order": "no  no  no  no  yes",
    "upload_file": "yes no  no  no  no",
    "push_approval": "yes no  no  no  yes",
    "waive_finding": "yes no  no  no  yes",
    "choose_attribution": "yes no  no  no  no",
    "run_activation": "yes yes no  no  no",
    "move_start": "yes yes no  no  no",
    "move_end": "yes yes no  no  no",
    "erase_personal_data": "yes no  no  no  yes",
    "fetch_usage": "yes yes no  no  no",
    "compare_order": "yes yes no  no  no",
    "add_note": "yes yes no  no  no",
    "change_incident": "yes yes no  no  no",
    "decide_order": "yes no  no  no  yes",
    "proceed_order": "yes no  no  no  no",
    "name_domains": "yes no  no  no  no",
    "own_order": "yes yes no  no  yes",
    "enter_trial": "yes no  no  no  no",
    "share_view": "yes no  no  yes no",
    "pause_partner": "no  yes no  yes no",
    "probe_partners": "no  no  no  yes no",
    "give_up_step": "no  yes no  no  no",
    "take_books": "no  yes no  no  no",
    "accept_difference": "no  yes no  no  no",
    "fix_difference": "no  yes no  no  no",
    "release_restored": "no  yes no  yes no",
    "add_contact change_contact delete_contact": "no  no  no  yes no",
    "add_mailrule change_mailrule delete_mailrule": "no  no  no  yes no",
    "add_province change_province add_servicetype change_servicetype": "no  no  no  yes no",
    "add_calendarday change_calendarday delete_calendarday": "no  no  no  yes no",
    "add_timelimit": "no  no  no  yes no",
    "change_timelimit": "no  no  no  yes no",
    "delete_timelimit": "no  no  no  yes no",
    "view_notice": "no  yes yes yes no",
    "view_user": "no  no  yes yes no",
    "add_user": "no  no  no  yes no",
    "change_user": "no  no  no  yes no",
    "view_group": "no  no  yes yes no",
    "view_logentry": "no  no  yes yes no",
    "view_trailentry": "no  no  yes yes no",
    "view_failedlogin": "no  no  yes yes no",
    "delete_failedlogin": "no  no  no  yes no",
    "view_apitoken": "no  no  no  yes yes",
    "add_apitoken": "no  no  no  yes no",
    "revoke_apitoken": "no  no  no  yes no",
}
ROLES = ["业务人员", "工程师", "审计员", "管理员", "审批主管"]


def wanted(role):
    place = ROLES.index(role)
    acts = {act for acts, row in ACTS.items() for act in acts.split() if row.split()[place] == "yes"}
    engine = set() if role in {"业务人员", "审批主管"} else ENGINE_ROOM
    return acts | {f"view_{model}" for model in EVERYBODY_SEES | engine}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_holds_exactly_this(role):
    held = set(Group.objects.get(name=role).permissions.values_list("codename", flat=True))
    assert held == wanted(role)


def test_making_the_roles_again_adds_what_is_missing_and_takes_nothing():
    group = Group.objects.get(name="审计员")
    lost, own = group.permissions.first(), Permission.objects.get(codename="add_note")
    group.permissions.remove(lost)
    group.permissions.add(own)
    migration = importlib.import_module("project.migrations.0002_squashed_0026_notices_gone")
    migration.make_roles(apps, SimpleNamespace(connection=connection))
    assert {lost, own} <= set(group.permissions.all())
    assert Group.objects.filter(name__in=ROLES).count() == 5


def test_a_new_right_goes_to_the_roles_that_have_it_and_nothing_comes_back_that_a_site_took():
    group = Group.objects.get(name="业务人员")
    group.permissions.remove(*group.permissions.filter(codename__in=["see_personal_data", "upload_file"]))
    Group.objects.get(name="审批主管").delete()
    give_new_right("orders", "upload_file")(apps, SimpleNamespace(connection=connection))
    assert not group.permissions.filter(codename="see_personal_data").exists()
    assert group.permissions.filter(codename="upload_file").exists()
    assert not Group.objects.get(name="审计员").permissions.filter(codename="upload_file").exists()
    assert not Group.objects.filter(name="审批主管").exists()


def test_who_could_compare_by_the_right_to_fix_still_can(member):
    """Since 1.13.0 comparing has a right of its own, because it only reads. Roles and people that had the right to fix
    differences before the upgrade get the new right.
    """
    fix, compare = (Permission.objects.get(codename=code) for code in ("fix_difference", "compare_order"))
    group, person = Group.objects.create(name="客服"), factories.UserFactory()
    group.permissions.add(fix)
    person.user_permissions.add(fix)
    migration = importlib.import_module("project.migrations.0028_compare_right")
    migration.keep_it(apps, SimpleNamespace(connection=connection))
    assert compare in group.permissions.all()
    assert compare in person.user_permissions.all()
    assert not Group.objects.get(name="审计员").permissions.filter(pk=compare.pk).exists()


def test_an_administrator_cannot_make_a_superuser(member):
    admin, other = member("管理员"), factories.UserFactory()
    url = reverse("admin:project_user_change", args=[other.pk])
    text = admin.get(url).content.decode()
    assert 'name="is_superuser"' not in text
    assert 'name="user_permissions"' not in text
    admin.post(url, {"username": other.username, "is_superuser": "on", "is_staff": "on", "groups": []})
    other.refresh_from_db()
    assert not other.is_superuser


def test_an_administrator_cannot_touch_a_superuser(member):
    root = User.objects.create_superuser("root", password="x")
    admin = member("管理员")
    assert admin.post(reverse("admin:project_user_change", args=[root.pk]), {"username": "x"}).status_code == 403
    assert admin.post(reverse("admin:auth_user_password_change", args=[root.pk]), {}).status_code == 403
    assert admin.post(reverse("admin:auth_group_change", args=[Group.objects.first().pk]), {}).status_code == 403


def test_nobody_lifts_their_own_limit(member):
    admin = member("管理员", letters=["BJ"])
    url = reverse("admin:project_user_change", args=[admin.person.pk])
    assert admin.get(url).status_code == 200
    lifted = {"username": admin.person.username, "limited": "on", "attributions": ["BJ", "SH"]}
    assert admin.post(url, lifted).status_code == 403
    assert admin.post(url.replace("change", "delete"), {"post": "yes"}).status_code == 403

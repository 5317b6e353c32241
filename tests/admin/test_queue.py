"""The pages of the queue only show its rows. A schedule can name any function by its path, so nobody may write or run
one there.
"""

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.urls import reverse
from django_q.models import OrmQ, Schedule, Task

from project.models import User
from tests.admin.rows import ALL_MAKERS

pytestmark = pytest.mark.django_db
NAMES = ["schedule", "success", "failure", "ormq"]
ACTIONS = ["delete_selected", "resubmit_task", "run_now", "run_again"]


@pytest.fixture
def schedule():
    return Schedule.objects.create(name="sweep", func="integrations.tasks.sweep")


PEOPLE = ["业务人员", "工程师", "审计员", "管理员", "审批主管", "every permission", "superuser"]


@pytest.fixture(params=PEOPLE)
def who(request, client):
    """The client of somebody in each role, of somebody with every permission, and of a superuser."""
    user = User.objects.create_user("powerful", is_staff=True, is_superuser=request.param == "superuser")
    user.groups.set(Group.objects.filter(name=request.param))
    user.user_permissions.set(Permission.objects.all() if request.param == "every permission" else ())
    client.force_login(user)
    client.person, client.looks = user, request.param not in {"业务人员", "审批主管"}
    return client


@pytest.fixture
def rows(schedule):
    """A row for each of the queue's pages."""
    return {name: ALL_MAKERS[f"django_q_{name}"]() for name in NAMES}


def everything():
    """Returns the values that must not have changed."""
    return [list(model.objects.order_by("pk").values()) for model in (Schedule, Task, OrmQ)]


def test_all_pages_of_the_queue_are_walked():
    pages = {model: own for model, own in admin.site._registry.items() if model._meta.app_label == "django_q"}
    assert {model._meta.model_name for model in pages} == set(NAMES)
    assert not any(own.actions for own in pages.values())


@pytest.mark.parametrize("name", NAMES)
def test_nobody_adds_changes_or_runs_anything(who, rows, name):
    """No form and no action on the list changes the queue, whatever is sent, because each change would run code on the
    worker's machine.
    """
    before, pk = everything(), rows[name].pk
    form = {"func": "os.abort", "name": "x", "schedule_type": "O", "repeats": "-1", "key": "x", "_save": "1"}
    form |= {"next_run_0": "2026-11-25", "next_run_1": "09:00:00", "_saveasnew": "1", "lock_0": "2026-11-25"}
    for page in (reverse(f"admin:django_q_{name}_add"), reverse(f"admin:django_q_{name}_change", args=[pk])):
        assert who.post(page, form).status_code == 403
        assert who.get(page).status_code == (200 if who.looks and "change" in page else 403)
    listed = reverse(f"admin:django_q_{name}_changelist")
    for action in ACTIONS:
        who.post(
            listed, {"action": action, "_selected_action": [pk], "post": "yes", "index": "0", "select_across": "1"}
        )
    who.post(listed, {"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1", "form-0-id": pk, "_save": "1", **form})
    assert everything() == before


@pytest.mark.parametrize("name", ["schedule", "success", "failure"])
def test_what_has_run_and_what_will_run_again_stays(who, rows, name):
    before, delete = everything(), reverse(f"admin:django_q_{name}_delete", args=[rows[name].pk])
    assert [who.get(delete).status_code, who.post(delete, {"post": "yes"}).status_code] == [403, 403]
    assert everything() == before


@pytest.mark.parametrize("name", NAMES)
def test_no_box_offers_what_is_refused(who, rows, name):
    listed = who.get(reverse(f"admin:django_q_{name}_changelist"))
    if not who.looks:
        assert listed.status_code == 403
        return
    assert listed.context["cl"].result_count > 0
    assert not any(words in listed.text for words in ('name="action"', "resubmit_task", "addlink"))
    shown = who.get(reverse(f"admin:django_q_{name}_change", args=[rows[name].pk])).text
    assert 'name="_save"' not in shown
    assert ("deletelink" in shown) == (who.person.is_superuser and name == "ormq")


def test_a_superuser_takes_a_waiting_task_out_and_nothing_else(admin_client, rows):
    """A superuser can remove a waiting task, and removing it runs nothing. The sweep queues again what is still to be
    done.
    """
    url = reverse("admin:django_q_ormq_delete", args=[rows["ormq"].pk])
    assert admin_client.post(url, {"post": "yes"}).status_code == 302
    assert not OrmQ.objects.filter(pk=rows["ormq"].pk).exists()
    assert LogEntry.objects.get().object_id == str(rows["ormq"].pk)


def test_the_journal_can_t_be_changed_even_by_a_superuser(admin_client, admin_user):
    entry = ALL_MAKERS["admin_logentry"]()
    for page in ("change", "delete"):
        url = reverse(f"admin:admin_logentry_{page}", args=[entry.pk])
        assert admin_client.post(url, {"post": "yes", "change_message": ""}).status_code == 403
    assert LogEntry.objects.filter(pk=entry.pk).exists()

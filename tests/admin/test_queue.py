"""A schedule names any function by its path: only superusers write one."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.urls import reverse
from django_q.models import OrmQ, Schedule, Task

from project.models import User
from tests.admin.rows import ALL_MAKERS

pytestmark = pytest.mark.django_db
NAMES = ["schedule", "success", "failure", "ormq"]


@pytest.fixture
def schedule():
    return Schedule.objects.create(name="sweep", func="integrations.tasks.sweep")


@pytest.fixture
def powerful(client):
    """Staff with every permission who are no superuser."""
    user = User.objects.create_user("powerful", is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    client.force_login(user)
    return client


@pytest.fixture
def rows(schedule):
    """A row on each of the queue's pages."""
    return {name: ALL_MAKERS[f"django_q_{name}"]() for name in NAMES}


def everything():
    """What must not have changed."""
    return [list(model.objects.order_by("pk").values()) for model in (Schedule, Task, OrmQ)]


@pytest.mark.parametrize("name", NAMES)
def test_with_every_permission_but_no_superuser_nothing_can_be_written(powerful, rows, name):
    """No form, deletion or action on the list may do it: each would run code or lose tasks."""
    before, pk = everything(), rows[name].pk
    form = {"func": "os.abort", "name": "x", "schedule_type": "O", "repeats": "-1", "key": "x", "_save": "1"}
    assert powerful.get(reverse(f"admin:django_q_{name}_add")).status_code == 403
    assert powerful.post(reverse(f"admin:django_q_{name}_add"), form).status_code == 403
    assert powerful.post(reverse(f"admin:django_q_{name}_change", args=[pk]), form).status_code == 403
    assert powerful.post(reverse(f"admin:django_q_{name}_delete", args=[pk]), {"post": "yes"}).status_code == 403
    for action in ("delete_selected", "resubmit_task"):
        powerful.post(
            reverse(f"admin:django_q_{name}_changelist"), {"action": action, "_selected_action": [pk], "post": "yes"}
        )
    assert everything() == before


@pytest.mark.parametrize("name", NAMES)
def test_no_box_offers_what_is_refused(powerful, rows, name):
    listed = powerful.get(reverse(f"admin:django_q_{name}_changelist"))
    assert listed.context["cl"].result_count > 0
    assert 'name="action"' not in listed.content.decode()
    assert "addlink" not in listed.content.decode()
    shown = powerful.get(reverse(f"admin:django_q_{name}_change", args=[rows[name].pk]))
    text = shown.content.decode()
    assert shown.context["original"] == type(rows[name]).objects.get(pk=rows[name].pk)
    assert 'name="_save"' not in text
    assert "deletelink" not in text


def test_a_superuser_may_change_one_and_that_stands_in_the_journal(admin_client, admin_user, schedule):
    form = {
        "func": "os.getpid",
        "name": "sweep",
        "schedule_type": "O",
        "repeats": "-1",
        "next_run_0": "2026-11-25",
        "next_run_1": "09:00:00",
    }
    url = reverse("admin:django_q_schedule_change", args=[schedule.pk])
    assert 'name="_save"' in admin_client.get(url).text
    assert admin_client.post(url, form).status_code == 302
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id) == (admin_user, str(schedule.pk))
    text = admin_client.get(reverse("admin:admin_logentry_changelist")).content.decode()
    assert "admin" in text
    assert entry.object_repr in text


def test_the_journal_can_t_be_changed_even_by_a_superuser(admin_client, admin_user):
    entry = ALL_MAKERS["admin_logentry"]()
    for page in ("change", "delete"):
        url = reverse(f"admin:admin_logentry_{page}", args=[entry.pk])
        assert admin_client.post(url, {"post": "yes", "change_message": ""}).status_code == 403
    assert LogEntry.objects.filter(pk=entry.pk).exists()

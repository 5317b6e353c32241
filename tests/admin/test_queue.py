"""A schedule names any function by its path: only superusers write one."""

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ, Schedule, Success, Task

pytestmark = pytest.mark.django_db
NAMES = ["schedule", "success", "failure", "ormq"]


@pytest.fixture
def schedule():
    return Schedule.objects.create(name="sweep", func="integrations.tasks.sweep")


@pytest.fixture
def task():
    now = timezone.now()
    return Task.objects.create(id="1", name="one", func="os.getpid", started=now, stopped=now, success=True)


@pytest.fixture
def powerful(client):
    """Staff with every single permission, but no superuser."""
    user = User.objects.create_user("powerful", is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    client.force_login(user)
    return client


def test_others_may_read(powerful, schedule):
    text = powerful.get(reverse("admin:django_q_schedule_change", args=[schedule.pk])).content.decode()
    assert "sweep" in text
    assert 'name="_save"' not in text
    assert powerful.get(reverse("admin:django_q_schedule_add")).status_code == 403


def test_others_cannot_write(powerful, schedule):
    url = reverse("admin:django_q_schedule_change", args=[schedule.pk])
    assert powerful.post(url, {"func": "os.abort", "_save": "1"}).status_code == 403
    schedule.refresh_from_db()
    assert schedule.func == "integrations.tasks.sweep"


def test_others_cannot_run_a_task_again(powerful, task):
    url = reverse("admin:django_q_success_changelist")
    powerful.post(url, {"action": "resubmit_task", "_selected_action": [task.pk]})
    assert not OrmQ.objects.exists()
    assert Success.objects.filter(pk=task.pk).exists()


@pytest.mark.parametrize("name", NAMES)
def test_lists_open(admin_client, powerful, schedule, task, name):
    url = reverse(f"admin:django_q_{name}_changelist")
    assert admin_client.get(url).status_code == 200
    assert powerful.get(url).status_code == 200


def test_a_superuser_may(admin_client, schedule):
    text = admin_client.get(reverse("admin:django_q_schedule_change", args=[schedule.pk])).content.decode()
    assert 'name="_save"' in text

"""What versions before 1.8.0 wrote becomes rows of Mail: nothing is lost, and what has not gone out goes out once."""

import datetime
import importlib
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.core import mail
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from integrations.models import LeaseLock
from notifications.models import Mail
from orders.mails.mail_resend import resend_mail
from tests import factories as make
from tests.admin.conftest import member  # noqa: F401  a fixture
from tests.mails import send_mails

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
CARRY = importlib.import_module("notifications.migrations.0012_carry_notices")
GONE = importlib.import_module("project.migrations.0026_notices_gone")
HERE = SimpleNamespace(connection=connection)
MINUTE = datetime.timedelta(minutes=1)


@pytest.fixture(scope="module")
def before():
    """The models as 1.8.0 has them."""
    return MigrationLoader(None).project_state(("notifications", "0011_mail_rules")).apps


@pytest.fixture
def notice(before, settings):
    settings.DISPATCH_RETRY_SECONDS = [10, 20, 30]
    make.UserFactory(email="li@example.com")
    notices = before.get_model("notifications", "Notice").objects
    with connection.cursor() as cursor:  # 1.10.0 drops both
        cursor.execute(connection.schema_editor().table_sql(notices.model)[0])
        cursor.execute("ALTER TABLE notifications_mail ADD COLUMN dispatch_id bigint")

    def write(state="due", **fields):
        usual = {"kind": "notice_alarm", "recipients": ["li@example.com"], "subject": "告警", "body": "正文"}
        usual |= {"message_id": f"<{notices.count()}-{state}@desk>", "written_at": timezone.now() - MINUTE}
        usual |= {} if state in ("sent", "failed") else {"next_try_at": timezone.now()}
        return notices.create(state=state, **usual | fields)

    yield write
    assert not notices.exists()


def carry(before):
    CARRY.carry(before, HERE)
    return Mail.objects.order_by("pk")


OUTCOMES = {
    "due": ({}, ("due", 0, None, None)),
    "retrying": ({"attempts": 2}, ("retrying", 2, 1, timezone.now)),
    "retried after an outage": ({"state": "retrying", "attempts": 0}, ("retrying", 0, 3, timezone.now)),
    "tried as often as the schedule says": ({"state": "retrying", "attempts": 9}, ("retrying", 9, 0, timezone.now)),
    "of a worker that died": (
        {"state": "sending", "attempts": 1, "next_try_at": datetime.datetime(2023, 1, 1, tzinfo=datetime.UTC)},
        ("sending", 1, 2, timezone.now),
    ),
    "sent": ({"attempts": 1}, ("done", 1, None, None)),
    "failed": ({"attempts": 4}, ("failed", 4, None, None)),
}


@pytest.mark.parametrize("case", OUTCOMES)
def test_a_notice_keeps_what_it_says(before, notice, case):
    fields, (state, attempts, tries_left, tried_since) = OUTCOMES[case]
    more = {"account_id": 7, "sent_at": timezone.now() if case == "sent" else None}
    more |= {"error_code": "smtp_451", "error": "later", "error_params": {"reply": 451}} if attempts > 1 else {}
    old = notice(**{"state": case} | fields | more, recipients=["Li@example.com", "zhao@example.com"])
    (row,) = carry(before)
    same = ["kind", "message_id", "recipients", "subject", "body", "account_id", "written_at", "next_try_at", "sent_at"]
    same += ["error_code", "error", "error_params"]
    assert {name: getattr(row, name) for name in same} == {name: getattr(old, name) for name in same}
    assert (row.state, row.attempts, row.tries_left) == (state, attempts, tries_left)
    assert row.frozen_at == (old.written_at if tried_since else None)
    assert (row.order, row.cause, row.addressee) == (None, "", "li@example.com")


def test_what_has_not_gone_out_goes_out_once_to_who_is_staff_still(before, notice):
    rows = [notice(), notice("retrying", attempts=1), notice("sent"), notice(recipients=["gone@example.com"])]
    carry(before)
    carry(before)  # it may run again after it was stopped
    assert (send_mails(), send_mails()) == (2, 0)
    assert {message.extra_headers["Message-ID"] for message in mail.outbox} == {row.message_id for row in rows[:2]}
    assert [row.state for row in Mail.objects.order_by("pk")] == ["done", "done", "done", "failed"]


def test_all_are_listed_by_their_day_and_one_that_failed_can_be_sent_again(before, notice, member):  # noqa: F811
    today = make.MailFactory(order=None, kind="notice_alarm", state="done")
    notice("sent", written_at=timezone.now() - 9 * MINUTE)
    notice("failed", written_at=timezone.now() - 8 * MINUTE)
    sent, failed = carry(before).exclude(pk=today.pk)
    engineer = member("工程师")
    listed = engineer.get(reverse("admin:notifications_mail_changelist"), {"kind": "staff"})
    assert list(listed.context["cl"].result_list) == [today, failed, sent]
    assert "正文" in engineer.get(reverse("admin:notifications_mail_change", args=[sent.pk])).text
    resend_mail(pk=failed.pk, by="staff:x", now=timezone.now())
    assert (send_mails(), mail.outbox[0].body.strip()) == (1, "正文")
    assert (make.fresh(failed).state, failed.subject) == ("done", "告警")


def test_what_was_given_up_long_ago_goes_out_only_if_somebody_names_it(before, notice):
    old = notice("failed", written_at=timezone.now() - datetime.timedelta(days=8))
    notice("failed", written_at=timezone.now() - datetime.timedelta(days=6))
    carry(before)
    call_command("resend", "--channel", "mail")
    assert send_mails() == 1
    assert Mail.objects.get(state="failed").message_id == old.message_id


@pytest.mark.parametrize("recorded", [True, False], ids=["it tells how it ended", "it dies"])
def test_one_that_a_worker_of_the_version_before_is_sending_waits_for_it(before, notice, monkeypatch, clock, recorded):
    """Meanwhile the others go over. Where nobody recorded how it ended, it goes out again, as one of 1.8.0 would."""
    old = notice("sending", attempts=1, next_try_at=timezone.now() + MINUTE)
    notice()
    waited = []

    def wait(seconds):
        waited.append(list(Mail.objects.values_list("state", flat=True)))
        if recorded:
            type(old).objects.filter(pk=old.pk).update(state="sent", next_try_at=None, sent_at=timezone.now())
        else:
            clock.shift(MINUTE)

    monkeypatch.setattr(CARRY.time, "sleep", wait)
    carry(before)
    assert waited == [["due"]]
    assert Mail.objects.get(message_id=old.message_id).state == ("done" if recorded else "sending")
    Mail.objects.filter(state="due").delete()
    assert send_mails() == (0 if recorded else 1)
    assert [message.extra_headers["Message-ID"] for message in mail.outbox] == [old.message_id] * (not recorded)


@pytest.mark.parametrize("made", [False, True], ids=["at once", "one app's migrations first"])
def test_whoever_may_see_mails_to_staff_may_see_them_after_the_upgrade(before, django_user_model, made):
    """And the wake-ups that nobody takes any more are gone."""
    right = Permission.objects.get(codename="view_notice")
    person = django_user_model.objects.create(username="li")
    person.user_permissions.add(right)
    mails = right.content_type
    right.content_type = ContentType.objects.create(app_label="notifications", model="notice")
    right.save()
    if made:
        Permission.objects.create(codename="view_notice", content_type=mails, name="Can view mails to staff")
    OrmQ.objects.create(key="notices", payload="", lock=timezone.now())
    LeaseLock.objects.create(name="notices")
    for _again in range(2):
        for step in GONE.Migration.operations:
            step.code(apps, HERE)
        right = Permission.objects.get(codename="view_notice")
        assert right.content_type.model == "mail"
    assert right.user_set.get() == person
    assert right.group_set.count() == Group.objects.filter(name__in=["工程师", "审计员", "管理员"]).count() == 3
    assert not OrmQ.objects.exists()
    assert not LeaseLock.objects.exists()

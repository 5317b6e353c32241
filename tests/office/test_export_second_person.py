"""金库模式: where the site wants it, people's data leave the desk only with a second person's word."""

import pytest
from django.urls import reverse
from django_q.models import OrmQ

from integrations import tasks
from orders.models import Export, OrderEvent
from tests import factories as make
from tests.office.conftest import body, read_xlsx

pytestmark = pytest.mark.django_db
FORM = {"format": "xlsx", "columns": ["number", "oper_tel"], "personal": "on", "reason": "月度回访"}


@pytest.fixture
def maker(settings, member, django_user_model):
    """Who exports, and comes back by `maker.again()` after somebody else has signed in."""
    settings.EXPORT_SECOND_PERSON = True
    make.OrderFactory(oper_tel="13712345678")
    client = member("业务人员")
    person = client.person
    client.again = lambda: client.force_login(person)
    return client


def asked(client, **form):
    client.post(reverse("admin:orders_export_new", args=["orders"]), FORM | form)
    return Export.objects.latest("pk")


def of(page, row):
    return reverse(f"admin:orders_export_{page}", args=[row.pk])


def test_it_is_written_once_somebody_else_agrees(maker, member):
    row = asked(maker)
    assert (row.state, row.file, OrmQ.objects.count()) == ("asked", "", 0)
    assert not OrderEvent.objects.filter(kind="personal_data_seen").exists()
    tasks.export(row.pk)
    row.refresh_from_db()
    assert row.state == "asked"
    second = member("管理员")
    page = second.get(of("change", row)).content.decode()
    assert all(word in page for word in ("月度回访", "需要另一人同意", "同意", "拒绝"))
    second.post(of("judge", row), {"agree": "1"})
    row.refresh_from_db()
    assert (row.state, row.judged_by) == ("waiting", f"staff:{second.person.username}")
    assert OrderEvent.objects.get(kind="personal_data_seen").actor == row.by
    tasks.export(row.pk)
    assert second.get(of("download", row)).status_code == 404
    maker.again()
    assert read_xlsx(body(maker.get(of("download", row))))[0]["经办人电话"] == "13712345678"


def test_a_refusal_needs_a_reason_that_its_maker_reads(maker, member):
    row = asked(maker)
    second = member("管理员")
    assert "请填写拒绝原因" in second.post(of("judge", row), {"reason": " "}, follow=True).content.decode()
    second.post(of("judge", row), {"reason": "范围太大"})
    row.refresh_from_db()
    assert (row.state, row.error) == ("failed", {"code": "export_refused", "why": "范围太大"})
    maker.again()
    assert "复核人已拒绝：范围太大" in maker.get(of("change", row)).content.decode()
    tasks.export(row.pk)
    assert Export.objects.get().file == ""


def test_nobody_agrees_to_their_own(maker, member):
    admin = member("管理员")
    row = asked(admin)
    assert 'name="agree"' not in admin.get(of("change", row)).content.decode()
    assert "须由他人同意" in admin.post(of("judge", row), {"agree": "1"}, follow=True).content.decode()
    row.refresh_from_db()
    assert (row.state, OrmQ.objects.count()) == ("asked", 0)


def test_only_one_word_counts(maker, member):
    row = asked(maker)
    second = member("管理员")
    second.post(of("judge", row), {"reason": "不需要"})
    assert "已有人复核过" in second.post(of("judge", row), {"agree": "1"}, follow=True).content.decode()
    assert Export.objects.get().state == "failed"


@pytest.mark.parametrize("role, letters, status", [
    ("业务人员", None, 403), ("工程师", None, 403), ("审计员", None, 403), ("管理员", ["BJ"], 404),
])  # fmt: skip
def test_who_may_not_judge(maker, member, role, letters, status):
    row = asked(maker)
    other = member(role, letters=letters)
    assert other.post(of("judge", row), {"agree": "1"}).status_code == status
    assert other.get(of("judge", row)).status_code == 405
    assert Export.objects.get().state == "asked"


def test_masked_exports_ask_nobody(maker):
    row = asked(maker, personal="")
    assert (row.state, row.personal) == ("done", False)


def test_without_the_setting_nobody_is_asked(maker, settings):
    settings.EXPORT_SECOND_PERSON = False
    assert asked(maker).state == "done"

"""金库模式: where the site wants it, people's data leave the desk only with a second person's word."""

import datetime

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from integrations import tasks
from orders.models import OrderEvent
from orders.office.exports.models import Export
from project.models import User
from tests import factories as make
from tests.office.conftest import body, read_xlsx
from tests.sampling import sampled

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
    second = member("审批主管")
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
    second = member("审批主管")
    assert "请填写拒绝原因" in second.post(of("judge", row), {"reason": " "}, follow=True).content.decode()
    second.post(of("judge", row), {"reason": "范围太大"})
    row.refresh_from_db()
    assert (row.state, row.error) == ("failed", {"code": "export_refused", "why": "范围太大"})
    maker.again()
    assert "复核人已拒绝：范围太大" in maker.get(of("change", row)).content.decode()
    tasks.export(row.pk)
    assert Export.objects.get().file == ""


def test_nobody_agrees_to_their_own(maker, member):
    admin = member("业务人员", "审批主管")
    row = asked(admin)
    assert 'name="agree"' not in admin.get(of("change", row)).content.decode()
    assert "须由他人同意" in admin.post(of("judge", row), {"agree": "1"}, follow=True).content.decode()
    row.refresh_from_db()
    assert (row.state, OrmQ.objects.count()) == ("asked", 0)


def test_a_renamed_account_is_the_same_person(maker, member, django_user_model):
    """User names are read-only on the page; an older database may have been edited by hand."""
    one = member("业务人员", "审批主管")
    row = asked(one)
    django_user_model.objects.filter(pk=one.person.pk).update(username="somebody.else")
    one.post(of("judge", row), {"agree": "1"})
    row.refresh_from_db()
    assert (row.state, row.maker_id, row.judge_id) == ("asked", one.person.pk, None)


def test_what_an_account_asked_for_that_is_gone_has_no_second_person(maker, member):
    row = asked(maker)
    Export.objects.update(by="staff:gone", maker_id=None)
    answer = member("审批主管").post(of("judge", row), {"agree": "1"}, follow=True)
    assert "提出申请的账号已无法识别" in answer.text
    assert Export.objects.get().state == "asked"


def account(client, user):
    """The fields of an account's page as they are, for a POST."""
    return {
        "is_active": "on",
        "is_staff": "on",
        "display_name": user.display_name,
        "email": user.email,
        "groups": [str(role.pk) for role in user.groups.all()],
    }


def make_account(admin, name):
    answer = admin.post(
        reverse("admin:project_user_add"),
        {
            "username": name,
            "display_name": "",
            "usable_password": "true",
            "password1": "Qiu-7-tian",
            "password2": "Qiu-7-tian",
        },
    )
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    return User.objects.get(username=name)


def give_role(admin, user):
    roles = [str(Group.objects.get(name="审批主管").pk)]
    return admin.post(reverse("admin:project_user_change", args=[user.pk]), account(admin, user) | {"groups": roles})


def give_password(admin, user):
    page = reverse("admin:auth_user_password_change", args=[user.pk])
    return admin.post(page, {"usable_password": "true", "password1": "Qiu-8-tian", "password2": "Qiu-8-tian"})


def give_mail(admin, user):
    return admin.post(reverse("admin:project_user_change", args=[user.pk]), account(admin, user) | {"email": "x@y.cn"})


def give_name(admin, user):
    page = reverse("admin:project_user_change", args=[user.pk])
    return admin.post(page, account(admin, user) | {"display_name": "王敏"})


def judge_as(client, user, row):
    user.refresh_from_db()
    client.force_login(user)
    answer = client.post(of("judge", row), {"agree": "1"}, follow=True)
    row.refresh_from_db()
    return answer


@pytest.mark.parametrize("give", sampled([give_role, give_password, give_mail, give_name], every=2))
def test_an_account_that_the_maker_gave_something_is_no_second_person(maker, member, give):
    admin, other = member("管理员", "审批主管"), make.UserFactory()
    if give is not give_role:
        other.groups.add(Group.objects.get(name="审批主管"))
    assert give(admin, other).status_code == 302
    row = asked(admin)
    answer = judge_as(admin, other, row)
    assert row.state == "asked"
    assert "须由其他人同意" in answer.text
    other.refresh_from_db()
    assert list(other.given_by) == [str(admin.person.pk)]


@pytest.mark.parametrize("give", [give_password, give_mail, give_name])
def test_nor_is_the_giver_to_what_the_account_asked_for(maker, member, give):
    admin, other = member("管理员", "审批主管"), make.UserFactory()
    other.groups.add(Group.objects.get(name="业务人员"))
    assert give(admin, other).status_code == 302
    other.refresh_from_db()
    admin.force_login(other)
    row = asked(admin)
    judge_as(admin, admin.person, row)
    assert row.state == "asked"


def test_an_account_made_on_the_spot_is_no_second_person(maker, member):
    admin = member("管理员", "审批主管")
    other = make_account(admin, "puppet")
    User.objects.filter(pk=other.pk).update(is_staff=True)
    give_role(admin, other)
    row = asked(admin)
    judge_as(admin, other, row)
    assert row.state == "asked"


def test_after_thirty_days_it_is_one_again(maker, member):
    admin, other = member("管理员", "审批主管"), make.UserFactory()
    other.groups.add(Group.objects.get(name="审批主管"))
    give_mail(admin, other)
    row = asked(admin)
    long_ago = timezone.now() - datetime.timedelta(days=30, minutes=1)
    User.objects.filter(pk=other.pk).update(given_by={str(admin.person.pk): long_ago.isoformat()})
    judge_as(admin, other, row)
    assert row.state == "waiting"


def test_what_changes_no_log_in_makes_nobody_close(maker, member):
    admin, other = member("管理员", "审批主管"), make.UserFactory()
    other.groups.add(Group.objects.get(name="审批主管"))
    page = reverse("admin:project_user_change", args=[other.pk])
    assert admin.post(page, account(admin, other) | {"phone": "010-5550"}).status_code == 302
    row = asked(admin)
    judge_as(admin, other, row)
    assert row.state == "waiting"


def test_only_one_word_counts(maker, member):
    row = asked(maker)
    second = member("审批主管")
    second.post(of("judge", row), {"reason": "不需要"})
    assert "已有人复核过" in second.post(of("judge", row), {"agree": "1"}, follow=True).content.decode()
    assert Export.objects.get().state == "failed"


@pytest.mark.parametrize(
    "role, letters, status",
    [
        ("业务人员", None, 403),
        ("工程师", None, 403),
        ("审计员", None, 403),
        ("管理员", None, 403),
        ("审批主管", ["BJ"], 404),
    ],
)
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

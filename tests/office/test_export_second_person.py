"""金库模式: if the site requires it, people's data are exported only after a second person has agreed."""

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from integrations import tasks
from notifications.models import Mail
from orders.models import AskedAct, Incident, OrderEvent
from orders.office.asked_ends import lapse_asked
from orders.office.exports.models import Export
from project.models import User
from tests import factories as make
from tests.office.conftest import body, read_xlsx
from tests.office.scheduling import colleague, of

pytestmark = pytest.mark.django_db
FORM = {"format": "xlsx", "columns": ["number", "oper_tel"], "personal": "on", "reason": "月度回访"}


@pytest.fixture
def maker(settings, owner):
    settings.EXPORT_SECOND_PERSON = True
    make.OrderFactory(oper_tel="13712345678")
    return owner


def asked(client, **form):
    client.post(reverse("admin:orders_export_new", args=["orders"]), FORM | form)
    return Export.objects.latest("pk")


def test_it_is_written_once_somebody_else_agrees(maker, member):
    row = asked(maker)
    assert (row.state, row.file, OrmQ.objects.count()) == ("asked", "", 0)
    assert not OrderEvent.objects.filter(kind="personal_data_seen").exists()
    tasks.export(row.pk)
    assert make.fresh(row).state == "asked"
    second = member("审批主管")
    page = second.get(of("change", row)).content.decode()
    assert all(word in page for word in ("月度回访", "需要另一人同意", "同意", "拒绝"))
    second.post(of("judge", row), {"agree": "1"})
    assert (make.fresh(row).state, row.judged_by) == ("waiting", f"staff:{second.person.username}")
    assert OrderEvent.objects.get(kind="personal_data_seen").actor == row.by
    tasks.export(row.pk)
    assert second.get(of("download", row)).status_code == 404
    maker.again()
    assert read_xlsx(body(maker.get(of("download", row))))[0]["经办人电话"] == "13712345678"


def test_somebody_agrees_to_what_1_7_asked_for_and_to_a_limited_account_s_too(maker, member):
    asked(maker)
    AskedAct.objects.all().delete()  # version 1.7 made no such row
    asked(member("业务人员", letters=["BJ"]))
    second = member("审批主管")
    for row in Export.objects.all():
        second.post(of("judge", row), {"agree": "1"})
    assert list(Export.objects.values_list("state", flat=True)) == ["waiting"] * 2


def test_a_refusal_needs_a_reason_that_its_maker_reads(maker, member):
    row = asked(maker)
    second = member("审批主管")
    assert "请填写拒绝原因" in second.post(of("judge", row), {"reason": " "}, follow=True).content.decode()
    second.post(of("judge", row), {"reason": "范围太大"})
    assert (make.fresh(row).state, row.error) == ("failed", {"code": "export_refused", "why": "范围太大"})
    assert "已有人复核过" in second.post(of("judge", row), {"agree": "1"}, follow=True).content.decode()
    maker.again()
    assert "复核人已拒绝：范围太大" in maker.get(of("change", row)).content.decode()
    tasks.export(row.pk)
    assert Export.objects.get().file == ""


def test_nobody_agrees_to_their_own_under_another_name_either(maker, member):
    """A renamed account can't agree to its own export. User names are read-only on the page, but an older database may
    have been changed by hand.
    """
    one = member("业务人员", "审批主管")
    row = asked(one)
    assert 'name="agree"' not in one.get(of("change", row)).content.decode()
    for name in (one.person.username, "somebody.else"):
        User.objects.filter(pk=one.person.pk).update(username=name)
        assert "须由他人同意" in one.post(of("judge", row), {"agree": "1"}, follow=True).content.decode()
        assert (make.fresh(row).state, row.maker_id, row.judge_id) == ("asked", one.person.pk, None)
        assert not OrmQ.objects.exists()


def test_what_an_account_asked_for_that_is_gone_has_no_second_person(maker, member):
    row = asked(maker)
    Export.objects.update(by="staff:gone", maker_id=None)
    answer = member("审批主管").post(of("judge", row), {"agree": "1"}, follow=True)
    assert "提出申请的账号已无法识别" in answer.text
    assert Export.objects.get().state == "asked"


@pytest.mark.parametrize(
    "given, close",
    [
        ({"role": "审批主管"}, True),
        ({"email": "x@y.cn"}, True),
        ({"display_name": "王敏"}, True),
        ({"phone": "010-5550"}, False),  # a phone number gives no access to the account
    ],
)
def test_an_account_that_the_maker_gave_something_is_no_second_person(maker, member, given, close):
    """tests/admin/test_four_eyes.py checks how long this holds, and that it holds in both directions."""
    maker, other = member(), colleague(role="审批主管" if "role" not in given else "")
    User.objects.filter(pk=maker.person.pk).update(is_superuser=True)
    form = {"is_active": "on", "is_staff": "on", "display_name": other.display_name, "email": other.email} | given
    form["groups"] = [str(Group.objects.get(name="审批主管").pk)]
    assert maker.post(reverse("admin:project_user_change", args=[other.pk]), form).status_code == 302
    row = asked(maker)
    assert list(make.fresh(other).given_by or ()) == [str(maker.person.pk)] * close
    maker.force_login(other)
    answer = maker.post(of("judge", row), {"agree": "1"}, follow=True)
    row.refresh_from_db()
    assert (row.state, "须由其他人同意" in answer.text) == (("asked", True) if close else ("waiting", False))


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


def test_masked_exports_ask_nobody_nor_does_a_site_without_the_setting(maker, settings):
    row = asked(maker, personal="")
    assert (row.state, row.personal) == ("done", False)
    settings.EXPORT_SECOND_PERSON = False
    assert asked(maker).state == "done"


def test_it_waits_among_all_acts_for_a_second_person_and_lapses(maker, member):
    """The setting EXPORT_SECOND_PERSON has the same effect as `export_personal` in FOUR_EYES."""
    row = asked(maker)
    act = AskedAct.objects.get()
    assert (act.act, act.target, act.asker_id) == ("export_personal", row.pk, maker.person.pk)
    second = member("审批主管")
    address = reverse("admin:orders_askedact_change", args=[act.pk])
    assert second.get(address).context["confirmable"]
    second.post(reverse("admin:orders_askedact_confirm", args=[act.pk]))
    row.refresh_from_db()
    assert (row.state, row.judge_id, make.fresh(act).state) == ("waiting", second.person.pk, "confirmed")
    maker.again()
    late = asked(maker)
    AskedAct.objects.filter(state="asked").update(lapses_at=timezone.now())
    lapse_asked(now=timezone.now())
    assert (make.fresh(late).state, late.error) == ("failed", {"code": "export_not_confirmed"})


def test_the_command_asks_too_and_the_file_waits_on_the_export_s_page(maker, member, settings, tmp_path, capsys):
    settings.SITE_URL, out = "https://desk.example.com", tmp_path / "people.xlsx"
    clerk, limited = maker.person, member("业务人员", letters=["SH"]).person
    name, about = clerk.username, {"personal": True, "reason": "月度回访"}
    wrong = [{"by": None}, {"by": "nobody"}, {"by": member("工程师").person.username}, {"by": name, "reason": ""}]
    for one in [*wrong, {"by": name, "query": "columns=nosuch"}]:
        with pytest.raises(CommandError):
            call_command("export", "orders", str(out), **about | one)
    with pytest.raises(CommandError):
        call_command("export", "orders", str(tmp_path / "people.pdf"), by=name, **about)
    assert not Export.objects.exists()
    for person in (limited, clerk):
        with pytest.raises(SystemExit) as ended:
            call_command("export", "orders", str(out), by=person.username, **about)
        assert ended.value.code == 3
    row, act = Export.objects.latest("pk"), AskedAct.objects.latest("pk")
    assert (row.state, row.maker_id, row.scope, act.target, act.reason) == ("asked", clerk.pk, None, row.pk, "月度回访")
    assert act.via
    assert Export.objects.earliest("pk").scope == ["SH"]
    assert f"https://desk.example.com/admin/orders/askedact/{act.pk}/change/" in capsys.readouterr().out
    assert not OrderEvent.objects.filter(kind="personal_data_seen").exists()
    assert list(tmp_path.iterdir()) == []
    member("审批主管").post(of("judge", row), {"agree": "1"})
    tasks.export(row.pk)
    maker.again()
    assert read_xlsx(body(maker.get(of("download", row))))[0]["经办人电话"] == "13712345678"


def test_an_emergency_writes_the_command_s_file_at_once_and_is_told(maker, member, tmp_path):
    judge, out = member("审批主管").person, tmp_path / "people.xlsx"
    User.objects.filter(pk=judge.pk).update(email="judge@example.com")
    call_command("export", "orders", str(out), personal=True, reason="夜间无人", by="li", emergency=True)
    assert read_xlsx(out)[0]["经办人电话"] == "13712345678"
    assert OrderEvent.objects.get(kind="act_in_emergency").data["subject"] == "orders"
    assert Incident.objects.get(code="emergency_act")
    assert Mail.objects.get(kind="notice_emergency_act").recipients == ["judge@example.com"]
    call_command("export", "orders", str(out), by="li", emergency=True)
    assert OrderEvent.objects.filter(kind="act_in_emergency").count() == 1
    assert not AskedAct.objects.exists()

"""A scheduled export writes a saved view to a file at set times, with its owner's rights, and informs the
recipients.
"""

import datetime
import re

import pytest
from django.contrib.auth.models import Group
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from integrations import tasks
from notifications.models import Mail
from orders.models import OrderEvent
from orders.office.exports import export_jobs as exports
from orders.office.exports.models import Export, ScheduledExport
from orders.office.exports.schedules import begin_due_exports
from orders.outbox.leases import JOB_LEASE
from project.models import UsedName
from tests import factories as make
from tests.conftest import shanghai
from tests.office.conftest import body, read_csv, read_xlsx
from tests.office.scheduling import NEW, colleague, form, made, of, pass_time, read, work

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock", "site")]
# The test's clock stands at Wednesday 2023-09-20 18:54:36.


def test_from_the_form_to_the_file_and_the_mail(owner, clock):
    held = make.OrderFactory(state="held", held_because="files", enterprise_name="云帆")
    make.OrderFactory(state="active")
    reader = colleague()
    row = made(owner, recipients=[owner.person.pk, reader.pk])
    page = read(owner, row)
    assert "下次：<b>09-21 08:00</b>" in page
    pass_time(clock, "2023-09-21 07:59:59")
    assert not Export.objects.exists()
    clock.move_to(shanghai("2023-09-21 08:00:10"))
    tasks.sweep()
    work()
    export = Export.objects.get()
    assert (export.state, export.by) == ("done", f"staff:{owner.person.username}")
    assert export.slot == shanghai("2023-09-21 08:00:00")
    assert [message.to for message in mail.outbox] == [["owner@example.com"], ["li@example.com"]]
    message = mail.outbox[0]
    assert "每日挂起" not in message.subject
    assert "每日挂起" in message.body
    assert f"https://desk.example.com{of('change', export)}" in message.body
    assert "王五" in message.body
    assert not message.attachments
    owner.force_login(reader)
    link = re.search(r"https://desk\.example\.com(\S+)", message.body)[1]
    assert of("download", export) in owner.get(link).content.decode()
    assert read_xlsx(body(owner.get(of("download", export)))) == [{"订单号": held.number}]
    pass_time(clock, "2023-09-21 08:05:00")
    assert (Export.objects.count(), len(mail.outbox)) == (1, 2)
    pass_time(clock, "2023-09-22 08:00:00")
    assert (Export.objects.count(), len(mail.outbox)) == (2, 4)


def test_a_daily_file_of_numbers_and_states_is_a_view_with_two_columns(owner, clock):
    """The team of BBOSS asks for a file of order numbers and states each morning. A view with two columns provides
    it.
    """
    rows = {
        make.OrderFactory(state=state).number: word
        for state, word in {"active": "已开通", "failed": "失败", "trialing": "试用中"}.items()
    }
    view = make.SavedViewFactory(owner=owner.person, query="", columns=["number", "state_chip"])
    made(owner, view=view.pk, format="csv", weekdays=list("12345"))
    pass_time(clock, "2023-09-21 08:00:00")
    file = body(owner.get(of("download", Export.objects.get()))).read().decode()
    found = {line["订单号"]: line["状态"] for line in read_csv(file)}
    assert set(found) == set(rows)
    assert list(read_csv(file)[0]) == ["订单号", "状态"]


def test_a_desk_that_was_off_runs_once_and_says_so(owner, clock, row):
    pass_time(clock, "2023-09-24 12:00:00")
    export = Export.objects.get()
    assert (export.slot, export.missed) == (shanghai("2023-09-21 08:00:00"), 3)
    assert make.fresh(row).next_run_at == shanghai("2023-09-25 08:00:00")
    for page in (read(owner, row), read(owner, export)):
        assert "其后还有 3 次因后台未运行或磁盘快满而错过" in page
    assert "错过: 3" in mail.outbox[0].body


def test_the_sweep_never_begins_a_slot_twice(owner, clock):
    made(owner)
    clock.move_to(shanghai("2023-09-21 08:00:00"))
    assert len(begin_due_exports(now=timezone.now())) == 1
    assert begin_due_exports(now=timezone.now()) == []
    # as if the clock had been set back and forward again
    ScheduledExport.objects.update(next_run_at=shanghai("2023-09-21 08:00:00"))
    assert begin_due_exports(now=timezone.now()) == []
    assert ScheduledExport.objects.get().next_run_at == shanghai("2023-09-22 08:00:00")


def test_a_worker_that_dies_over_it_leaves_nothing_undone(owner, clock, export_dir):
    make.OrderFactory(state="held", held_because="files")
    made(owner)
    clock.move_to(shanghai("2023-09-21 08:00:00"))
    tasks.sweep()
    assert exports.claim_export(Export.objects.get().pk, now=timezone.now())  # as if the worker died afterwards
    clock.shift(JOB_LEASE + datetime.timedelta(seconds=1))
    tasks.sweep()
    work()
    export = Export.objects.get()
    assert (export.state, export.attempts, len(mail.outbox)) == ("done", 2, 1)


def test_its_owner_s_attributions_at_that_moment_count(owner, clock):
    for letters in ("BJ", "SH"):
        make.OrderFactory(state="held", held_because="files", attribution_id=letters)
    made(owner)
    make.limit_to(owner.person, ["BJ"])
    pass_time(clock, "2023-09-21 08:00:00")
    export = Export.objects.get()
    assert (export.written, export.scope) == (1, ["BJ"])


def deactivate(row):
    type(row.owner).objects.filter(pk=row.owner_id).update(is_active=False)


@pytest.mark.parametrize(
    "lose, code",
    [
        (deactivate, "export_not_allowed"),
        (lambda row: row.owner.groups.clear(), "export_not_allowed"),
        (lambda row: row.view.delete(), "schedule_view_gone"),
        (lambda row: type(row.view).objects.update(query="gone=1"), "export_filter_unknown"),
        (lambda row: type(row.view).objects.update(query="state__exact=gone"), "export_value_unknown"),
        (lambda row: type(row.view).objects.update(columns=["gone"]), "export_column_unknown"),
        (lambda row: type(row.view).objects.update(list_name="gone"), "export_list_unknown"),
    ],
)
def test_three_failures_switch_it_off_and_tell_its_owner(owner, member, clock, lose, code):
    reader = colleague()
    row = made(owner, recipients=[reader.pk])
    lose(row)
    for day in (21, 22, 23):
        assert make.fresh(row).off_at is None
        pass_time(clock, f"2023-09-{day} 08:00:00")
    assert (make.fresh(row).next_run_at, row.off_at, row.off_why["code"]) == (None, timezone.now(), code)
    assert [(export.state, export.error["code"]) for export in Export.objects.all()] == [("failed", code)] * 3
    [message] = mail.outbox
    assert message.to == (["li@example.com"] if lose is deactivate else ["owner@example.com"])
    assert "已停用" in message.subject
    assert "连续 3 次" in message.body
    assert (f"https://desk.example.com{of('change', row)}" in message.body) == (lose is not deactivate)
    assert ("自己保存视图" in message.body) == (lose is deactivate)
    assert OrderEvent.objects.get(kind="schedule_gave_up").data["code"] == code
    pass_time(clock, "2023-09-24 08:00:00")
    assert Export.objects.count() == 3
    page = read(member("审计员"), row)
    assert "连续多次未生成文件" in page
    assert read(member("审计员"), Export.objects.first()).count("文件未生成")


def test_a_failure_shows_what_to_do_and_a_file_begins_the_count_anew(owner, clock, row):
    view = row.view
    type(view).objects.update(query="gone=1")
    ScheduledExport.objects.update(failures=1)
    pass_time(clock, "2023-09-22 08:00:00")
    page = read(owner, row)
    assert "列表没有筛选项 gone" in page
    assert "去掉已失效的内容" in page
    assert "连续 2 次失败" in owner.get(reverse("admin:orders_scheduledexport_changelist")).content.decode()
    type(view).objects.update(query="")
    pass_time(clock, "2023-09-23 08:00:00")
    assert (make.fresh(row).failures, row.off_at) == (0, None)
    assert "上次未生成文件" not in read(owner, row)


def test_running_it_by_hand(owner, clock):
    """Only the owner gets a mail. The subject does not contain the schedule's name, because nobody may send people a
    subject of their own.
    """
    make.OrderFactory(state="held", held_because="files")
    row = made(owner, recipients=[owner.person.pk, colleague().pk], name="密码已过期,请即登录 13712345678")
    answer = owner.post(of("run", row))
    export = Export.objects.get()
    assert answer["Location"] == of("change", export)
    assert (export.slot, export.schedule) == (None, row)
    assert OrderEvent.objects.get(kind="schedule_run").data["export"] == export.pk
    assert "正在导出" in owner.post(of("run", row), follow=True).content.decode()
    assert Export.objects.count() == 1
    work()
    [message] = mail.outbox
    assert (message.to, message.subject) == (["owner@example.com"], f"【IBS 订单台】定时导出 {row.pk} 已生成")
    assert "137***78" in message.body
    assert "手动" in read(owner, row)
    assert make.fresh(row).next_run_at == shanghai("2023-09-21 08:00:00")


def test_failures_by_hand_do_not_count(owner, row):
    type(row.view).objects.update(query="gone=1")
    for _ in range(4):
        owner.post(of("run", row))
        work()
    assert (make.fresh(row).failures, row.off_at, Export.objects.filter(state="failed").count()) == (0, None, 4)


def test_recipients_without_the_rights_are_named_and_get_no_file(owner, clock):
    """The file contains the orders of all attributions. A recipient limited to Beijing would see more in it than in
    the list.
    """
    make.OrderFactory(state="held", held_because="files")
    short = colleague("bj@example.com", letters=["BJ"], display_name="京京")
    bare = colleague("bare@example.com", role="none", display_name="空空")
    row = made(owner, recipients=[owner.person.pk, short.pk, bare.pk])
    assert "权限不足以下载该文件：京京, 空空" in read(owner, row)
    pass_time(clock, "2023-09-21 08:00:00")
    export = Export.objects.get()
    assert "权限不足以下载该文件：京京, 空空" in read(owner, export)
    owner.force_login(short)
    assert "超出您的权限" in read(owner, export)
    assert owner.get(of("download", export)).status_code == 403
    owner.force_login(bare)
    assert owner.get(of("change", export)).status_code == 403
    assert owner.get(of("download", export)).status_code == 403


def test_a_recipient_with_the_same_limit_gets_the_file(owner, clock):
    make.limit_to(owner.person, ["BJ"])
    owner.again()
    both = colleague(letters=["BJ", "SH"])
    made(owner, recipients=[both.pk])
    pass_time(clock, "2023-09-21 08:00:00")
    owner.force_login(both)
    assert owner.get(of("download", Export.objects.get())).status_code == 200


def test_an_export_stays_its_maker_s_otherwise(owner, clock):
    """Only the maker and the recipients can see and download the file. Whoever is removed from the recipients no
    longer can.
    """
    reader, other = colleague(), colleague("other@example.com")
    row = made(owner, recipients=[reader.pk])
    pass_time(clock, "2023-09-21 08:00:00")
    export = Export.objects.get()
    owner.force_login(other)
    assert owner.get(of("change", export)).status_code == 404
    assert owner.get(of("download", export)).status_code == 404
    row.recipients.clear()
    owner.force_login(reader)
    assert owner.get(of("download", export)).status_code == 404
    owner.again()
    assert owner.get(of("download", export)).status_code == 200
    assert "只有导出人可以下载" in owner.get(of("delete", row)).content.decode()
    assert "定时导出已删除" in owner.post(of("delete", row), {"post": "yes"}, follow=True).content.decode()
    assert owner.get(of("download", export)).status_code == 200
    assert OrderEvent.objects.filter(kind="schedule_deleted").count() == 1


def test_only_active_staff_are_told(owner, clock):
    gone, plain = colleague("gone@example.com"), colleague("")
    row = made(owner, recipients=[owner.person.pk, gone.pk, plain.pk])
    type(gone).objects.filter(pk=gone.pk).update(is_active=False)
    assert "没有邮箱" in read(owner, row)
    pass_time(clock, "2023-09-21 08:00:00")
    assert [message.to for message in mail.outbox] == [["owner@example.com"]]
    assert Mail.objects.count() == 1


def test_personal_data_need_a_reason_and_the_right(owner, clock):
    make.OrderFactory(state="held", held_because="files", oper_tel="13712345678")
    view = make.SavedViewFactory(owner=owner.person, query="", columns=["number", "oper_tel"])
    assert "请说明个人信息的用途" in owner.post(NEW, form(owner, view, personal="on", reason=" ")).content.decode()
    engineer = colleague("e@example.com", role="工程师", display_name="工工")
    row = made(owner, view=view.pk, personal="on", reason="回访", recipients=[owner.person.pk, engineer.pk])
    assert "权限不足以下载该文件：工工" in read(owner, row)
    pass_time(clock, "2023-09-21 08:00:00")
    export = Export.objects.get()
    assert (export.personal, export.reason) == (True, "回访")
    assert read_xlsx(body(owner.get(of("download", export))))[0]["经办人电话"] == "13712345678"
    assert "13712345678" not in mail.outbox[0].body
    other = colleague("other@example.com")
    row.recipients.add(other)
    owner.force_login(other)
    assert owner.get(of("download", export)).status_code == 200
    seen = OrderEvent.objects.filter(kind="personal_data_seen").values_list("actor", flat=True)
    assert sorted(seen) == sorted(f"staff:{person.username}" for person in (owner.person, other))
    owner.again()
    owner.person.groups.set(Group.objects.filter(name="工程师"))
    pass_time(clock, "2023-09-22 08:00:00")
    assert Export.objects.first().error == {"code": "export_not_personal"}


def test_a_second_person_can_not_be_waited_for(owner, settings, clock):
    view = make.SavedViewFactory(owner=owner.person, columns=["number", "oper_tel"])
    row = made(owner, view=view.pk, personal="on", reason="回访")
    settings.EXPORT_SECOND_PERSON = True
    page = owner.get(of("edit", row)).content.decode()
    assert "定时导出不能包含个人信息" in page
    assert 'name="personal"' not in page
    pass_time(clock, "2023-09-21 08:00:00")
    export = Export.objects.get()
    assert (export.state, export.error["code"]) == ("failed", "schedule_not_personal")
    assert not OrderEvent.objects.filter(kind="personal_data_seen").exists()
    assert "定时导出不能包含个人信息" in read(owner, export)
    owner.post(of("edit", row), form(owner, view=view.pk, personal="on", reason="回访"))
    assert not make.fresh(row).personal


def test_a_full_disk_is_a_failure_of_its_slot(owner, clock, settings, tmp_path):
    (tmp_path / "file").write_text("x")
    settings.EXPORT_DIR = tmp_path / "file" / "exports"
    row = made(owner)
    pass_time(clock, "2023-09-21 08:00:00")
    assert make.fresh(row).failures == 1
    assert "文件无法写入" in read(owner, row)
    assert mail.outbox == []


def test_its_owner_stops_one_and_that_is_no_failure(owner, clock, row):
    clock.move_to(shanghai("2023-09-21 08:00:00"))
    begin_due_exports(now=timezone.now())
    owner.post(of("stop", Export.objects.get()))
    work()
    assert (make.fresh(row).failures, Mail.objects.count()) == (0, 0)


@pytest.mark.parametrize("lose", [{"email": ""}, {"is_staff": False}])
def test_recipients_are_told_where_no_mail_reaches_the_owner(owner, clock, lose):
    row = made(owner, recipients=[colleague().pk])
    type(owner.person).objects.filter(pk=owner.person.pk).update(**lose)
    row.view.delete()
    ScheduledExport.objects.update(failures=2)
    pass_time(clock, "2023-09-21 08:00:00")
    assert [message.to for message in mail.outbox] == [["li@example.com"]]


def test_the_owner_s_account_counts_and_not_its_name(owner, clock):
    make.OrderFactory(state="held", held_because="files", attribution_id="BJ")
    make.limit_to(owner.person, ["SH"])
    owner.again()
    made(owner)
    clock.move_to(shanghai("2023-09-21 08:00:00"))
    begin_due_exports(now=timezone.now())
    old = owner.person.username
    type(owner.person).objects.filter(pk=owner.person.pk).update(username="renamed")
    UsedName.objects.all().delete()  # as in older databases, where names could be given again
    make.UserFactory(username=old, is_superuser=True)
    work()
    assert (Export.objects.get().written, Export.objects.get().scope) == (0, ["SH"])


def test_a_second_person_that_is_wanted_only_when_it_is_written(owner, clock, settings):
    view = make.SavedViewFactory(owner=owner.person, columns=["number", "oper_tel"])
    made(owner, view=view.pk, personal="on", reason="回访")
    about = {"columns": ["number", "oper_tel"], "personal": True, "reason": "回访", "state": "waiting"}
    own = make.ExportFactory(by=f"staff:{owner.person.username}", **about)
    clock.move_to(shanghai("2023-09-21 08:00:00"))
    begin_due_exports(now=timezone.now())
    settings.EXPORT_SECOND_PERSON = True
    work()
    assert set(Export.objects.values_list("state", "error__code")) == {
        ("failed", "schedule_not_personal"),
        ("failed", "export_not_judged"),
    }
    assert make.fresh(own).error["code"] == "export_not_judged"

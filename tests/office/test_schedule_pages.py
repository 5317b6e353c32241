"""The pages of scheduled exports. An owner makes one from one of their own views, checks it first, changes it, and
switches it off and on.
"""

import datetime

import pytest
from django.db import IntegrityError
from django.urls import reverse
from django.utils import timezone

from orders.models import OrderEvent
from orders.office.exports.models import Export, ScheduledExport
from orders.office.exports.schedule_admin import ScheduledExportAdmin
from orders.office.exports.schedules import save_schedule
from orders.texts.errors import NotAllowedError
from tests import factories as make
from tests.conftest import shanghai
from tests.office.scheduling import NEW, colleague, form, made, of, pass_time, read

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock", "site")]
# The test's clock stands at Wednesday 2023-09-20 18:54:36.


@pytest.mark.parametrize(
    "weekdays, at, now, wanted",
    [
        ("1234567", "00:00", "2023-09-20 23:59:59", "2023-09-21 00:00:00"),
        ("1234567", "00:00", "2023-09-21 00:00:00", "2023-09-22 00:00:00"),
        ("1", "08:00", "2023-09-24 23:59:59", "2023-09-25 08:00:00"),  # from Sunday to Monday
        ("7", "23:59", "2023-09-24 23:59:00", "2023-10-01 23:59:00"),
        ("12345", "08:00", "2023-09-22 08:00:00", "2023-09-25 08:00:00"),  # over the weekend
        ("3", "18:54", "2023-09-20 18:54:36", "2023-09-27 18:54:00"),
        ("3", "18:55", "2023-09-20 18:54:36", "2023-09-20 18:55:00"),
        ("1234567", "08:00", "2023-12-31 09:00:00", "2024-01-01 08:00:00"),
    ],
)
def test_when_it_comes_next(owner, clock, weekdays, at, now, wanted):
    clock.move_to(shanghai(now))
    owner.again()
    assert made(owner, weekdays=list(weekdays), at=at).next_run_at == shanghai(wanted)


def test_switched_off_it_does_not_run_and_switching_on_again_begins_anew(owner, clock, row):
    owner.post(of("switch", row), {"on": "0"})
    pass_time(clock, "2023-09-21 08:00:00")
    assert not Export.objects.exists()
    assert "已停用" in read(owner, row)
    assert set(OrderEvent.objects.values_list("kind", flat=True)) >= {"schedule_saved", "schedule_switched_off"}
    ScheduledExport.objects.update(failures=3, off_why={"code": "export_broken"})
    assert "09-22 08:00" in owner.post(of("switch", row), {"on": "1"}, follow=True).content.decode()
    assert (make.fresh(row).failures, row.off_at, row.off_why) == (0, None, {})
    pass_time(clock, "2023-09-22 08:00:00")
    assert Export.objects.get().state == "done"


def test_nobody_else_sees_changes_or_runs_it(member, row):
    listed = reverse("admin:orders_scheduledexport_changelist")
    for role, sees in {"业务人员": False, "工程师": False, "审计员": True, "管理员": True}.items():
        other = member(role)
        assert list(other.get(listed).context["cl"].result_list) == ([row] if sees else [])
        assert other.get(of("change", row)).status_code == (200 if sees else 404)
        assert "run-form" not in other.get(of("change", row), follow=True).content.decode()
        for page in ("edit", "switch", "run"):
            assert other.post(of(page, row), {"on": "1"}).status_code == 404
        if role != "管理员":
            assert other.post(of("switch", row), {"on": "0"}).status_code in {403, 404}
        assert other.post(of("delete", row), {"post": "yes"}).status_code == 403
    assert list(member("审计员", letters=["BJ"]).get(listed).context["cl"].result_list) == []
    assert make.fresh(row).off_at is None


def test_who_may_not_export_any_more_sees_and_ends_it_and_acts_no_more(owner, row):
    owner.person.groups.clear()
    owner.again()
    for page in ("edit", "switch", "run"):
        assert owner.post(of(page, row), {"on": "1"}).status_code == 403
    assert owner.get(NEW).status_code == 403
    page = read(owner, row)
    assert of("delete", row) in page
    assert "run-form" not in page
    assert owner.get(reverse("admin:orders_scheduledexport_changelist")).status_code == 200
    assert "已停用" in owner.post(of("switch", row), {"on": "0"}, follow=True).content.decode()
    assert owner.post(of("delete", row), {"post": "yes"}).status_code == 302
    assert not ScheduledExport.objects.exists()


def test_an_administrator_switches_off_anybody_s(member, row):
    assert "switch-form" not in read(member("审计员"), row)
    administrator = member("管理员")
    assert "switch-form" in read(administrator, row)
    assert administrator.post(of("switch", row), {"on": "1"}).status_code == 404
    assert "已停用" in administrator.post(of("switch", row), {"on": "0"}, follow=True).content.decode()
    assert make.fresh(row).off_at
    event = OrderEvent.objects.get(kind="schedule_switched_off")
    assert (event.actor, event.data["schedule"]) == (f"staff:{administrator.person.username}", row.pk)


def test_one_that_was_deleted_meanwhile(owner, monkeypatch, row):

    def gone(*args):
        ScheduledExport.objects.all().delete()

    monkeypatch.setattr(ScheduledExportAdmin, "log_deletions", gone)
    assert "已经不存在了" in owner.post(of("delete", row), {"post": "yes"}, follow=True).content.decode()


def test_a_person_has_so_many(owner):
    view = make.SavedViewFactory(owner=owner.person, query="state__exact=held", columns=["number"])
    for number in range(30):
        make.ScheduledExportFactory(owner=owner.person, view=view, name=f"n{number}")
    assert "30" in owner.post(NEW, form(owner, view=view)).content.decode()
    assert ScheduledExport.objects.count() == 30


def test_events_hold_no_phone_of_a_name_or_reason(owner):
    made(owner, name="找 13700001234", personal="on", reason="回访 13700001234")
    event = OrderEvent.objects.get(kind="schedule_saved").data
    assert "13700001234" not in str(event)


def test_the_year_is_shown_where_it_is_not_this_one(owner, clock):
    clock.move_to(shanghai("2023-12-31 09:00:00"))
    owner.again()
    row = made(owner)
    assert "下次：<b>2024-01-01 08:00</b>" in read(owner, row)


@pytest.mark.parametrize("gone", ["view", "recipient"])
def test_what_is_gone_when_it_is_saved_is_named(owner, gone):
    view = make.SavedViewFactory(owner=owner.person, columns=["number"])
    recipients = [987654] if gone == "recipient" else [owner.person.pk]
    plan = {"name": "x", "view": view, "weekdays": "1", "at": datetime.time(8), "format": "csv"}
    if gone == "view":
        type(view).objects.all().delete()
    with pytest.raises(NotAllowedError) as error:
        save_schedule(pk=None, owner=owner.person, **plan, recipients=recipients, by="staff:x", now=timezone.now())
    assert error.value.code == f"schedule_{gone}_gone"


def test_changing_it_keeps_a_slot_that_is_due(owner, clock, row):
    clock.move_to(shanghai("2023-09-21 08:00:20"))  # the slot is due, but the sweep has not run yet
    answer = owner.post(of("edit", row), form(owner, view=row.view.pk, name="另一个名字"))
    assert answer.status_code == 302
    assert (make.fresh(row).name, row.next_run_at) == ("另一个名字", shanghai("2023-09-21 08:00:00"))
    owner.post(of("edit", row), form(owner, view=row.view.pk, at="09:30", weekdays=["5"]))
    assert make.fresh(row).next_run_at == shanghai("2023-09-22 09:30:00")
    assert 'value="09:30"' in owner.get(of("edit", row)).content.decode()


def test_a_look_at_what_would_happen_changes_nothing(owner):
    make.OrderFactory(state="held", held_because="files")
    short = colleague("", letters=["BJ"], display_name="京京")
    answer = owner.post(NEW, form(owner, preview="1", weekdays=["1", "5"], recipients=[short.pk])).content.decode()
    assert "<b>09-22 08:00 · 09-25 08:00 · 09-29 08:00</b>" in answer
    assert "1 行" in answer
    assert "权限不足以下载该文件：京京" in answer
    assert "没有邮箱，不会收到通知：京京" in answer
    assert not ScheduledExport.objects.exists()


@pytest.mark.parametrize("wrong", [
    {"name": "\u200b"}, {"name": "\u2060 \u200d"}, {"name": "\u00ad"},
    {"name": ""}, {"name": "长" * 5000}, {"name": "\0"}, {"name": "a://b"}, {"view": "99999999999999999999999"},
    {"view": "\0"}, {"weekdays": []}, {"weekdays": ["8"]}, {"weekdays": "x"}, {"at": ""}, {"at": "25:00"}, {"at": "\0"},
    {"format": "pdf"}, {"recipients": []}, {"recipients": ["99999999999999999999999"]}, {"recipients": ["\0"]},
])  # fmt: skip
def test_a_wrong_form_comes_back_with_its_error(owner, wrong):
    given = form(owner) | wrong
    for more in ({}, {"preview": "1"}):
        answer = owner.post(NEW, given | more)
        assert (answer.status_code, 'class="errorlist' in answer.content.decode()) == (200, True), more
    assert not ScheduledExport.objects.exists()


@pytest.mark.parametrize("value", ["abc", "9" * 30, "%00", "-1", ""])
def test_a_wrong_number_of_a_schedule_in_the_list_s_address(owner, value):
    answer = owner.get(f"{reverse('admin:orders_export_changelist')}?schedule={value}", follow=True)
    assert answer.status_code == 200


@pytest.mark.parametrize("query", ["view=1", "view=%00", "view=99999999999999999999999", "view=" + "x" * 9000])
def test_rubbish_in_the_address_is_no_server_error(owner, query):
    assert owner.get(f"{NEW}?{query}").status_code == 200
    assert owner.get(NEW.replace("new", "9" * 30) + "edit/").status_code == 404


def test_without_a_view_the_page_says_how_to_get_one_and_what_is_wrong_with_others(owner):
    """A view of somebody else is refused. A view that no longer works is refused with the reason."""
    assert "还没有保存的视图" in owner.get(NEW).content.decode()
    assert owner.post(NEW, form(owner, view=make.SavedViewFactory().pk)).status_code == 200
    view = make.SavedViewFactory(owner=owner.person, query="gone=1")
    assert "列表没有筛选项 gone" in owner.post(NEW, form(owner, view=view.pk)).content.decode()
    assert not ScheduledExport.objects.exists()


def test_a_name_is_taken_once(owner):
    made(owner)
    assert "已有同名的定时导出" in owner.post(NEW, form(owner)).content.decode()
    assert ScheduledExport.objects.count() == 1


def test_who_may_not_see_people_s_data_can_not_schedule_them(member):
    engineer = member("工程师")
    row = made(engineer, personal="on", reason="x")
    assert not row.personal


def test_a_recipient_reads_the_filter_only_of_a_file_that_their_rights_cover(owner, clock):
    make.OrderFactory(state="held", held_because="files", attribution_id="BJ", enterprise_name="云帆")
    view = make.SavedViewFactory(owner=owner.person, query="q=云帆", columns=["number"])
    short, enough = colleague(letters=["SH"]), colleague("zhao@example.com")
    made(owner, view=view.pk, recipients=[short.pk, enough.pk])
    pass_time(clock, "2023-09-21 08:00:00")
    export = Export.objects.get()
    listed = reverse("admin:orders_export_changelist")
    for person, sees in ((short, False), (enough, True), (owner.person, True)):
        owner.force_login(person)
        for page in (owner.get(listed).content.decode(), read(owner, export)):
            assert ("云帆" in page) == sees
        shown = owner.get(of("change", export)).context
        assert ("订单号" in shown["adminform"].model_admin.column_words(shown["original"])) == sees


def test_the_list_of_exports_tells_slots_from_runs_by_hand(owner, clock, row):
    pass_time(clock, "2023-09-21 08:00:00")
    owner.again()
    owner.post(of("run", row))
    for word, by_hand in (("schedule", False), ("hand", True)):
        listed = owner.get(f"{reverse('admin:orders_export_changelist')}?begun={word}").context["cl"].result_list
        assert [export.slot is None for export in listed] == [by_hand]


def test_a_view_s_page_leads_to_a_schedule_and_names_how_many_would_stop(owner):
    view = make.SavedViewFactory(owner=owner.person, query="state__exact=held", columns=["number"])
    page = read(owner, view)
    assert f"{NEW}?view={view.pk}" in page
    assert "个定时导出使用此视图" not in page
    made(owner, view=view.pk)
    made(owner, view=view.pk, name="另一个")
    assert "2 个定时导出使用此视图" in read(owner, view)
    assert f'<option value="{view.pk}" selected>' in owner.get(f"{NEW}?view={view.pk}").content.decode()


@pytest.mark.parametrize("weekdays", ["0", "8", "1,2", "x"])
def test_the_database_takes_no_other_weekdays(weekdays):
    with pytest.raises(IntegrityError):
        make.ScheduledExportFactory(weekdays=weekdays)

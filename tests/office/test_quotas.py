"""Limits for exports, uploads and bulk runs: of each person, and of a nearly full disk (contract 4).

The limit of uploads a day is tested in tests/entering/test_import_pages.py.
"""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.urls import reverse

from integrations import tasks
from orders.history.actors import staff_actor
from orders.models import AskedAct, Incident
from orders.office.bulk.models import BulkRun
from orders.office.exports.models import Export
from tests import factories as make
from tests.conftest import shanghai
from tests.office.bulking import as_judge, begin, confirm, confirm_as_second, new, outcomes, picked
from tests.office.scheduling import colleague, of, pass_time

pytestmark = pytest.mark.django_db
EXPORT = reverse("admin:orders_export_new", args=["orders"])
UPLOAD = reverse("admin:orders_order_import")
FULL, ROOMY = 10**9, 0  # values of EXPORT_MIN_FREE_MB


@pytest.fixture
def keeper(member):
    return member("业务人员")


def made_by(person):
    return {"by": staff_actor(person), "maker_id": person.pk}


def export(client):
    answer = client.post(EXPORT, {"format": "csv", "columns": ["number"]}, follow=True)
    return b"".join(answer).decode()


def test_a_person_has_five_unfinished_exports(keeper, member):
    make.OrderFactory()
    for state in ("asked", "waiting", "waiting", "running", "waiting"):
        make.ExportFactory(state=state, **made_by(keeper.person))
    assert "已有 5 个导出未结束" in export(keeper)
    assert Export.objects.count() == 5
    Export.objects.filter(state="running").update(state="done")
    export(keeper)
    assert Export.objects.count() == 6
    export(member("业务人员"))
    assert Export.objects.count() == 7


def test_a_person_keeps_two_gigabytes_of_files(keeper):
    make.OrderFactory()
    make.ExportFactory(state="done", file="export-1-1.csv", size=2 * 1024**3, **made_by(keeper.person))
    assert "已达 2.0 GB" in export(keeper)
    Export.objects.update(file="")  # as if the file had expired and been removed
    export(keeper)
    assert Export.objects.count() == 2


def test_a_nearly_full_disk_refuses_what_can_wait_and_says_so(keeper, settings):
    order = make.OrderFactory()
    settings.EXPORT_MIN_FREE_MB = FULL
    assert "磁盘快满了" in export(keeper)
    assert "磁盘快满了" in keeper.get(confirm(keeper, new("note", f"pick={order.pk}"))["Location"]).content.decode()
    answer = keeper.post(UPLOAD, {"file": SimpleUploadedFile("b.xlsx", b"PK")}, follow=True)
    assert "磁盘快满了" in answer.content.decode()
    assert (Export.objects.count(), BulkRun.objects.exclude(state=BulkRun.State.DRAFT).count()) == (0, 0)
    incident = Incident.objects.get()
    assert (incident.partner, incident.code, incident.state) == ("desk", "disk_low", "open")
    page = keeper.get(reverse("admin:orders_incident_change", args=[incident.pk])).content.decode()
    assert "磁盘快满了" in page
    assert "本系统" in page
    tasks.sweep()
    assert Incident.objects.count() == 1
    settings.EXPORT_MIN_FREE_MB = ROOMY
    tasks.sweep()
    assert make.fresh(incident).state == "resolved"
    export(keeper)
    assert Export.objects.get().state == "done"


def give_runs(person):
    return make.BulkRunFactory.create_batch(3, state="waiting", finished_at=None, done=0, **made_by(person))


@pytest.mark.usefixtures("slow")
def test_a_person_has_three_unfinished_runs(keeper):
    order, said = make.OrderFactory(), "已有 3 个批量操作未结束"
    stopped = begin(keeper, new("note", picked(order)))
    keeper.post(of("stop", stopped))
    runs = give_runs(keeper.person)
    assert said in keeper.get(confirm(keeper, new("note", picked(order)))["Location"]).content.decode()
    assert said in keeper.post(of("go_on", stopped), follow=True).content.decode()
    assert outcomes(stopped)[0] == "stopped"
    BulkRun.objects.filter(pk=runs[0].pk).update(state="done")
    keeper.post(of("go_on", stopped))
    assert outcomes(stopped)[0] == "waiting"
    keeper.force_login(colleague())
    assert begin(keeper, new("note", picked(order))).state == "waiting"


@pytest.mark.usefixtures("slow")
def test_a_stopped_run_waits_for_room_on_the_disk(keeper, settings):
    run = begin(keeper, new("note", picked(make.OrderFactory())))
    keeper.post(of("stop", run))
    settings.EXPORT_MIN_FREE_MB = FULL
    assert "磁盘快满了" in keeper.post(of("go_on", run), follow=True).content.decode()
    assert (outcomes(run)[0], Incident.objects.get().code) == ("stopped", "disk_low")
    settings.EXPORT_MIN_FREE_MB = ROOMY
    keeper.post(of("go_on", run))
    assert outcomes(run)[0] == "waiting"


@pytest.mark.parametrize("full, said", [("runs", "已有 3 个批量操作未结束"), ("disk", "磁盘快满了")])
def test_a_run_that_is_refused_at_its_confirmation_goes_on_waiting(keeper, settings, full, said):
    """A confirmation is refused with its reason while the person who asked has too many unfinished runs or the disk is
    full. The run waits on. The runs of the second person do not count.
    """
    settings.FOUR_EYES = {"bulk": 1}
    run = begin(keeper, new("note", picked(make.OrderFactory(), make.OrderFactory())))
    row = AskedAct.objects.get()
    as_judge(keeper)
    if full == "runs":
        give_runs(colleague("other@example.com"))
        give_runs(keeper.person)
    else:
        settings.EXPORT_MIN_FREE_MB = FULL
    answer = confirm_as_second(keeper, row)
    assert (answer.status_code, outcomes(run)[0]) == (409, "stopped")
    assert said in answer.content.decode()
    assert make.fresh(row).state == AskedAct.State.OPEN
    assert list(Incident.objects.values_list("code", flat=True)) == (["disk_low"] if full == "disk" else [])
    settings.EXPORT_MIN_FREE_MB = ROOMY
    BulkRun.objects.exclude(pk=run.pk).update(state="done")
    assert confirm_as_second(keeper, row).status_code == 302
    assert outcomes(run)[0] == "waiting"


def test_an_export_that_is_agreed_to_on_a_nearly_full_disk_goes_on_waiting(keeper, settings):
    settings.FOUR_EYES = {"export_personal": True}
    make.OrderFactory()
    keeper.post(EXPORT, {"format": "csv", "columns": ["number"], "personal": "on", "reason": "客户投诉"})
    row = Export.objects.get()
    assert row.state == "asked"
    as_judge(keeper)
    settings.EXPORT_MIN_FREE_MB = FULL
    assert "磁盘快满了" in keeper.post(of("judge", row), {"agree": "1"}, follow=True).content.decode()
    assert (make.fresh(row).state, Incident.objects.get().code) == ("asked", "disk_low")
    assert AskedAct.objects.get().state == AskedAct.State.OPEN
    settings.EXPORT_MIN_FREE_MB = ROOMY
    keeper.post(of("judge", row), {"agree": "1"})
    assert make.fresh(row).state == "waiting"


# --- scheduled exports


@pytest.mark.usefixtures("site")
def test_a_slot_waits_for_room_on_the_disk_and_fails_nothing(owner, clock, row, settings):
    settings.EXPORT_MIN_FREE_MB = FULL
    for day in (21, 22):
        pass_time(clock, f"2023-09-{day} 08:00:00")
    assert (make.fresh(row).next_run_at, row.failures, row.last_run_at) == (shanghai("2023-09-21 08:00:00"), 0, None)
    assert (Export.objects.count(), Incident.objects.get().code) == (0, "disk_low")
    settings.EXPORT_MIN_FREE_MB = ROOMY
    pass_time(clock, "2023-09-22 09:00:00")
    export = Export.objects.get()
    assert (export.state, export.slot, export.missed) == ("done", shanghai("2023-09-21 08:00:00"), 1)


@pytest.mark.parametrize(
    "full, said", [("exports", "已有 5 个导出未结束"), ("files", "已达 2.0 GB"), ("disk", "磁盘快满了")]
)
def test_what_is_run_by_hand_is_refused_like_any_export(owner, row, settings, full, said):
    if full == "exports":
        make.ExportFactory.create_batch(5, state="waiting", file="", **made_by(owner.person))
    elif full == "files":
        make.ExportFactory(size=2 * 1024**3, **made_by(owner.person))
    else:
        settings.EXPORT_MIN_FREE_MB = FULL
    assert said in owner.post(of("run", row), follow=True).content.decode()
    assert not row.exports.exists()
    assert list(Incident.objects.values_list("code", flat=True)) == (["disk_low"] if full == "disk" else [])
    Export.objects.all().delete()
    settings.EXPORT_MIN_FREE_MB = ROOMY
    owner.post(of("run", row))
    assert row.exports.get().state == "waiting"


@pytest.mark.usefixtures("site")
def test_slots_count_for_their_owner_and_are_refused_to_nobody(owner, clock, row):
    """An export that a schedule begins counts among its owner's unfinished exports. It is never refused itself,
    because nobody is there who could wait, or stop another export.
    """
    make.ExportFactory.create_batch(4, state="asked", file="", **made_by(owner.person))
    clock.move_to(shanghai("2023-09-21 08:00:00"))
    tasks.sweep()
    assert row.exports.get().state == "waiting"
    assert "已有 5 个导出未结束" in export(owner)
    clock.move_to(shanghai("2023-09-22 08:00:00"))
    tasks.sweep()
    assert row.exports.count() == 2


# --- files that a command writes itself have no quota, but are refused if the disk is full


@pytest.mark.parametrize("command, what, name", [("export", "orders", "a.csv"), ("evidence", "A1", "a.zip")])
def test_a_command_s_file_is_refused_on_a_nearly_full_disk(settings, tmp_path, command, what, name):
    make.OrderFactory(number="A1")
    out = tmp_path / name
    settings.EXPORT_MIN_FREE_MB = FULL
    with pytest.raises(CommandError, match="EXPORT_MIN_FREE_MB"):
        call_command(command, what, str(out))
    assert (out.exists(), Export.objects.count(), Incident.objects.get().code) == (False, 0, "disk_low")
    settings.EXPORT_MIN_FREE_MB = ROOMY
    call_command(command, what, str(out))
    assert out.exists()

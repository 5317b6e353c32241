"""How much a person, and a nearly full disk, let one make: exports, uploads, bulk runs (contract 4)."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from integrations import tasks
from orders.models import Incident
from orders.office.bulk.models import BulkRun
from orders.office.exports.models import Export
from tests import factories as make
from tests.office.bulking import confirm, new

pytestmark = pytest.mark.django_db
EXPORT = reverse("admin:orders_export_new", args=["orders"])
UPLOAD = reverse("admin:orders_order_import")


@pytest.fixture
def keeper(member):
    return member("业务人员")


def export(client):
    answer = client.post(EXPORT, {"format": "csv", "columns": ["number"]}, follow=True)
    return b"".join(answer).decode()


def test_a_person_has_five_unfinished_exports(keeper, member):
    make.OrderFactory()
    by = {"by": f"staff:{keeper.person.username}", "maker_id": keeper.person.pk}
    for state in ("asked", "waiting", "waiting", "running", "waiting"):
        make.ExportFactory(state=state, **by)
    assert "已有 5 个导出未结束" in export(keeper)
    assert Export.objects.count() == 5
    Export.objects.filter(state="running").update(state="done")
    export(keeper)
    assert Export.objects.count() == 6
    export(member("业务人员"))
    assert Export.objects.count() == 7


def test_a_person_keeps_two_gigabytes_of_files(keeper):
    make.OrderFactory()
    by = {"by": f"staff:{keeper.person.username}", "maker_id": keeper.person.pk}
    make.ExportFactory(state="done", file="export-1-1.csv", size=2 * 1024**3, **by)
    assert "已达 2.0 GB" in export(keeper)
    Export.objects.update(file="")  # it has expired
    export(keeper)
    assert Export.objects.count() == 2


def test_a_nearly_full_disk_refuses_what_can_wait_and_says_so(keeper, settings):
    order = make.OrderFactory()
    settings.EXPORT_MIN_FREE_MB = 10**9
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
    settings.EXPORT_MIN_FREE_MB = 0
    tasks.sweep()
    incident.refresh_from_db()
    assert incident.state == "resolved"
    export(keeper)
    assert Export.objects.get().state == "done"

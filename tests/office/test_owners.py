"""Files, runs and past acts belong to the account that made them, whoever has its user name later."""

import datetime
from types import SimpleNamespace

import pytest
from django.urls import reverse
from django.utils import timezone

from orders.models import OrderEvent
from orders.office.bulk.models import BulkRun
from orders.office.exports.models import Export
from project.models import User
from tests import factories as make
from tests.factories import NOW, fresh
from tests.office.conftest import body

pytestmark = pytest.mark.django_db
EXPORT = reverse("admin:orders_export_new", args=["orders"])


def of(model, page, row):
    return reverse(f"admin:orders_{model}_{page}", args=[row.pk])


@pytest.fixture
def renamed(member):
    """A person who made an export and a note as li.lei, and was renamed in the database afterwards. A new account has
    the name li.lei.
    """
    order = make.OrderFactory()
    client = member("业务人员")
    person = client.person
    person.display_name = "李雷"
    person.save()
    User.objects.filter(pk=person.pk).update(username="li.lei")
    client.force_login(User.objects.get(pk=person.pk))
    client.post(EXPORT, {"format": "csv", "columns": ["number"]})
    page = reverse("admin:orders_bulkrun_new", args=["note"]) + f"?pick={order.pk}"
    form = client.get(page).context["form"]
    client.post(page, {"reason": "批量备注", "draft": form["draft"].value()})
    assert (Export.objects.get().state, BulkRun.objects.get().state) == ("done", "done")
    User.objects.filter(pk=person.pk).update(username="li.lei.old")
    newcomer = make.UserFactory(username="li.lei", display_name="李磊", date_joined=timezone.now())
    newcomer.groups.set(person.groups.all())
    return SimpleNamespace(client=client, old=User.objects.get(pk=person.pk), new=newcomer, order=order)


def test_a_newcomer_gets_no_file_no_run_and_no_past_of_who_had_the_name(renamed):
    export, run, client = Export.objects.get(), BulkRun.objects.get(), renamed.client
    assert export.maker_id == run.maker_id == renamed.old.pk
    noted = OrderEvent.objects.filter(order=renamed.order, kind="note")
    assert set(noted.values_list("actor", "account_id")) == {("staff:li.lei", renamed.old.pk)}
    BulkRun.objects.update(state="waiting")
    client.force_login(renamed.new)
    assert client.get(of("export", "download", export)).status_code == 404
    assert not client.get(reverse("admin:orders_export_changelist")).context["cl"].result_list
    client.post(of("bulkrun", "stop", run))
    assert fresh(run).state == "waiting"
    assert "李雷" in client.get(of("order", "change", renamed.order), {"tab": "events"}).text
    client.force_login(renamed.old)
    assert renamed.order.number in body(client.get(of("export", "download", export))).read().decode()
    client.post(of("bulkrun", "stop", run))
    assert fresh(run).state == "stopped"


def test_a_row_without_an_id_is_of_the_account_that_was_there_before(staff):
    """A row without an account id, as the version before wrote them, belongs to the account of that name if that
    existed already.
    """
    later = make.UserFactory(date_joined=NOW + datetime.timedelta(days=1), display_name="李磊")
    later.groups.set(staff.person.groups.all())
    for user, seen in ((staff.person, 1), (later, 0)):
        row = make.ExportFactory(by=f"staff:{user.username}")
        run = make.BulkRunFactory(by=f"staff:{user.username}", state="waiting")
        event = make.OrderEventFactory(kind="note", actor=f"staff:{user.username}", at=NOW)
        staff.force_login(user)
        found = staff.get(reverse("admin:orders_export_changelist")).context["cl"].result_list
        assert [one.pk for one in found] == [row.pk] * seen
        staff.post(of("bulkrun", "stop", run))
        assert (fresh(run).state == "stopped") == seen
        told = staff.get(of("order", "change", event.order), {"tab": "events"}).text.split('class="printed"')[1]
        assert "李磊" not in told.partition("</p>")[2]

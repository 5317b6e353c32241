"""`bulk:N` of FOUR_EYES (contract 3.11): once a person's bulk runs of a day exceed N rows, a second person must
confirm.
"""

import datetime

import pytest
from django.urls import reverse
from django.utils import timezone

from integrations import tasks
from orders.models import AskedAct
from orders.office.asked_ends import lapse_asked
from orders.office.bulk.models import BulkRun
from tests import factories as make
from tests.office.bulking import as_judge, begin, confirm_as_second, new, notes, outcomes, page, picked
from tests.office.scheduling import colleague

pytestmark = pytest.mark.django_db


@pytest.fixture
def maker(settings, member):
    settings.FOUR_EYES = {"bulk": 3}
    return member("业务人员")


@pytest.fixture
def orders():
    return [make.OrderFactory() for _ in range(4)]


def test_so_many_rows_of_a_day_need_nobody_else(maker, orders):
    assert begin(maker, new("note", picked(*orders[:2]))).state == "done"
    assert begin(maker, new("note", picked(orders[2]))).state == "done"
    run = begin(maker, new("note", picked(orders[3])))
    assert outcomes(run) == ("stopped", 0, 0)
    assert "待复核" in page(maker, run).content.decode()
    assert notes(*orders) == [1, 1, 1, 0]
    BulkRun.objects.update(created_at=timezone.now() - datetime.timedelta(days=1))
    assert begin(maker, new("note", picked(orders[3]))).state == "done"


@pytest.mark.parametrize("letters", [None, ["BJ"]])
def test_it_begins_once_a_second_person_confirms_it(settings, member, orders, letters):
    """A confirmed run acts on the rows that its maker may see at that time. Therefore the run of a limited account has
    no attribution of its own.
    """
    settings.FOUR_EYES = {"bulk": 3}
    maker = member("业务人员", letters=letters)
    run = begin(maker, new("note", picked(*orders)))
    assert maker.post(reverse("admin:orders_bulkrun_go_on", args=[run.pk])).status_code == 302
    tasks.bulk(run.pk)
    assert notes(*orders) == [0, 0, 0, 0]
    row = AskedAct.objects.get()
    client = as_judge(maker)
    assert confirm_as_second(client, row).status_code == 302
    tasks.bulk(run.pk)
    assert outcomes(run) == ("done", 4, 0)
    assert notes(*orders) == [1, 1, 1, 1]
    assert {one.events.get().actor for one in orders} == {run.by}


def test_who_confirms_reads_what_the_run_was_told_masked(maker, orders):
    """The second person reads the new owner and the filter, with people's data masked. That is all that they are
    responsible for.
    """
    to = colleague(display_name="李接手")
    run = begin(maker, new("own_orders", picked(*orders)), to=to.pk)
    BulkRun.objects.update(words=[["搜索", "13712345678"]])
    assert "李接手" in page(maker, run).text
    shown = as_judge(maker).get(reverse("admin:orders_askedact_change", args=[AskedAct.objects.get().pk])).text
    assert "李接手" in shown
    assert "137***78" in shown
    assert "13712345678" not in shown


@pytest.mark.parametrize("how", ["called off", "lapsed"])
def test_what_nobody_confirmed_never_begins(maker, orders, how):
    run = begin(maker, new("note", picked(*orders)))
    row = AskedAct.objects.get()
    if how == "lapsed":
        AskedAct.objects.update(lapses_at=timezone.now())
        lapse_asked(now=timezone.now())
    else:
        maker.post(reverse("admin:orders_askedact_call_off", args=[row.pk]))
    maker.post(reverse("admin:orders_bulkrun_go_on", args=[run.pk]))
    tasks.bulk(run.pk)
    assert outcomes(run) == ("stopped", 0, 0)
    assert "未经复核" in page(maker, run).content.decode()
    assert notes(*orders) == [0, 0, 0, 0]

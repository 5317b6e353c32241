"""A trial's page shows the trial's target state, and the message that each part of it comes from (contract 3.9, 19)."""

import csv
import datetime

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.translation import override

from orders.books.expected_records import note_not_meant
from orders.lists.service_names import service_name
from orders.models import Difference, Order, ServiceType, TrialEnd
from orders.rules.host_names import domain_key
from orders.rules.trial_shape import last_moment
from orders.trials.trial_state_sources import CHANGE, MESSAGE, TAKEN, parts_of, why_over
from orders.trials.trial_state_writes import end_trial, reshape, take_end
from tests import factories
from tests.admin.orders import page, step

TODAY = timezone.localdate()
DAY = datetime.timedelta(days=1)


def named(order, *letters):
    for letter in letters:
        name = f"{letter}.example.com"
        factories.OrderDomainFactory(order=order, name=name, key=domain_key(name))
    return order


@pytest.fixture
def trial(db):
    """A trial of the domains a and b for 3 days. A change added c and moved the end to 10 days."""
    now = timezone.now()
    about = {"planned_at": now, "service_type_id": "1", "attribution_id": "BJ"}
    trial = factories.OrderFactory(
        kind="trial",
        state="trialing",
        biz_end=TODAY + 3 * DAY,
        given=["domains", "service_type", "biz_end"],
        trial=None,
        trial_number="",
        **about,
    )
    change = factories.OrderFactory(
        kind="change",
        state="applied",
        biz_end=TODAY + 10 * DAY,
        given=["domains", "biz_end"],
        change_number=1,
        in_effect=True,
        trial=trial,
        trial_number=trial.number,
        **about,
    )
    step(trial, "create_trial_billing")
    named(trial, "a", "b")
    named(change, "a", "b", "c")
    reshape(trial, now=now, by="test")
    trial.billing_records.update(state="live", create_time=now - DAY, cancel_time=last_moment(TODAY + 10 * DAY))
    return trial


def change_of(trial) -> Order:
    return Order.objects.get(trial=trial, kind="change")


def test_each_part_names_what_it_comes_from(trial):
    parts = parts_of(trial)
    assert [source.kind for source in parts.domains.values()] == [MESSAGE, MESSAGE, CHANGE]
    assert (parts.service.kind, parts.end.kind, parts.end.change.number) == (MESSAGE, CHANGE, change_of(trial).number)
    assert parts.ending is None
    take_end(trial, TODAY + 7 * DAY, now=timezone.now(), by="staff:li")
    parts = parts_of(trial)
    assert (parts.end.kind, parts.end.by, parts.shape.end) == (TAKEN, "staff:li", TODAY + 7 * DAY)


def test_a_domain_that_was_taken_out_and_came_back_comes_from_what_brought_it_back(trial):
    last = {"kind": "change", "given": ["domains"], "in_effect": True, "trial": trial, "trial_number": trial.number}
    named(factories.OrderFactory(change_number=2, **last), "a")
    named(factories.OrderFactory(change_number=3, number="BACK", **last), "a", "b")
    sources = parts_of(trial).domains
    assert (sources["a.example.com"].kind, sources["b.example.com"].change.number) == (MESSAGE, "BACK")


def test_the_page_shows_it(admin_client, trial):
    shape = admin_client.get(page(trial)).context["shape"]
    change = change_of(trial)
    assert shape.last_day.what == (TODAY + 10 * DAY).isoformat()
    assert (shape.last_day.change, change.number in shape.last_day.source) == (change, True)
    assert [line.what for line in shape.domains] == ["a.example.com", "b.example.com", "c.example.com"]
    rows = admin_client.get(page(trial, "?tab=domains")).context["rows"]
    assert [(row.name, row.record.state) for row in rows][2] == ("c.example.com", "live")
    assert change.number in rows[2].source


def test_lists_files_and_the_customer_say_the_end_and_the_service_that_count(admin_client, trial, tmp_path):
    end, own = (TODAY + 10 * DAY).isoformat(), (TODAY + 3 * DAY).isoformat()
    Order.objects.filter(pk=change_of(trial).pk).update(given=["domains", "biz_end", "service_type"], service_type="4")
    reshape(trial, now=timezone.now(), by="test")
    for tab in ("overview", "raw"):  # the head of the page is above each tab
        assert end in admin_client.get(page(trial, f"?tab={tab}")).content.decode()
    customer = admin_client.get(f"/admin/orders/customer/{trial.enterprise_id}/change/?tab=orders").content.decode()
    assert f"试用至 {end}" in customer
    out = tmp_path / "o.csv"
    query = "columns=number,service_name,trial_end,biz_end&o=-trial_end"
    call_command("export", "orders", str(out), "--query", query)
    with out.open(encoding="utf-8-sig") as file:
        rows = {row["订单号"]: row for row in csv.DictReader(file)}
    assert len(rows) == Order.objects.count()
    told = rows[trial.number]
    assert (told["试用到期日"], told["报文中的结束日"]) == (end, own)
    assert told["业务类型"] == service_name(ServiceType.objects.get(pk="4"))
    assert rows[change_of(trial).number]["试用到期日"] == ""
    shown = admin_client.get(f"/admin/orders/order/?{query}")
    # the sorted page lists no orders without a value
    assert [row.number for row in shown.context["cl"].result_list] == [trial.number]


def test_the_list_asks_no_more_for_trials_with_many_domains(admin_client, trial):
    """The query of the list reads the end of the trial together with the rows, and does not read the domains of the
    trial's target state.
    """
    with CaptureQueriesContext(connection) as found:
        admin_client.get("/admin/orders/order/?columns=number,trial_end")
    assert not any('"orders_trialshape"."domains"' in one["sql"] for one in found.captured_queries)


@pytest.mark.parametrize("why", ["undone_late", "not_restored"])
def test_an_ending_is_the_reason_of_an_end_while_it_stands(admin_client, trial, why):
    end_trial(trial, why=why, now=timezone.now(), by="staff:li")
    shape = reshape(trial, now=timezone.now(), by="staff:li")
    assert why_over(trial, shape, TODAY) == why
    trial.refresh_from_db()
    assert trial.state == "ended"
    assert admin_client.get(page(trial)).context["shape"].ended is not None
    TrialEnd.objects.all().delete()
    assert reshape(trial, now=timezone.now(), by="staff:li").closed is False


def test_a_record_that_is_not_as_the_orders_say_is_told_in_words(admin_client, trial):
    trial.billing_records.filter(domain_key="a.example.com").update(cancel_time=last_moment(TODAY + 3 * DAY))
    note_not_meant(trial, now=timezone.now(), by="test")
    assert Difference.objects.get().kind == "not_meant"
    with override("en"):
        answer = admin_client.get(page(trial))
        [line] = answer.context["differing"]
        here = answer.context["here"]
        assert line.ours == f"the orders say: live, last day {TODAY + 10 * DAY}"
        assert line.theirs == f"both books: live, last day {TODAY + 3 * DAY}"
    assert (here.tone, here.action) == ("amber", "fix")
    assert answer.context["right"].key == "fix"

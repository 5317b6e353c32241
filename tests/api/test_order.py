"""The address of one order: its result, with people's data masked, within the token's attributions."""

import datetime
import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orders.incidents.incidents import open_incident
from orders.models import Erasure, OrderEvent
from orders.pauses.pause_and_resume import remind_of_pauses
from orders.queries.order_status import order_status
from orders.restore.detect_restore import is_restored
from tests import factories as make
from tests.admin.orders import failed, failed_trial, held_for_files, planned, step
from tests.admin.test_query_counts import busy, queries
from tests.admin.test_restored_page import restored  # noqa: F401  a fixture

pytestmark = pytest.mark.django_db
MOST_QUERIES = 25


def address(order):
    return f"/api/orders/{order.number}/"


def test_it_tells_where_the_order_stands_why_and_what_to_do(system):
    told = system().get(address(failed())).json()
    assert (told["state"], told["state_label"], told["first"]) == ("failed", "失败", True)
    step = told["steps"][0]
    assert (step["name"], step["status"], step["error"]) == ("start_bpm", "failed", "timeout: no answer")
    assert step["cause"] == told["stands"]["cause"] == "对接方应答超时。"
    assert told["stands"]["next"]
    assert told["stands"]["at"]


def test_its_facts_are_those_of_show(system):
    order = failed()
    make.AffectedOrderFactory(order=order, detail="code 400")
    make.ApprovalRecordFactory(order=order)
    told, shown = system(personal=True).get(address(order), personal=1).json(), order_status(order)
    for name in ("order", "kind", "state", "first", "attribution", "start", "bpm_process", "schedule", "erased_at"):
        assert told[name] == shown[name], name
    for name in ("steps", "incidents", "approvals"):
        assert [{key: row[key] for key in shown[name][0]} for row in told[name]] == shown[name]


def test_it_says_since_when_it_is_without_personal_data(system):
    order = planned("withdrawn")
    assert system().get(address(order)).json()["erased_at"] is None
    at = datetime.datetime(2026, 12, 1, 8, 30, tzinfo=datetime.UTC)
    Erasure.objects.create(order=order, at=at, by="ops", reason="x")
    assert system().get(address(order)).json()["erased_at"] == "2026-12-01T16:30:00+08:00"


def test_a_held_order_says_why(system):
    told = system().get(address(held_for_files())).json()
    assert (told["held_because"], told["held_label"]) == ("files", "信安文件不符合要求")
    assert told["stands"]["cause"]


@pytest.mark.parametrize("letters", ["BJ", "SH"])
def test_it_names_the_order_that_it_waits_for_within_the_scope(system, letters):
    trial = failed_trial()
    trial.attribution_id = letters
    trial.save()
    order = planned("in_progress", trial=trial, trial_number=trial.number)
    step(order, "cancel_trial_billing", "waiting", lane=trial.pk)
    told = system(letters=["BJ"]).get(address(order)).json()["stands"]
    assert told["behind"] == (trial.number if letters == "BJ" else None)
    assert told["cause"]


def test_records_are_counted_by_state(system):
    order = make.OrderFactory()
    for state in ("live", "live", "cancelled"):
        make.BillingRecordFactory(order=order, state=state)
    assert system().get(address(order)).json()["records"] == {"live": 2, "cancelled": 1}


def busy_with_people():
    order = failed()
    words = "请联系 13912345678 或 wang@example.com"
    make.ApprovalRecordFactory(order=order, operator="王小明", opinion=words, node_name=words)
    make.AffectedOrderFactory(order=order, detail=words)
    order.dispatches.update(error=words)
    return order


@pytest.mark.parametrize("personal", [False, True])
def test_people_s_data_are_masked_unless_the_token_may_see_them(system, personal):
    order = busy_with_people()
    order.oper_mail = "zhangsan@example.com"
    order.save()
    text = system(personal=personal).get(address(order), personal=1).content.decode()
    told = json.loads(text)
    for word in ("13912345678", "wang@example.com", "王小明", "张三", "13700000000", "zhangsan@example.com"):
        assert (word in text) == personal, word
    assert told["operator"]["phone"] == ("13700000000" if personal else "137***00")


@pytest.mark.parametrize("source, named", [("staff", "王小明"), ("bpm", "staff:wang")])
def test_an_approval_names_its_operator_as_the_pages_do(system, source, named):
    order = failed()
    make.UserFactory(username="wang", display_name="王小明")
    make.ApprovalRecordFactory(order=order, source=source, operator="staff:wang")
    told = system(personal=True).get(address(order), personal=1).json()["approvals"]
    assert [row["operator"] for row in told] == [named]


def test_of_many_long_approvals_the_newest_are_told_and_cut(system):
    order = failed()
    for number in range(52):
        opinion = "意" * 1999 + " 13912345678" * 2000
        make.ApprovalRecordFactory(order=order, record_id=f"r{number}", source="bpm", operator="x", opinion=opinion)
    told = system().get(address(order)).json()["approvals"]
    assert [row["recordId"] for row in told] == [f"r{number}" for number in range(2, 52)]
    assert {row["opinion"] for row in told} == {"意" * 1999 + " "}


def test_what_staff_wrote_for_staff_is_not_told(system):
    now = timezone.now()
    order, undone = failed(), make.OrderFactory(state="active")
    make.UserFactory(username="wang", display_name="王小明")
    since = now - datetime.timedelta(hours=5)
    paused = {"partner": "bpm", "paused_by": "staff:wang", "reason": "找韩梅梅", "since": since}
    make.PauseFactory(**paused, resumed_at=None, resumed_by="")
    order.dispatches.filter(channel="bpm").update(state="due", next_try_at=now)
    assert remind_of_pauses(now=now) == ["bpm"]
    incident = open_incident(undone, partner="order", step="", code="compensated", detail="客户欠费", now=now)
    assert incident.affected.exists()
    for one, code in ((order, "partner_paused"), (undone, "compensated")):
        answer = system(personal=True).get(address(one), personal=1)
        told = next(row for row in answer.json()["incidents"] if row["code"] == code)
        assert (told["detail"], bool(told["cause"])) == (None, True)
        for word in ("王小明", "韩梅梅", "欠费"):
            assert word not in answer.content.decode()


def test_that_a_system_read_people_s_data_is_noted_once_a_day(system):
    order = failed()
    for caller in (system(), system(personal=True, system="BBOSS")):
        caller.get(address(order), personal=1)
        caller.get(address(order), personal=1)
    seen = OrderEvent.objects.filter(order=order, kind="personal_data_seen")
    assert list(seen.values_list("actor", flat=True)) == ["api:BBOSS"]


def test_a_head_is_noted_as_a_get_is_and_tells_nothing(system):
    order, caller = failed(), system(personal=True, system="BBOSS")
    told = caller.client.head(address(order) + "?personal=1", headers=caller.headers)
    seen = OrderEvent.objects.filter(order=order, kind="personal_data_seen")
    assert list(seen.values_list("actor", flat=True)) == ["api:BBOSS"]
    assert (told.content, told["Cache-Control"]) == (b"", "private, no-store")
    assert told["ETag"] == caller.get(address(order))["ETag"]


def test_people_s_data_are_asked_for_are_in_no_etag_and_nobody_stores_them(system):
    order, caller = failed(), system(personal=True)
    assert caller.get(address(order)).json()["operator"]["phone"] == "137***00"
    assert not OrderEvent.objects.filter(kind="personal_data_seen").exists()
    assert caller.get(address(order), personal=2).json()["field"] == "personal"
    masked, shown = caller.get(address(order)), caller.get(address(order), personal=1)
    assert order.oper_tel in shown.content.decode()
    assert order.oper_tel not in masked.content.decode()
    assert (shown["ETag"], shown["Cache-Control"]) == (masked["ETag"], "private, no-store")
    assert masked["Cache-Control"] == "private, no-cache"
    order.oper_tel = order.oper_tel[:4] + "9999" + order.oper_tel[8:]  # the mask shows the same characters as before
    order.save()
    again = caller.get(address(order), personal=1, headers={"If-None-Match": shown["ETag"]})
    assert (again.status_code, again["ETag"]) == (200, shown["ETag"])
    assert order.oper_tel in again.content.decode()


def test_the_masked_answer_behind_the_etag_asks_nothing_again(system):
    order, caller = failed(), system(personal=True)
    caller.get(address(order), personal=1)
    with CaptureQueriesContext(connection) as captured:
        caller.get(address(order), personal=1)
    counts = [row["sql"] for row in captured if "COUNT" in row["sql"] and "orders_billingrecord" in row["sql"]]
    assert len(counts) == len(set(counts)) == 1


def test_an_order_outside_its_scope_is_as_unknown_as_any(system):
    own, other = (make.OrderFactory(attribution_id=letters) for letters in ("BJ", "SH"))
    nobody_s = make.OrderFactory(attribution_id=None)
    caller = system(letters=["BJ"])
    assert caller.get(address(own)).status_code == 200
    unknown = caller.get("/api/orders/none/")
    assert (unknown.status_code, list(unknown.json())) == (404, ["error"])
    for order in (other, nobody_s):
        answer = caller.get(address(order))
        assert (answer.status_code, answer.content) == (404, unknown.content)


@pytest.mark.parametrize("number", ["%00", "a%00b", "%ff%fe", "x" * 3000, "..", "'%22%25", "%F0%9F%98%80", "订单"])
def test_rubbish_for_a_number_is_unknown(system, number):
    assert system().get(f"/api/orders/{number}/").status_code == 404


@pytest.mark.parametrize("query, field", [({"state": "failed"}, "state"), ({"personal": ["1", "1"]}, "personal")])
def test_what_is_wrong_is_named(system, query, field):
    answer = system().get(address(failed()), **query)
    assert (answer.status_code, answer.json()["field"]) == (400, field)


def test_who_has_it_already_is_told_so(system):
    order = failed()
    told = system().told_anew(address(order), lambda: order.dispatches.update(state="done"))
    assert told.status_code == 200


def test_a_long_history_asks_no_more(system):
    order, caller = failed(), system(letters=["BJ"], personal=True)
    for _ in range(2):
        busy(order)
        make.ApprovalRecordFactory(order=order, source="staff", operator="staff:wang")
    queries(caller, address(order), personal=1)
    few = queries(caller, address(order), personal=1)
    for _ in range(20):
        busy(order)
        make.ApprovalRecordFactory(order=order, source="staff", operator="staff:wang")
    assert queries(caller, address(order), personal=1) == few <= MOST_QUERIES


@pytest.mark.usefixtures("restored")
def test_a_restored_desk_can_be_read(system):
    order = failed()
    assert is_restored()
    assert system().get(address(order)).status_code == 200

"""BPM's callbacks as the profile of partners defines them: addresses, allowed callers, names, values, times, and the
process instead of the order (contract 3.6, 7.1).
"""

import datetime
import json
from unittest.mock import Mock

import pytest
from django.test import Client
from django.utils import timezone

from approvals.models import ApprovalRecord
from integrations.bpm.callback_signature import sign
from integrations.bpm.kept_callbacks import apply_kept, apply_new_processes
from integrations.models import BpmCallback
from integrations.partners.profile import ProfileError, read_profile
from orders.models import Attempt, Dispatch
from orders.search.index import index_orders
from tests.bpm_messages import URL, approval
from tests.conftest import shanghai

SECRET = "test-callback-secret"
NUMBER = "100A230920170127001"
RECORD = approval(NUMBER)
TIME = "2023-09-20 19:19:10"
pytestmark = pytest.mark.django_db


def speak(settings, text):
    settings.PARTNERS = read_profile(f"[bpm.callback]\n{text}")


def call(body=RECORD, *, url=URL, address="127.0.0.1", **headers):
    raw = json.dumps(body, ensure_ascii=False).encode()
    headers = headers or {"X-Signature": sign(raw, SECRET)}
    return Client(REMOTE_ADDR=address).post(url, raw, content_type="application/json", headers=headers)


def kept() -> ApprovalRecord:
    return ApprovalRecord.objects.get()


def without(*names, **members):
    return {name: value for name, value in (RECORD | members).items() if name not in names}


def test_more_addresses_and_another_answer(order, settings):
    speak(settings, 'paths = ["/ibs/bpm/callback"]\nanswer = { success = true, message = "ok" }')
    answer = call(url="/ibs/bpm/callback")
    assert (answer.status_code, answer.json()) == (200, {"code": 200, "message": "ok", "success": True})
    assert kept().order == order
    assert call(RECORD | {"code": "A-1"}, url="/ibs/bpm/callback").json()["code"] == 404


# --- Who may call


def test_a_signature_in_another_header(order, settings):
    speak(settings, 'header = "X-Sign"')
    raw = json.dumps(RECORD, ensure_ascii=False).encode()
    assert call(**{"X-Signature": sign(raw, SECRET)}).status_code == 401
    assert call(**{"X-Sign": sign(raw, SECRET)}).status_code == 200


@pytest.mark.parametrize("given, status", [(SECRET, 200), (SECRET.upper(), 401), ("", 401), (f"Bearer {SECRET}", 401)])
def test_a_token_in_a_header(order, settings, given, status):
    speak(settings, 'check = "token"\nheader = "X-Token"')
    assert call(**{"X-Token": given}).status_code == status


def test_an_old_token_counts_during_a_change_and_an_empty_one_never(order, settings):
    speak(settings, 'check = "token"\nheader = "X-Token"')
    settings.BPM_CALLBACK_SECRET, settings.BPM_CALLBACK_SECRETS_OLD = "", ["older"]
    assert call(**{"X-Token": ""}).status_code == 401
    assert call(**{"X-Token": "older"}).status_code == 200


@pytest.mark.parametrize("address, status", [("10.1.2.3", 200), ("10.2.0.1", 401), ("", 401)])
def test_addresses_alone(order, settings, address, status):
    speak(settings, 'check = "addresses"')
    settings.BPM_ALLOWED_IPS = ["10.1.0.0/16"]
    assert call(address=address, **{"X-Nothing": "1"}).status_code == status


def test_addresses_alone_without_a_list_let_nobody_in(order, settings):
    speak(settings, 'check = "addresses"')
    assert call(**{"X-Nothing": "1"}).status_code == 401


def test_the_list_of_addresses_counts_beside_a_signature(order, settings):
    settings.BPM_ALLOWED_IPS = ["10.1.2.3"]
    assert call(address="10.1.2.4").status_code == 401
    assert call(address="10.1.2.3").status_code == 200


# --- Names and values


@pytest.mark.parametrize(
    "wrapped",
    [
        {"processInstance": {"bizKey": NUMBER}},
        {"processInstance": json.dumps({"bizKey": NUMBER})},
    ],
)
def test_names_by_paths(order, settings, wrapped):
    speak(settings, 'rename = { "processInstance.bizKey" = "code", "status" = "result" }')
    assert call(without("code", "result", status="pass") | wrapped).status_code == 200
    assert (kept().order, kept().result) == (order, "pass")


def test_a_wrapping_that_is_called_like_a_member_of_ours(order, settings):
    speak(settings, 'rename = { "result.bizKey" = "code", "result.status" = "result" }')
    assert call(without("code", result={"bizKey": NUMBER, "status": "reject"})).status_code == 200
    assert kept().result == "reject"


def test_both_names_at_once_are_refused(order, settings):
    speak(settings, 'rename = { "bizKey" = "code" }')
    answer = call(RECORD | {"bizKey": NUMBER})
    assert (answer.status_code, answer.json()["message"][:5]) == (400, "code:")


@pytest.mark.parametrize(
    "value, result",
    [("通过", "pass"), (1, "pass"), ("1", "pass"), ("驳回", "reject"), (False, "reject"), ("退回", "return")],
)
def test_other_values_of_result(order, settings, value, result):
    speak(settings, 'pass = ["通过", 1]\nreject = ["驳回", false]\nreturn = ["退回"]')
    assert call(RECORD | {"result": value}).status_code == 200
    assert kept().result == result


@pytest.mark.parametrize("value", ["pass", True, 0, "01", None, ["通过"], "*"])
def test_no_other_value_is_a_result(order, settings, value):
    speak(settings, 'pass = ["通过", 1]\nreject = ["驳回", false]')
    assert call(RECORD | {"result": value}).status_code == 400
    assert not ApprovalRecord.objects.exists()


@pytest.mark.parametrize("value, finished", [("true", True), ("Y", True), (1, True), ("false", False), (0, False)])
def test_other_values_of_finished(order, settings, value, finished):
    speak(settings, 'finished = ["true", "Y", 1]\nunfinished = ["false", 0]')
    assert call(RECORD | {"finished": value}).status_code == 200
    assert kept().finished is finished


@pytest.mark.parametrize("value", [True, False, "TRUE", None, 2])
def test_any_other_value_of_finished_is_400(order, settings, value):
    speak(settings, 'finished = ["true", "Y", 1]\nunfinished = ["false", 0]')
    assert call(RECORD | {"finished": value}).status_code == 400


@pytest.mark.parametrize("text, finished", [("finished_absent = true", True), ("finished_absent = false", False)])
def test_without_finished(order, settings, text, finished):
    speak(settings, text)
    assert call(without("finished")).status_code == 200
    assert kept().finished is finished


def test_without_finished_a_profile_of_callbacks_means_unfinished_and_none_means_400(order, settings):
    assert call(without("finished")).status_code == 400
    speak(settings, 'header = "X-Signature"\npass = ["pass", "通过"]')
    assert call(without("finished")).status_code == 200
    assert kept().finished is False


def test_a_hash_in_place_of_a_record_id(order, settings):
    assert call(without("recordId")).status_code == 400
    speak(settings, 'record_id_absent = "hash"')
    answers = [call(without("recordId", nonce=nonce)).status_code for nonce in "ab"]
    assert (answers, len(kept().record_id)) == ([200, 200], 64)
    assert call(without("recordId", opinion="再看")).status_code == 200
    assert call(RECORD | {"recordId": None, "opinion": "再看"}).status_code == 200
    assert call(RECORD | {"recordId": "bpm-7"}).status_code == 200
    assert ApprovalRecord.objects.count() == 3


@pytest.mark.parametrize(
    "form, given",
    [
        ("%Y-%m-%dT%H:%M:%S%z", "2023-09-20T11:19:10Z"),
        ("%Y-%m-%dT%H:%M:%S%z", "2023-09-20T19:19:10+08:00"),
        ("%Y-%m-%dT%H:%M:%S.%f%z", "2023-09-20T19:19:10.000+0800"),
        ("%Y/%m/%d %H:%M:%S", "2023/09/20 19:19:10"),
        ("epoch", 1695208750),
        ("epoch", "1695208750"),
        ("epoch_ms", 1695208750000),
        ("%Y-%m-%d %H:%M:%S", TIME),
    ],
)
def test_times_in_other_forms(order, settings, form, given):
    speak(settings, f'time_formats = ["%d.%m.%Y", "{form}"]')
    assert call(RECORD | {"time": given}).status_code == 200
    assert kept().time == shanghai(TIME)


@pytest.mark.parametrize("given", [TIME, 1695208750.5, True, None, "-1", "1e9", "9" * 30, [1695208750]])
def test_a_time_in_none_of_the_forms_is_400(order, settings, given):
    speak(settings, 'time_formats = ["epoch"]')
    answer = call(RECORD | {"time": given})
    assert (answer.status_code, answer.json()["message"][:5]) == (400, "time:")


@pytest.mark.parametrize(
    "text, wrong",
    [
        ("pas = []", "bpm.callback.pas: no such key; pass?"),
        ('check = "none"', "bpm.callback.check: 'none' is not one of hmac, token, addresses"),
        ('header = ""', "bpm.callback.header: name the header that holds the signature or the token"),
        ('reject = ["pass"]', "bpm.callback.reject: 'pass' is in bpm.callback.pass too"),
        ('unfinished = ["1"]\nfinished = [1]', "bpm.callback.unfinished: 1 is in bpm.callback.finished too"),
        (
            'time_formats = ["ISO"]',
            "bpm.callback.time_formats: 'ISO' is no format of a time, such as %Y-%m-%d %H:%M:%S",
        ),
        ('paths = ["x"]', "bpm.callback.paths: 'x' must begin with /"),
        ('rename = { "a" = "code", "b" = "code" }', "bpm.callback.rename: 'code' is there twice"),
        ("finished_absent = 1", "bpm.callback.finished_absent: must be true or false"),
    ],
)
def test_a_wrong_profile_is_named(text, wrong):
    with pytest.raises(ProfileError) as error:
        read_profile(f"[bpm.callback]\n{text}")
    assert str(error.value) == wrong


# --- The process instead of the order's number


def began(order, *, ago=datetime.timedelta()):
    """Makes the first attempt of the step that starts the order's process."""
    fields = {"order": order, "step": "start_bpm", "channel": "bpm", "position": 1, "attempts": 1, "payload": "{}"}
    dispatch = Dispatch.objects.create(**fields, created_at=timezone.now(), frozen_at=timezone.now())
    Attempt.objects.create(dispatch=dispatch, number=1, started_at=timezone.now() - ago)
    return dispatch


def learn(order, process="P-1"):
    order.bpm_process = process
    order.save(update_fields=["bpm_process"])


@pytest.mark.parametrize("members", [{"process": "77"}, {"processId": 77}, {"code": "77"}, {"code": 77}])
def test_the_process_names_the_order(order, settings, members):
    speak(settings, 'identifies = "process"')
    began(order)
    learn(order, "77")
    assert call(without("code") | members).status_code == 200
    assert kept().order == order


def test_an_old_process_is_found_by_the_search_index(order, settings):
    speak(settings, 'identifies = "process"')
    learn(order)
    index_orders(now=timezone.now(), seconds=60)
    assert call(without("code", process="P-1")).status_code == 200
    assert kept().order == order


def test_a_callback_before_the_number_is_known_waits_and_is_applied_once(order, settings):
    speak(settings, 'identifies = "process"')
    began(order)
    said = without("code", process="P-1")
    assert [call(said).json() for _ in range(2)] == [{"code": 200, "message": "成功"}] * 2
    assert call(said | {"opinion": "再看"}).status_code == 409
    waiting = BpmCallback.objects.get(http_status=200)
    assert (waiting.process, waiting.order_number, ApprovalRecord.objects.count()) == ("P-1", "", 0)
    assert apply_kept(now=timezone.now()) == 0
    learn(order)
    assert apply_kept(now=timezone.now(), processes=["P-2"]) == 0
    assert apply_kept(now=timezone.now(), processes=["P-1"]) == 1
    assert apply_kept(now=timezone.now()) == 0
    waiting.refresh_from_db()
    assert (waiting.order_number, waiting.record, waiting.applied_at is not None) == (NUMBER, None, True)
    assert (kept().order, kept().time, kept().opinion) == (order, shanghai(TIME), "同意")
    assert call(said).status_code == 200
    assert ApprovalRecord.objects.count() == 1


def test_a_waiting_callback_that_contradicts_a_later_one_is_refused_when_applied(order, settings):
    speak(settings, 'identifies = "process"')
    began(order)
    assert call(without("code", process="P-1")).status_code == 200
    learn(order)
    assert call(without("code", process="P-1", opinion="再看")).status_code == 200
    assert apply_kept(now=timezone.now()) == 1
    waiting = BpmCallback.objects.get()
    assert (waiting.http_status, waiting.record, waiting.order_number) == (409, None, NUMBER)
    assert (RECORD["recordId"] in waiting.why, kept().opinion) == (True, "再看")


def test_where_applying_fails_the_callback_waits_for_the_next_sweep(order, settings, monkeypatch, caplog):
    speak(settings, 'identifies = "process"')
    began(order)
    call(without("code", process="P-1"))
    learn(order)
    with monkeypatch.context() as broken:
        broken.setattr("integrations.bpm.kept_callbacks.receive_approval", Mock(side_effect=ValueError))
        apply_new_processes(["P-1"])
    assert "kept callbacks can't be applied now" in caplog.text
    assert not ApprovalRecord.objects.exists()
    assert apply_kept(now=timezone.now()) == 1
    assert kept().order == order


def test_while_restored_nothing_is_kept_to_wait_and_nothing_applied(order, settings, monkeypatch):
    speak(settings, 'identifies = "process"')
    monkeypatch.setattr("integrations.bpm.callback.is_restored", lambda: True)
    assert call(without("code", process="P-1")).status_code == 503
    assert not BpmCallback.objects.exists()


@pytest.mark.parametrize("process", ["", None, True, "x" * 129, 1.5])
def test_what_is_no_process_is_400(order, settings, process):
    speak(settings, 'identifies = "process"')
    assert call(without("code") | {"process": process}).status_code == 400

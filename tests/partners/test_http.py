"""Calls to partners: the meaning of each answer, and the total time-out, which no call exceeds (contract 3.5)."""

import dataclasses
import datetime
import email.utils
import json
import os
import socket
import struct
import threading
import time
from types import SimpleNamespace

import pytest
import requests
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError
from werkzeug import Response

from integrations.bigdata import client as bigdata
from integrations.bpm import bpm_steps as bpm
from integrations.delivery.channels import longest
from integrations.outbound import http_client
from integrations.outbound.failure_classification import PartnerError, check_success
from integrations.outbound.http_client import post, request_json, waiting_time
from integrations.partners.calls import call_of
from integrations.partners.profile import read_profile

TIMEOUT = 0.5
SLACK = 3  # seconds that a busy machine may add, because the partners of these tests keep a call waiting for five
SUCCESS = {"code": 200, "message": "成功"}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def send(url: str, body: bytes = b"{}", timeout: float = TIMEOUT):
    answer = post(
        dataclasses.replace(call_of("bigdata.post"), url=url),
        body,
        key="key-1",
        request_id="request-1",
        timeout=timeout,
    )
    check_success(answer)
    return answer


def refusal(url: str, **kwargs) -> PartnerError:
    with pytest.raises(PartnerError) as caught:
        send(url, **kwargs)
    return caught.value


def slow_refusal(url: str) -> PartnerError:
    """Returns the error of a call, and checks that the call does not last much longer than its time-out."""
    began = time.monotonic()
    error = refusal(url)
    assert time.monotonic() - began < TIMEOUT + SLACK
    return error


def answering(httpserver, body, status=200, headers=None) -> str:
    text = body if isinstance(body, str | bytes) else json.dumps(body, ensure_ascii=False)
    httpserver.expect_request("/x", method="POST").respond_with_data(text, status=status, headers=headers)
    return httpserver.url_for("/x")


def test_a_call_carries_its_key_its_number_and_its_bytes(httpserver):
    seen = []
    httpserver.expect_request("/x").respond_with_handler(
        lambda request: seen.append((dict(request.headers), request.data)) or Response(json.dumps(SUCCESS))
    )
    answer = send(httpserver.url_for("/x"), '{"a":"中"}'.encode())
    headers, body = seen[0]
    assert answer.data == SUCCESS
    assert body == '{"a":"中"}'.encode()
    assert headers["Idempotency-Key"] == "key-1"
    assert headers["X-Request-Id"] == "request-1"
    assert headers["Content-Type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize("status", [200, 201, 299])
@pytest.mark.parametrize("code", [200, "200"])
def test_success_is_2xx_with_code_200(httpserver, status, code):
    assert send(answering(httpserver, {"code": code}, status)).http_status == status


@pytest.mark.parametrize(
    "status, body, code, unknown, transport",
    [
        (401, SUCCESS, "http_401", False, True),
        (403, {"code": 403}, "http_403", False, True),
        (408, {"code": 408}, "http_408", True, True),
        (429, {"code": 429}, "http_429", False, True),
        (500, {"code": 400}, "http_500", True, True),
        (503, SUCCESS, "http_503", True, True),
        (503, {"code": 409}, "http_503", True, True),
        (302, SUCCESS, "http_302", True, True),
        (200, "<html>", "not_json", True, True),
        (200, "", "not_json", True, True),
        (200, b"\xff\xfe", "not_json", True, True),
        (200, "[200]", "not_json", True, True),
        (200, '{"code": NaN}', "not_json", True, True),
        (200, "[" * 100_000, "not_json", True, True),
        (404, "<html>", "not_json", True, True),
        (200, {"message": "ok"}, "no_code", True, True),
        (200, {"code": None}, "no_code", True, True),
        (200, {"code": True}, "no_code", True, True),
        (404, {"detail": "no such page"}, "no_code", True, True),
        (200, {"code": 500}, "code_500", True, False),
        (200, {"code": "599"}, "code_599", True, False),
        (400, {"code": 10001}, "code_10001", True, False),
    ],
)
def test_answers_that_are_tried_again(httpserver, status, body, code, unknown, transport):
    headers = {"Location": "/elsewhere"} if status == 302 else None
    error = refusal(answering(httpserver, body, status, headers))
    assert (error.permanent, error.acted_before) == (False, False)
    assert (error.code, error.http_status) == (code, status)
    assert (error.unknown, error.transport) == (unknown, transport)
    assert len(httpserver.log) == 1


@pytest.mark.parametrize(
    "status, body, code",
    [
        (200, {"code": 400, "message": "参数错误"}, "code_400"),
        (200, {"code": "E17"}, "code_E17"),
        (200, {"code": 0}, "code_0"),
        (200, {"code": -1}, "code_-1"),
        (400, {"code": 400}, "code_400"),
        (404, {"code": 200}, "http_404"),
        (409, {"code": 409}, "code_409"),
        (409, SUCCESS, "http_409"),
        (409, {"code": 500}, "http_409"),
        (409, {"message": "conflict"}, "http_409"),
        (409, "<html>", "http_409"),
        (200, {"code": 409}, "code_409"),
        (200, {"code": "409"}, "code_409"),
        (400, {"code": 409}, "code_409"),
    ],
)
def test_answers_that_are_permanent(httpserver, status, body, code):
    """An answer 409 means that the partner has processed the key before. The error contains the partner's words."""
    error = refusal(answering(httpserver, body, status))
    assert (error.permanent, error.unknown, error.transport) == (True, False, False)
    assert (error.acted_before, error.code, error.http_status) == (code.endswith("_409"), code, status)
    if body != "<html>":
        assert json.loads(error.answer) == body
        assert body.get("message", "") in str(error)


@pytest.mark.parametrize("address", ["http://[", "http://", "no address"])
def test_what_is_no_address_is_a_refusal_and_no_fault_of_ours(address):
    with pytest.raises(PartnerError) as refused:
        request_json(address, timeout=TIMEOUT)
    assert refused.value.code == "refused"


def test_what_a_database_refuses_never_gets_into_an_error(httpserver):
    error = refusal(answering(httpserver, '{"code": 400, "message": "a\\u0000b\\ud800c"}\0'.replace("\0", " ")))
    assert "\0" not in error.message + error.answer
    assert (error.message + error.answer).encode("utf-8")
    raw = refusal(answering(httpserver, b'{"a": "\x00"}'))
    assert "\0" not in raw.answer


@pytest.mark.parametrize("letter", ["x", "网", "𝄞"])
def test_a_long_answer_is_kept_cut(httpserver, letter):
    assert refusal(answering(httpserver, letter * 10_000)).answer == letter * 4000
    httpserver.clear()
    kept = send(answering(httpserver, SUCCESS | {"result": letter * 100_000}), timeout=5).text
    assert len(kept) == 4000


def test_a_huge_answer_is_not_read_to_its_end(httpserver):
    error = refusal(
        answering(httpserver, b'{"code": 200, "a": "' + b"x" * http_client.ANSWER_BYTES + b'"}'), timeout=10
    )
    assert (error.code, error.permanent, error.unknown) == ("answer_too_large", False, True)


@pytest.mark.parametrize("status, body", [(429, "{}"), (503, ""), (200, {"code": 503}), (200, "x")])
def test_retry_after_in_seconds(httpserver, status, body):
    assert refusal(answering(httpserver, body, status, {"Retry-After": "17"})).retry_after == 17


def test_retry_after_as_a_date(httpserver):
    then = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=90)
    headers = {"Retry-After": email.utils.format_datetime(then, usegmt=True)}
    assert 85 < refusal(answering(httpserver, {}, 503, headers)).retry_after <= 90


@pytest.mark.parametrize(
    "header, seconds",
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("0", 0),
        ("99999999999999999999", 21600),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Fri, 31 Dec 2100 23:59:59 GMT", 21600),
        ("Fri, 99 Dec 2100 23:59:59 GMT", None),
    ],
)
def test_retry_after_is_bounded_and_nonsense_is_ignored(header, seconds):
    assert waiting_time(header) == seconds


@pytest.mark.parametrize(
    "header, charset",
    [
        *[(None, ""), ("text/json; charset=GBK", "gbk"), ('x; charset="utf-8"', "utf-8")],
        *[(f"x; charset={name}", "") for name in ("hex", "zlib", "idna", "undefined", "nonsense")],
    ],
)
def test_an_answer_names_its_charset_or_none(header, charset):
    assert http_client.named_charset(header) == charset


def test_an_odd_charset_is_no_fault_of_ours(httpserver):
    assert send(answering(httpserver, SUCCESS, headers={"Content-Type": "text/json; charset=hex"})).data == SUCCESS


def test_an_error_does_not_hold_the_secret_in_an_address(monkeypatch):
    def give_up(self, request, **how):
        reason = ConnectTimeoutError(None, "no connection in time")
        raise requests.ConnectTimeout(MaxRetryError(None, request.path_url, reason), request=request)

    monkeypatch.setattr("requests.adapters.HTTPAdapter.send", give_up)
    error = refusal("http://127.0.0.1:9/x?key=s3cret")
    assert (error.code, "s3cret" in str(error)) == ("timeout", False)


def test_a_refused_connection_is_known_not_to_have_happened():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = refusal(f"http://127.0.0.1:{port}/x")
    assert (error.code, error.permanent, error.unknown, error.transport) == ("refused", False, False, True)
    assert error.http_status is None
    assert str(error) == f"no connection (127.0.0.1:{port}: [Errno 111] Connection refused)"


@pytest.mark.parametrize("url", ["", "127.0.0.1/x", "ftp://127.0.0.1/x", "http://[bad/x"])
def test_a_wrong_address_is_an_error_like_any_other(url):
    error = refusal(url)
    assert (error.permanent, error.unknown, error.transport) == (False, False, True)


def test_a_reset_after_the_request_is_unknown(raw_partner):
    def talk(connection):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    error = refusal(raw_partner(talk).url)
    assert (error.code, error.permanent, error.unknown, error.transport) == ("broken", False, True, True)


def test_an_answer_that_breaks_off_is_unknown(raw_partner):
    error = refusal(raw_partner(lambda connection: connection.sendall(HEAD + b'Content-Length: 99\r\n\r\n{"code"')).url)
    assert (error.code, error.unknown) == ("broken", True)


def test_no_answer_at_all_ends_in_time(raw_partner):
    error = slow_refusal(raw_partner(lambda connection: time.sleep(5)).url)
    assert (error.code, error.permanent, error.unknown, error.transport) == ("timeout", False, True, True)


def dripping(first: bytes, drip: bytes):
    def talk(connection):
        connection.sendall(first)
        for _ in range(100):
            connection.sendall(drip)
            time.sleep(0.05)

    return talk


@pytest.mark.parametrize(
    "first, drip",
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x"),
        (b"HTTP/1.1 200 OK\r\n", b"X-More: x\r\n"),
        (HEAD + b"Content-Length: 1000\r\n\r\n", b" "),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (HEAD + b"Connection: close\r\n\r\n" + b'{"code": 200}', b" "),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["status", "one header", "many headers", "body", "chunks", "endless body", "continue"],
)
def test_a_dripping_partner_can_not_hold_a_call(raw_partner, first, drip):
    error = slow_refusal(raw_partner(dripping(first, drip)).url)
    assert (error.code, error.unknown) == ("timeout", True)


def test_a_partner_that_does_not_read_can_not_hold_a_call(raw_partner):
    began = time.monotonic()
    error = refusal(raw_partner(lambda connection: time.sleep(5)).url, body=b"x" * 50_000_000)
    assert time.monotonic() - began < TIMEOUT + SLACK
    assert (error.code, error.unknown) == ("timeout", True)


def test_an_overdue_call_leaves_its_neighbours_alone(raw_partner, httpserver):
    slow, good = raw_partner(lambda connection: time.sleep(5)), answering(httpserver, SUCCESS)
    overdue = [threading.Thread(target=refusal, args=(slow.url,)) for _ in range(8)]
    for thread in overdue:
        thread.start()
    while any(thread.is_alive() for thread in overdue):
        assert send(good).http_status == 200
    assert send(good).http_status == 200


def test_a_connection_that_the_partner_closed_meanwhile_is_replaced(raw_partner):
    answer = HEAD + b'Content-Length: 13\r\n\r\n{"code": 200}'
    partner = raw_partner(lambda connection: connection.sendall(answer))
    for _ in range(3):
        assert send(partner.url).http_status == 200
        time.sleep(0.05)
    assert partner.heard == 3


def test_a_proxy_of_the_environment_is_not_used(httpserver, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert send(answering(httpserver, SUCCESS)).http_status == 200


def test_a_forked_child_has_its_own_connections_and_deadlines(raw_partner, httpserver):
    assert send(answering(httpserver, SUCCESS)).http_status == 200
    slow = raw_partner(lambda connection: time.sleep(5))
    child = os.fork()
    if child == 0:
        try:
            ok = send(httpserver.url_for("/x")).http_status == 200 and slow_refusal(slow.url).code == "timeout"
        except BaseException:
            ok = False
        os._exit(0 if ok else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# --- The clients

ROW = {"enterpriseId": "100A1", "productId": "1", "dataflow": 0.0, "jobId": "T1"}
HELD = {"jobId": "A1", "productId": "1", "domain": "a.example.com"}


@pytest.fixture
def partners(httpserver, settings):
    settings.BIGDATA_BASE_URL = httpserver.url_for("/bigdata/")
    settings.BPM_BASE_URL = httpserver.url_for("/bpm")
    settings.PARTNER_TIMEOUT_SECONDS = 2

    def answer(path, data):
        httpserver.expect_request(path, method="POST").respond_with_json(data)

    return answer


INNER = {"code": 200, "message": "成功", "result": [ROW]}


@pytest.mark.parametrize(
    "data, rows",
    [
        ({"result": json.dumps(INNER, ensure_ascii=False)}, [ROW]),
        ({"code": 200, "result": json.dumps(INNER)}, [ROW]),
        ({"result": INNER}, [ROW]),
        (INNER, [ROW]),
    ],
    ids=["encoded twice", "encoded twice with an outer code", "nested", "plain"],
)
def test_traffic_is_read_in_every_form(partners, data, rows):
    partners("/bigdata/trialFlow/query", data)
    assert bigdata.query_trial_flow(b"{}", key="k", request_id="r") == rows


@pytest.mark.parametrize(
    "data, permanent, code",
    [
        ({"code": 200, "result": '{"code":400}'}, True, "code_400"),
        ({"code": 200, "result": '{"code":503}'}, False, "code_503"),
        ({"result": "{"}, False, "no_code"),
        ({"code": 200, "result": "nothing"}, False, "bad_result"),
        ({"code": 200, "result": [1]}, False, "bad_result"),
        ({"code": 200, "result": None}, False, "bad_result"),
        ({"code": 200}, False, "bad_result"),
        ({"code": 200, "result": [ROW, {"jobId": "T1"}]}, False, "bad_result"),
    ],
)
def test_the_inner_code_of_traffic_counts(partners, data, permanent, code):
    partners("/bigdata/trialFlow/query", data)
    with pytest.raises(PartnerError) as caught:
        bigdata.query_trial_flow(b"{}", key="k", request_id="r")
    assert (caught.value.permanent, caught.value.code) == (permanent, code)


def test_billing_records_are_made_deleted_and_looked_up(partners, httpserver):
    for path in ("/bigdata/productInfos", "/bigdata/productInfos/delete"):
        partners(path, SUCCESS)
    partners("/bigdata/productInfos/query", {"code": 200, "result": [HELD]})
    bigdata.post_product_infos(b"{}", key="k", request_id="r")
    bigdata.delete_product_infos(b"{}", key="k", request_id="r")
    assert bigdata.query_product_infos("A1", key="k", request_id="r") == [HELD]
    assert [request.path for request, _ in httpserver.log] == [
        "/bigdata/productInfos",
        "/bigdata/productInfos/delete",
        "/bigdata/productInfos/query",
    ]
    assert httpserver.log[2][0].get_json() == {"jobId": "A1"}


@pytest.mark.parametrize("result", [{}, {"result": None}, {"result": {}}, {"result": [{"jobId": "A1"}]}])
def test_a_look_up_without_its_list_is_not_understood(partners, settings, result):
    """Contract 7.1: an answer without the list of records does not mean that there are no records, unless the profile
    says so."""
    partners("/bigdata/productInfos/query", {"code": 200, **result})
    with pytest.raises(PartnerError) as caught:
        bigdata.query_product_infos("A1", key="k", request_id="r")
    assert (caught.value.code, caught.value.read, caught.value.permanent) == ("bad_result", "not_understood", False)
    settings.PARTNERS = read_profile('bigdata.query.none = [{ code = [200], result = ["absent"] }]')
    if not result:
        assert bigdata.query_product_infos("A1", key="k", request_id="r") == []


@pytest.mark.parametrize(
    "profile, answer, word",
    [
        ("success = [{ code = [0] }]", {"code": 0}, ""),
        ("success = [{ code = [0] }]", {"code": 7}, "code_7"),
        ('success = [{ success = [true] }]\nrefused = [{ success = ["*"] }]', {"success": True}, ""),
        ('success = [{ success = [true] }]\nrefused = [{ success = ["*"] }]', {"success": False}, "code_false"),
        ('refused = [{ code = ["E1"] }]', {"code": "E2"}, "no_rule"),
        ('repeated = [{ message = ["重复提交"] }]', {"code": 400, "message": "重复提交"}, "code_重复提交"),
        ("success = [{ status = [204], empty = [true] }]", "", ""),
    ],
)
def test_an_answer_is_read_by_the_profile(partners, httpserver, settings, profile, answer, word):
    settings.PARTNERS = read_profile(f"[bigdata.answer]\n{profile}")
    if answer:
        partners("/bigdata/productInfos", answer)
    else:
        httpserver.expect_request("/bigdata/productInfos").respond_with_data("", status=204)
    if not word:
        bigdata.post_product_infos(b"{}", key="k", request_id="r")
        return
    with pytest.raises(PartnerError) as caught:
        bigdata.post_product_infos(b"{}", key="k", request_id="r")
    error = caught.value
    assert (error.code, error.acted_before) == (word, "repeated" in profile)
    assert (error.read == "not_understood") == (word == "no_rule")


def test_a_look_up_may_take_as_long_as_its_records_need(partners, settings):
    """A query for many records may have a larger and slower answer than other calls. Such an answer may contain 20,000
    records."""
    rows = [HELD | {"domain": f"d{n}.example.com", "enterpriseName": "x" * 400} for n in range(10_000)]
    partners("/bigdata/productInfos/query", {"code": 200, "result": rows})
    settings.PARTNER_TIMEOUT_SECONDS = 10
    with pytest.raises(PartnerError, match="answered more than 4194304 bytes"):
        bigdata.query_product_infos("A1", key="k", request_id="r")
    assert len(bigdata.query_product_infos("A1", key="k", request_id="r", expected=10_000)) == 10_000
    assert [bigdata.look_up_seconds(expected) for expected in (0, 100, 20_000, 10**7)] == [10, 10.1, 30, 70]


@pytest.mark.parametrize(
    "channel, size, lease, seconds",
    [("billing", 0, 60, 10), ("billing", 20_000, 60, 12), ("billing", 20_000, 16, 10.5), ("bpm", 20_000, 60, 10)],
)
def test_in_a_drain_it_must_end_with_the_drain_and_the_lease(settings, channel, size, lease, seconds):
    """Contract 3.9 (11): a drain (one run of the sending loop) ends within 20 s, and claims steps for 8 s of them.
    Contract 3.9 (10): 5 s of a call's lease are left."""
    settings.PARTNER_TIMEOUT_SECONDS, settings.DISPATCH_LEASE_SECONDS = 10, lease
    assert longest(SimpleNamespace(channel=channel, size=size)) == seconds


@pytest.mark.parametrize(
    "data, process",
    [
        ({"code": 200, "result": {"processId": "P-1"}}, "P-1"),
        ({"code": 200, "result": {"processId": 17}}, "17"),
        ({"code": 200, "result": {}}, ""),
        ({"code": 200, "result": "ok"}, ""),
        ({"code": 200}, ""),
        ({"code": 200, "result": {"processId": "x" * 500}}, "x" * 128),
    ],
)
def test_bpm_may_name_its_process(partners, data, process):
    partners("/bpm/flows/start", data)
    assert bpm.start_flow(b"{}", key="k", request_id="r") == process

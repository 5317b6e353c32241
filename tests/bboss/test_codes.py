"""The code table of contract 2.3 over HTTP: every row, its order, and the form of every answer."""

import datetime
import io
import json

import pytest
from django.db import OperationalError, transaction

from integrations.bboss import intake
from integrations.bboss.codes import Code
from integrations.bboss.signature import sign
from orders.errors import OrderConflictError
from tests.bboss.conftest import ACTIVATION, PATH, TRIAL, answered, envelope

MEMBERS = [
    "transIDO", "transIDH", "transIDHTime", "cutOffDay", "providePartyID", "response", "result",
]  # fmt: skip
A, B = "20991231235959" + "a" * 32 + "-1234-1700000000", "20991231235959" + "b" * 32 + "-5678-1700000000"
ENDED = "20230920185435" + "c" * 32 + "-1234-1600000000"


class Broken(io.BytesIO):
    """A stream that nobody can read."""

    def read(self, *args):
        raise OSError("connection reset")


@pytest.fixture(autouse=True)
def _ended_token(settings):
    settings.BBOSS_ACCESS_TOKENS = [A, B, ENDED]


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
def test_any_other_method_is_405(client, db, method):
    response = client.generic(method, PATH, b"{}", content_type="application/json")
    got = answered(response)
    assert (got.status, got.code, got.desc) == (405, "11002", "request method must be post")
    assert list(got.body) == MEMBERS
    assert response["Allow"] == "POST"


def test_head_is_405(client, db):
    assert client.head(PATH).status_code == 405


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/json5", "json"])
def test_another_content_type_is_415(post, kind):
    got = post(b"{}", content_type=kind)
    assert (got.status, got.code, got.desc) == (415, "20007", "Request Content Type Error")


@pytest.mark.parametrize(
    "kind", ["application/json;charset=UTF-8", "Application/JSON", "application/json; charset=gbk"]
)
def test_parameters_of_the_content_type_do_not_matter(post, kind):
    assert post(envelope(), content_type=kind).code == "00000"


def test_larger_than_2_mib_is_413_without_reading(client, db, clock):
    response = client.post(
        PATH, content_type="application/json", CONTENT_LENGTH=str(2 * 1024 * 1024 + 1), **{"wsgi.input": Broken()}
    )
    got = answered(response)
    assert (got.status, got.code, got.desc) == (413, "20215", "request message too large (2M at most)")


def test_2_mib_are_read(post):
    body = b'{"a":"' + b"x" * (2 * 1024 * 1024 - 8) + b'"}'
    assert len(body) == 2 * 1024 * 1024
    assert post(body).code == "20402"


def chunked(client, body: bytes):
    extra = {"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    return answered(client.generic("POST", PATH, CONTENT_TYPE="application/json", CONTENT_LENGTH="", **extra))


def test_a_chunked_body_is_read_up_to_2_mib(client, db, clock):
    assert chunked(client, b'{"transIDO":"t1"}').code == "20101"
    assert chunked(client, b" " * (2 * 1024 * 1024 + 1)).code == "20215"


@pytest.mark.parametrize("stream", [io.BytesIO(b"{}"), Broken()], ids=["short", "broken"])
def test_a_body_cut_in_the_middle_is_400(client, db, stream):
    response = client.post(PATH, content_type="application/json", CONTENT_LENGTH="100", **{"wsgi.input": stream})
    got = answered(response)
    assert (got.status, got.code, got.desc) == (400, "20105", "Format req stream to string Error")


@pytest.mark.parametrize("body", [b"", b"[]", b'"a"', b"{", b'{"a":1,"a":2}', b'{"a":NaN}', b"\xff", b'{"a":1e999}'])
def test_a_body_that_is_no_json_object_is_400_and_not_kept(post, kept, body):
    got = post(body)
    assert (got.status, got.code) == (400, "20105")
    assert got.body["transIDO"] == got.body["cutOffDay"] == got.body["result"] == ""
    assert kept() == []


REQUIRED = [
    "accessToken", "content", "domain", "envFlag", "routeType", "routeValue", "sign", "signMethod", "timeStamp",
    "userPartyID",
]  # fmt: skip


@pytest.mark.parametrize("value", [None, "", " ", 1, [], {}, ["t1"]])
def test_without_trans_ido_20402(post, value):
    assert post(envelope(transIDO=value)).code == "20402"


def test_absent_trans_ido_20402(post):
    got = post(envelope(absent=["transIDO"]))
    assert (got.status, got.code, got.desc) == (200, "20402", "transido is empty")


@pytest.mark.parametrize("name", REQUIRED)
def test_a_required_member_is_named_when_absent_or_empty(post, name):
    got = post(envelope(absent=[name]))
    assert (got.status, got.code, got.desc) == (200, "20101", f"Missing Required Args: {name}")
    for empty in (None, "", {}, []):
        assert post(envelope(**{name: empty})).desc == f"Missing Required Args: {name}"


def test_the_four_optional_members_may_be_left_out(post):
    got = post(envelope(absent=["busType", "cutOffDay", "sessionID", "version"]))
    assert got.code == "00000"
    assert got.body["cutOffDay"] == ""


ROWS = [
    ({"signMethod": "sha256"}, "20207", "Invalid Signature Method"),
    ({"signMethod": 5}, "20207", "Invalid Signature Method"),
    ({"timeStamp": "20230931000000"}, "20209", "Invalid Timestamp"),
    ({"timeStamp": "2023-09-20 18:54:36"}, "20209", "Invalid Timestamp"),
    ({"timeStamp": "２０２３0920185436"}, "20209", "Invalid Timestamp"),
    ({"timeStamp": "20230920185460"}, "20209", "Invalid Timestamp"),
    ({"timeStamp": 20230920185436}, "20209", "Invalid Timestamp"),
    ({"timeStamp": "20230920184435"}, "20210", "Timestamp Timeout"),
    ({"timeStamp": "20230920190437"}, "20210", "Timestamp Timeout"),
    ({"timeStamp": "00010101000000"}, "20210", "Timestamp Timeout"),
    ({"userPartyID": "XXXX9980"}, "20314", "User bad status"),
    ({"userPartyID": ["BBSS9980"]}, "20314", "User bad status"),
    ({"accessToken": "nonsense"}, "20305", "Invalid Token"),
    ({"accessToken": 7}, "20305", "Invalid Token"),
    ({"accessToken": A[:-1] + "1"}, "20305", "Invalid Token"),
    ({"accessToken": "20231331000000" + A[14:]}, "20305", "Invalid Token"),
    ({"accessToken": ENDED}, "20311", "Expired Token"),
    ({"sign": "0" * 32}, "20208", "Invalid Signature"),
    ({"sign": {"a": 1}}, "20208", "Invalid Signature"),
    ({"routeType": "02"}, "20501", "Route type invalidate."),
    ({"routeType": 1}, "20501", "Route type invalidate."),
    ({"domain": "OTHER"}, "20502", "Route value invalidate."),
    ({"routeValue": "996"}, "20502", "Route value invalidate."),
    ({"routeValue": 995}, "20502", "Route value invalidate."),
    ({"envFlag": "1"}, "21000", "request data does not match the configuration"),
    ({"envFlag": 0}, "21000", "request data does not match the configuration"),
    ({"content": [1]}, "20505", None),
    ({"content": 1}, "20505", None),
    ({"content": "[]"}, "20505", None),
    ({"content": '{"a":1,"a":1}'}, "20505", None),
]


@pytest.mark.parametrize(("overrides", "code", "desc"), ROWS, ids=[f"{row[1]} {list(row[0])[0]}" for row in ROWS])
def test_each_row_answers_with_its_code_and_is_kept(post, kept, overrides, code, desc):
    got = post(envelope(**overrides))
    assert (got.status, got.code) == (200, code)
    assert got.desc == desc if desc else got.desc.startswith("Request body parameter invalidate: content: ")
    assert got.body["result"] == ""
    (message,) = kept()
    assert (message.rsp_code, message.rsp_desc, message.http_status) == (code, got.desc, 200)
    assert (message.trans_ido, message.trans_idh) == ("t1", got.body["transIDH"])
    assert message.hint
    assert message.biz_code == ""


FAULTS = [
    ("20402", {"transIDO": ""}),
    ("20101", {"domain": ""}),
    ("20207", {"signMethod": "x"}),
    ("20209", {"timeStamp": "x"}),
    ("20314", {"userPartyID": "x"}),
    ("20305", {"accessToken": "x"}),
    ("20208", {"sign": "x"}),
    ("20501", {"routeType": "x"}),
    ("20502", {"routeValue": "x"}),
    ("21000", {"envFlag": "x"}),
    ("20505", {"content": {"OrderNum": "!"}}),
]


@pytest.mark.parametrize("place", range(len(FAULTS) - 1))
def test_the_first_that_fails_answers(post, place):
    """Every fault together with all that come after it in the table."""
    overrides = {}
    for _, fault in reversed(FAULTS[place:]):
        overrides |= fault
    assert post(envelope(**overrides)).code == FAULTS[place][0]


@pytest.mark.parametrize(("first", "second"), [({"timeStamp": "20000101000000"}, {"userPartyID": "x"})])
def test_the_clock_comes_before_the_caller(post, first, second):
    assert post(envelope(**first, **second)).code == "20210"


def test_an_ended_token_comes_before_a_wrong_signature(post):
    assert post(envelope(accessToken=ENDED, sign="x")).code == "20311"


def test_transport_in_order(client, db, clock, settings):
    """405, 415, 413, 403, 429, 400: each with all the later faults present."""
    settings.BBOSS_ALLOWED_IPS, settings.BBOSS_RATE = ["10.0.0.1"], "1/min"
    huge, kind = {"CONTENT_LENGTH": str(3 * 1024 * 1024)}, "application/json"
    assert answered(client.put(PATH, b"x", content_type="text/plain", **huge)).code == "11002"
    assert answered(client.post(PATH, b"x", content_type="text/plain", **huge)).code == "20007"
    assert answered(client.post(PATH, b"x", content_type=kind, **huge)).code == "20215"
    assert answered(client.post(PATH, b"x", content_type=kind)).code == "20303"
    settings.BBOSS_ALLOWED_IPS = []
    assert answered(client.post(PATH, b"x", content_type=kind)).code == "20105"
    assert answered(client.post(PATH, b"{}", content_type=kind)).code == "20402"
    assert answered(client.post(PATH, b"x", content_type=kind)).code == "20308"


@pytest.mark.parametrize("stamp", ["20230920184436", "20230920190436"])
def test_ten_minutes_off_are_allowed(post, stamp):
    assert post(envelope(timeStamp=stamp)).code == "00000"


def test_skew_zero_switches_the_clock_check_off(post, settings):
    settings.BBOSS_TIMESTAMP_SKEW_SECONDS = 0
    assert post(envelope(timeStamp="20000101000000")).code == "00000"


def test_two_tokens_work_at_a_time(post):
    assert post(envelope(accessToken=A)).code == "00000"
    assert post(envelope(accessToken=B, trans_ido="t2")).code == "00000"


def test_a_token_works_until_its_last_second(post, clock):
    clock.shift(-1)
    assert post(envelope(accessToken=ENDED)).code == "00000"


def test_no_tokens_set_lets_nobody_in(post, settings):
    members = envelope()
    settings.BBOSS_ACCESS_TOKENS = []
    assert post(members).code == "20305"


def test_without_a_secret_nobody_gets_in(post, settings):
    members = envelope()
    settings.BBOSS_APP_SECRET = ""
    assert post(members | {"sign": sign(members, "")}).code == "20208"


def test_accepted(post, kept):
    got = post(envelope(cutOffDay="20230919"))
    assert (got.status, got.code, got.desc) == (200, "00000", "Success")
    assert list(got.body) == MEMBERS
    assert got.body["transIDO"] == "t1"
    assert got.body["cutOffDay"] == "20230919"
    assert got.body["providePartyID"] == "CDNP9950"
    assert got.body["transIDHTime"] == "20230920185436"
    assert got.body["result"].startswith('{"OrderNum":"100T1","BizCode":"0000","BizDesc":"')
    (message,) = kept()
    assert (message.rsp_code, message.biz_code, message.order_number) == ("00000", "0000", "100T1")
    assert message.trans_idh == got.body["transIDH"]
    assert message.hint == ""


def test_content_as_a_string_is_the_same_order(post):
    first = post(envelope(json.dumps(TRIAL, indent=2)))
    assert first.code == "00000"
    again = post(envelope(TRIAL, trans_ido="t2"))
    assert (again.code, again.body["transIDH"]) == ("00000", first.body["transIDH"])


def test_the_same_again_gets_the_first_number_and_is_kept(post, kept, clock):
    first = post(envelope())
    clock.shift(3600)
    again = post(envelope())
    assert (again.code, again.body["transIDH"]) == ("00000", first.body["transIDH"])
    assert again.body["transIDHTime"] == "20230920195436"
    assert [message.trans_idh for message in kept()] == [first.body["transIDH"]] * 2


def test_a_trans_ido_with_other_content_is_20002(post, kept):
    post(envelope())
    got = post(envelope(TRIAL | {"OrderNum": "100T2"}))
    assert (got.status, got.code, got.desc, got.body["result"]) == (200, "20002", "Repeat call", "")
    assert kept()[-1].rsp_code == "20002"


def test_a_refused_trans_ido_may_be_used_again(post):
    assert post(envelope({"OrderNum": "!"})).code == "20505"
    assert post(envelope()).code == "00000"


def test_another_content_under_the_number_is_3001(post, kept):
    post(envelope())
    got = post(envelope(TRIAL | {"DataFlow": "9"}, trans_ido="t2"))
    assert (got.status, got.code, got.desc) == (200, "30000", "business failure")
    assert (got.result["OrderNum"], got.result["BizCode"]) == ("100T1", "3001")
    assert (kept()[-1].rsp_code, kept()[-1].biz_code) == ("30000", "3001")


def test_withdrawal_of_an_unknown_number_is_3004(post):
    got = post(envelope({"OrderNum": "100X", "BackFlag": "1"}))
    assert (got.code, got.result["OrderNum"], got.result["BizCode"]) == ("30000", "100X", "3004")


def test_withdrawal(post, kept):
    post(envelope(TRIAL))
    back = {"OrderNum": "100T1", "BackFlag": "1"}
    first = post(envelope(back, trans_ido="t2"))
    assert (first.code, first.result["OrderNum"], first.result["BizCode"]) == ("00000", "100T1", "0000")
    again = post(envelope(back, trans_ido="t3"))
    assert (again.code, again.body["transIDH"]) == ("00000", first.body["transIDH"])
    assert [message.rsp_code for message in kept()] == ["00000"] * 3


def test_withdrawal_of_a_trial_that_an_activation_holds_is_3005(post):
    post(envelope(TRIAL))
    post(envelope(ACTIVATION, trans_ido="t2"))
    got = post(envelope({"OrderNum": "100T1", "BackFlag": "1"}, trans_ido="t3"))
    assert (got.code, got.result["OrderNum"], got.result["BizCode"]) == ("30000", "100T1", "3005")


def test_what_only_the_core_can_know_of_the_content_is_20505_too(post, kept):
    post(envelope(TRIAL))
    post(envelope(ACTIVATION, trans_ido="t2"))
    got = post(envelope(ACTIVATION | {"OrderNum": "100A2"}, trans_ido="t3"))
    assert (got.code, got.desc.split(": ")[:2]) == ("20505", ["Request body parameter invalidate", "ProvContent"])
    assert kept()[-1].rsp_code == "20505"


def test_a_refusal_after_a_rolled_back_save_is_kept_under_its_own_numbers(post, kept, monkeypatch):
    def late(content, *, message, **others):
        with transaction.atomic():
            message.trans_idh = "f" * 32
            message.save(force_insert=True)
            message.pk = 10**9  # as if somebody else had got this one meanwhile
            raise OrderConflictError("too late")

    monkeypatch.setattr(intake, "receive_order", late)
    got = post(envelope())
    (message,) = kept()
    assert message.pk < 10**9
    assert message.trans_idh == got.body["transIDH"] != "f" * 32
    assert (message.rsp_code, message.biz_code, message.hint) == ("30000", "3001", "too late")


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_documents_messages_are_accepted(post, case, clock, number):
    given = case(number)
    clock.move_to(datetime.datetime.fromisoformat(given["clock"]))
    for place, content in enumerate(given.get("setup", [])):
        assert post(envelope(content, trans_ido=f"s{place}")).code == "00000"
    got = post(envelope(given["content"], trans_ido=given["envelope"]["transIDO"], **given["envelope"]))
    assert (got.code, got.body["transIDO"]) == ("00000", given["envelope"]["transIDO"])


def broken(*args, **kwargs):
    raise OperationalError("server closed the connection unexpectedly")


def wrong(*args, **kwargs):
    raise KeyError("a bug of ours")


@pytest.mark.parametrize("fault", [broken, wrong])
def test_our_fault_is_503_with_nothing_stored(post, kept, monkeypatch, fault):
    monkeypatch.setattr(intake, "receive_order", fault)
    got = post(envelope())
    assert (got.status, got.code) == (503, "20000")
    assert got.desc == "internal error; nothing was stored, send again"
    assert list(got.body) == MEMBERS
    assert (got.body["transIDO"], got.body["result"]) == ("t1", "")
    assert kept() == []
    monkeypatch.undo()
    assert post(envelope()).code == "00000"


def test_a_refusal_that_cannot_be_kept_is_503(post, kept, monkeypatch):
    monkeypatch.setattr(intake, "keep_message", broken)
    assert post(envelope(routeType="09")).code == "20000"


def test_a_rate_that_cannot_be_counted_is_503(post, settings, monkeypatch):
    settings.BBOSS_RATE = "1/min"
    monkeypatch.setattr("integrations.bboss.throttle.InboundMessage.objects.filter", broken)
    assert post(envelope()).code == "20000"


def test_every_answer_has_a_number_of_its_own(post):
    numbers = {post(envelope(routeType="09")).body["transIDH"] for _ in range(5)} | {post(b"").body["transIDH"]}
    assert len(numbers) == 6
    assert all(len(number) == 32 for number in numbers)


@pytest.mark.parametrize("accept", ["text/html", "application/xml", ""])
def test_the_answer_is_json_whatever_is_accepted(client, db, clock, accept):
    response = client.post(PATH + "?format=xml", envelope(), content_type="application/json", HTTP_ACCEPT=accept)
    assert answered(response).code == "00000"
    assert response["Content-Type"] == "application/json"


def test_times_are_in_shanghai_whatever_the_server_thinks(post, clock):
    clock.move_to(datetime.datetime(2023, 9, 20, 16, 0, 0, tzinfo=datetime.UTC))
    assert post(envelope(timeStamp="20230921000000")).body["transIDHTime"] == "20230921000000"


def test_an_activation_is_accepted_before_its_trial(post):
    assert post(envelope(ACTIVATION)).code == "00000"


def test_each_number_of_the_table_is_there_once():
    numbers = [code.value.number for code in Code]
    assert len(set(numbers)) == len(numbers) == 23

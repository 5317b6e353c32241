"""The code table of contract 2.3 over HTTP: each row about the envelope, and the rule that the first failing check
decides the answer."""

import pytest

from integrations.bboss.compute_signature import sign
from integrations.bboss.reply_codes import Code
from tests.bboss.conftest import envelope

A, B = "20991231235959" + "a" * 32 + "-1234-1700000000", "20991231235959" + "b" * 32 + "-5678-1700000000"
ENDED = "20230920185435" + "c" * 32 + "-1234-1600000000"


@pytest.fixture(autouse=True)
def _ended_token(settings):
    settings.BBOSS_ACCESS_TOKENS = [A, B, ENDED]


REQUIRED = [
    "accessToken",
    "content",
    "domain",
    "envFlag",
    "routeType",
    "routeValue",
    "sign",
    "signMethod",
    "timeStamp",
    "userPartyID",
]


NO_NUMBER = [{"absent": ["transIDO"]}, *({"transIDO": value} for value in (None, "", " ", 1, [], {}, ["t1"]))]


@pytest.mark.parametrize("how", NO_NUMBER)
def test_without_trans_ido_20402(post, how):
    got = post(envelope(**how))
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
    """Each fault is sent together with all later faults of the table, and the first fault decides the answer."""
    overrides = {}
    for _, fault in reversed(FAULTS[place:]):
        overrides |= fault
    assert post(envelope(**overrides)).code == FAULTS[place][0]


def test_the_clock_comes_before_the_caller_and_an_ended_token_before_a_wrong_signature(post):
    assert post(envelope(timeStamp="20000101000000", userPartyID="x")).code == "20210"
    assert post(envelope(accessToken=ENDED, sign="x")).code == "20311"


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


def test_each_number_of_the_table_is_there_once():
    numbers = [code.value.number for code in Code]
    assert len(set(numbers)) == len(numbers) == 23

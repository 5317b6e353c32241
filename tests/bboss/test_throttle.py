"""The allowed callers, and the limits of their call rates (contract 2.3, 20303 and 20308)."""

import json
import time

import pytest

from integrations.bboss import caller_limits
from integrations.bboss.caller_limits import Buckets, caller_address, check_rate, parse_networks, parse_rate
from integrations.bboss.reply_codes import Refused
from tests.bboss.conftest import PATH, answered, envelope
from tests.races.conftest import at_once


def envelope_bytes():
    """Returns a message with a wrong signature."""
    return json.dumps(envelope(sign="F" * 32)).encode()


@pytest.fixture(autouse=True)
def nobody_has_called(monkeypatch):
    """Forgets all callers, and makes the limits use the tests' clock."""
    monkeypatch.setattr(caller_limits, "monotonic", time.time)
    caller_limits.callers.clear()
    caller_limits.strangers.clear()


RATES = [("600/min", (600, 60)), ("10/s", (10, 1)), ("1000/hour", (1000, 3600)), (" 5 / Day ", (5, 86400)), ("", None)]


@pytest.mark.parametrize(("text", "rate"), RATES)
def test_rates(text, rate):
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["600", "600/", "/min", "0/min", "-1/s", "1.5/s", "10/week", "ten/min", "６/min"])
def test_a_bad_rate_names_the_setting(text):
    with pytest.raises(ValueError, match="BBOSS_RATE"):
        parse_rate(text)


@pytest.mark.parametrize("entry", ["x", "10.0.0.300", "10.0.0.1/8", "10.0.0.0/40"])
def test_a_bad_network_names_the_setting(entry):
    with pytest.raises(ValueError, match="BBOSS_ALLOWED_IPS"):
        parse_networks([entry])


ALLOWED = [
    (["10.0.0.1"], "10.0.0.1", True),
    (["10.0.0.1"], "10.0.0.2", False),
    (["10.0.0.0/8", "192.168.1.1"], "10.200.3.4", True),
    ([" 192.168.1.1 "], "192.168.1.1", True),
    (["10.0.0.0/8"], "::ffff:10.1.1.1", True),
    (["2001:db8::/32"], "2001:db8::1", True),
    (["2001:db8::/32"], "10.0.0.1", False),
    (["10.0.0.0/8"], "", False),
    (["10.0.0.0/8"], "nonsense", False),
    ([], "203.0.113.9", True),
]


@pytest.mark.parametrize(("entries", "address", "allowed"), ALLOWED)
def test_allowed_addresses(post, settings, entries, address, allowed):
    settings.BBOSS_ALLOWED_IPS = entries
    got = post(envelope(), REMOTE_ADDR=address)
    assert (got.status, got.code) == ((200, "00000") if allowed else (403, "20303"))


FORWARDED = [
    (0, "9.9.9.9", "10.0.0.1"),
    (1, "9.9.9.9", "9.9.9.9"),
    (1, "6.6.6.6, 9.9.9.9", "9.9.9.9"),
    (2, "6.6.6.6, 9.9.9.9, 10.0.0.2", "9.9.9.9"),
    (2, "9.9.9.9", "10.0.0.1"),
    (1, "", "10.0.0.1"),
    (1, "9.9.9.9:4711", "9.9.9.9"),
    (1, "[2001:db8::1]:4711", "2001:db8::1"),
    (1, "unknown", ""),
]


@pytest.mark.parametrize(("count", "header", "address"), FORWARDED)
def test_only_our_own_proxies_are_believed(settings, count, header, address):
    settings.TRUSTED_PROXY_COUNT = count
    assert caller_address({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": header}) == address


def test_the_rate_counts_each_address(post, settings, clock):
    settings.BBOSS_RATE = "2/min"
    assert post(envelope()).code == "00000"
    assert post(envelope(envFlag="1")).code == "21000"  # refused calls count as well
    got = post(envelope())
    assert (got.status, got.code, got.desc) == (429, "20308", "User call service limited")
    assert post(envelope(), REMOTE_ADDR="10.0.0.9").code == "00000"
    clock.shift(30)  # half of the allowed calls are free again
    assert post(envelope()).code == "00000"
    assert post(envelope()).code == "20308"


@pytest.mark.parametrize(
    "broken",
    [
        {"members": b"\xff"},
        {"members": b"x" * (2 * 1024 * 1024 + 1)},
        {"members": b"{}", "content_type": "text/plain"},
        {"members": envelope_bytes},
        {"members": b"{}"},
    ],
    ids=["unreadable", "too large", "wrong type", "wrong signature", "no member"],
)
def test_every_call_counts_whatever_comes_of_it(post, settings, broken):
    settings.BBOSS_RATE = "2/min"
    given = broken["members"]
    arguments = broken | {"members": given if isinstance(given, bytes) else given()}
    assert [post(**arguments).code != "20308" for _ in range(2)] == [True, True]
    assert post(envelope()).code == "20308"
    assert post(envelope(), REMOTE_ADDR="10.0.0.9").code == "00000"


def test_a_wrong_method_counts_too(client, post, settings):
    settings.BBOSS_RATE = "1/min"
    assert client.get(PATH).status_code == 405
    assert post(envelope()).code == "20308"


def test_the_network_of_an_ipv6_caller_is_one_caller(post, settings):
    settings.BBOSS_RATE = "1/min"
    assert post(envelope(), REMOTE_ADDR="2001:db8:0:1::1").code == "00000"
    assert post(envelope(), REMOTE_ADDR="2001:db8:0:1:ffff::2").code == "20308"
    assert post(envelope(), REMOTE_ADDR="2001:db8:0:2::1").code == "00000"


def test_counting_asks_the_database_nothing(settings, django_assert_num_queries, db):
    settings.BBOSS_RATE = settings.BBOSS_UNSIGNED_RATE = "2/min"
    with django_assert_num_queries(0):
        assert passes(3) == 2
        caller_limits.check_unsigned_rate()


def passes(count: int, address: str = "10.0.0.7") -> int:
    """Returns the number of admitted calls among `count` calls."""
    passed = 0
    for _ in range(count):
        try:
            check_rate(address)
            passed += 1
        except Refused:
            pass
    return passed


def test_who_keeps_to_the_rate_is_never_refused(settings, clock):
    settings.BBOSS_RATE = "70/min"
    for pause in (60, 60, 20, 20, 20):  # all calls at once, and then a third of them at a time
        calls = 70 * pause // 60
        assert passes(calls) == calls
        clock.shift(pause)
    for _ in range(500):  # one by one, because tokens return in fractions
        assert passes(1) == 1
        clock.shift(60 / 70)


def test_a_rate_is_exact_and_comes_back_evenly(settings, clock):
    settings.BBOSS_RATE = "3000/min"
    assert passes(3010) == 3000
    clock.shift(30)
    assert passes(1600) == 1500
    clock.shift(3600)
    assert passes(3010) == 3000


def test_of_too_many_callers_the_one_that_has_not_called_for_longest_is_forgotten(monkeypatch, clock):
    monkeypatch.setattr(caller_limits, "MAX_CALLERS", 3)
    buckets = Buckets()
    assert [buckets.spend(name, 1, 60) for name in "abc"] == [True] * 3
    assert not buckets.spend("a", 1, 60)  # a has just called, so b has not called for longest
    assert buckets.spend("d", 1, 60)
    assert [buckets.spend(name, 1, 60) for name in "acd"] == [False] * 3
    assert buckets.spend("b", 1, 60)


def test_strangers_from_everywhere_do_not_get_a_new_rate(settings, monkeypatch, clock):
    monkeypatch.setattr(caller_limits, "MAX_CALLERS", 3)
    settings.BBOSS_RATE, settings.BBOSS_UNSIGNED_RATE = "1/min", "1/min"
    caller_limits.check_unsigned_rate()
    assert [passes(1, f"10.0.0.{number}") for number in range(9)] == [1] * 9
    with pytest.raises(Refused):
        caller_limits.check_unsigned_rate()


def test_threads_that_call_at_once_get_as_many_through_as_may(settings, monkeypatch):
    settings.BBOSS_RATE = "1000/hour"
    monkeypatch.setattr(caller_limits, "monotonic", lambda: 0.0)
    assert sum(at_once(*[lambda: passes(200)] * 8)) == 1000


class TestUnsigned:
    """Of the messages without a right token and signature, the desk keeps few, and none of them whole. It always keeps
    rightly signed messages."""

    @pytest.fixture(autouse=True)
    def two_a_minute(self, settings):
        settings.BBOSS_UNSIGNED_RATE = "2/min"

    def test_beyond_the_rate_they_are_429_and_not_kept(self, client, post, kept):
        strangers = [post(envelope(sign="F" * 32), REMOTE_ADDR=f"10.0.0.{number}") for number in range(4)]
        assert [(one.status, one.code) for one in strangers] == [(200, "20208")] * 2 + [(429, "20308")] * 2
        assert len(kept()) == 2
        answer = client.post(PATH, envelope(sign="F" * 32), content_type="application/json")
        assert answer["Retry-After"] == "60"

    def test_a_rightly_signed_one_is_never_refused_for_their_sake(self, post, kept):
        for _ in range(4):
            post(b'{"transIDO": "x"}')
        assert post(envelope()).code == "00000"
        late = [post(envelope(timeStamp="20200101000000", trans_ido=f"t{number}")).code for number in range(4)]
        assert late == ["20210"] * 4
        assert len(kept()) == 2 + 1 + 4

    def test_a_minute_later_they_are_kept_again(self, post, kept, clock):
        for _ in range(3):
            post(b"{}")
        clock.shift(61)
        assert post(b"{}").code == "20402"
        assert len(kept()) == 3


def test_too_often_says_when_to_come_back(client, db, clock, settings):
    settings.BBOSS_RATE = "1/min"
    client.post(PATH, envelope(), content_type="application/json")
    response = client.post(PATH, envelope(), content_type="application/json")
    assert (answered(response).code, response["Retry-After"]) == ("20308", "60")


def test_a_bad_setting_is_503_and_no_open_door(post, settings):
    settings.BBOSS_ALLOWED_IPS = ["nonsense"]
    assert post(envelope()).code == "20000"

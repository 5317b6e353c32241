"""Who may call and how often (contract 2.3, 20303 and 20308)."""

import json
import threading

import pytest
from django.db import connection
from django.utils import timezone

from integrations.bboss.rate_limit import caller_address, check_rate, forget_counts, parse_networks, parse_rate
from integrations.bboss.responses import Refused
from integrations.models import CallCount
from tests.bboss.conftest import PATH, answered, envelope


def envelope_bytes():
    """A message with a wrong signature."""
    return json.dumps(envelope(sign="F" * 32)).encode()


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


def test_the_rate_counts_each_address_in_a_sliding_window(post, settings, clock):
    settings.BBOSS_RATE = "2/min"
    assert post(envelope()).code == "00000"
    clock.shift(30)
    assert post(envelope(envFlag="1")).code == "21000"  # refused ones count as well
    got = post(envelope())
    assert (got.status, got.code, got.desc) == (429, "20308", "User call service limited")
    assert post(envelope(), REMOTE_ADDR="10.0.0.9").code == "00000"
    clock.shift(30)  # the first of them is a minute old now
    assert post(envelope()).code == "00000"
    assert post(envelope()).code == "20308"


@pytest.mark.parametrize(
    "broken", [
        {"members": b"\xff"}, {"members": b"x" * (2 * 1024 * 1024 + 1)},
        {"members": b"{}", "content_type": "text/plain"}, {"members": envelope_bytes}, {"members": b"{}"},
    ], ids=["unreadable", "too large", "wrong type", "wrong signature", "no member"],
)  # fmt: skip
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


def test_a_rate_costs_the_same_however_high_it_is(settings, django_assert_max_num_queries, db):
    for rate in ("5/min", "6000/min", "100000/hour"):
        settings.BBOSS_RATE = rate
        for _ in range(3):
            with django_assert_max_num_queries(1):
                check_rate("10.0.0.1", timezone.now())


def passes(count, moment):
    """How many of so many calls get through."""
    passed = 0
    for _ in range(count):
        try:
            check_rate("10.0.0.7", moment)
            passed += 1
        except Refused:
            pass
    return passed


def test_calls_counted_ahead_let_no_more_through_and_no_less(settings, clock, db):
    settings.BBOSS_RATE = "3000/min"
    assert passes(2990, timezone.now()) == 2990
    assert passes(20, timezone.now()) == 10
    clock.shift(30)
    assert passes(5, timezone.now()) == 0
    clock.shift(31)
    assert passes(3010, timezone.now()) == 3000


def test_calls_counted_ahead_lapse_and_are_given_back(settings, clock, db):
    settings.BBOSS_RATE = "6000/min"
    for _ in range(5):
        check_rate("10.0.0.8", timezone.now())
        check_rate("10.0.0.8", timezone.now())
        clock.shift(3)
    counted = CallCount.objects.filter(caller__contains="10.0.0.8").values_list("calls", flat=True)
    assert sum(counted) == 4 * 2 + 10  # the last block may still be used


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no such setting")
@pytest.mark.django_db(transaction=True)
def test_only_the_count_does_not_wait_for_the_disk(settings):
    settings.BBOSS_RATE = "5/min"
    check_rate("10.0.0.1", timezone.now())
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        assert cursor.fetchone() == ("on",)


def test_old_counts_are_removed(settings, clock, db):
    settings.BBOSS_RATE = "5/min"
    check_rate("10.0.0.1", timezone.now())
    clock.shift(60)
    forget_counts(now=timezone.now())
    assert CallCount.objects.count() == 1
    clock.shift(90)
    forget_counts(now=timezone.now())
    assert CallCount.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_of_many_calls_at_once_no_more_get_through_than_may(settings):
    settings.BBOSS_RATE = "10/hour"
    passed = []

    def call():
        try:
            check_rate("10.0.0.1", timezone.now())
            passed.append(1)
        except Refused:
            pass
        finally:
            connection.close()

    threads = [threading.Thread(target=call) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(passed) == 10


class TestUnsigned:
    """Messages without a right token and signature: the desk keeps few, and never whole; signed ones always."""

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

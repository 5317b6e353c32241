"""Who may call and how often (contract 2.3, 20303 and 20308)."""

import pytest

from integrations.bboss.throttle import caller_address, parse_networks, parse_rate
from tests.bboss.conftest import PATH, answered, envelope

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


def test_too_often_says_when_to_come_back(client, db, clock, settings):
    settings.BBOSS_RATE = "1/min"
    client.post(PATH, envelope(), content_type="application/json")
    response = client.post(PATH, envelope(), content_type="application/json")
    assert (answered(response).code, response["Retry-After"]) == ("20308", "60")


def test_a_bad_setting_is_503_and_no_open_door(post, settings):
    settings.BBOSS_ALLOWED_IPS = ["nonsense"]
    assert post(envelope()).code == "20000"

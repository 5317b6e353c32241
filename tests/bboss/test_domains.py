"""Host names (contract 2.4)."""

import time

import pytest

from integrations.bboss.order_fields import DomainListField
from orders.rules.host_names import domain_fault, domain_key, unicode_form
from orders.texts.error_messages import say_in_english

LABEL63 = "a" * 63
LONG253 = ".".join([LABEL63, LABEL63, LABEL63, "b" * 57, "com"])

GOOD = [
    "pull.api-eas-3.li.com",
    "A.Example.COM",
    "a.b",
    "1.example.com",
    "3com.com",
    "r3---sn-x.example.com",
    f"{LABEL63}.com",
    LONG253,
    "中文.example.com",
    "中文.中国",
    "bücher.example",
    "BÜCHER.example",
    "xn--bcher-kva.example",
    "XN--BCHER-KVA.example",
    "example.xn--fiqs8s",
]


@pytest.mark.parametrize("name", GOOD)
def test_valid(name):
    assert domain_fault(name) is None


BAD = [
    ("localhost", "one label"),
    ("", "one label"),
    ("example.com.", "dot"),
    (".example.com", "empty label"),
    ("a..com", "empty label"),
    ("*.example.com", "wildcard"),
    ("a.*.com", "wildcard"),
    ("-a.com", "hyphen"),
    ("a-.com", "hyphen"),
    ("a.com-", "hyphen"),
    ("a_b.com", "letters, digits"),
    ("a b.com", "letters, digits"),
    (" a.com", "letters, digits"),
    ("a.com\n", "letters, digits"),
    ("http://a.com", "letters, digits"),
    ("a.com/x", "letters, digits"),
    ("a.com:80", "letters, digits"),
    ("10.0.0.1", "address"),
    ("a.1", "address"),
    ("::1", "one label"),
    ("::ffff:1.2.3.4", "address"),
    ("1.2.3.４", "internationalized"),
    (f"{LABEL63}a.com", "63"),
    (LONG253[:-3] + "xcom", "253"),
    (LONG253 + ".a" * 1000, "253"),
    ("中" * 60 + "." + "国" * 60, "internationalized"),
    (".".join(["".join(map(chr, range(0x4E00 + n, 0x9000, 1500))) for n in range(9)]), "253"),
    ("中文。com", "one label"),
    ("中。文.com", "internationalized"),
    ("-中文.com", "internationalized"),
    ("😀.com", "internationalized"),
    ("xn--a.com", "internationalized"),
    ("xn--.com", "internationalized"),
    ("\u0301a.com", "internationalized"),
    ("\u212a.example.com", "only looks like"),
]


@pytest.mark.parametrize(("name", "why"), BAD)
def test_invalid_says_why(name, why):
    wrong = domain_fault(name)
    assert why in say_in_english(wrong["code"], wrong)


@pytest.mark.parametrize("pattern", ["d{}.example.com", "网{}.example.com"])
def test_ten_thousand_take_well_under_a_second(pattern):
    names = [{"ProvReq": pattern.format(n)} for n in range(10_000)]
    before = time.process_time()
    assert len(DomainListField().to_internal_value(names)) == 10_000
    assert time.process_time() - before < 0.9


SAME = [
    ("A.Example.COM", "a.example.com"),
    ("bücher.example", "xn--bcher-kva.example"),
    ("BÜCHER.example", "xn--bcher-kva.example"),
    ("XN--BCHER-KVA.Example", "xn--bcher-kva.example"),
    ("www.中文.中国", "www.xn--fiq228c.xn--fiqs8s"),
    ("straße.de", "xn--strae-oqa.de"),
]


@pytest.mark.parametrize(("name", "key"), SAME)
def test_a_domain_is_compared_in_lower_case_and_in_ascii(name, key):
    assert domain_key(name) == domain_key(key) == key
    assert domain_key(unicode_form(key)) == key


LONG = ".".join(
    "".join(map(chr, range(0x4E00 + n, 0x9000, 1500))) for n in range(9)
)  # the ASCII form has more than 253 characters
ODD = ["", ".", "中文。Com", "😀.Com", "-中.Com", "xn--.COM", "\u212a.Example.com", "中" * 300, LONG, "\ud800.Com"]


@pytest.mark.parametrize("text", ODD)
def test_what_is_no_host_name_is_compared_in_lower_case(text):
    assert domain_key(text) == text.lower() == domain_key(domain_key(text))
    assert unicode_form(text.lower()) == text.lower()


def test_twenty_thousand_keys_take_no_time():
    names = [f"d{number}.Example.com" for number in range(20_000)]
    began = time.process_time()
    assert len(set(map(domain_key, names))) == 20_000
    assert time.process_time() - began < 1

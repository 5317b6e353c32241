"""The definition of JSON that the desk accepts (contract 2.3, code 20105)."""

import time

import pytest

from integrations.base.strict_json import BadJsonError, parse_bytes, parse_text

BAD = {
    "nothing": b"",
    "no JSON": b"{",
    "two values": b"{}{}",
    "an array": b"[]",
    "a string": b'"a"',
    "null": b"null",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"a":"b"}'.encode("utf-16"),
    "GBK": '{"a":"开通"}'.encode("gbk"),
    "a surrogate in UTF-8": b'{"a":"\xed\xa0\x80"}',
    "half a surrogate pair": b'{"a":"\\ud800"}',
    "half a surrogate pair in a key": b'{"\\uDC00":"a"}',
    "a key twice": b'{"a":1,"a":1}',
    "a key twice, written differently": b'{"a":1,"\\u0061":1}',
    "a key twice, deep inside": b'{"a":[{"b":{"c":1,"c":2}}]}',
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":Infinity}',
    "-Infinity": b'{"a":[-Infinity]}',
    "a number that overflows": b'{"a":1e999}',
    "a number that underflows to minus infinity": b'{"a":-1e999}',
    "a number of 5000 digits": b'{"a":' + b"1" * 5000 + b"}",
    "a raw line feed in a string": b'{"a":"\n"}',
    "single quotes": b"{'a':1}",
    "a comma too many": b'{"a":1,}',
    "33 levels": b'{"a":' * 33 + b"1" + b"}" * 33,
    "33 levels of both": b'{"a":' + b"[" * 32 + b"]" * 32 + b"}",
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
def test_refuses(body):
    with pytest.raises(BadJsonError):
        parse_bytes(body)


GOOD = {
    "empty": (b"{}", {}),
    "white space around": (b' \r\n\t{"a": 1} ', {"a": 1}),
    "a whole surrogate pair": (b'{"a":"\\ud83d\\ude00"}', {"a": "😀"}),
    "an escaped NUL": (b'{"a":"\\u0000"}', {"a": "\0"}),
    "one key in two objects": (b'{"a":{"b":1},"c":{"b":1}}', {"a": {"b": 1}, "c": {"b": 1}}),
    "brackets in strings": (b'{"a":"' + b'[{\\"' * 40 + b'"}', {"a": '[{"' * 40}),
    "many objects beside each other": (b'{"a":[' + b",".join([b"{}"] * 50) + b"]}", {"a": [{}] * 50}),
}


@pytest.mark.parametrize(("body", "value"), GOOD.values(), ids=GOOD.keys())
def test_reads(body, value):
    assert parse_bytes(body) == value


def test_reads_32_levels():
    value = parse_bytes(b'{"a":' * 32 + b"1" + b"}" * 32)
    for _ in range(32):
        value = value["a"]
    assert value == 1


MEAN = {
    "brackets": b"[" * 2**21,
    "objects": b'{"a":' * 2**18,
    "a string that never ends, after many brackets": b"[" * 30 + b'{"a":[[["' + b'\\"' * 2**20,
    "quotes": b'"' * 2**21,
    "keys, the last twice": b"{" + b",".join(b'"%d":1' % n for n in range(150_000)) + b',"149999":1}',
}


@pytest.mark.parametrize("body", MEAN.values(), ids=MEAN.keys())
def test_a_mean_body_of_2_mib_costs_little(body):
    before = time.process_time()
    with pytest.raises(BadJsonError):
        parse_bytes(body)
    assert time.process_time() - before < 2


@pytest.mark.parametrize("text", ['{"a":[' + "[]," * 130_000 + "[]]}", '{"a":[' + "{}," * 130_000 + "{}]}"])
def test_more_values_than_any_order_has_are_not_even_walked(text):
    with pytest.raises(BadJsonError, match="more than 250000 values"):
        parse_text(text)


def test_two_megabytes_of_the_shortest_domains_are_taken():
    """The shortest possible domains in two megabytes can be read as JSON. After that, the check of the content refuses
    them because they are too many."""
    most = (2 * 1024 * 1024 - 100) // 18
    assert len(parse_text('{"a":[' + ",".join(['{"ProvReq":"a.b"}'] * most) + "]}")["a"]) == most

"""The base service platform's signature rule, with computed examples (contract 2.2)."""

import hashlib

import pytest

from integrations.bboss.compute_signature import masked_text_to_sign, sign, text_to_sign, verify
from orders.rules.content import canonical_json, content_hash

MEMBERS = {
    "transIDO": "t1",
    "content": {"b": "乙", "a": [{"d": 1, "c": None}]},
    "accessToken": "tok",
    "sign": "not signed itself",
}


def test_the_text_is_sorted_and_wrapped_in_the_secret():
    expected = 'SECaccessTokentokcontent{"a":[{"c":null,"d":1}],"b":"乙"}transIDOt1SEC'
    assert text_to_sign(MEMBERS, "SEC") == expected


def test_worked_values():
    # printf '%s' 'SECaccessTokentokcontent{"a":[{"c":null,"d":1}],"b":"乙"}transIDOt1SEC' | md5sum
    assert sign(MEMBERS, "SEC") == "1812FDB8D7FFADA95502123FB85318FF"
    # printf '%s' 'Sa1b2S' | md5sum
    assert sign({"b": "2", "a": "1"}, "S") == "DB08FDC3F25263430791ACF66D2DE0C9"


def test_upper_case_sorts_before_lower_case_as_in_ascii():
    assert text_to_sign({"b": "1", "a": "2", "B": "3"}, "") == "B3a2b1"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('{ "b":1, "a":2 }', '{ "b":1, "a":2 }'),
        ({"b": 1, "a": "é"}, '{"a":"é","b":1}'),
        (7, "7"),
        (1.5, "1.5"),
        (True, "true"),
        (None, "null"),
        (["b", "a"], '["b","a"]'),
    ],
)
def test_a_string_enters_verbatim_and_anything_else_as_compact_json(value, text):
    assert text_to_sign({"content": value}, "-") == f"-content{text}-"


def test_any_letter_case_is_right_and_any_other_text_wrong():
    right = hashlib.md5(b"Sa1S").hexdigest()
    assert verify({"a": "1"}, right, "S")
    assert verify({"a": "1"}, right.upper(), "S")
    for wrong in ("", right[:-1], right + "0", "ｆ" * 32, "0" * 32):
        assert not verify({"a": "1"}, wrong, "S")


def test_every_member_is_signed():
    for name in ("transIDO", "content", "accessToken"):
        assert sign(MEMBERS | {name: "other"}, "S") != sign(MEMBERS, "S")
    assert sign(MEMBERS | {"unknown": "member"}, "S") != sign(MEMBERS, "S")


def test_the_text_for_people_holds_no_token():
    text = masked_text_to_sign({"accessToken": "very-secret", "transIDO": "t1"})
    assert "very-secret" not in text
    assert "accessToken***transIDOt1" in text


def test_canonical_json_is_equal_for_equal_content():
    one, other = {"b": [{"y": 1, "x": 2}], "a": "中"}, {"a": "中", "b": [{"x": 2, "y": 1}]}
    assert canonical_json(one) == canonical_json(other) == '{"a":"中","b":[{"x":2,"y":1}]}'
    assert content_hash(one) == content_hash(other) == hashlib.sha256(canonical_json(one).encode()).hexdigest()
    assert content_hash(one) != content_hash(one | {"a": "文"})

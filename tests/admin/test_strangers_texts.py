"""Texts that strangers write: a page reads them in linear time and shows only a part of limited length."""

import itertools
import json
import re
import time

import pytest
from django.urls import reverse

from integrations.bboss.compute_signature import masked_text_to_sign
from integrations.bboss.envelope_checks import masked_body, storable_hint
from notifications.masks import BYTES_SHOWN, mask_mail, mask_phone, mask_text
from orders.incidents.incidents import common_words
from orders.lists.personal_data import mask_json, mask_text_or_json
from orders.order_page.calls import explain
from orders.order_words.error_details import detail_text
from orders.texts.incident_texts import cause_of
from orders.texts.untrusted_text import load, pretty
from project.base import logs
from tests import factories as make
from tests.sampling import WHOLE

KIB = 1024
LONG = (64 if WHOLE else 16) * KIB
EVERY_CUT = 1 if WHOLE else 7
LEAST = 0.004  # seconds; shorter times can't be told from the processor's other work
PIECES = [
    "[", "{", '{"a":', '["', "[1,", "\\", '\\"', '"', "a", "a.", "a-", "1", "1-", "12-", "123-", "137", "+123-", "@",
    "a@", "a@a.", ".@", " ", "\n", "%", "_", "operUser", '"operTel', '"operUser":', '"operUser" ', '"operTel":"',
    '"operTel":[', '\\"operUser\\":\\"', '\\\\\\"operUser\\\\\\":', '"operMail":"a@', "sign", 'sign":', "sign= ",
    "password:", "accessToken\\", "20991231235959", "20991231235959" + "a" * 32 + "-", "domains: BPM has ",
    "start: BPM has a, now b; ", "; ", "a.xlsx: ", ".xlsx", "answered HTTP 1", "order a", "\\u0022", "\\u005c",
    "\ud800", "张", "1e", "0", "-", "true,", "137 ", "1371 ", "13712345678-", "+86 ", "0086", "(", "(010) ",
    "0 ", "021 5888 ", "400 ", "400-1234-", "１", "＋８６ ", "张@", "110101190003071234 ", "110101900307123 ",
]  # fmt: skip
NESTED = '{"a":' * 60


def grown(piece, size):
    return (piece * (size // len(piece) + 1))[:size]


def texts_in_texts(size):
    """Returns JSON inside a string of JSON, nested many times. The escapes are written so that a level adds only a few
    characters.
    """
    quote, text = '"', "[1]"
    while len(text) + 3 * len(quote) < size:
        text = "[" + quote + text + quote + "]"
        quote = "\\" + "u005c" * (len(quote) > 1) + "u0022" if len(quote) == 1 else quote.replace("\\", "\\u005c", 1)
    return text.ljust(size)


def deep(size):
    return NESTED + "[" + ",".join("1" * (size // 2 - 300)) + "]" + "}" * 60


def many_members(size):
    return json.dumps({str(number): "a@b.cn" for number in range(size // 20)}).ljust(size)


def surrounded(piece):
    return lambda size: f"x {grown(piece, size - 8)} x\x00:"


TEXTS = {repr(piece): (lambda size, piece=piece: grown(piece, size)) for piece in PIECES}
TEXTS |= {f"around {piece!r}": surrounded(piece) for piece in PIECES}
TEXTS |= {
    f"a string of {piece!r}": (lambda size, piece=piece: json.dumps({"operX": grown(piece, size // 2)})[:size])
    for piece in PIECES
}
TEXTS |= {function.__name__: function for function in (texts_in_texts, deep, many_members)}
READERS = {
    "mask_text_or_json": mask_text_or_json,
    "mask_json": lambda text: pretty(mask_json(text)),
    "mask_text": mask_text,
    "mask_mail": mask_mail,
    "mask_phone": mask_phone,
    "pretty": pretty,
    "explain": explain,
    "logs": logs.redact,
    "hint": lambda text: storable_hint(text, signed=True),
    "cause": cause_of,
    "said": lambda text: detail_text(text, {}),
    "quoted": lambda text: detail_text("", {"code": "partner_words", "words": text}),
    "common words": common_words,
    "kept": lambda text: masked_body({"a": text, text[:20]: [text]}),
    "signed": lambda text: masked_text_to_sign({"a": text, "content": {"b": text}}),
}


def seconds(reader, text, times):
    """Returns the processor time of the fastest of `times` runs, in seconds."""
    found = []
    for _ in range(times):
        began = time.process_time()
        reader(text)
        found.append(time.process_time() - began)
    return min(found)


def grows_too_fast(reader, text, long, times):
    """Returns True if reading a long text, which took `long` seconds, took far more time than four times the time of a
    quarter of it.
    """
    short = seconds(reader, text(LONG // 4), times)
    return long > 8 * max(short, LEAST / 8) or long > 2


@pytest.mark.parametrize("reader", READERS)
def test_four_times_the_text_takes_no_more_than_eight_times_the_time(reader):
    """A text that looks slow is measured more often, because on a busy machine anything may be slow once."""
    read, slow = READERS[reader], []
    for name, text in list(TEXTS.items())[:: 1 if WHOLE else 5]:
        long = seconds(read, text(LONG), times=1)
        if long >= LEAST and grows_too_fast(read, text, long, 1):
            slow += [name] if all(grows_too_fast(read, text, seconds(read, text(LONG), n), n) for n in (3, 9)) else []
    assert slow == []


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '["' * 100_000, "[[],[]," * 50_000, "]" * 100_000])
def test_brackets_break_nothing(text):
    for reader in READERS.values():
        reader(text)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "query, text",
    list(
        itertools.product(
            ["", "?personal=1"], ["[" * 100_000, json.dumps({"a": "[" * 100_000}), '{"b": "\\"[' + "[" * 100_000]
        )
    ),
)
@pytest.mark.whole
def test_no_page_breaks_at_them(member, query, text):
    order = make.OrderFactory(attribution_id="BJ", content={"OrderNum": "x", "more": text})
    message = make.InboundMessageFactory(order_number=order.number, body=text, hint=text, rsp_desc=text)
    conflict = make.ConflictFactory(order_number=order.number, body=json.dumps({"content": {"a": text, "b": [text]}}))
    incident = make.AffectedOrderFactory(order=order, detail=text).incident
    type(incident).objects.update(detail=text)
    event = make.OrderEventFactory(order=order, kind="incident", data={"detail": text})
    attempt = make.AttemptFactory(dispatch__order=order, answer=text, error=text)
    staff = member("业务人员")
    for row in (order, message, incident, event, attempt, attempt.dispatch):
        answer = staff.get(reverse(f"admin:orders_{row._meta.model_name}_change", args=[row.pk]) + query)
        assert answer.status_code == 200
        assert most_of_a_block(answer) <= BYTES_SHOWN
        assert staff.get(reverse(f"admin:orders_{row._meta.model_name}_changelist")).status_code == 200
    for tab in ("raw", "events", "overview"):
        page = reverse("admin:orders_order_change", args=[order.pk])
        assert staff.get(f"{page}?tab={tab}&{query[1:]}").status_code == 200
    assert staff.get(reverse("admin:orders_conflict_change", args=[conflict.pk]) + query).status_code == 200


def most_of_a_block(answer):
    """Returns the length of the longest run of brackets that a page shows."""
    return max(map(len, re.findall(r"\[+", answer.content.decode())), default=0)


def test_what_is_shown_is_bounded_and_the_rest_is_a_length():
    for reader in (mask_text_or_json, pretty):
        told = reader("字" * BYTES_SHOWN)
        assert len(told.encode()) < BYTES_SHOWN + 100
        assert str(3 * BYTES_SHOWN - BYTES_SHOWN // 3 * 3) in told
    assert len(pretty(deep(64 * KIB)).encode()) < BYTES_SHOWN + 100
    assert len(pretty(mask_json(deep(64 * KIB))).encode()) < BYTES_SHOWN + 100


PHONE, MAIL, NAME = "13712345678", "ops@secret.example.com", "欧阳张三丰"
PEOPLE = {"operUser": NAME, "OperTel": PHONE, "operMail": MAIL, "userList": [{"userName": NAME, "userTel": PHONE}]}
PERSONS = json.dumps(PEOPLE, ensure_ascii=False)
IN_IT = json.dumps({"content": json.dumps({"inner": PERSONS}, ensure_ascii=False)}, ensure_ascii=False)
ASCII = json.dumps({"said": f"请联系{PHONE}，\n{PHONE}\n或{MAIL}"})


@pytest.mark.parametrize("text", [PERSONS, IN_IT, ASCII, json.dumps(IN_IT), f"x {IN_IT}"])
def test_no_cut_brings_people_s_data_to_light(text):
    """No people's data show wherever the page cuts the text, also in the middle of a name, phone, mail address or
    escape.
    """
    for end in range(0, len(text), EVERY_CUT):
        filled = "填" * ((BYTES_SHOWN - len(text[:end].encode())) // 3) + " " + text + "，" + "x" * BYTES_SHOWN
        shown, _, length = mask_text_or_json(filled).partition("……")
        assert re.search("[0-9]{5}", length)
        assert leaks(shown) == [], text[:end]


@pytest.mark.parametrize("text", [PERSONS, IN_IT, json.dumps(IN_IT), f"x {IN_IT}"])
def test_no_member_of_a_text_that_was_cut_before_does(text):
    for end in range(0, len(text), EVERY_CUT):
        assert leaks(mask_text_or_json(text[:end])) == [], text[:end]


def leaks(told):
    """Returns the pieces of people's data in a text that a mask would have hidden."""
    return [piece for piece in (NAME, NAME[:2], NAME[1:], PHONE[:4], PHONE[-4:], MAIL, MAIL[:3]) if piece in told]


@pytest.mark.parametrize(
    "text",
    [
        '{"operUser": "欧\\"阳张三丰", "x',
        '{\\"operUser\\": \\"欧\\\\\\"阳张三丰\\", \\"x',
        '{\\\\\\"operUser\\\\\\" : \\\\\\"欧阳张三丰\\\\\\"',
        '{"OPERUSER":\n\t"欧阳张三丰"',
        '{\\"operUser\\":\\n\\"欧阳张三丰',
        '{"operUser": ["王", "欧阳张三丰", "李"',
        '{"operTel": 13712345678, "x',
        '{"operTel": 1371234',
        '{"operUser": "a\\\\", "x": 1, "operUser": "欧阳张三丰", ',
        "a@b.cn_ops@secret.example.com",
        "..ops@secret.example.com",
        '{"content": "{\\"OperUser\\": \\"欧阳张三丰\\"}"}',
        '{"operTel": 13712345678}',
        '{"phone": 13712345678}',
        '{"unknown": {"13712345678": 1}}',
        "13712345678",
        '{"data": {"operUser": "欧阳张三丰", "domains": ["a.exam',
        '[{"userName": "欧阳张三丰"}]',
        'secret{"content":"{\\"operUser\\":\\"欧阳张三丰\\"}"}secret',
    ],
)
def test_odd_spellings_are_masked(text):
    assert leaks(mask_text_or_json(text)) == []
    assert '"x"' not in mask_text_or_json('{"userList": [{"userMail": "x"}]}')


def test_what_stands_behind_a_masked_value_is_shown():
    told = mask_text_or_json('{\\"operUser\\": \\"欧\\\\\\"阳\\", \\"state\\": \\"wrong\\", "cut')
    assert '\\"state\\": \\"wrong\\", "cut' in told
    told = mask_text_or_json('{"operUser": "a\\\\", "state": "wrong", "cut')
    assert '"state": "wrong"' in told


def test_a_load_of_too_many_values_is_a_text():
    with pytest.raises(ValueError, match="too many"):
        load("[" + "[]," * 200_000 + "1]")

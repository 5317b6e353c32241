"""The parts of a request that the desk keeps, and those that it never keeps (contract 2.3, last paragraph)."""

import hashlib
import json

import pytest
from django.conf import settings

from integrations.bboss.envelope_checks import stored_trans_ido
from orders.models import AcceptedCall, InboundMessage
from tests.bboss.conftest import TRIAL, envelope

pytestmark = pytest.mark.django_db
TOKEN = settings.BBOSS_ACCESS_TOKENS[0]


def all_text(message: InboundMessage) -> str:
    return " ".join(str(getattr(message, field.attname)) for field in InboundMessage._meta.fields)


@pytest.mark.parametrize("overrides", [{}, {"sign": "F" * 32}, {"envFlag": "1"}, {"accessToken": TOKEN[:-1] + "9"}])
def test_token_signature_and_secret_are_never_kept(post, kept, overrides):
    members = envelope(**overrides)
    post(members)
    (message,) = kept()
    for secret in (members["accessToken"], members["sign"], settings.BBOSS_APP_SECRET):
        assert secret not in all_text(message)
    body = json.loads(message.body)
    assert (body["accessToken"], body["sign"]) == ("***", "***")
    assert body["content"] == TRIAL
    assert body.keys() == members.keys()


def test_secrets_in_another_letter_case_or_type_are_masked_too(post, kept):
    post(envelope(AccessToken="s-one", SIGN="s-two", accessToken={"a": "s-three"}))
    text = all_text(kept()[0])
    assert not [secret for secret in ("s-one", "s-two", "s-three") if secret in text]


def test_a_wrong_signature_shows_the_text_that_was_signed(post, kept):
    post(envelope(sign="0" * 32, busType="BBSS"))
    hint = kept()[0].hint
    assert 'accessToken***busTypeBBSScontent{"BillingMethod":"1",' in hint
    assert "北京泽天伟业商贸有限公司" in hint


def test_of_what_nobody_known_signed_the_head_is_kept_with_length_and_hash(post, kept):
    """A message without a right signature is kept with its head, length and hash. Its text is masked first and then
    cut, so that no part of a token is left at the end."""
    for place in range(3900, 4200, 7):
        raw = json.dumps({"a": "x" * place, "b": f"{TOKEN} 单" + "单" * 9000}, ensure_ascii=False).encode()
        post(raw)
        message = InboundMessage.objects.latest("pk")
        assert len(message.body.encode()) <= 4096
        assert len(message.hint.encode()) <= 4096
        assert (message.signed, message.length, message.sha256) == (False, len(raw), hashlib.sha256(raw).hexdigest())
        assert TOKEN[:10] not in all_text(message)
    assert message.body.startswith('{"a":"xxx')


def test_what_a_known_caller_signed_is_kept_whole(post, kept):
    for number, overrides in enumerate([{}, {"envFlag": "1"}, {"timeStamp": "20200101000000"}, {"routeType": "09"}]):
        order = TRIAL | {"OrderNum": f"T{number}", "EnterpriseName": "单" * 200, "more": "x" * 9000}
        post(envelope(order, trans_ido=f"t{number}", **overrides))
    assert [(message.signed, message.length, message.sha256) for message in kept()] == [(True, None, "")] * 4
    assert all(json.loads(message.body)["content"]["more"] == "x" * 9000 for message in kept())


def test_a_wrong_clock_shows_both_times(post, kept):
    post(envelope(timeStamp="20230920120000"))
    assert "20230920120000" in kept()[0].hint
    assert "20230920185436" in kept()[0].hint


def test_the_caller_is_kept(post, kept):
    post(envelope(envFlag="1"), REMOTE_ADDR="10.1.2.3")
    assert kept()[0].remote_address == "10.1.2.3"


def test_a_message_without_a_number_is_kept(post, kept):
    post({"a\0b": "c\0d", "content": {"OrderNum": "x\0"}})
    (message,) = kept()
    assert (message.rsp_code, message.trans_ido, message.order_number) == ("20402", "", "")
    assert json.loads(message.body) == {"a\0b": "c\0d", "content": {"OrderNum": "x\0"}}


STRANGE = ["x" * 65, "x" * 100_000, "a\0b", "a\nb", "单" * 65]


@pytest.mark.parametrize("number", STRANGE, ids=["65", "100000", "NUL", "line feed", "65 wide"])
def test_a_strange_trans_ido_works_like_any_other(post, kept, number):
    first = post(envelope(trans_ido=number))
    assert (first.code, first.body["transIDO"]) == ("00000", number)
    stored = stored_trans_ido(number)
    assert (len(stored), stored[:7]) == (64, "sha256:")
    assert [message.trans_ido for message in kept()] == [stored]
    assert AcceptedCall.objects.get().trans_ido == stored
    assert post(envelope(trans_ido=number)).body["transIDH"] == first.body["transIDH"]
    assert post(envelope(TRIAL | {"OrderNum": "other"}, trans_ido=number)).code == "20002"


def test_plain_numbers_are_stored_as_they_are():
    for number in ("t1", "x" * 64, "单" * 64, " a "):
        assert stored_trans_ido(number) == number
    assert stored_trans_ido("x" * 65) != stored_trans_ido("x" * 66)


def test_every_member_may_be_strange_without_a_500(post, kept):
    """Each member is sent with each type of value. Each answer is one of the code table, and each request is kept as
    one message."""
    values = [None, True, 0, 1.5, "", "\0", "x" * 5000, [], [[]], {}, {"a": {"b": "\0"}}, "😀"]
    names = [*envelope(), "unknown"]
    for name in names:
        for value in values:
            assert post(envelope(**{name: value})).status == 200, (name, value)
    assert len(kept()) == len(names) * len(values)


def envelope_of(*content, **overrides):
    """Returns a function that makes the envelope at the time of its call, because the envelope contains the time."""
    return lambda: envelope(*content, **overrides)


IN_TEXT = json.dumps(TRIAL, ensure_ascii=False)
WHAT_NAMES_IT = {
    "an object": envelope_of(sign="0" * 32),
    "a text": envelope_of(IN_TEXT, sign="0" * 32),
    "a signed text": envelope_of(IN_TEXT, envFlag="1"),
    "a text that can't be read": envelope_of(IN_TEXT[:-1]),
    "deeper down": envelope_of({"data": [TRIAL]}, accessToken="x"),
    "another spelling": envelope_of({"orderNum": " 100T1 "}, accessToken="x"),
    "a text in a text": envelope_of(json.dumps({"data": IN_TEXT}), accessToken="x"),
}


@pytest.mark.parametrize("members", WHAT_NAMES_IT.values(), ids=WHAT_NAMES_IT)
def test_a_refused_message_is_kept_under_the_order_number_in_it(post, kept, members):
    post(members())
    (message,) = kept()
    assert message.rsp_code != "00000"
    assert message.order_number == "100T1"


@pytest.mark.parametrize("number", ["", "x" * 65, "100T1;", 1, None, ["100T1"], "单"])
def test_what_is_no_order_number_is_not_taken_for_one(post, kept, number):
    post(envelope(TRIAL | {"OrderNum": number}, sign="0" * 32))
    assert kept()[0].order_number == ""

"""BBOSS's signature by the profile's `[bboss.sign]`, and `verify_message`, which finds the variant of a given
signature (contract 7.1, 7.3)."""

import hashlib
import io
import itertools
import json
import time
from collections.abc import Iterator

import pytest
from django.conf import settings as in_force
from django.core.management import CommandError, call_command
from django.utils import timezone

from integrations.base.strict_json import GENERAL_BOUNDS
from integrations.bboss.compute_signature import verify
from integrations.bboss.message_decoding import Wire, parsed
from integrations.bboss.sample_envelope import body_of, signed_envelope
from integrations.bboss.signing_variants import FORMS, TEXTS
from integrations.partners.member_rules import toml
from integrations.partners.profile import SIGN_METHODS, read_profile
from tests.bboss.conftest import TRIAL

OLD = "an-old-secret-of-bboss"
WAYS = {
    "k=v&key=": 'pair = "{name}={value}"\nbetween = "&"\ntext = "{pairs}&key={secret}"',
    "sha256": 'methods = ["sha256"]',
    "sm3": 'methods = ["SM3"]',
    "hmac-sha256": 'methods = ["hmac-sha256"]\ntext = "{pairs}"\npair = "{name}={value}"\nbetween = "&"',
    "hmac-md5 in base64": 'methods = ["hmac-md5"]\ntext = "{pairs}"\nencoding = "base64"',
    "in a list's order": 'order = ["transIDO", "timeStamp", "content"]\npair = "{value}"\ntext = "{pairs}{secret}"',
    "in base64": 'encoding = "base64"',
    "raw, without empty ones": 'content = "raw"\nempty = "skip"\npair = "{name}={value}"\nbetween = "&"',
    "values, method left out": 'methods = ["sha256"]\npair = "{value}"\nbetween = "|"\ntext = "{secret}{pairs}"',
    "two methods": 'methods = ["hmac-sha256", "md5"]',
}


def sign_of(lines: str):
    return read_profile(f"[bboss.sign]\n{lines}")


def printed(file, message: bytes) -> str:
    file.write_bytes(message)
    out = io.StringIO()
    call_command("verify_message", str(file), stdout=out)
    return out.getvalue()


def lines_of(text: str) -> str:
    return text[text.index("[bboss.sign]") :]


@pytest.mark.parametrize("way", WAYS)
def test_a_message_of_this_dialect_is_taken_with_its_lines_and_not_without(settings, post, way):
    profile = sign_of(WAYS[way])
    message = signed_envelope(
        TRIAL | {"ProvContent": [{"ProvReq": "客户.example.com"}]},
        now=timezone.now(),
        overrides={"version": ""},
        how=profile.bboss,
    )
    assert post(body_of(message, profile.bboss)[0]).code in {"20207", "20208"}
    settings.PARTNERS = profile
    assert post(body_of(message, profile.bboss)[0]).code == "00000"
    assert post(body_of(message | {"transIDO": "another"}, profile.bboss)[0]).code == "20208"


def test_the_signature_is_the_one_that_others_work_out(settings, post):
    settings.PARTNERS = sign_of(WAYS["k=v&key="])
    message = signed_envelope(TRIAL, now=timezone.now())
    content = json.dumps(TRIAL, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    pairs = {**message, "content": content}
    text = "&".join(f"{name}={pairs[name]}" for name in sorted(pairs) if name != "sign")
    text += f"&key={settings.BBOSS_APP_SECRET}"
    assert message["sign"].lower() == hashlib.md5(text.encode()).hexdigest()


@pytest.mark.parametrize(("given", "code"), [("MD5", "00000"), ("Md5", "00000"), ("sha256", "20207")])
def test_the_methods_name_may_have_any_case(post, given, code):
    assert post(signed_envelope(TRIAL, now=timezone.now(), overrides={"signMethod": given})).code == code


def test_the_mask_hides_renamed_secrets(settings, post, kept):
    settings.PARTNERS = read_profile('[bboss]\nrename = { reqSign = "sign", tok = "accessToken" }')
    message = signed_envelope(TRIAL, now=timezone.now())
    assert post(message).code == "00000"
    assert post(message | {"reqSign": "0" * 32}).code == "20208"
    for row in kept():
        assert message["tok"] not in row.body + row.hint
        assert message["reqSign"] not in row.body + row.hint
        assert json.loads(row.body)["tok"] == json.loads(row.body)["reqSign"] == "***"


@pytest.mark.parametrize("way", WAYS)
def test_verify_message_prints_lines_that_work(settings, tmp_path, post, way):
    profile = sign_of(WAYS[way]).bboss
    message = signed_envelope(TRIAL, now=timezone.now(), overrides={"version": ""}, how=profile)
    said = printed(tmp_path / "message", json.dumps(message, ensure_ascii=False, indent=1).encode())
    raw = body_of(message, profile)[0]
    if "raw" in way:
        said = printed(tmp_path / "message", raw)
    settings.PARTNERS = read_profile(lines_of(said))
    assert post(raw).code == "00000"


def test_verify_message_warns_of_what_leaves_content_out(tmp_path, settings):
    names = ["accessToken", "timeStamp", "transIDO"]
    how = sign_of(f"order = {names}").bboss
    said = printed(tmp_path / "m", body_of(signed_envelope(TRIAL, now=timezone.now(), how=how), how)[0])
    assert said.index("WARNING: content would be outside the sign") < said.index("[bboss.sign]")
    assert read_profile(lines_of(said)).bboss.sign.order


def known_ways(names: list[str]) -> Iterator[str]:
    """Yields lines of `[bboss.sign]`: each form with each text, and one method, encoding and so on, taken in turn."""
    names = [name for name in names if name != "sign"]
    without = sorted({*names} - {"signMethod"})
    orders = ["sorted", names, sorted(names, reverse=True), sorted(names, key=str.lower), without]
    kinds = itertools.product(SIGN_METHODS, ("hex", "base64"), ("enter", "skip"), ("canonical", "raw"), orders)
    keys = ("pair", "between", "text", "methods", "encoding", "empty", "content", "order")
    for (form, text), (method, *more) in zip(itertools.product(FORMS, TEXTS), itertools.cycle(kinds), strict=False):
        yield "\n".join(
            f"{key} = {toml(value)}" for key, value in zip(keys, (*form, text, [method], *more), strict=True)
        )


@pytest.mark.sampled
@pytest.mark.parametrize("step", [37, 1])
def test_each_known_way_is_named_within_two_seconds(tmp_path, settings, step):
    secret, settings.BBOSS_APP_SECRET = settings.BBOSS_APP_SECRET, OLD
    names, messages = list(signed_envelope(TRIAL, now=timezone.now())), []
    for way in itertools.islice(known_ways(names), 1, None, step):
        how = sign_of(way).bboss
        message = signed_envelope(TRIAL, now=timezone.now(), overrides={"version": ""}, how=how)
        messages.append((way, message["sign"], body_of(message, how)[0]))
    settings.BBOSS_APP_SECRET, settings.BBOSS_APP_SECRETS_OLD = secret, [OLD]
    for way, sign, raw in messages:
        began = time.thread_time()
        said = printed(tmp_path / "m", raw)
        assert time.thread_time() - began < 2, way
        assert "BBOSS_APP_SECRETS_OLD, number 1" in said, way
        assert [one for one in (secret, OLD, *settings.BBOSS_ACCESS_TOKENS) if one in said] == [], way
        found, text = read_profile(lines_of(said)).bboss, raw.decode()
        assert verify(Wire(parsed(text, GENERAL_BOUNDS, found), text, "utf-8"), sign, OLD, found), way


def test_verify_message_never_prints_a_secret(tmp_path, settings):
    settings.BBOSS_APP_SECRETS_OLD = [OLD]
    content = TRIAL | {
        "EnterpriseName": OLD,
        "CpID": in_force.BBOSS_APP_SECRET,
        "UserID": settings.BBOSS_ACCESS_TOKENS[0],
    }
    message = signed_envelope(content, now=timezone.now(), how=sign_of(WAYS["sha256"]).bboss)
    for sign in (message["sign"], "0" * 64, "F" * 32):
        said = printed(tmp_path / "m", json.dumps(message | {"sign": sign}).encode())
        for secret in (OLD, settings.BBOSS_APP_SECRET, *settings.BBOSS_ACCESS_TOKENS, message["accessToken"]):
            assert secret not in said


def test_verify_message_says_what_each_check_makes_of_it(tmp_path):
    message = signed_envelope(TRIAL, now=timezone.now())
    said = printed(tmp_path / "m", json.dumps(message).encode())
    assert said.count(": ok") >= 13
    assert "signature: ok, by BBOSS_APP_SECRET" in said
    assert "[bboss.sign]" not in said
    wrong = message | {"envFlag": "7", "timeStamp": "20230101000000", "content": TRIAL | {"BizStart": "x"}}
    del wrong["userPartyID"]
    said = printed(tmp_path / "m", json.dumps(wrong).encode())
    for code in ("20101", "20210", "20208", "21000", "20505"):
        assert code in said


@pytest.mark.parametrize(
    "as_given",
    [
        lambda body: b"POST /api HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\r\n" + body,
        lambda body: b"\xef\xbb\xbf" + body + b"\n",
        lambda body: body.replace(b'"', b"\\x22"),
        lambda body: json.dumps(body.decode(), ensure_ascii=False).encode(),
        lambda body: (
            b"host: x\ncontent-type: application/json;charset=UTF-8\n\n" + json.dumps(json.loads(body)).encode()
        ),
        lambda body: b"".join(
            b"\\x%02X" % one if one < 32 or one > 126 or one in b'"\\' else bytes([one]) for one in body
        ),
    ],
    ids=[
        "with headers",
        "with a mark",
        "as nginx logs",
        "as nginx logs in JSON",
        "headers alone",
        "nginx, all escaped",
    ],
)
def test_verify_message_takes_a_message_as_a_colleague_gives_it(tmp_path, as_given):
    content = TRIAL | {"EnterpriseName": '客户"北京"\\\n'}
    body, _ = body_of(signed_envelope(content, now=timezone.now()), in_force.PARTNERS.bboss)
    assert "signature: ok" in printed(tmp_path / "m", as_given(body))


def test_verify_message_reads_gbk_and_forms(tmp_path):
    how = read_profile(
        '[bboss]\ncharsets = ["gbk"]\ncontent_types = ["application/x-www-form-urlencoded"]\nform_member = "msg"\n'
        'sign.charset = "body"'
    ).bboss
    said = printed(tmp_path / "m", body_of(signed_envelope(TRIAL, now=timezone.now(), how=how), how)[0])
    assert "it reads as gb18030" in said
    assert 'charset = "body"' in said


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"<xml/>", b"[1]"])
def test_verify_message_says_that_nobody_can_read_it(tmp_path, body):
    with pytest.raises(CommandError, match="read"):
        printed(tmp_path / "m", body)
    with pytest.raises(CommandError, match="missing"):
        call_command("verify_message", str(tmp_path / "missing"))

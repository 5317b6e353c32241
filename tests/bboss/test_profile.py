"""BBOSS's messages are read by the profile of partners (contract 7.1)."""

import io
import json
from urllib.parse import quote_plus

import pytest
from django.conf import settings as in_force
from django.core.management import CommandError, call_command
from django.utils import timezone

from integrations.bboss.sample_envelope import body_of, signed_envelope
from integrations.partners.profile import ProfileError, load_profile, read_profile
from orders.models import BillingRecord, InboundMessage, Order, OrderDomain
from tests.bboss.conftest import ACTIVATION, CHANGE, PATH, TRIAL, answered, without

FORM = "application/x-www-form-urlencoded"


def speak(text: str):
    return read_profile(f"[bboss]\n{text}").bboss


@pytest.fixture
def say(settings, post):
    """Returns a function: `say(content, **members)` signs by the profile in force and posts. `lines` puts other lines
    into force, and `by` signs by other lines."""

    def send(content=TRIAL, *, lines: str | None = None, by: str | None = None, **overrides):
        if lines is not None:
            settings.PARTNERS = read_profile(f"[bboss]\n{lines}")
        how = in_force.PARTNERS.bboss if by is None else speak(by)
        message = signed_envelope(content, now=timezone.now(), overrides=overrides, how=how)
        body, kind = body_of(message, how)
        return post(body, content_type=kind)

    return send


def plain(content, **more) -> str:
    """Returns a content as JSON text, which `signed_envelope` does not change."""
    return json.dumps(content | more, ensure_ascii=False)


DIALECTS = {
    "gbk": 'charsets = ["gbk"]',
    "a form": f'content_types = ["{FORM}"]\nform_member = "msg"',
    "a form in gbk": f'content_types = ["{FORM}"]\nform_member = "msg"\ncharsets = ["gb18030"]\nsign.charset = "body"',
    "plain text": 'content_types = ["text/plain"]',
    "dashes": 'time_formats = ["%Y-%m-%d %H:%M:%S"]\nday_formats = ["%Y-%m-%d"]',
    "milliseconds": 'time_formats = ["%Y%m%d%H%M%S%f"]\nday_formats = ["%Y-%m-%d %H:%M:%S"]',
    "epoch": 'time_formats = ["epoch_ms"]',
    "ISO": 'time_formats = ["%Y-%m-%dT%H:%M:%S%z"]',
    "other kinds": 'kinds.trial = ["T"]\nwithdraws = ["Y"]\nkeeps = ["N", ""]',
    "other names": 'rename = { "reqSign" = "sign", "data" = "content", "data.CustName" = "content.EnterpriseName", '
    '"data.list" = "content.ProvContent", "data.list.host" = "content.ProvContent.ProvReq" }',
    "wrapped": 'rename = { "head.token" = "accessToken", "body.order" = "content", "no" = "content.OrderNum" }',
}


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_is_taken_with_its_profile_and_not_without(say, settings, name):
    assert say(TRIAL | {"BackFlag": "0"}, by=DIALECTS[name]).code != "00000"
    assert not Order.objects.exists()
    got = say(TRIAL | {"BackFlag": "0"}, lines=DIALECTS[name])
    assert (got.code, got.result["OrderNum"]) == ("00000", "100T1")
    order = Order.objects.get()
    assert (order.kind, order.enterprise_name) == ("trial", TRIAL["EnterpriseName"])
    assert f"{order.biz_start:%Y%m%d}" == TRIAL["BizStart"]
    assert list(OrderDomain.objects.values_list("name", flat=True)) == ["a.example.com"]
    assert say(TRIAL | {"BackFlag": "0"}).code == "00000"
    assert Order.objects.count() == 1
    assert InboundMessage.objects.latest("pk").order_number == "100T1"


def test_another_address_is_the_same_endpoint(client, db, clock, settings):
    settings.PARTNERS = read_profile('[bboss]\npaths = ["/IBS/receiveOrder"]')
    message = json.dumps(signed_envelope(TRIAL, now=timezone.now()))
    assert answered(client.post("/IBS/receiveOrder", message, "application/json")).code == "00000"
    assert answered(client.get("/IBS/receiveOrder")).code == "11002"
    assert answered(client.post(PATH, message, "application/json")).code == "00000"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("application/json; charset=GBK", "00000"),
        ("application/json", "00000"),
        ("application/json; charset=big5", "20105"),
        ("application/json; charset=no-such", "20105"),
        ("text/plain", "20007"),
    ],
)
def test_a_charset_that_is_named_must_be_in_the_list(post, settings, kind, code):
    settings.PARTNERS = read_profile('[bboss]\ncharsets = ["utf-8", "gbk"]')
    body = json.dumps(signed_envelope(TRIAL, now=timezone.now()), ensure_ascii=False).encode("gbk")
    assert post(body, content_type=kind).code == code


def test_a_form_without_its_member_is_unreadable(post, settings):
    settings.PARTNERS = read_profile(f'[bboss]\ncontent_types = ["{FORM}"]\nform_member = "msg"')
    body = quote_plus(json.dumps(signed_envelope(TRIAL, now=timezone.now()))).encode()
    assert post(b"msg=" + body, content_type=FORM).code == "00000"
    for wrong in (b"other=" + body, b"msg=" + body + b"&msg=" + body, body, b"msg=%zz"):
        assert post(wrong, content_type=FORM).code == "20105"


LENIENT = TRIAL | {"DataFlow": 1.50, "ProdType": 1, "CpID": None, "UserID": "", "BizEnd": "", "BackFlag": 0}
LENIENT["ProvContent"] = {"ProvReq": "a.example.com"}


def test_lenient_types_count_as_their_text(say, settings):
    text = plain(LENIENT).replace('"DataFlow": 1.5', '"DataFlow": 1.50')
    assert say(text).code == "20505"
    assert say(text, lines="lenient = true", envFlag=0, version=None, routeType="00").code == "00000"
    order = Order.objects.get()
    assert (order.data_flow, order.prod_type, order.cp_id) == ("1.50", "1", "")
    assert (
        say(
            without(TRIAL, "OrderNum") | {"OrderNum": "100T1", "DataFlow": "1.50", "ProdType": "1", "BackFlag": "0"}
        ).code
        == "00000"
    )
    assert say(plain(LENIENT, DataFlow=2)).result["BizCode"] == "3001"


def test_lenient_reads_an_object_with_numbers_as_it_is_signed(say):
    assert say(TRIAL | {"DataFlow": 1.5, "EnterpriseName": "客户", "x": True}, lines="lenient = true").code == "00000"
    assert Order.objects.get().data_flow == "1.5"


def test_a_member_under_both_names_is_refused(say, settings, post):
    lines = 'rename = { "content.CustName" = "content.EnterpriseName", "tok" = "accessToken" }'
    got = say(plain(TRIAL, CustName="x"), lines=lines)
    assert got.code == "20505"
    assert "EnterpriseName" in got.desc
    assert say(plain(without(TRIAL, "EnterpriseName"), CustName="x")).code == "00000"
    message = signed_envelope(TRIAL, now=timezone.now())
    assert post(message | {"accessToken": message["tok"]}).code == "20505"


@pytest.mark.parametrize(
    ("absent", "content", "kind"),
    [
        ("members", without(TRIAL, "OrderType"), "trial"),
        ("members", without(CHANGE, "OrderType"), "change"),
        ("members", ACTIVATION, "activation"),
        ("activation", ACTIVATION, "activation"),
    ],
)
def test_an_order_without_its_kind(say, absent, content, kind):
    assert say(content, lines=f'kind_absent = "{absent}"').code == "00000"
    assert Order.objects.get().kind == kind


def test_the_flag_that_withdraws(say):
    assert say(lines='withdraws = ["2", "Y"]\nkeeps = ["0", "1", "N"]').code == "00000"
    for flag, code in (("X", "20505"), ("N", "00000")):
        assert say(plain(TRIAL, OrderNum=f"1{flag}", BackFlag=flag)).code == code
    assert say(plain(TRIAL, BackFlag="Y")).code == "00000"
    assert Order.objects.get(number="100T1").withdrawal_idh


@pytest.mark.parametrize(("text", "day"), [("2023-09-20 08:00:00", "20230920"), ("2023-09-19T23:30:00Z", "20230920")])
def test_a_day_with_a_time_means_its_day(say, text, day):
    lines = 'day_formats = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]'
    assert say(plain(TRIAL, BizStart=text), lines=lines).code == "00000"
    assert f"{Order.objects.get().biz_start:%Y%m%d}" == day
    assert say(plain(TRIAL, OrderNum="100T2")).code == "20505"


def test_the_answer_in_another_charset_and_as_an_object(client, db, clock, settings):
    settings.PARTNERS = read_profile('[bboss]\nreply = { charset = "gbk", result = "object" }')
    message = signed_envelope(plain(TRIAL, OrderType="9"), now=timezone.now(), overrides={"transIDO": "号1"})
    response = client.post(PATH, json.dumps(message), "application/json")
    assert response["Content-Type"] == "application/json; charset=gbk"
    body = json.loads(response.content.decode("gbk"))
    assert (body["transIDO"], body["result"]) == ("号1", {})
    message = signed_envelope(TRIAL, now=timezone.now(), overrides={"transIDO": "é2"})
    body = json.loads(client.post(PATH, json.dumps(message), "application/json").content.decode("gbk"))
    assert (body["transIDO"], body["result"]["BizCode"]) == ("é2", "0000")


TOKENS = {
    "list": {"ours": "00000", "formed": "20305", "ended": "20305", "odd": "20305", "none": "20101"},
    "form": {"ours": "00000", "formed": "00000", "ended": "20311", "odd": "20305", "none": "20101"},
    "none": {"ours": "00000", "formed": "00000", "ended": "00000", "odd": "00000", "none": "00000"},
}


@pytest.mark.parametrize("check", TOKENS)
def test_how_tokens_are_checked(say, settings, kept, check):
    ours = settings.BBOSS_ACCESS_TOKENS[0]
    given = {"ours": ours, "formed": "20991231235959" + "c" * 32 + "-1234-1700000000", "odd": "nonsense", "none": ""}
    given["ended"] = "20000101000000" + given["formed"][14:]
    for name, code in TOKENS[check].items():
        assert say(TRIAL, lines=f'token.check = "{check}"', accessToken=given[name]).code == code, name
    assert say(TRIAL, sign="0" * 32).code == "20208"
    assert not kept()[-1].signed
    assert all(row.signed for row in kept()[:-1]) or check == "list"


@pytest.mark.parametrize("check", ["form", "none"])
def test_a_large_order_needs_no_listed_token(say, settings, check):
    settings.BBOSS_ACCESS_TOKENS = ["20991231235959" + "b" * 32 + "-1234-1700000000"]
    many = TRIAL | {"ProvContent": [{"ProvReq": f"n{number}.example.com"} for number in range(17_000)]}
    assert say(many, lines=f'token.check = "{check}"').code == "00000"
    assert say(many | {"OrderNum": "100T2"}, sign="0" * 32).code == "20208"


def test_a_message_with_a_wrapped_token_is_a_signed_one(say, kept):
    lines = 'rename = { "head.token" = "accessToken" }'
    assert say(plain(TRIAL, OrderType="9"), lines=lines).code == "20505"
    assert kept()[-1].signed
    assert json.loads(kept()[-1].body)["head"] == {"token": "***"}
    assert say(TRIAL, lines=f'token.check = "none"\n{lines}', sign="0" * 32, accessToken="odd-secret").code == "20208"
    assert "odd-secret" not in kept()[-1].hint + kept()[-1].body


@pytest.mark.parametrize("name", DIALECTS)
def test_the_commands_speak_by_another_profile(settings, post, httpserver, tmp_path, name):
    (tmp_path / "theirs.toml").write_text(f"[bboss]\n{DIALECTS[name]}")
    (tmp_path / "order.json").write_text(json.dumps(TRIAL))
    words = [str(tmp_path / "order.json"), "--profile", str(tmp_path / "theirs.toml")]
    httpserver.expect_request("/x").respond_with_json({"response": {"rspCode": "00000"}})
    call_command("send_order", *words, url=httpserver.url_for("/x"), stdout=io.StringIO())
    (request, _) = httpserver.log[0]
    settings.PARTNERS = load_profile(tmp_path / "theirs.toml")
    assert post(request.data, content_type=request.headers["Content-Type"]).code == "00000"
    out = io.StringIO()
    call_command("sign_message", *words, stdout=out)
    body = out.getvalue().strip().encode(in_force.PARTNERS.bboss.charsets[0])
    assert post(body, content_type=in_force.PARTNERS.bboss.content_types[0]).code == "00000"


def test_a_wrong_profile_is_one_line(tmp_path):
    (tmp_path / "theirs.toml").write_text("[bboss]\nlenent = true")
    (tmp_path / "order.json").write_text(json.dumps(TRIAL))
    with pytest.raises(CommandError, match=r"theirs.toml: bboss.lenent: no such key; lenient\?"):
        call_command("send_order", str(tmp_path / "order.json"), profile=str(tmp_path / "theirs.toml"))


# --- Domains


def named(*names: str, **more) -> dict:
    return TRIAL | {"ProvContent": [{"ProvReq": name} for name in names]} | more


@pytest.mark.parametrize(
    ("lines", "given", "kept_as"),
    [
        ("wildcards = true", "*.A.example.com", ["*.A.example.com"]),
        ("wildcards = true", "*.例子.cn", ["*.例子.cn"]),
        ("wildcards = true", "a.*.cn", None),
        ("wildcards = true", "*.*.cn", None),
        ("wildcards = true", "*.cn", None),
        ("wildcards = true", "*", None),
        ("wildcards = true", "*." + "a." * 124 + "example.com", None),
        ("wildcards = false", "*.example.com", None),
        ('separators = ";,"', "a.cn; b.cn,c.cn;", ["a.cn", "b.cn", "c.cn"]),
        ('separators = ";"', "a.cn,b.cn", None),
        ('separators = ";"', "a.cn;A.cn", None),
        ('separators = ";"', " ; ", None),
        ('separators = ""', "a.cn;b.cn", None),
        ("urls = true", "http://a.example.com/x?y", ["a.example.com"]),
        ("urls = true", "a.example.com:8080", ["a.example.com"]),
        ("urls = true", "A.example.com", ["A.example.com"]),
        ("urls = false", "http://a.example.com/x", None),
        ('urls = true\nseparators = ";"\nwildcards = true', "https://*.a.cn/;http://b.cn", ["*.a.cn", "b.cn"]),
    ],
)
def test_domains_are_read_by_the_profile(say, settings, lines, given, kept_as):
    got = say(named(given), lines=f"[bboss.domains]\n{lines}")
    assert got.code == ("00000" if kept_as else "20505")
    assert list(OrderDomain.objects.order_by("pk").values_list("name", flat=True)) == (kept_as or [])


def test_a_wildcard_is_a_domain_of_its_own(say, settings, admin_client):
    assert say(named("a.cn"), lines="[bboss.domains]\nwildcards = true").code == "00000"
    assert say(named("*.a.cn", OrderNum="100T2")).code == "00000"
    assert say(named("*.a.cn", "x.a.cn", "a.cn", OrderNum="100T3")).code == "00000"
    assert BillingRecord.objects.filter(domain_key="*.a.cn").count() == 2
    assert Order.objects.filter(held_because="").count() == 3
    for address in ("/admin/orders/order/?q=*.a.cn", "/admin/orders/billingrecord/?q=*.a.cn"):
        page = admin_client.get(address).content.decode()
        assert "100T2" in page
        assert "100T3" in page
        assert "100T1" not in page


# --- The same order again


def test_an_order_that_was_kept_under_another_profile_is_the_same(say):
    assert say(plain(TRIAL, DataFlow="1")).code == "00000"
    lenient = say(plain(TRIAL, DataFlow=1, CpID=None), lines="lenient = true")
    assert lenient.code == "00000"
    assert say(plain(TRIAL, DataFlow=2)).result["BizCode"] == "3001"
    assert say(plain(TRIAL, OrderNum="100T2", DataFlow=1)).code == "00000"
    renamed = 'lenient = true\nrename = { "content.CustName" = "content.EnterpriseName" }'
    named = without(TRIAL, "EnterpriseName") | {"CustName": TRIAL["EnterpriseName"], "OrderNum": "100T2"}
    assert say(plain(named), lines=renamed).code == "00000"
    assert say(plain(named, Other="x")).result["BizCode"] == "3001"
    assert Order.objects.count() == 2
    assert Order.objects.get(number="100T2").content["DataFlow"] == 1


def test_a_transaction_again_under_another_profile_is_the_same(say):
    assert say(plain(TRIAL), transIDO="t1").code == "00000"
    assert say(plain(TRIAL, CpID=None), lines="lenient = true", transIDO="t1").code == "00000"
    assert say(plain(TRIAL, DataFlow="7"), transIDO="t1").code == "20002"
    gone = {"OrderNum": "100T1", "BackFlag": "1"}
    assert say(plain(gone, x=1), transIDO="t2").code == "00000"
    assert say(plain(gone, x="1"), transIDO="t2").code == "00000"
    assert say(plain(gone, x="2"), transIDO="t2").code == "20002"


def test_what_the_keys_must_not_say():
    for wrong, named in {
        "sign.order = []": "bboss.sign.order",
        'time_formats = ["YYYY"]': "bboss.time_formats",
        'day_formats = ["%Q"]': "bboss.day_formats",
        'rename = { a = "sign", b = "sign" }': "bboss.rename",
        'charsets = ["gbq"]': "bboss.charsets",
    }.items():
        with pytest.raises(ProfileError, match=named):
            read_profile(f"[bboss]\n{wrong}")
    with pytest.raises(ProfileError, match="files.extensions"):
        read_profile('[files]\nextensions = [".doc"]')

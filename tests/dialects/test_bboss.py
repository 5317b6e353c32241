"""BBOSS uses a dialect, an interface that differs from the default (contract 7.1).

Differences are in signature, token, types, names, domains, times, charsets and forms.
"""

import io
import json

import pytest
from django.core.management import call_command

from orders.models import InboundMessage, Order
from tests.dialects.conftest import without

FORM = "application/x-www-form-urlencoded"
FORMED = f'[bboss]\ncontent_types = ["{FORM}"]\nform_member = "msg"'
EQUAL = 'pair = "{name}={value}"\nbetween = "&"\n'
SIGNS = {
    "k=v&key=": EQUAL + 'text = "{pairs}&key={secret}"',
    "in a list's order": 'order = ["timeStamp", "transIDO", "content"]\npair = "{value}"\ntext = "{pairs}{secret}"',
    "hmac-sha256": EQUAL + 'methods = ["hmac-sha256"]\ntext = "{pairs}"',
    "sm3": 'methods = ["sm3"]',
    "the content as it stood": 'content = "raw"',
    "base64": 'encoding = "base64"',
}


def as_numbers(content: dict) -> dict:
    """Returns the content with other JSON types: numbers for texts, null for empty texts, an object for a list of one.

    A missing CpID becomes an empty text.
    """
    found = {name: None if value == "" else value for name, value in content.items()}
    found |= {name: int(found[name]) for name in ("BusinessType", "DataFlow", "BackFlag", "UserID") if name in found}
    if len(domains := found.get("ProvContent", [])) == 1:
        found["ProvContent"] = domains[0]
    return found | {"CpID": found.get("CpID", "")}


def in_one_text(content: dict) -> dict:
    domains = content.get("ProvContent", [])
    together = " ; ".join(f"https://{one['ProvReq']}:443/x" for one in domains)
    return content | ({"ProvContent": [{"ProvReq": together}]} if domains else {})


NAMES = """[bboss]
kind_absent = "members"
[bboss.rename]
reqSign = "sign"
data = "content"
"data.CustName" = "content.EnterpriseName"
"data.list" = "content.ProvContent"
"data.list.host" = "content.ProvContent.ProvReq"
"""
DIALECTS = {  # profile, changed content, code without the profile
    "other addresses": ('[bboss]\npaths = ["/IBS/receiveOrder"]', dict, 404),
    "numbers, null, empty texts": ("[bboss]\nlenient = true", as_numbers, "20505"),
    "other names, no OrderType": (NAMES, lambda content: without(content, "OrderType"), "20101"),
    "other kinds": (
        '[bboss]\nkinds = { trial = ["T"], change = ["C"], activation = ["K"] }\nkeeps = ["N"]\nwithdraws = ["Y"]',
        lambda content: {"OrderType": "3"} | content,
        "20505",
    ),
    "URLs, several in one": ('[bboss.domains]\nurls = true\nseparators = ";"', in_one_text, "20505"),
    "dashes": ('[bboss]\ntime_formats = ["%Y-%m-%d %H:%M:%S"]\nday_formats = ["%Y-%m-%d"]', dict, "20209"),
    "milliseconds": ('[bboss]\ntime_formats = ["epoch_ms"]\nday_formats = ["%Y-%m-%d %H:%M:%S"]', dict, "20209"),
    "GBK": ('[bboss]\ncharsets = ["gbk"]\nsign.charset = "body"\nreply.charset = "gbk"', dict, "20105"),
    "a form": (FORMED, dict, "20007"),
    "a form in GBK": (FORMED + '\ncharsets = ["gb18030"]', dict, "20007"),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_is_refused_clearly_without_its_profile_and_taken_with_it(desk_of, name):
    lines, change, code = DIALECTS[name]
    desk = desk_of(lines)
    refused(desk, change, code)
    desk.know(lines)
    desk.play_cases(change)
    desk.check_books()


@pytest.mark.parametrize("way", SIGNS)
def test_the_lines_of_verify_message_make_a_sign_right(desk_of, tmp_path, way):
    desk = desk_of(f"[bboss.sign]\n{SIGNS[way]}")
    refused(desk, dict, "20207" if "methods" in SIGNS[way] else "20208")
    file, said = tmp_path / "message", io.StringIO()
    file.write_bytes(desk.message(desk.cases[0]["setup"][0])[0])
    call_command("verify_message", str(file), stdout=said)
    desk.know(said.getvalue().partition("\n\n")[2])
    desk.play_cases()
    desk.check_books()


@pytest.mark.parametrize("sign", [str.lower, str])
def test_letters_of_a_sign_and_its_method_may_be_small_or_large(desk_of, sign):
    desk = desk_of("")
    desk.at(desk.cases[0]["clock_setup"])
    message = json.loads(desk.message(desk.cases[0]["setup"][0], signMethod="MD5")[0])
    message["sign"] = sign(message["sign"])
    assert code_of(desk.client.post("/api/bboss/orders", json.dumps(message), "application/json")) == "00000"


@pytest.mark.parametrize("check", ["none", "form"])
def test_tokens_that_a_gateway_checks(desk_of, settings, check):
    settings.BBOSS_ACCESS_TOKENS, settings.BBOSS_ALLOWED_IPS = [], ["127.0.0.1"]
    desk = desk_of(f'[bboss.token]\ncheck = "{check}"')
    refused(desk, dict, "20305")
    desk.know(desk.their_lines)
    desk.play_cases()
    desk.check_books()


WILD = '[bboss.domains]\nwildcards = true\nseparators = ";,"'


def test_wildcards_and_several_names_in_one(desk_of):
    def change(content):
        return content | {"ProvContent": [{"ProvReq": "*.li.com;a.li.com,b.li.com"}]}

    desk = desk_of(WILD)
    refused(desk, change, "20505")
    desk.know(WILD)
    trial, activation = desk.cases[0]["setup"][0], desk.cases[0]["content"]
    desk.at(desk.cases[0]["clock_setup"])
    desk.go_on(change(trial))
    desk.at(desk.cases[0]["clock"])
    desk.go_on(activation)
    assert desk.alive_there(activation["OrderNum"]) == ["*.li.com", "a.li.com", "b.li.com"]
    [process] = desk.sandbox.state()["processes"]
    assert process["body"]["data"]["tyywrwlcdx"]["domains"] == ["*.li.com", "a.li.com", "b.li.com"]
    desk.check_no_harm()
    desk.go_on({"OrderNum": activation["OrderNum"], "BackFlag": "1"})
    assert desk.alive_there(activation["OrderNum"]) == []


def test_a_withdrawal_in_a_dialect(desk_of):
    lines = '[bboss]\nwithdraws = ["Y"]\nkeeps = ["N"]\nrename = { "content.No" = "content.OrderNum" }'
    desk = desk_of(lines, lines)
    desk.at(desk.cases[0]["clock_setup"])
    trial = desk.cases[0]["setup"][0]
    desk.go_on(trial)
    desk.go_on({"OrderNum": trial["OrderNum"], "BackFlag": "1"})
    assert (desk.state(trial["OrderNum"]), desk.alive_there(trial["OrderNum"])) == ("withdrawn", [])


def refused(desk, change, code):
    """Asserts that the first trial of the cases is refused with this code, and that no order is stored.

    If the message is stored, it has the same code.
    """
    desk.at(desk.cases[0]["clock_setup"])
    answer = desk.send(change(desk.cases[0]["setup"][0]))
    assert (answer.status_code if isinstance(code, int) else code_of(answer)) == code
    assert not Order.objects.exists()
    assert all(row.rsp_code == code for row in InboundMessage.objects.all())


def code_of(answer) -> str:
    return json.loads(answer.content.decode("utf-8"))["response"]["rspCode"]

"""The commands `partners`, `partners check` and `partners read` (contract 7.3)."""

import json
import tomllib

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from integrations.onboarding.samples import samples
from integrations.partners.member_rules import toml
from integrations.partners.profile import read_profile
from tests.bpm_messages import approval

OURS = """
[bigdata]
headers = { Authorization = "Bearer ${BIGDATA_TOKEN}", "X-System" = "IBS" }
key_header = ""
post.path = "http://user:secret@big.test/open/post"
delete.path = ""
rename = { enterpriseId = "custId" }
[bigdata.answer]
success = [{ code = [0] }]
repeated = [{ msg = ["重复提交"] }]
[bigdata.query.answer]
success = [{ code = ["0000"] }]
[bigdata.query]
rows = "data.list"
none = [{ code = ["4004"] }]
[bpm]
flow_by_attribution = { BJ = "bjywlc" }
[bpm.callback]
check = "token"
pass = ["通过"]
"""


pytestmark = pytest.mark.django_db


def told(capsys, *words) -> list[str]:
    call_command("partners", *words)
    return capsys.readouterr().out.splitlines()


@pytest.fixture
def write(tmp_path):
    """Returns a function that writes a file and returns its path."""

    def write(name, said):
        path = tmp_path / name
        path.write_bytes(said if isinstance(said, bytes) else said.encode())
        return str(path)

    return write


def part(lines, name):
    """Returns the output's lines about one call."""
    start = next(place for place, line in enumerate(lines) if line.startswith(f"{name} "))
    return lines[start : lines.index("", start) if "" in lines[start:] else None]


def test_each_call_with_its_rules_and_where_they_come_from(capsys, settings, monkeypatch):
    monkeypatch.setenv("BIGDATA_TOKEN", "t0ps3cret")
    settings.PARTNERS = read_profile(OURS)
    settings.BIGDATA_BASE_URL = "http://me:hidden@big.test/base"
    lines = told(capsys)
    post, query = part(lines, "bigdata.post"), part(lines, "bigdata.query")
    assert post[0] == "bigdata.post  POST http://***@big.test/open/post"
    assert post[1] == "  headers  Authorization: ***, X-System: IBS; key in none"
    assert "  success  [{ code = [0] }]  ([bigdata.answer])" in post
    assert '  later    [{ code = [">=500"] }]  (default)' in post
    assert query[0] == "bigdata.query  POST http://***@big.test/base/productInfos/query"
    assert '  success  [{ code = ["0000"] }]  ([bigdata.query.answer])' in query
    assert '  repeated [{ msg = ["重复提交"] }]  ([bigdata.answer])' in query
    assert "  rows     data.list  ([bigdata.query])" in query
    assert part(lines, "bigdata.delete")[:2] == ["bigdata.delete  there is none", "  proven   not asked"]
    assert "  last accepted none of the last 50000 attempts" in post
    assert "  held     no" in post
    callback = part(lines, "bpm.callback")
    assert '  check            "token"  ([bpm.callback])' in callback
    assert '  pass             ["通过"]  ([bpm.callback])' in callback
    assert '  header           "X-Signature"  (default)' in callback


def test_no_secret_is_shown(capsys, settings, monkeypatch):
    monkeypatch.setenv("BIGDATA_TOKEN", "t0ps3cret")
    settings.PARTNERS, settings.BPM_CALLBACK_SECRET = read_profile(OURS), "c4llback"
    text = "\n".join(told(capsys))
    assert [word for word in ("t0ps3cret", "c4llback", "secret@", "BIGDATA_TOKEN") if word in text] == []


def test_without_a_database_it_still_shows_the_profile(capsys, monkeypatch):
    def away():
        raise OperationalError("the server is away")

    monkeypatch.setattr("integrations.management.commands.partners.call_statuses", away)
    lines = told(capsys)
    assert lines[1] == "how each call stands is not known: the server is away"
    assert part(lines, "bpm.start")[-1].endswith('process  ["result.processId"]  (default)')


def test_under_the_defaults_the_samples_are_the_three_cases(case):
    found = [json.loads(text) for name, text in samples(read_profile("")) if name.startswith("case")]
    one, two, three = (case(number)["expect"] for number in (1, 2, 3))
    billed = [*one["billing"], two["billing_after_approval"][0], three["billing"][0]]
    assert [body["productInfos"] for body in found if "productInfos" in body] == billed
    assert [body for body in found if "productInfos" not in body] == [one["bpm"][0], two["bpm"][0], three["bpm"][0]]


def test_without_a_secret_there_is_no_example_message_and_the_reason_stands_there(settings):
    settings.BBOSS_APP_SECRET = ""
    assert dict(samples(read_profile("")))["an example message of BBOSS"] == "none: BBOSS_APP_SECRET is not set"


def test_check_shows_what_goes_out_beside_the_defaults(capsys, write, monkeypatch, settings):
    monkeypatch.setenv("BIGDATA_TOKEN", "x")
    before, file = settings.PARTNERS, write("partners.toml", OURS.replace('delete.path = ""\n', ""))
    lines = told(capsys, "check", file)
    assert lines[0] == f"{file}: right"
    start = lines.index("case 1, bpm.start: other than by default")
    assert '"flowKey": "tyywrwlc"' in lines[start + 1]
    assert '"bjywlcdx"' in lines[start + 2]
    assert "case 2, bpm.start: as by default" in lines
    assert any('"custId"' in line for line in lines)
    assert settings.PARTNERS is before


def test_check_shows_a_message_without_its_secrets(capsys, write, settings):
    settings.BBOSS_ACCESS_TOKENS = ["2033092018543600" + "0" * 30 + "-0001-1695207276"]
    file = write("p.toml", '[bboss]\nrename = { reqSign = "sign" }')
    text = "\n".join(told(capsys, "check", file))
    assert '"reqSign":"***"' in text
    assert settings.BBOSS_ACCESS_TOKENS[0] not in text
    assert settings.BBOSS_APP_SECRET not in text


@pytest.mark.parametrize(
    "text, why",
    [
        ("[bpm.start]\npth = 1", "bpm.start.pth: no such key; path?"),
        ('[bigdata.headers]\nX-One = "${NOT_SET_ANYWHERE}"', "NOT_SET_ANYWHERE is not set in the environment"),
        ('[bpm.callback]\ncheck = "addresses"', 'bpm.callback.check: "addresses" needs BPM_ALLOWED_IPS'),
        ("[bpm", "not TOML"),
    ],
)
def test_check_names_what_is_wrong_in_one_line(write, text, why):
    with pytest.raises(CommandError) as error:
        call_command("partners", "check", write("partners.toml", text))
    assert why in str(error.value)
    assert "\n" not in str(error.value)


def test_check_without_a_file_is_about_the_one_in_force(capsys, write, settings):
    assert told(capsys, "check")[0] == "no PARTNERS_FILE, so the defaults: right"
    settings.PARTNERS_FILE = write("partners.toml", "[bpm]\nprocess_type = 2")
    with pytest.raises(CommandError, match=r"partners.toml: bpm.process_type: must be a text"):
        call_command("partners", "check")


@pytest.mark.parametrize(
    "given",
    [
        {"one": 'a "quoted" one \\ \x7f\t\n', "": 1, "二.三": True},
        {"numbers": [1, -2.5, 1e16, float("inf")], "more": [[], {}, {"a b": [""]}]},
    ],
)
def test_what_is_shown_as_toml_is_toml(given):
    assert tomllib.loads(f"x = {toml(given)}") == {"x": given}


@pytest.mark.parametrize(
    "call, answer, first, second",
    [
        ("bigdata.post", '{"code": 0}', "success", "{ code = [0] }  ([bigdata.answer])"),
        ("bigdata.post", '{"code": 7, "msg": "重复提交"}', "repeated", '{ msg = ["重复提交"] }  ([bigdata.answer])'),
        ("bigdata.post", '{"code": "501"}', "later", '{ code = [">=500"] }  (default)'),
        ("bigdata.post", '{"code": 12}', "refused", '{ code = ["*"] }  (default)'),
        ("bigdata.post", '{"code": 409}', "repeated", "code 409 is judged as HTTP 409 is"),
        ("bigdata.post", '{"ok": 1}', "not understood", "no rule fits"),
        ("bigdata.post", "<html>", "not understood", "it is no JSON object"),
        ("bigdata.query", '{"code": "0000"}', "not understood", "no list of objects at data.list"),
        (
            *("bigdata.query", '{"code": "0000", "data": {"list": [{}, {}]}}'),
            *("success, 2 rows at data.list", '{ code = ["0000"] }  ([bigdata.query.answer])'),
        ),
        ("bigdata.query", '{"code": "4004"}', "nothing there", '{ code = ["4004"] }  ([bigdata.query] none)'),
        ("bpm.start", '{"code": 200, "result": {"processId": "P-9"}}', "success", "{ code = [200] }  (default)"),
    ],
)
def test_read_says_what_an_answer_means_and_by_which_rule(capsys, settings, write, call, answer, first, second):
    settings.PARTNERS = read_profile(OURS)
    lines = told(capsys, "read", call, write("answer", answer))
    assert lines[:2] == [f"read as: {first}", f"because: {second}"]
    assert call != "bpm.start" or "process: P-9" in lines


def test_read_takes_a_whole_answer_with_its_status_and_charset(capsys, settings, write):
    settings.PARTNERS = read_profile(OURS)
    head = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Type: application/json; charset=GBK\r\n\r\n"
    file = write("answer", head + '{"code": 3, "msg": "重复提交"}'.encode("gbk"))
    assert told(capsys, "read", "bigdata.post", file)[0] == "read as: repeated"
    file = write("answer", b"HTTP/1.1 503 Busy\r\n\r\n{}")
    assert told(capsys, "read", "bigdata.post", file)[0].startswith("read as: HTTP 503, which is judged by itself")


def test_read_of_a_callback(capsys, settings, write):
    said = approval("A1", result="通过")
    file = write("callback.json", json.dumps(said))
    assert told(capsys, "read", "bpm.callback", file) == [
        "read as: refused, HTTP 400",
        "because: result: must be one of pass, reject, return",
    ]
    settings.PARTNERS = read_profile(OURS)
    lines = told(capsys, "read", "bpm.callback", file)
    assert lines[0].startswith("read as: a callback about order A1;")
    assert {"result: pass", "finished: False", "time: 2023-09-20T19:19:10+08:00"} < set(lines)

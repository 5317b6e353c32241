"""`sign_message` and `send_order` (contract section 5)."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from integrations.bboss.compute_signature import verify
from tests.bboss.conftest import TRIAL


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "trial.json"
    path.write_text(json.dumps(TRIAL))
    return path


def run(*args) -> str:
    out = io.StringIO()
    call_command(*map(str, args), stdout=out)
    return out.getvalue()


def test_the_signed_message_is_accepted(file, post):
    printed = run("sign_message", file, "--trans-ido", "t9", "--cut-off-day", "20230901")
    got = post(printed.encode())
    assert (got.code, got.body["transIDO"], got.body["cutOffDay"]) == ("00000", "t9", "20230901")


def test_each_message_has_a_new_number(file):
    assert json.loads(run("sign_message", file))["transIDO"] != json.loads(run("sign_message", file))["transIDO"]


def test_the_first_token_that_has_not_ended_is_used(file, settings):
    good = settings.BBOSS_ACCESS_TOKENS[1]
    settings.BBOSS_ACCESS_TOKENS = ["20000101000000" + "a" * 32 + "-1234-1", good]
    assert json.loads(run("sign_message", file))["accessToken"] == good


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BBOSS_APP_SECRET", ""),
        ("BBOSS_ACCESS_TOKENS", []),
        ("BBOSS_ACCESS_TOKENS", ["20000101000000" + "a" * 32 + "-1234-1"]),
        ("BBOSS_PARTY_IDS", []),
    ],
)
@pytest.mark.parametrize("command", ["sign_message", "send_order"])
def test_a_missing_setting_is_named(file, settings, command, name, value):
    setattr(settings, name, value)
    with pytest.raises(CommandError, match=name):
        run(command, file)


@pytest.mark.parametrize("command", ["sign_message", "send_order"])
def test_a_bad_file_is_one_clear_line(tmp_path, command):
    with pytest.raises(CommandError, match="missing.json"):
        run(command, tmp_path / "missing.json")
    with pytest.raises(CommandError, match=str(tmp_path)):
        run(command, tmp_path)
    (tmp_path / "bad.json").write_text('{"a":1,"a":2}')
    with pytest.raises(CommandError, match="bad.json.*twice"):
        run(command, tmp_path / "bad.json")


def reply(code: str) -> dict:
    return {"response": {"rspCode": code, "rspDesc": "x"}, "result": ""}


def test_send_order_posts_and_prints_the_reply(file, httpserver, settings):
    httpserver.expect_oneshot_request("/api/bboss/orders", method="POST").respond_with_json(reply("00000"))
    printed = run("send_order", file, "--url", httpserver.url_for("/api/bboss/orders"))
    assert json.loads(printed) == reply("00000")
    (request, _) = httpserver.log[0]
    members = json.loads(request.data)
    assert request.headers["Content-Type"].startswith("application/json")
    assert members["content"] == TRIAL
    assert verify(members, members["sign"], settings.BBOSS_APP_SECRET)


@pytest.mark.parametrize("body", [reply("20208"), reply("30000"), {"detail": "x"}, [], "text"])
def test_send_order_fails_unless_accepted(file, httpserver, body):
    httpserver.expect_request("/").respond_with_json(body)
    with pytest.raises(CommandError):
        run("send_order", file, "--url", httpserver.url_for("/"))


def test_send_order_prints_a_refusal(file, httpserver):
    httpserver.expect_request("/").respond_with_json(reply("20208"))
    out = io.StringIO()
    with pytest.raises(CommandError, match="20208"):
        call_command("send_order", str(file), url=httpserver.url_for("/"), stdout=out)
    assert json.loads(out.getvalue()) == reply("20208")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "no-url", "ftp://127.0.0.1/"])
def test_send_order_without_a_connection(file, url):
    with pytest.raises(CommandError, match=url):
        run("send_order", file, "--url", url)


def test_send_order_follows_no_redirect(file, httpserver):
    httpserver.expect_request("/api").respond_with_data("", status=301, headers={"Location": "/there"})
    with pytest.raises(CommandError, match=f"HTTP 301.*nothing was taken; use --url {httpserver.url_for('/there')}$"):
        run("send_order", file, "--url", httpserver.url_for("/api"))
    assert [request.path for request, _ in httpserver.log] == ["/api"]


def test_send_order_goes_to_the_desks_own_address(file, httpserver, settings):
    settings.SITE_URL = httpserver.url_for("").rstrip("/")
    httpserver.expect_request("/api/bboss/orders", method="POST").respond_with_json(reply("00000"))
    assert "00000" in run("send_order", file)


@pytest.mark.parametrize("command", ["sign_message", "send_order"])
def test_help_is_printed(command, capsys):
    with pytest.raises(SystemExit) as end:
        call_command(command, "--help")
    assert end.value.code == 0
    assert "FILE" in capsys.readouterr().out

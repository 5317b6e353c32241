"""Log lines: each event is one line, and each request has one. Also the members of LOG_FORMAT=json, and that no search
text is logged.
"""

import datetime
import json
import logging
import logging.config
import re
import runpy
from pathlib import Path
from unittest.mock import Mock

import pytest
from django.conf import settings
from django.db import OperationalError
from django.utils import timezone
from gunicorn.config import Config

from integrations.bboss.sample_envelope import signed_envelope
from integrations.outbound.wire_formats import trace_of
from orders.history.log_facts import log_facts
from project.base.logs import LineFormatter, MaskFilter
from tests.bboss_messages import post_order

ROOT = Path(__file__).resolve().parents[1]
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
FORGED = "2026-11-28 02:00:00,000 INFO orders.audit [-] export 4711 deleted by staff:root"
BREAKS = ["\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
UNSEEN = ["\x00", "\x1b", "\x7f", "\x9b", "\u200b", "\u202e", "\ufeff"]


def written(message: str, *args, error: Exception | None = None) -> str:
    info = (type(error), error, None) if error else None
    record = logging.LogRecord("axes", logging.WARNING, __file__, 1, message, args, info)
    MaskFilter().filter(record)
    return LineFormatter().format(record)


@pytest.mark.parametrize("mark", BREAKS, ids=ascii)
def test_a_line_break_from_outside_begins_no_line(mark):
    line = written("log-in of %s failed", f"a{mark}{FORGED}")
    assert len(line.splitlines()) == 1
    assert FORGED in line
    lines = written("wrong", error=ValueError(f"a{mark}{FORGED}")).splitlines()
    assert len(lines) > 1
    assert all(line.startswith("    ") for line in lines[1:])


@pytest.mark.parametrize("mark", UNSEEN, ids=ascii)
def test_what_nobody_sees_is_written_out(mark):
    assert written("order %s is unknown", f"{mark}1").endswith(f"order {ascii(mark)[1:-1]}1 is unknown")


def test_every_handler_of_ours_writes_one_line_an_event():
    handlers = settings.LOGGING["handlers"].values()
    assert all("mask" in handler["filters"] and handler["formatter"] == "line" for handler in handlers)


def test_a_request_is_one_line_with_what_it_was_about(client, clock, db, case, settings, lines):
    settings.TRUSTED_PROXY_COUNT = 1
    envelope = signed_envelope(case(1)["content"], now=timezone.now(), trans_ido="a1b2")
    answer = client.post(
        "/api/bboss/orders",
        json.dumps(envelope),
        content_type="application/json",
        headers={"X-Forwarded-For": "203.0.113.7, 198.51.100.9", "X-Request-Id": "r-1", "traceparent": TRACEPARENT},
    )
    assert answer.json()["response"]["rspCode"] == "00000"
    [line] = lines()
    assert list(line)[:5] == ["time", "level", "logger", "message", "request"]
    assert datetime.datetime.fromisoformat(line["time"]).utcoffset() == datetime.timedelta(hours=8)
    assert line["seconds"] >= 0
    told = {name: line[name] for name in line if name not in {"time", "logger", "message", "seconds"}}
    assert told == {
        "level": "INFO",
        "request": "r-1",
        "trace": "0af7651916cd43dd8448eb211c80319c",
        "caller": "198.51.100.9",
        "path": "/api/bboss/orders",
        "status": 200,
        "code": "00000",
        "trans_ido": "a1b2",
        "order": case(1)["content"]["OrderNum"],
    }


@pytest.mark.parametrize(
    "header",
    ["", "rubbish", f"00-{'0' * 32}-b7ad6b7169203331-01", f"ff{TRACEPARENT[2:]}", "x" * 9000, TRACEPARENT[:-3]],
)
def test_rubbish_in_place_of_a_trace_is_ignored(header):
    made = trace_of(header)
    assert re.fullmatch("[0-9a-f]{32}", made)
    assert made != trace_of(header)


def test_what_is_not_kept_says_why(client, db, lines):
    client.post("/api/bboss/orders", b"{", content_type="application/json")
    [line] = lines()
    assert (line["status"], line["code"]) == (400, "20105")
    assert "20105" in line["message"]
    assert line["message"].partition(" s: ")[2]


def test_a_line_of_a_request_holds_no_query_and_no_referer(client, db, lines):
    client.get("/admin/find/?q=13712345678", headers={"referer": "https://ibs.example.com/admin/find/?q=13712345678"})
    client.get(f"/a%0D%0A{FORGED.replace(' ', '%20')}\x85%E5%8D%95")
    told = lines()
    [first, second] = [line for line in told if "seconds" in line]
    assert "/admin/find/" in first["message"]
    assert "1371234" not in str(told)
    assert "/a%0D%0A2026" in second["path"]


SECRETS = [
    '"accessToken": "%s"',
    "ACCESSTOKEN=%s",
    "sign=%s&a=1",
    "x-signature: %s",
    "PassWord : %s",
    "pa\u017f\u017fword=%s",
]


@pytest.mark.parametrize("text", SECRETS, ids=ascii)
def test_a_secret_is_masked_however_its_name_is_written(lines, text):
    said = text % "s3cret"
    for _ in range(2):
        with log_facts(path=said, order=said):
            logging.getLogger("desk").warning(said)
    assert all("***" in line[member] for line in lines() for member in ("message", "path", "order"))
    assert "s3cret" not in str(lines())


MOMENTS = ["2026-11-28T20:00:00", "2026-11-28T20:00:00.000999", "2026-11-28T20:00:00.001", "2026-11-28T23:59:59.999999"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_line_has_its_moment_with_milliseconds_and_zone(moment):
    record = logging.LogRecord("desk", logging.INFO, __file__, 1, "x", (), None)
    given = datetime.datetime.fromisoformat(f"{moment}+00:00")
    record.created = given.timestamp()
    shown = LineFormatter().format(record).split()[0]
    assert shown == given.astimezone().isoformat(timespec="milliseconds")


def test_people_and_secrets_are_masked_and_a_long_line_is_cut(lines):
    log = logging.getLogger("desk")
    with log_facts(trans_ido="13712345678\n", order="张三 zhangsan@example.com"):
        log.warning("%s %s", "13712345678", "x" * 1024 * 1024)
    [line] = lines()
    assert "13712345678" not in str(line)
    assert "zhangsan@" not in str(line)
    assert len(json.dumps(line)) < 20_000
    assert "bytes more" in line["message"]


def test_a_fault_of_ours_has_its_traceback_in_the_same_line_and_nonsense_has_none(lines):
    try:
        raise ValueError("wrong")
    except ValueError:
        logging.getLogger("desk").exception("it failed")
        logging.getLogger("django.security.DisallowedHost").exception("a host of nonsense")
    first, second = lines()
    assert "ValueError: wrong" in first["message"]
    assert "Traceback" not in second["message"]


def test_an_outage_is_two_lines_and_the_second_says_how_many_calls_were_refused(client, clock, db, lines, monkeypatch):
    refuse = Mock(side_effect=OperationalError("connection refused"))

    def post():
        return post_order(client, {"OrderNum": "100A1"})["response"]["rspCode"]

    post()  # resets the note of an outage, which another test may have left
    before = len(lines())
    with monkeypatch.context() as patch:
        patch.setattr("integrations.bboss.views.envelope_checks.is_signed", refuse)
        patch.setattr("integrations.bboss.views.envelope_checks.check_envelope", refuse)
        assert [post() for _ in range(3)] == ["20000"] * 3
    post()
    told = [line["message"] for line in lines()[before:] if not line["logger"].endswith("request_log")]
    assert told[0] == "the database does not answer callers: connection refused"
    assert re.fullmatch(r"the database answers callers again after \d+ s; 3 calls were refused meanwhile", told[1])
    assert len(told) == 2


@pytest.mark.parametrize("form", ["line", "json"])
def test_gunicorns_own_lines_have_the_same_form(monkeypatch, form, capsys):
    monkeypatch.setenv("LOG_FORMAT", form)
    config = Config()
    config.set("accesslog", "-")
    # gunicorn would change the format of pytest's handlers
    monkeypatch.setattr(logging.getLogger("gunicorn.error"), "handlers", [])
    logger = runpy.run_path(str(ROOT / "gunicorn.conf.py"))["logger_class"](config)
    logger.info("Booting worker with pid: %s", 7)
    # writes nothing, because the desk's own line for the request says more
    logger.access(None, None, {}, datetime.timedelta())
    [line] = capsys.readouterr().err.splitlines()
    told = json.loads(line) if form == "json" else dict(zip(("time", "level", "logger"), line.split(), strict=False))
    assert datetime.datetime.fromisoformat(told["time"]).tzinfo
    assert (told["level"], told["logger"]) == ("INFO", "gunicorn.error")
    assert "Booting worker with pid: 7" in line


def test_nginx_logs_no_query_and_no_referer():
    [line] = [
        line for line in (ROOT / "deploy" / "nginx.conf").read_text().splitlines() if line.startswith("log_format")
    ]
    assert "$uri" in line
    assert not [name for name in ("$request ", "$request_uri", "$args", "$query", "$http_") if name in line]

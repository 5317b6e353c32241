"""Log lines: one event on each, and nothing of a search in the access log."""

import datetime
import logging
import logging.config
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import settings
from gunicorn.config import Config

from project.observability.logs import LineFormatter, MaskFilter

ROOT = Path(__file__).resolve().parents[1]
FORGED = "2026-11-28 02:00:00,000 INFO orders.audit [-] export 4711 deleted by staff:root"
BREAKS = ["\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]


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


def test_every_handler_of_ours_writes_one_line_an_event():
    handlers = settings.LOGGING["handlers"].values()
    assert all("mask" in handler["filters"] and handler["formatter"] == "line" for handler in handlers)


@pytest.fixture
def access_line():
    """`access_line(**environ)`: the line that gunicorn writes of a call, as gunicorn.conf.py says."""
    given = runpy.run_path(str(ROOT / "gunicorn.conf.py"))
    config = Config()
    config.set("access_log_format", given["access_log_format"])
    logger = given["logger_class"](config)

    def line(**environ) -> str:
        call = {"REQUEST_METHOD": "GET", "RAW_URI": "/", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "10.0.0.1"}
        response = SimpleNamespace(status="200 OK", sent=10, headers=[])
        headers = SimpleNamespace(headers=[("REFERER", environ.get("HTTP_REFERER", ""))])
        atoms = logger.atoms(response, headers, call | environ, datetime.timedelta(seconds=0.5))
        return config.access_log_format % logger.atoms_wrapper_class(atoms)

    return line


def test_the_access_log_holds_no_query_and_no_referer(access_line):
    told = access_line(
        RAW_URI="/admin/find/?q=13712345678",
        PATH_INFO="/admin/find/",
        QUERY_STRING="q=13712345678",
        HTTP_REFERER="https://ibs.example.com/admin/find/?q=13712345678",
        HTTP_USER_AGENT="13712345678",
    )
    assert '"GET /admin/find/ HTTP/1.1" 200 10 500ms' in told
    assert "137" not in told


def test_a_path_forges_no_line(access_line):
    told = access_line(PATH_INFO=f"/a\r\n{FORGED}\x85\xe5\x8d\x95", HTTP_AUTHORIZATION="Basic YQpiOmM=")
    assert len(told.splitlines()) == 1
    assert "/a%0D%0A2026" in told
    assert "%E5%8D%95" in told


def test_nginx_logs_no_query_and_no_referer():
    [line] = [
        line for line in (ROOT / "deploy" / "nginx.conf").read_text().splitlines() if line.startswith("log_format")
    ]
    assert "$uri" in line
    assert not [name for name in ("$request ", "$request_uri", "$args", "$query", "$http_") if name in line]

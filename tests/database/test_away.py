"""Tests which errors mean that the database is unavailable, and what staff and the log show then."""

import logging
import sys
from unittest.mock import Mock

import pytest
from django.db import DatabaseError, IntegrityError, InterfaceError, InternalError, OperationalError, connection

from integrations.base.database_deadline import away_error, is_away
from project.base.logs import LineFormatter, OutageFilter


class Driver(Exception):
    """An error of the database driver, with its code."""

    def __init__(self, **codes):
        super().__init__("it says so")
        vars(self).update(codes)


def wrapped(kind: type[DatabaseError], **codes) -> DatabaseError:
    """Returns an error as Django raises it, with the driver's error as its cause."""
    error = kind("the database says so")
    error.__cause__ = Driver(**codes)
    return error


@pytest.mark.parametrize(
    "error, away",
    [
        (wrapped(OperationalError, sqlstate=None), True),  # no connection at all
        (wrapped(OperationalError, sqlstate="53300"), True),  # too many connections
        (wrapped(OperationalError, sqlstate="53100"), True),  # full disk
        (wrapped(OperationalError, sqlstate="57P01"), True),  # stopped by its operator
        (wrapped(OperationalError, sqlstate="57014"), True),  # statement_timeout
        (wrapped(OperationalError, sqlstate="55P03"), True),  # lock_timeout
        (wrapped(InternalError, sqlstate="25006"), True),  # read only
        (wrapped(InterfaceError), True),  # the connection is closed
        (wrapped(OperationalError, sqlstate="40P01"), False),  # a deadlock
        (wrapped(DatabaseError, sqlstate="42P01"), False),  # no such table
        (wrapped(OperationalError, sqlite_errorcode=5), True),  # locked
        (wrapped(OperationalError, sqlite_errorcode=13), True),  # full
        (wrapped(OperationalError, sqlite_errorcode=8 | 1 << 8), True),  # read only, a kind of it
        (wrapped(OperationalError, sqlite_errorcode=1), False),  # no such table
        (wrapped(IntegrityError, sqlstate="23505"), False),
        (ValueError("no"), False),
        (None, False),
    ],
)
def test_what_says_so(error, away):
    assert is_away(error) is away


def test_what_follows_from_it_is_not_the_codes_fault_either():
    error = KeyError("what it should have given")
    error.__context__ = wrapped(OperationalError, sqlstate=None)
    assert away_error(error) is error.__context__


def logged(error: Exception, name: str = "desk", **more) -> str | None:
    """Returns the log line of this error, or None if there is none."""
    try:
        raise error
    except Exception:
        record = logging.LogRecord(name, logging.ERROR, "", 0, "call %s failed", ("7",), sys.exc_info())
    vars(record).update(more)
    return LineFormatter().format(record) if OutageFilter().filter(record) else None


def test_the_log_has_its_words_and_no_traceback():
    line = logged(wrapped(OperationalError, sqlstate=None))
    assert line.endswith("call 7 failed: the database says so")
    assert "Traceback" in logged(wrapped(DatabaseError, sqlstate="42P01"))
    assert logged(wrapped(OperationalError, sqlstate=None), "django-q") is None
    assert "Traceback" in logged(ValueError("ours"), "django-q")


@pytest.mark.django_db
def test_staff_read_in_chinese_what_is_the_matter(client, monkeypatch):
    client.raise_request_exception = False
    client.cookies["sessionid"] = "a" * 32
    with monkeypatch.context() as patch:
        patch.setattr(connection, "cursor", Mock(side_effect=OperationalError("connection refused")))
        answer = client.get("/admin/")
    assert answer.status_code == 503
    assert "数据库暂时无响应" in answer.content.decode()
    assert int(answer["Retry-After"]) > 0

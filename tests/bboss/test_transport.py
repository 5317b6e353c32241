"""The rows of contract 2.3 that are checked before a message is read: method, type, size, caller, and a body that is
JSON."""

import io
from unittest.mock import Mock

import pytest
from django.conf import settings

from tests.bboss.conftest import MEMBERS, PATH, answered, envelope

CHUNKED = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}


class Broken(io.BytesIO):
    """A stream that raises an error when it is read."""

    def read(self, *args):
        raise OSError("connection reset")


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
def test_any_other_method_is_405(client, db, method):
    response = client.generic(method, PATH, b"{}", content_type="application/json")
    got = answered(response)
    assert (got.status, got.code, got.desc) == (405, "11002", "request method must be post")
    assert list(got.body) == MEMBERS
    assert response["Allow"] == "POST"


def test_head_is_405(client, db):
    assert client.head(PATH).status_code == 405


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/json5", "json"])
def test_another_content_type_is_415(post, kind):
    got = post(b"{}", content_type=kind)
    assert (got.status, got.code, got.desc) == (415, "20007", "Request Content Type Error")


@pytest.mark.parametrize(
    "kind", ["application/json;charset=UTF-8", "Application/JSON", "application/json; charset=gbk"]
)
def test_parameters_of_the_content_type_do_not_matter(post, kind):
    assert post(envelope(), content_type=kind).code == "00000"


def test_larger_than_2_mib_is_413_even_where_the_rest_breaks_off(client, db, clock):
    response = client.post(
        PATH, content_type="application/json", CONTENT_LENGTH=str(2 * 1024 * 1024 + 1), **{"wsgi.input": Broken()}
    )
    got = answered(response)
    assert (got.status, got.code, got.desc) == (413, "20215", "request message too large (2M at most)")


@pytest.mark.parametrize("size", [2 * 1024 * 1024 + 1, 5 * 1024 * 1024, 16 * 1024 * 1024])
def test_a_too_large_body_is_taken_in_so_that_its_caller_reads_the_answer(client, db, clock, size):
    """A body that is too large is read to its end before 413 is answered. Otherwise a caller that still writes would
    get a broken pipe instead of 413."""
    for extra in ({"CONTENT_LENGTH": str(size)}, {**CHUNKED, "CONTENT_LENGTH": ""}):
        stream = io.BytesIO(b" " * size)
        response = client.generic("POST", PATH, CONTENT_TYPE="application/json", **extra, **{"wsgi.input": stream})
        assert answered(response).code == "20215"
        assert not stream.read()


def test_an_endless_body_is_given_up(client, db, clock):
    class Endless(io.RawIOBase):
        given = 0

        def read(self, size=-1):
            self.given += size
            return b" " * size

    stream = Endless()
    got = client.generic(
        "POST", PATH, CONTENT_TYPE="application/json", CONTENT_LENGTH="", **CHUNKED, **{"wsgi.input": stream}
    )
    assert answered(got).code == "20215"
    assert stream.given < 20 * 1024 * 1024


def test_2_mib_are_read(post):
    body = b'{"a":"' + b"x" * (2 * 1024 * 1024 - 8) + b'"}'
    assert len(body) == 2 * 1024 * 1024
    assert post(body).code == "20402"


def chunked(client, body: bytes):
    extra = {**CHUNKED, "wsgi.input": io.BytesIO(body)}
    return answered(client.generic("POST", PATH, CONTENT_TYPE="application/json", CONTENT_LENGTH="", **extra))


def test_a_chunked_body_is_read_up_to_2_mib(client, db, clock):
    assert chunked(client, b'{"transIDO":"t1"}').code == "20101"
    assert chunked(client, b" " * (2 * 1024 * 1024 + 1)).code == "20215"


@pytest.mark.parametrize("stream", [io.BytesIO(b"{}"), Broken()], ids=["short", "broken"])
def test_a_body_cut_in_the_middle_is_400(client, db, stream):
    response = client.post(PATH, content_type="application/json", CONTENT_LENGTH="100", **{"wsgi.input": stream})
    got = answered(response)
    assert (got.status, got.code, got.desc) == (400, "20105", "Format req stream to string Error")


@pytest.mark.parametrize("body", [b"", b"[]", b'"a"', b"{", b'{"a":1,"a":2}', b'{"a":NaN}', b"\xff", b'{"a":1e999}'])
def test_a_body_that_is_no_json_object_is_400_and_not_kept(post, kept, body):
    got = post(body)
    assert (got.status, got.code) == (400, "20105")
    assert got.body["transIDO"] == got.body["cutOffDay"] == got.body["result"] == ""
    assert kept() == []


def test_transport_in_order(client, db, clock, settings):
    """Each of 405, 415, 413, 403, 429 and 400 is answered although all later faults are present too."""
    settings.BBOSS_ALLOWED_IPS, settings.BBOSS_RATE = ["10.0.0.1"], "6/min"  # each of the calls counts
    huge, kind = {"CONTENT_LENGTH": str(3 * 1024 * 1024)}, "application/json"
    assert answered(client.put(PATH, b"x", content_type="text/plain", **huge)).code == "11002"
    assert answered(client.post(PATH, b"x", content_type="text/plain", **huge)).code == "20007"
    assert answered(client.post(PATH, b"x", content_type=kind, **huge)).code == "20215"
    assert answered(client.post(PATH, b"x", content_type=kind)).code == "20303"
    settings.BBOSS_ALLOWED_IPS = []
    assert answered(client.post(PATH, b"x", content_type=kind)).code == "20105"
    assert answered(client.post(PATH, b"{}", content_type=kind)).code == "20402"
    assert answered(client.post(PATH, b"x", content_type=kind)).code == "20308"


@pytest.mark.parametrize("accept", ["text/html", "application/xml", ""])
def test_the_answer_is_json_whatever_is_accepted(client, db, clock, accept):
    response = client.post(PATH + "?format=xml", envelope(), content_type="application/json", HTTP_ACCEPT=accept)
    assert answered(response).code == "00000"
    assert response["Content-Type"] == "application/json"


def test_a_partners_call_passes_nothing_that_is_for_people(client, db, monkeypatch):
    """A partner's call does not pass the middleware for people. No session, account or message is looked for, and
    nothing else runs behind the middleware for partners' calls."""
    behind = settings.MIDDLEWARE[settings.MIDDLEWARE.index("project.base.middleware.PartnerCallMiddleware") + 1 :]
    assert {name.rpartition(".")[2] for name in behind} >= {
        "SessionMiddleware",
        "CsrfViewMiddleware",
        "AuthenticationMiddleware",
        "MessageMiddleware",
        "AxesMiddleware",
    }
    for name in behind:
        monkeypatch.setattr(f"{name}.__call__", Mock(side_effect=AssertionError(name)))
    for path in (PATH, "/api/bpm/approvals"):
        response = client.post(path, b"{}", content_type="application/json")
        assert response.status_code in {200, 400, 401, 403}
        assert response["X-Frame-Options"] == "DENY"
        assert response["X-Content-Type-Options"] == "nosniff"
        assert not {"session", "_messages"} & vars(response.wsgi_request).keys()
    assert client.post("/api/bboss/nothing", b"{}", content_type="application/json").status_code == 404
    with pytest.raises(AssertionError, match="Middleware"):
        client.get("/admin/")

"""Hostile bytes over a real socket to a real gunicorn cause no 500 and no 503, and no rest of a half-read request
counts as another request."""

import contextlib
import json
import os
import socket
from typing import NamedTuple

import pytest

from integrations.bboss.sample_envelope import signed_envelope
from project.observability.readiness import NO_WORKER
from tests.harness.desk import ProcessDesk
from tests.hostile.mutations import BBOSS, BPM

pytestmark = pytest.mark.processes
CONTENT = {"OrderType": "2", "OrderNum": "100C1", "BizRequest": "100T1", "DataFlow": "2"}


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    postgres = os.environ.get("DESK_TEST_DATABASE_URL", "")
    with ProcessDesk(tmp_path_factory.mktemp("desk"), postgres=postgres) as desk:
        yield desk


@pytest.fixture
def talk(desk):
    """Returns a function: `talk(raw)` sends the bytes, stops sending, and returns all answers."""

    def send(raw: bytes) -> list["Reply"]:
        with socket.create_connection(("127.0.0.1", desk.ports["web"]), timeout=20) as connection:
            with contextlib.suppress(OSError):  # the server may close the connection before it has read all
                connection.sendall(raw)
                connection.shutdown(socket.SHUT_WR)
            return replies(received(connection))

    return send


class Reply(NamedTuple):
    """One answer on a connection."""

    status: int
    body: bytes

    @property
    def code(self) -> str:
        return json.loads(self.body)["response"]["rspCode"]


def received(connection: socket.socket) -> bytes:
    parts = []
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def replies(raw: bytes) -> list[Reply]:
    """Splits the received bytes into answers. Each answer has a length."""
    found = []
    while raw.startswith(b"HTTP/1.1 "):
        head, _, raw = raw.partition(b"\r\n\r\n")
        headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        length = int(headers.get(b"content-length", len(raw)))
        found.append(Reply(int(head.split()[1]), raw[:length]))
        raw = raw[length:]
    return found


def head(path: str = BBOSS, *lines: str) -> bytes:
    start = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json", *lines]
    return "\r\n".join(start).encode("latin-1") + b"\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


@pytest.fixture
def order(desk) -> bytes:
    """Returns a valid signed message."""
    return json.dumps(signed_envelope(CONTENT, now=desk.now())).encode()


def test_a_good_message_with_and_without_a_length(talk, order):
    assert [reply.code for reply in talk(head(BBOSS, f"Content-Length: {len(order)}") + order)] == ["00000"]
    pieces = b"".join(chunk(order[place : place + 7]) for place in range(0, len(order), 7))
    assert [reply.code for reply in talk(head(BBOSS, "Transfer-Encoding: chunked") + pieces + chunk(b""))] == ["00000"]


BROKEN = {
    "no number": b"zz\r\n{}\r\n0\r\n\r\n",
    "a negative one": b"-2\r\n{}\r\n0\r\n\r\n",
    "no end of a chunk": b"2\r\n{}XX0\r\n\r\n",
    "cut": b"5\r\n{}",
    "a bad trailer": b"2\r\n{}\r\n0\r\nbad trailer\r\n\r\n",
}


@pytest.mark.parametrize("path", [BBOSS, BPM])
@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_broken_chunks_are_400_and_end_the_connection(talk, path, body):
    """The bytes after a broken chunk are not read as another request."""
    again = head(path, "Content-Length: 2") + b"{}"
    (reply,) = talk(head(path, "Transfer-Encoding: chunked") + body + again)
    assert reply.status == 400
    assert json.loads(reply.body)


@pytest.mark.parametrize("path", [BBOSS, BPM])
def test_more_than_2_mib_in_chunks_is_413(talk, path):
    body = chunk(b" " * (2 * 1024 * 1024 + 1)) + chunk(b"")
    assert talk(head(path, "Transfer-Encoding: chunked") + body)[0].status == 413


def test_a_shorter_body_than_announced_is_not_taken(talk, order):
    (reply,) = talk(head(BBOSS, f"Content-Length: {len(order) + 1}") + order)
    assert (reply.status, reply.code) == (400, "20105")


def test_two_on_one_connection_get_two_answers(talk, order):
    one = head(BBOSS, f"Content-Length: {len(order)}") + order
    two = head(BBOSS, "Content-Length: 2") + b"[]"
    assert [reply.code for reply in talk(one + two)] == ["00000", "20105"]


REFUSED = {
    "two lengths": head(BBOSS, "Content-Length: 2", "Content-Length: 3") + b"{} ",
    "length and chunks": head(BBOSS, "Content-Length: 2", "Transfer-Encoding: chunked") + b"2\r\n{}\r\n0\r\n\r\n",
    "length below zero": head(BBOSS, "Content-Length: -1") + b"{}",
    "length in superscript": head(BBOSS, "Content-Length: \xb2") + b"{}",
    "length of 5000 digits": head(BBOSS, "Content-Length: " + "9" * 5000) + b"{}",
    "a large header": head(BBOSS, "X-A: " + "a" * 9000, "Content-Length: 2") + b"{}",
    "many headers": head(BBOSS, *["X-A: a"] * 200, "Content-Length: 2") + b"{}",
    "U+0000 in a header": head(BBOSS, "X-A: a\0b", "Content-Length: 2") + b"{}",
    "no HTTP": b"\x16\x03\x01\x02\x00" + b"\0" * 200 + b"\r\n\r\n",
}


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED)
def test_what_is_no_request_gets_no_further_than_the_server(talk, raw):
    assert all(400 <= reply.status < 500 for reply in talk(raw))


def test_nothing_of_this_was_our_fault(desk, talk, order):
    """This test runs last: the site still works, and no call has failed in it."""
    assert talk(head(BBOSS, f"Content-Length: {len(order)}") + order)[0].code == "00000"
    log = (desk.folder / "web.log").read_text()
    assert "Traceback" not in log


HOSTS = ["10.42.0.17:8000", "[fd00::17]:8000", "web", "elsewhere.example", "a b/c", ""]


def get(path: str, host: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


@pytest.mark.parametrize("host", HOSTS)
def test_a_probe_comes_by_a_pods_address(talk, host):
    """A container platform sends its probes to each container's own address. ALLOWED_HOSTS can't contain these
    addresses beforehand."""
    answers = [talk(get(path, host))[0] for path in ("/livez", "/readyz?for=intake", "/readyz")]
    assert [answer.status for answer in answers] == [200, 200, 503]
    assert answers[0].body == b"ok"
    assert json.loads(answers[1].body)["status"] == "ready"
    assert json.loads(answers[2].body)["reasons"] == [NO_WORKER]


OTHERS = ["/", "/admin/", "/admin/login/", "/metrics", "/api/docs", "/api/orders/", "/readyz/", "/livez/", "//readyz"]


@pytest.mark.parametrize("path", [*OTHERS, "/admin/../readyz", "/nowhere?/readyz", "/READYZ"])
def test_no_other_address_takes_a_name_that_is_not_ours(talk, path):
    for host in HOSTS[:-1]:
        assert [reply.status for reply in talk(get(path, host))] == [400]

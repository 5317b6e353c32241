"""AUDIT_SYSLOG: the whole trail at a real syslog server, at least once over TCP and TLS (contract 4)."""

import datetime
import re
import socket
import threading
import time
from dataclasses import dataclass

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.utils import timezone
from django_q.models import OrmQ

from integrations.tasks import sweep
from orders.models import Incident, TrailEntry, TrailSending
from project import trail_syslog
from project.trail_syslog import send_trail
from tests import factories as make
from tests.conftest import shanghai
from tests.harness.log_server import LogServer
from tests.partners.certificates import PAST, Authority, served_with

pytestmark = pytest.mark.django_db
DAY, HOUR = shanghai("2026-11-25 10:00"), datetime.timedelta(hours=1)
HEADER = re.compile(  # RFC 5424, section 6
    r"<(\d{1,3})>1 "
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}(?:Z|[+-]\d\d:\d\d)) "
    r"([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) ",
    re.ASCII,
)
PARAM = re.compile(r' ([!#-<>-\\^-~]{1,32})="((?:[^"\\\]]|\\["\\\]])*)"')


@dataclass
class Read:
    """A message, read by RFC 5424."""

    priority: int
    at: datetime.datetime
    host: str
    app: str
    kind: str
    sd_id: str
    params: dict[str, str]
    text: str


def read(data: bytes) -> Read:
    line = data.decode()
    assert line.isprintable() or line.replace("\ufeff", "").isprintable(), "an event has one line"
    head = HEADER.match(line)
    assert head, line
    rest = line[head.end() :]
    sd_id = re.match(r"\[([!#-<>-\\^-~]{1,32})", rest)
    assert sd_id, rest
    place, params = sd_id.end(), {}
    while found := PARAM.match(rest, place):
        params[found[1]] = re.sub(r'\\(["\\\]])', r"\1", found[2])
        place = found.end()
    assert rest[place : place + 3] == "] \ufeff", rest[place:]
    at = datetime.datetime.fromisoformat(head[2])
    return Read(int(head[1]), at, head[3], head[4], head[6], sd_id[1], params, rest[place + 3 :])


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(trail_syslog, "TIMEOUT", 1.0)


@pytest.fixture
def server(settings):
    with LogServer() as found:
        settings.AUDIT_SYSLOG = f"tcp://127.0.0.1:{found.port}"
        yield found


def told(server) -> list[str]:
    return [read(one).params["about"] for one in server.messages]


def add(*names: str) -> None:
    for number, name in enumerate(names):
        make.TrailEntryFactory(at=DAY + number * datetime.timedelta(seconds=1), about=name)


def test_it_sends_all_three_sources_in_order_and_once(server):
    li = make.UserFactory(username="li")
    order = make.OrderFactory(number="100A1")
    make.OrderEventFactory(order=order, at=DAY + HOUR, actor="staff:li", kind="waived", data={"reason": "13712345678"})
    make.OrderEventFactory(order=order, at=DAY + HOUR, actor="worker", kind="planned")
    make.TrailEntryFactory(at=DAY, actor="staff:li", account_id=li.pk, about="li", data={"way": "password"})
    LogEntry.objects.create(user=li, object_repr="x", action_flag=2, change_message="x")
    assert send_trail() == "3 sent"
    assert send_trail() == "0 sent"
    first, second, third = map(read, server.messages)
    assert (first.priority, first.at, first.host, first.app) == (109, DAY, socket.gethostname(), "ibs-order-desk")
    wanted = {"id": f"entries-{TrailEntry.objects.get().pk}", "who": "staff:li", "from": "10.0.0.1", "what": "login"}
    assert (first.sd_id, first.params) == ("trail@32473", {**wanted, "about": "li"})
    assert (first.kind, first.text) == ("login", "已登录；密码登录")
    assert (second.params["about"], third.kind) == ("100A1", "changed_-")
    assert "13712345678" not in str(second)


@pytest.mark.parametrize("name", ["a\nb", 'a"b', "a]b", "a\\b", 'a\\"] [x y="1"', "李四\u2028", "a\ufeffb"])
def test_nobodys_name_can_forge_an_event(server, name):
    add(name)
    send_trail()
    [message] = map(read, server.messages)
    assert message.params["about"] == "".join(mark if mark.isprintable() else ascii(mark)[1:-1] for mark in name)
    assert set(message.params) == {"id", "who", "from", "what", "about"}


def test_a_long_act_is_cut_to_what_servers_take(server):
    make.TrailEntryFactory(code="command", about="resend", data={"words": "令" * 9000})
    send_trail()
    [data] = server.messages
    assert 7990 < len(data) <= 8000
    assert read(data).kind == "command"


@pytest.mark.parametrize("mark", ['"', "\\", "令", "𠮷", "\u2028", "\U000e0001"])
def test_a_long_name_is_cut_within_its_quotes(server, mark):
    event = {"order": None, "at": DAY, "actor": "staff:li", "kind": "account_made"}
    make.OrderEventFactory(**event, data={"account": mark * 9000})
    send_trail()
    [data] = server.messages
    assert len(data) <= 8000
    assert read(data).params["about"].startswith((mark if mark.isprintable() else ascii(mark)[1:-1]) * 20)
    assert read(data).text


@pytest.mark.parametrize("says_so", [True, False])
def test_tls(settings, tmp_path, says_so):
    authority = Authority(tmp_path)
    settings.PARTNER_CA_BUNDLE = authority.bundle
    with LogServer(tls=served_with(authority.issue("127.0.0.1")), says_so=says_so) as server:
        settings.AUDIT_SYSLOG = f"tls://127.0.0.1:{server.port}"
        add("one", "two")
        assert send_trail() == "2 sent"
        assert told(server) == ["one", "two"]


@pytest.mark.parametrize("wrong", ["another CA", "another host", "expired", "no TLS"])
def test_tls_tells_no_stranger(settings, tmp_path, wrong):
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    settings.PARTNER_CA_BUNDLE = authority.bundle
    by = other if wrong == "another CA" else authority
    name, until = "log.example.com" if wrong == "another host" else "127.0.0.1", PAST if wrong == "expired" else None
    issued = by.issue(name, until=until)
    with LogServer(tls=None if wrong == "no TLS" else served_with(issued)) as server:
        settings.AUDIT_SYSLOG = f"tls://127.0.0.1:{server.port}"
        add("secret")
        assert send_trail().startswith("not sent")
        assert server.messages == []
        assert TrailSending.objects.get().failing_since


def test_udp(settings):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        settings.AUDIT_SYSLOG = f"udp://127.0.0.1:{receiver.getsockname()[1]}"
        add("one", "two")
        assert send_trail() == "2 sent"
        assert [read(receiver.recv(65535)).params["about"] for _ in range(2)] == ["one", "two"]


def test_udp_promises_nothing(settings):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        settings.AUDIT_SYSLOG = f"udp://127.0.0.1:{taken.getsockname()[1]}"
    add("one")
    assert send_trail() == "1 sent"


@pytest.mark.parametrize("mode", ["closes", "hangs", "dead"])
def test_what_is_not_taken_waits_and_goes_out_in_order(server, mode):
    add("one", "two")
    server.stop() if mode == "dead" else setattr(server, "mode", mode)
    for _ in range(3):
        assert send_trail().startswith("not sent: ")
    assert server.messages == []
    make.TrailEntryFactory(at=DAY + HOUR, about="three")
    server.start() if mode == "dead" else setattr(server, "mode", "reads")
    assert send_trail() == "3 sent"
    assert told(server) == ["one", "two", "three"]
    row = TrailSending.objects.get()
    assert (row.failing_since, row.error) == (None, "")


@pytest.mark.parametrize("turn", range(20))
def test_a_server_that_closes_at_once_has_taken_nothing(server, turn):
    """A server that closes at once has not read the messages. The end of the connection may arrive before the server's
    refusal, so the end is no proof that the server has read them."""
    add(*map(str, range(turn)))
    make.TrailEntryFactory(about="x" * turn)
    server.mode = "closes"
    assert send_trail().startswith("not sent")


def test_a_slow_server_gets_all_of_it_in_parts(server):
    """The server reads 64 KiB a second, and a batch has one second. The first batch is too large for this, and the
    smaller ones are not."""
    for number in range(60):
        make.TrailEntryFactory(at=DAY, code="command", about=f"{number}", data={"words": "x" * 1200})
    server.mode = "slow"
    assert send_trail().startswith("not sent")
    for _ in range(9):
        send_trail()
    assert list(dict.fromkeys(told(server))) == [str(number) for number in range(60)]


def test_a_day_of_acts_goes_out_in_bounded_batches(server, monkeypatch):
    monkeypatch.setattr(trail_syslog, "ACTS_A_BATCH", 20)
    monkeypatch.setattr(trail_syslog, "FIRST_AFTER_FAILURE", 3)
    add(*(f"t{number:03d}" for number in range(90)))
    for number in range(30):
        make.OrderEventFactory(
            order=None, at=DAY, actor="staff:li", kind="account_made", data={"account": f"e{number}"}
        )
    server.stop()
    send_trail()
    server.start()
    assert send_trail() == "120 sent"
    assert server.connections == 1 + -(-117 // 20)
    assert len(set(told(server))) == 120
    assert [one for one in told(server) if one[0] == "t"] == [f"t{number:03d}" for number in range(90)]


def test_a_run_that_ends_leaves_the_rest_to_the_next(server, monkeypatch):
    monkeypatch.setattr(trail_syslog, "ACTS_A_BATCH", 2)
    monkeypatch.setattr(trail_syslog, "BEGIN_FOR", 0.0)
    add("one", "two", "three")
    send_trail()
    assert OrmQ.objects.count() == 1
    monkeypatch.setattr(trail_syslog, "BEGIN_FOR", 8.0)
    monkeypatch.setattr(trail_syslog.ending, "is_set", lambda: True)
    send_trail()
    assert server.messages == []
    monkeypatch.undo()
    send_trail()
    assert told(server) == ["one", "two", "three"]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite commits in the order of the ids")
@pytest.mark.django_db(transaction=True)
def test_a_row_that_is_committed_behind_a_newer_one_is_sent(server, monkeypatch):
    monkeypatch.setattr(trail_syslog, "SETTLING", 0.2)
    taken, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        with connections["default"].cursor() as cursor:
            cursor.execute("BEGIN")
            make.TrailEntryFactory(at=DAY, about="older")
            taken.set()
            go_on.wait(10)
            cursor.execute("COMMIT")
        connections["default"].close()

    thread = threading.Thread(target=slow)
    thread.start()
    assert taken.wait(10)
    make.TrailEntryFactory(at=DAY + HOUR, about="newer")
    assert "a transaction" in send_trail()
    assert server.messages == []
    go_on.set()
    thread.join()
    assert send_trail() == "2 sent"
    assert told(server) == ["older", "newer"]


def test_the_sweep_has_it_sent_and_nothing_without_the_setting(server, settings):
    sweep()
    assert "project.trail_syslog.send_trail" in [task.func() for task in OrmQ.objects.all()]
    OrmQ.objects.all().delete()
    settings.AUDIT_SYSLOG = ""
    sweep()
    assert "project.trail_syslog.send_trail" not in [task.func() for task in OrmQ.objects.all()]
    assert send_trail() == "AUDIT_SYSLOG is empty"


def test_one_that_is_stuck_is_told_until_it_is_over(server, capsys, settings):
    now = timezone.now()
    add("one", "two")
    server.stop()
    send_trail()
    trail_syslog.watch_trail(now=now)
    assert not Incident.objects.exists()
    TrailSending.objects.update(failing_since=now - datetime.timedelta(minutes=11))
    trail_syslog.watch_trail(now=now)
    incident = Incident.objects.get()
    assert (incident.code, incident.state) == ("audit_stuck", "open")
    assert "2 acts of the trail wait" in incident.detail
    assert "11 minutes" in incident.detail
    with pytest.raises(CommandError):
        call_command("status")
    assert "2 acts of the trail wait, the log server has taken none for 11 minutes: " in capsys.readouterr().out
    server.start()
    send_trail()
    trail_syslog.watch_trail(now=now)
    assert make.fresh(incident).state == "resolved"


@pytest.mark.parametrize("scheme", ["tcp", "tls"])
def test_a_hanging_server_delays_a_run_by_seconds_only(server, settings, scheme):
    settings.AUDIT_SYSLOG = f"{scheme}://127.0.0.1:{server.port}"
    add("one")
    server.mode = "hangs"
    began = time.monotonic()
    assert send_trail().startswith("not sent")
    assert time.monotonic() - began < 2.5

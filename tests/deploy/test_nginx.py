"""Debian's nginx with deploy/nginx.conf in front of two gunicorns: which of them gets which call, and what nginx
answers itself.
"""

import contextlib
import json
import os
import re
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from requests.adapters import HTTPAdapter

from integrations.bboss.sample_envelope import signed_envelope
from tests.first_start.lines import ROOT, Place
from tests.harness.desk import ProcessDesk
from tests.harness.nginx import NGINX, nginx_command, write_nginx_conf
from tests.harness.ports import free_ports
from tests.partners.certificates import Authority
from tests.processes.orders import trial

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not os.path.exists(NGINX), reason="Debian's nginx is not installed"),
]
BBOSS, BPM = "/api/bboss/orders", "/api/bpm/approvals"
JSON = {"Content-Type": "application/json"}
WAITS = 2  # in seconds, instead of the configuration's 10 and 60
LARGE = b" " * (17 * 1024 * 1024)
ENVELOPE = {"transIDO", "transIDH", "transIDHTime", "cutOffDay", "providePartyID", "response", "result"}
OUTSIDE = "127.0.0.2"


class Site:
    """nginx in front of two gunicorns of one desk."""

    def __init__(self, desk: ProcessDesk, folder: Path, other_intakes: Iterable[int] = ()):
        self.desk, self.folder = desk, folder
        http, https = free_ports(2)
        self.place = Place(folder, ROOT, http, https, desk.ports["web"], desk.ports["intake"], 1, 1, "unused", "unused")
        self.url = f"https://localhost:{self.place.https}"
        (folder / "etc/ssl/ibs").mkdir(parents=True)
        self.authority = Authority(folder)
        certificate = Path(self.authority.issue("localhost"))
        for name in ("fullchain", "privkey"):
            (folder / f"etc/ssl/ibs/{name}.pem").write_bytes(certificate.read_bytes())
        servers = write_nginx_conf(folder)
        text = self.place.put_in((ROOT / "deploy/nginx.conf").read_text())
        text, count = re.subn(r"proxy_read_timeout +\d+s", f"proxy_read_timeout {WAITS}s", text)
        assert count == 5
        for port in other_intakes:
            text = text.replace("# server 10.0.0.12:8001;", f"server 127.0.0.1:{port};\n    # server 10.0.0.12:8001;")
        (servers / "ibs.conf").write_text(text)
        desk.start_program(folder.name, nginx_command(folder), cwd=folder)

    def call(self, method: str, path: str, *, from_address: str = "127.0.0.1", **more) -> requests.Response:
        with requests.Session() as session:
            session.trust_env, session.verify = False, self.authority.bundle
            session.mount("https://", FromAddress(from_address))
            return session.request(method, self.url + path, timeout=60, allow_redirects=False, **more)

    def post(self, path: str, body, **more) -> requests.Response:
        return self.call("POST", path, data=body, headers=JSON | more.pop("headers", {}), **more)

    def order(self, number: int) -> requests.Response:
        return self.post(BBOSS, json.dumps(signed_envelope(trial(number), now=self.desk.now())))

    def connect(self, stack: contextlib.ExitStack) -> ssl.SSLSocket:
        """Returns a connection to the site's HTTPS port, for raw bytes."""
        context = ssl.create_default_context(cafile=self.authority.bundle)
        plain = stack.enter_context(socket.create_connection(("127.0.0.1", self.place.https), timeout=30))
        return stack.enter_context(context.wrap_socket(plain, server_hostname="localhost"))

    @contextlib.contextmanager
    def frozen(self, name: str):
        """Freezes all processes of a gunicorn inside the block."""
        group = self.desk.processes[name].pid
        os.killpg(group, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(group, signal.SIGCONT)


class FromAddress(HTTPAdapter):
    def __init__(self, address: str):
        self.address = address
        super().__init__()

    def init_poolmanager(self, *args, **more):
        super().init_poolmanager(*args, source_address=(self.address, 0), **more)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    folder.chmod(0o755)
    settings = {"HTTPS_ONLY": "true", "TRUSTED_PROXY_COUNT": "1", "ALLOWED_HOSTS": "localhost,127.0.0.1"}
    postgres = os.environ.get("DESK_TEST_DATABASE_URL", "")
    with ProcessDesk(tmp_path_factory.mktemp("desk"), postgres=postgres, **settings) as desk:
        desk.start_web("intake")
        site = Site(desk, folder)
        desk.until(lambda: site.call("GET", "/livez").ok)
        yield site


def code_of(answer: requests.Response) -> tuple[int, str]:
    """Returns (HTTP status, rspCode) of an answer, and asserts that it is in BBOSS's envelope."""
    assert answer.headers["Content-Type"].startswith("application/json")
    members = answer.json()
    assert (set(members), members["providePartyID"]) == (ENVELOPE, "CDNP9950")
    return answer.status_code, members["response"]["rspCode"]


def test_an_order_and_a_page(site):
    assert code_of(site.order(1)) == (200, "00000")
    page = site.call("GET", "/admin/login/")
    assert page.status_code == 200
    assert re.fullmatch(r"__Host-csrftoken=\w+; .*", page.headers["Set-Cookie"])
    assert {"Path=/", "Secure"} <= set(page.headers["Set-Cookie"].split("; "))


def test_pages_that_stand_still_do_not_keep_bboss_waiting(site):
    """While the process for pages does not respond, staff get a page in Chinese that says so, and the desk still
    accepts orders.
    """
    with site.frozen("web"):
        began = time.monotonic()
        assert code_of(site.order(2)) == (200, "00000")
        page = site.call("GET", "/admin/")
        assert time.monotonic() - began < WAITS + 10
    assert (page.status_code, page.headers["Content-Type"]) == (503, "text/html; charset=utf-8")
    assert "系统暂时无法访问" in page.text
    assert site.call("GET", "/admin/login/").status_code == 200


def test_the_logs_hold_nothing_that_people_search_for(site):
    """The error log contains failed requests only for BBOSS's and BPM's addresses, and the access log contains no
    query strings.
    """
    with site.frozen("web"), site.frozen("intake"):
        for path in ("/admin/find/?q=13712345678", "/api/orders/?enterprise=13712345678"):
            assert site.call("GET", path, headers={"Referer": f"{site.url}{path}"}).status_code == 503
        assert site.post(BPM, "{}").status_code == 503
    logs = {path.name: path.read_text() for path in (site.folder / "var/log/nginx").iterdir()}
    assert BPM in logs["error.log"]
    assert "/admin/find/" in logs["access.log"]
    assert "13712345678" not in "".join(logs.values())


def test_intake_that_stands_still_is_answered_in_the_callers_form(site):
    """While intake does not respond, nginx answers. If the order was stored nevertheless, it is recognised when it is
    sent again.
    """
    with site.frozen("intake"):
        assert code_of(site.order(3)) == (503, "20000")
        answer = site.post(BPM, "{}")
        assert (answer.status_code, answer.json()["code"]) == (503, 503)
        assert site.call("GET", "/admin/login/").status_code == 200
    assert code_of(site.order(3)) == (200, "00000")


def test_intake_that_is_away_is_answered_in_the_callers_form(site):
    site.desk.stop("intake")
    try:
        assert site.call("GET", "/livez").ok
        # the worker's check of SITE_URL gets this answer
        assert site.call("GET", "/livez?for=intake").status_code == 502
        answer = site.order(4)
        assert code_of(answer) == (503, "20000")
        assert re.fullmatch("[0-9a-f]{32}", answer.json()["transIDH"])
        answer = site.post(BPM, "{}")
        assert (answer.status_code, answer.json()["code"]) == (503, 503)
        assert site.call("GET", "/readyz?for=intake").status_code >= 500
    finally:
        site.desk.start_web("intake")
    assert code_of(site.order(4)) == (200, "00000")


@contextlib.contextmanager
def stopped() -> Iterator[int]:
    """Yields the port of a machine that is gone: connections to it get no answer, not even a refusal."""
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        yield full.getsockname()[1]


@contextlib.contextmanager
def hung_up() -> Iterator[int]:
    """Yields the port of an intake process that closes the connection after it has read a call."""
    with socket.create_server(("127.0.0.1", 0)) as server, contextlib.suppress(OSError):

        def read_and_die():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    connection.recv(1 << 20)
                    connection.close()

        threading.Thread(target=read_and_die, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def test_where_one_intake_is_dead_the_other_gets_all_calls(site, tmp_path_factory):
    """One intake refuses connections, and the machine of another is gone. No call fails, and none waits for long."""
    folder = tmp_path_factory.mktemp("several")
    folder.chmod(0o755)
    with stopped() as gone:
        several = Site(site.desk, folder, [free_ports(1)[0], gone])
        site.desk.until(lambda: several.call("GET", "/livez").ok)
        began = time.monotonic()
        assert {code_of(several.order(number)) for number in range(700, 712)} == {(200, "00000")}
        assert {several.post(BPM, "{}").status_code for _ in range(6)} == {401}
        assert time.monotonic() - began < 40
    site.desk.stop(folder.name)


def test_a_call_that_was_sent_to_one_is_never_sent_to_the_other(site, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dying")
    folder.chmod(0o755)
    with hung_up() as port:
        several = Site(site.desk, folder, [port])
        site.desk.until(lambda: several.call("GET", "/livez").ok)
        answers = {number: code_of(several.order(number)) for number in range(720, 724)}
    site.desk.stop(folder.name)
    failed = [number for number, answer in answers.items() if answer == (503, "20000")]
    assert failed
    for number in failed:
        order = trial(number)["OrderNum"]
        assert site.desk.rows(f"SELECT count(*) FROM orders_order WHERE number = '{order}'") == [(0,)]


@pytest.mark.parametrize("megabytes, by_desk", [(3, True), (17, False)])
def test_too_large_is_413_whoever_says_it(site, megabytes, by_desk):
    answer = site.post(BBOSS, b" " * (megabytes * 1024 * 1024))
    assert code_of(answer) == (413, "20215")
    assert bool(answer.json()["transIDHTime"]) == by_desk
    answer = site.post(BPM, b" " * (megabytes * 1024 * 1024))
    assert (answer.status_code, answer.json()) == (413, {"code": 413, "message": "larger than 2 MiB"})


def test_too_large_without_a_length_is_413(site):
    assert code_of(site.post(BBOSS, iter([LARGE]))) == (413, "20215")


def test_a_form_that_is_too_large_is_a_page(site):
    answer = site.call("POST", "/admin/login/", data=LARGE)
    assert (answer.status_code, answer.headers["Content-Type"]) == (413, "text/html; charset=utf-8")
    assert "文件过大" in answer.text


def test_log_ins_of_one_address_are_bounded(site):
    """Log-ins are limited for each address. Other addresses can log in meanwhile, and the page itself is always
    shown.
    """
    form = {"username": "nobody", "password": "guess"}

    def guess(_number):
        return site.call("POST", "/admin/login/", data=form, from_address="127.0.0.3")

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(guess, range(60)))
    refused = [answer for answer in answers if answer.status_code == 429]
    assert 0 < len(refused) < 60
    assert ("登录过于频繁" in refused[0].text, refused[0].headers["Retry-After"]) == (True, "5")
    links = [site.call("POST", "/accounts/password_reset/", from_address="127.0.0.3").status_code for _ in range(5)]
    assert 429 in links
    keys = [site.call("GET", f"/accounts/emergency/?key={n}", from_address="127.0.0.3").status_code for n in range(5)]
    assert 429 in keys
    assert site.call("GET", "/admin/login/", from_address="127.0.0.3").status_code == 200
    # the desk's own answer, because the form has no token
    assert site.call("POST", "/admin/login/", data=form).status_code == 403


def test_an_info_security_file_may_be_larger_than_other_forms(site):
    upload = "/admin/orders/order/1/upload/info_security/"
    assert "文件过大" not in site.call("POST", upload, data=b" " * (20 * 1024 * 1024)).text
    answer = site.call("POST", upload, data=b" " * (22 * 1024 * 1024))
    assert (answer.status_code, "20 MB" in answer.text) == (413, True)


@pytest.mark.parametrize("path, code", [(BBOSS, b'"rspCode":"20105"'), (BPM, b'"code":400')])
def test_chunks_that_are_none_are_400_in_the_callers_form(site, path, code):
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", "Transfer-Encoding: chunked"]
    with contextlib.ExitStack() as stack:
        connection = site.connect(stack)
        connection.sendall("\r\n".join([*lines, "", "zz", "{}", "0", "", ""]).encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert code in answer


SLOW = [
    f"POST {BBOSS} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{{",
    f"POST {BBOSS} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n63\r\n{{",
    f"POST {BPM} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{{",
    "POST /admin/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\nusername=",
    f"POST {BBOSS} HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
]  # what a caller sends before it stops sending


def test_slow_callers_hold_no_thread(site):
    """There are more slow callers than threads. Some send a body that never ends, and others headers that never end."""
    with contextlib.ExitStack() as stack:
        for begin in SLOW * 4:
            site.connect(stack).sendall(begin.encode())
        assert code_of(site.order(5)) == (200, "00000")
        assert site.call("GET", "/admin/login/").status_code == 200


def test_silent_callers_are_hung_up_on(site):
    """The time limits are too long for a test, so the test only reads them from the configuration."""
    text = (ROOT / "deploy/nginx.conf").read_text()
    assert re.search(r"^ *client_body_timeout +30s;$", text, re.MULTILINE)
    assert re.search(r"^ *proxy_request_buffering +on;$", text, re.MULTILINE)


def error_of(answer: requests.Response) -> tuple[int, list[str]]:
    """Returns (HTTP status, members) of an answer to a system that uses the read API."""
    assert answer.headers["Content-Type"].startswith("application/json")
    return answer.status_code, list(answer.json())


@pytest.mark.parametrize("path", ["/api/orders/", "/api/orders/A1/", "/api/customers/A1/billing/"])
def test_other_systems_read_from_inside_only(site, path):
    assert error_of(site.call("GET", path)) == (401, ["error"])
    assert error_of(site.call("POST", path)) == (405, ["error"])
    assert error_of(site.call("POST", path, data=b"x" * 20_000)) == (413, ["error"])
    assert error_of(site.call("GET", path, from_address=OUTSIDE)) == (403, ["error"])


def test_readers_are_answered_by_the_pages_process_in_their_form(site):
    with site.frozen("intake"):
        assert error_of(site.call("GET", "/api/orders/")) == (401, ["error"])
    with site.frozen("web"):
        answer = site.call("GET", "/api/orders/")
        assert (error_of(answer), answer.headers["Retry-After"]) == ((503, ["error"]), "30")


def test_readers_leave_half_of_the_pages_threads_to_staff(site):
    with ThreadPoolExecutor(6) as pool, site.frozen("web"):
        answers = list(pool.map(lambda number: site.call("GET", f"/api/orders/{number}/"), range(6)))
    assert sorted(answer.status_code for answer in answers) == [429, 429, 503, 503, 503, 503]
    busy = next(answer for answer in answers if answer.status_code == 429)
    assert (error_of(busy), busy.headers["Retry-After"]) == ((429, ["error"]), "1")


@pytest.mark.parametrize("path", ["/readyz", "/readyz?for=intake", "/api/docs", "/api/schema", "/metrics", "/%72eadyz"])
def test_what_is_ours_alone_is_closed_from_outside(site, path):
    assert site.call("GET", path, from_address=OUTSIDE).status_code == 403


def test_the_rest_is_open_from_outside(site):
    assert site.call("GET", "/livez", from_address=OUTSIDE).ok
    assert site.call("GET", "/livez?for=intake", from_address=OUTSIDE).ok
    assert site.call("GET", "/admin/login/", from_address=OUTSIDE).ok


def test_inside_they_answer(site):
    assert site.call("GET", "/api/schema").ok
    assert "swagger" in site.call("GET", "/api/docs").text
    assert "heartbeat" in site.call("GET", "/readyz").text
    assert "desk_build_info" in site.call("GET", "/metrics").text

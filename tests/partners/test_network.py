"""Partners behind a private CA, a client certificate or a proxy (contract section 4), with real TLS and a small real
proxy.

The deadline always holds, verification can't be switched off, and each failure counts for the circuit breaker.
"""

import dataclasses
import json
import ssl
import time

import pytest

from integrations.outbound.failure_classification import PartnerError, check_success
from integrations.outbound.http_client import post
from integrations.partners.calls import call_of
from project.base.settings_table import certificate_files
from tests.fakes import RunningSandbox
from tests.partners.certificates import PAST, Authority, halves
from tests.partners.proxy import Proxy
from tests.partners.test_http import TIMEOUT, answering

LONG = 5
QUERY = json.dumps({"jobId": "100T1"}).encode()
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def server(authority):
    return authority.issue("127.0.0.1", "localhost")


@pytest.fixture(scope="module")
def client(authority):
    return authority.issue("ibs.example.com")


@pytest.fixture(scope="module", params=VERSIONS, ids=lambda version: version.name)
def partner(request, authority, server):
    with authority.partner(server, version=request.param) as running:
        yield running


@pytest.fixture
def network(settings):
    """Returns a function: `network(bundle=..., client=..., proxy=...)` sets how the desk reaches partners."""

    def reach(*, bundle: str = "", client: str = "", proxy: str = "") -> None:
        settings.PARTNER_CA_BUNDLE, settings.PARTNER_PROXY = bundle, proxy
        settings.PARTNER_CLIENT_CERT = certificate_files("PARTNER_CLIENT_CERT", client)

    return reach


def query(partner: RunningSandbox, timeout: float = LONG) -> dict:
    return send(f"{partner.bigdata_url}/productInfos/query", QUERY, timeout)


def send(url: str, body: bytes = b"{}", timeout: float = LONG) -> dict:
    answer = post(
        dataclasses.replace(call_of("bigdata.post"), url=url),
        body,
        key="key-1",
        request_id="request-1",
        timeout=timeout,
    )
    check_success(answer)
    return answer.data


def trouble(url: str, timeout: float = LONG) -> tuple[str, PartnerError]:
    """Returns (code, error) of a call, and checks that the error is temporary and that the breaker counts it."""
    with pytest.raises(PartnerError) as caught:
        send(url, timeout=timeout)
    error = caught.value
    assert (error.permanent, error.transport) == (False, True)
    return error.code, error


def refused_handshake(partner: RunningSandbox) -> str:
    """Returns the error message of a call that fails because of a certificate, and checks that the call certainly did
    not act."""
    partner.reset()
    code, error = trouble(f"{partner.bigdata_url}/productInfos/query")
    assert (code, error.unknown, partner.calls()) == ("tls", False, []), error.message
    return error.message


# --- TLS


@pytest.mark.parametrize("form", [str, halves], ids=["one file", "two files"])
def test_with_ca_and_certificate_it_is_a_call_like_any_other(network, authority, partner, client, form):
    network(bundle=authority.bundle, client=form(client))
    assert query(partner)["code"] == 200
    assert query(partner)["code"] == 200


def test_without_the_ca_or_with_another_the_partner_is_not_believed(network, partner, client, tmp_path):
    for bundle in ("", Authority(tmp_path, "other").bundle):
        network(bundle=bundle, client=client)
        assert "certificate verify failed" in refused_handshake(partner)


def test_without_a_certificate_of_ours_that_is_valid_we_are_not_let_in(network, authority, partner, tmp_path):
    stranger = Authority(tmp_path, "other").issue("ibs.example.com")
    for issued in ("", stranger, authority.issue("ibs.example.com", until=PAST)):
        network(bundle=authority.bundle, client=issued)
        refused_handshake(partner)


@pytest.mark.parametrize(
    "names, until, said",
    [(["other.example.com"], None, "mismatch"), (["127.0.0.1"], PAST, "expired")],
    ids=["another host", "expired"],
)
def test_a_partner_with_a_wrong_certificate_is_not_believed(network, authority, client, names, until, said):
    network(bundle=authority.bundle, client=client)
    with authority.partner(authority.issue(*names, until=until)) as partner:
        assert said in refused_handshake(partner)


def test_the_environment_changes_nothing(network, authority, partner, client, monkeypatch, tmp_path):
    """The environment sets neither the trusted CAs, nor a proxy, nor a password from a .netrc."""
    network(client=client)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, authority.bundle)
    monkeypatch.setenv("PYTHONHTTPSVERIFY", "0")
    assert "certificate verify failed" in refused_handshake(partner)
    network(bundle=authority.bundle, client=client)
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    assert query(partner)["code"] == 200


def test_a_netrc_is_not_read(network, httpserver, monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text(
        "machine 127.0.0.1 login me password hidden\nmachine localhost login me password hidden\n"
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    send(answering(httpserver, {"code": 200}))
    assert "Authorization" not in httpserver.log[0][0].headers


@pytest.mark.parametrize("drip", [b"", b"\x16\x03\x03\x40\x00"], ids=["silent", "dripping"])
def test_a_handshake_that_stalls_ends_in_time(network, authority, raw_partner, drip):
    network(bundle=authority.bundle)
    slow = raw_partner(stalling(drip))
    began = time.monotonic()
    code, error = trouble(slow.url.replace("http:", "https:"), TIMEOUT)
    assert (code, error.unknown) == ("timeout", False)
    assert time.monotonic() - began < TIMEOUT + 3


def stalling(drip: bytes):
    def talk(connection):
        for place in range(100):
            connection.sendall(drip[place : place + 1] or drip[-1:])
            time.sleep(0.05)

    return talk


def test_what_speaks_no_tls_is_no_partner(network, raw_partner):
    code, error = trouble(
        raw_partner(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad\r\n\r\n")).url.replace("http:", "https:")
    )
    assert (code, error.unknown) == ("tls", False)


def test_one_that_hangs_up_in_the_handshake_is_no_connection(network, raw_partner):
    code, error = trouble(raw_partner(lambda connection: None).url.replace("http:", "https:"))
    assert (code, error.unknown) == ("refused", False)


# --- the proxy


@pytest.fixture
def proxy():
    with Proxy("ibs", "p@ss-hidden") as running:
        yield running


def test_https_goes_through_a_tunnel(network, authority, partner, client, proxy):
    """The proxy gets only the host, and not the call. A connection that is kept open needs no second tunnel."""
    network(bundle=authority.bundle, client=client, proxy=proxy.url)
    assert query(partner)["code"] == 200
    assert query(partner)["code"] == 200
    [head] = proxy.heads
    assert head.startswith(f"CONNECT {partner.url.removeprefix('https://')} ")
    assert "Idempotency-Key" not in head


def test_http_is_forwarded(network, httpserver, proxy):
    network(proxy=proxy.url)
    url = answering(httpserver, {"code": 200})
    assert send(url) == {"code": 200}
    assert proxy.heads[0].startswith(f"POST {url} ")
    assert httpserver.log[0][0].headers["Idempotency-Key"] == "key-1"


def test_a_partner_is_verified_through_the_proxy_too(network, authority, client, proxy):
    network(bundle=authority.bundle, client=client, proxy=proxy.url)
    with authority.partner(authority.issue("other.example.com")) as partner:
        assert "mismatch" in refused_handshake(partner)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_does_not_know_us(network, authority, proxy, scheme):
    network(bundle=authority.bundle, proxy=proxy.url.replace("hidden", "wrong-hidden"))
    code, error = trouble(f"{scheme}://127.0.0.1:9/x")
    assert (code, error.unknown) == ("proxy", False)
    assert "hidden" not in error.message + error.answer


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_away(network, scheme):
    network(proxy="http://ibs:p-hidden@127.0.0.1:9")
    code, error = trouble(f"{scheme}://127.0.0.1:10/x")
    assert (code, error.unknown) == ("proxy", False)
    assert "hidden" not in error.message


@pytest.mark.parametrize(
    "said", [b"HTTP/1.1 502 Bad Gateway\r\n\r\n", b"SSH-2.0\r\n", b""], ids=["502", "no HTTP", "nothing"]
)
def test_a_proxy_that_gives_no_tunnel(network, raw_partner, said):
    network(proxy=proxy_url(raw_partner(lambda connection: connection.sendall(said))))
    code, error = trouble("https://127.0.0.1:9/x")
    assert (code, error.unknown) == ("proxy", False)


@pytest.mark.parametrize("drip", [b"HTTP/1.1 200 OK\r\nX-Long: x", b""], ids=["dripping", "silent"])
@pytest.mark.parametrize("scheme, unknown", [("https", False), ("http", True)])
def test_a_proxy_that_stalls_ends_in_time(network, raw_partner, scheme, unknown, drip):
    """A proxy that stalls ends the call in time. A forwarded call may have reached the partner, so its outcome is
    unknown. A call that still waits for a tunnel has not reached the partner."""
    network(proxy=proxy_url(raw_partner(stalling(drip))))
    began = time.monotonic()
    code, error = trouble(f"{scheme}://127.0.0.1:9/x", TIMEOUT)
    assert (code, error.unknown) == ("timeout", unknown)
    assert time.monotonic() - began < TIMEOUT + 3


def test_a_handshake_that_stalls_behind_the_proxy_ends_in_time(network, authority, raw_partner, proxy):
    network(bundle=authority.bundle, proxy=proxy.url)
    slow = raw_partner(stalling(b""))
    code, error = trouble(slow.url.replace("http:", "https:"), TIMEOUT)
    assert (code, error.unknown) == ("timeout", False)


def test_a_gateway_error_of_the_proxy_is_the_partners(network, raw_partner):
    """An error 502 of the proxy counts as the partner's answer with unknown outcome, because a forwarded call that the
    proxy could not finish may have arrived."""
    answer = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\n{}"
    network(proxy=proxy_url(raw_partner(lambda connection: connection.sendall(answer))))
    code, error = trouble("http://127.0.0.1:9/x")
    assert (code, error.unknown) == ("http_502", True)


def proxy_url(raw) -> str:
    return raw.url.removesuffix("/x")

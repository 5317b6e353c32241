"""The company log-in: the way to the provider and back, and every token that the desk must refuse (contract 4,
OIDC_*).
"""

import base64
import hmac
import json
import runpy
import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from django.test import Client

from project.accounts.company import provider
from project.models import CompanyAccount, User
from tests.company.conftest import CALLBACK, START, asked_of, goes_on_to, sent
from tests.company.issuer import CLIENT, KEY, OTHER_KEY, SECRET, public

PEM = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
pytestmark = pytest.mark.django_db


def is_in(answer) -> bool:
    return "_auth_user_id" in answer.browser.session


def test_the_start_asks_for_a_code_with_state_nonce_and_pkce(issuer):
    answer = Client().get(START)
    asked = asked_of(answer)
    assert answer["Location"].startswith(f"{issuer.url}/auth?")
    assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT)
    assert asked["redirect_uri"] == f"http://testserver{CALLBACK}"
    assert asked["code_challenge_method"] == "S256"
    assert asked["scope"] == "openid profile email"
    assert min(len(asked[name]) for name in ("state", "nonce", "code_challenge")) >= 32


def test_the_redirect_address_is_site_url_s_whatever_host_was_asked(issuer, settings):
    settings.SITE_URL, settings.ALLOWED_HOSTS = "https://ibs.example.com", ["*"]
    asked = asked_of(Client().get(START, headers={"host": "other.example.com"}))
    assert asked["redirect_uri"] == f"https://ibs.example.com{CALLBACK}"


def test_a_person_comes_in_and_has_the_same_account_again(browser, issuer):
    answer = browser()
    assert (answer.status_code, answer["Location"], is_in(answer)) == (302, "/admin/", True)
    assert answer.browser.get("/admin/").status_code == 200
    user = User.objects.get()
    assert (user.username, user.display_name, user.has_usable_password()) == ("li.ming", "李明", False)
    row = CompanyAccount.objects.get()
    assert (row.user, row.subject) == (user, "u-1")
    assert is_in(browser(preferred_username="another"))
    assert User.objects.count() == 1
    assert issuer.asked.count("/.well-known/openid-configuration") == 1


NOW = int(time.time())
WRONG = {
    "another issuer": {"iss": "https://elsewhere.example.com"},
    "another audience": {"aud": "another client"},
    "several audiences, no azp": {"aud": [CLIENT, "another"]},
    "given to another client": {"aud": [CLIENT, "another"], "azp": "another"},
    "expired": {"iat": NOW - 600, "exp": NOW - 120},
    "from the future": {"iat": NOW + 3600, "exp": NOW + 7200},
    "not yet valid": {"nbf": NOW + 3600},
    "without an end": {"exp": None},
    "without a beginning": {"iat": None},
    "without a person": {"sub": None},
    "a person without letters": {"sub": ""},
    "a person that is a number": {"sub": 17},
    "a person with a line break": {"sub": "u\n1"},
    "a person too long": {"sub": "u" * 256},
    "another nonce": {"nonce": "replayed"},
    "no nonce": {"nonce": None},
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_token_lets_nobody_in(browser, what):
    answer = browser(**WRONG[what])
    assert (answer.status_code, is_in(answer)) == (400, False)
    assert "登录未能完成" in answer.content.decode()
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "fine",
    [
        {"iat": NOW + 40},
        {"iat": NOW - 600, "exp": NOW - 20},
        {"aud": [CLIENT]},
        {"aud": [CLIENT, "another"], "azp": CLIENT},
    ],
)
def test_a_clock_a_minute_off_and_odd_forms_are_fine(browser, fine):
    if "exp" in fine:
        fine = {"iat": int(time.time()) - 600, "exp": int(time.time()) - 20}
    assert is_in(browser(**fine))


def made_by_hand(claims: dict, algorithm: str, secret: bytes = b"") -> str:
    """Returns a token that libraries refuse to make: without a signature, or signed with something that is not
    secret.
    """
    parts = ({"alg": algorithm, "kid": "k1"}, claims)
    head, body = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
    signature = hmac.digest(secret, f"{head}.{body}".encode(), "sha256") if secret else b""
    return f"{head}.{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


@pytest.mark.parametrize("how", ["none", "None", "HS256", "public key as secret", "another key", "no token", "ES256"])
def test_a_wrong_signature_lets_nobody_in(issuer, how):
    client, asked = sent()
    code = issuer.code_for(asked)
    claims = issuer.codes[code][1]
    issuer.token = {
        "HS256": made_by_hand(claims, "HS256", SECRET.encode()),
        "public key as secret": made_by_hand(claims, "HS256", PEM),
        "another key": jwt.encode(claims, OTHER_KEY, "RS256", headers={"kid": "k1"}),
        "no token": "rubbish",
    }.get(how) or made_by_hand(claims, how)
    answer = client.get(CALLBACK, {"code": code, "state": asked["state"]})
    assert answer.status_code == 400
    assert "_auth_user_id" not in client.session


def test_keys_that_change_are_read_again_once(browser, issuer, monkeypatch):
    assert is_in(browser())
    issuer.key, issuer.number, issuer.keys = OTHER_KEY, "k2", [public(OTHER_KEY, "k2")]
    monkeypatch.setattr(provider, "RETRY_AFTER_SECONDS", 0.0)
    assert is_in(browser())
    assert issuer.asked.count("/keys") == 2
    monkeypatch.setattr(provider, "RETRY_AFTER_SECONDS", 10.0)
    issuer.number = "made up"
    for _ in range(3):
        assert not is_in(browser())
    assert issuer.asked.count("/keys") == 2


def test_a_key_that_is_gone_counts_no_more_after_an_hour(browser, issuer, monkeypatch):
    assert is_in(browser())
    issuer.keys = [public(KEY, "k1", use="enc")]
    provider.cache.keys_at -= provider.CACHE_SECONDS
    assert not is_in(browser())


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "https://elsewhere.example.com"},
        {"token_endpoint": "http://elsewhere.example.com/token"},
        {"jwks_uri": None},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"userinfo_endpoint": "http://elsewhere.example.com/me"},
    ],
)
def test_a_wrong_description_is_no_provider(issuer, wrong):
    issuer.description = wrong
    assert Client().get(START).status_code == 503


# --- The state parameter: it belongs to this browser, counts once, and is valid for ten minutes


def test_a_state_counts_once(issuer):
    client, asked = sent()
    given = {"code": issuer.code_for(asked), "state": asked["state"]}
    assert client.get(CALLBACK, given).status_code == 302
    client.logout()
    assert client.get(CALLBACK, given | {"code": issuer.code_for(asked)}).status_code == 400


def test_a_state_of_another_browser_does_not_count(issuer):
    (_victim, asked), (thief, _theirs) = sent(), sent()
    assert thief.get(CALLBACK, {"code": issuer.code_for(asked), "state": asked["state"]}).status_code == 400
    assert "/token" not in issuer.asked


@pytest.mark.parametrize("https, name", [(True, "__Host-company_states"), (False, "company_states")])
def test_states_lie_in_a_cookie_that_no_other_host_sets_and_no_script_reads(issuer, settings, https, name):
    settings.HTTPS_ONLY = https
    client, asked = sent()
    cookie = client.cookies[name]
    assert (bool(cookie["secure"]), cookie["httponly"], cookie["path"], cookie["domain"]) == (https, True, "/", "")
    assert cookie["samesite"] == "Lax"
    client.cookies[name] = cookie.value[:-1] + ("a" if cookie.value[-1] != "a" else "b")
    assert client.get(CALLBACK, {"code": issuer.code_for(asked), "state": asked["state"]}).status_code == 400


def test_a_state_of_long_ago_does_not_count(issuer, monkeypatch):
    client, asked = sent()
    monkeypatch.setattr("project.accounts.company.company_login_pages.STATE_SECONDS", 0)
    assert client.get(CALLBACK, {"code": issuer.code_for(asked), "state": asked["state"]}).status_code == 400


def test_a_callback_out_of_the_blue_or_of_another_issuer_is_refused(issuer):
    for query in ({}, {"code": "x"}, {"state": "x"}, {"code": "x", "state": "x\0"}, {"error": "x"}):
        assert Client().get(CALLBACK, query).status_code == 400, query
    client, asked = sent()
    given = {"code": issuer.code_for(asked), "state": asked["state"], "iss": "https://elsewhere.example.com"}
    assert client.get(CALLBACK, given).status_code == 400
    assert "/token" not in issuer.asked


def test_a_code_that_the_provider_refuses_lets_nobody_in_and_who_is_refused_over_there_reads_so(issuer):
    client, asked = sent()
    assert client.get(CALLBACK, {"code": "made up", "state": asked["state"]}).status_code == 400
    client, asked = sent()
    answer = client.get(CALLBACK, {"error": "access_denied", "state": asked["state"]})
    assert answer.status_code == 403
    assert "公司账号登录没有放行" in answer.content.decode()


# --- The page after the log-in


@pytest.mark.parametrize("wanted", ["/admin/orders/order/?state=held", "/admin/"])
def test_one_comes_where_one_was_going_and_nobody_is_led_elsewhere(browser, wanted):
    assert browser(next_page=wanted)["Location"] == wanted
    for evil in ("https://evil.example.com/", "//evil.example.com", "javascript:alert(1)", "\\\\evil"):
        assert browser(next_page=evil)["Location"] == "/admin/", evil


def test_who_was_somebody_else_gets_a_session_of_their_own(browser, issuer):
    client = Client()
    first = browser(client=client)
    before = client.session.session_key
    second = browser(client=client, sub="u-2", preferred_username="wang")
    assert (is_in(first), is_in(second)) == (True, True)
    assert client.session.session_key != before
    assert User.objects.get(pk=client.session["_auth_user_id"]).username == "wang"


# --- The provider does not answer


@pytest.mark.parametrize("passwords, said", [("all", "可以用密码登录"), ("emergency", "应急账号")])
def test_while_the_provider_is_away_the_door_says_so_and_sessions_go_on(browser, issuer, settings, passwords, said):
    inside, outside = browser().browser, Client()
    User.objects.create_user("wang", password="right", is_staff=True)
    settings.PASSWORD_LOGIN = passwords
    issuer.status = 500
    provider.cache.forget()
    answer = outside.get(START)
    assert answer.status_code == 503
    assert "公司账号登录没有响应" in answer.content.decode()
    assert said in answer.content.decode()
    assert inside.get("/admin/").status_code == 200
    typed = {"username": "wang", "password": "right"}
    assert outside.post("/admin/login/", typed).status_code == (302 if passwords == "all" else 200)


def test_the_door_does_not_lead_to_a_provider_that_went_away_since_its_last_answer(browser, issuer):
    assert is_in(browser())
    issuer.status = 500
    assert Client().get(START).status_code == 302  # the desk remembers that the provider answered a moment ago
    provider.cache.read_at -= provider.RETRY_AFTER_SECONDS
    assert Client().get(START).status_code == 503
    issuer.status = 200
    provider.cache.failed_at -= provider.RETRY_AFTER_SECONDS
    assert is_in(browser())
    assert issuer.asked.count("/keys") == 1


def test_nobody_waits_long_for_a_provider_that_hangs(issuer, monkeypatch):
    monkeypatch.setattr(provider, "SECONDS", 0.2)
    issuer.hangs = True
    began = time.monotonic()
    assert [Client().get(START).status_code for _ in range(5)] == [503] * 5
    assert time.monotonic() - began < 5
    assert len(issuer.asked) == 1


def test_a_provider_that_goes_away_in_between_is_said(issuer):
    client, asked = sent()
    code = issuer.code_for(asked)
    issuer.status = 502
    assert client.get(CALLBACK, {"code": code, "state": asked["state"]}).status_code == 503


def test_no_code_and_no_token_is_logged(issuer, browser, lines):
    browser()
    browser(nonce="replayed")
    told = json.dumps(lines())
    assert "company log-in" in told
    assert not [word for word in ("code-0", "code-1", "eyJ", SECRET, "opaque-token") if word in told]


# --- The log-in page, and logging out


def test_the_door_has_a_button(issuer, settings):
    settings.OIDC_NAME = "统一身份认证"
    page = Client().get("/admin/orders/order/?state=held", follow=True).content.decode()
    assert "统一身份认证" in page
    assert f"{START}?next=%2Fadmin%2Forders%2Forder%2F%3Fstate%3Dheld" in page


def test_without_the_setting_there_is_no_company_log_in(client):
    assert client.get(START).status_code == 404
    assert client.get(CALLBACK).status_code == 404
    assert "oidc" not in client.get("/admin/login/").content.decode()


@pytest.mark.parametrize("issuer, mounted", [("https://idp.example.com", [START, CALLBACK]), ("", [])])
def test_the_setting_mounts_two_addresses_and_no_more(settings, issuer, mounted):
    settings.OIDC_ISSUER = issuer
    patterns = [str(one.pattern) for one in runpy.run_module("project.urls")["urlpatterns"]]
    assert [f"/{one}" for one in patterns if "oidc" in one] == mounted


def test_no_other_address_is_mounted(issuer, client):
    found = ["login/", "signup/", "oidc/company/authenticate/", "oidc/company/"]
    assert {client.get(f"/accounts/{address}").status_code for address in found} == {404}


def test_a_log_out_ends_both_sessions(browser, issuer):
    client = browser().browser
    answer = client.post("/admin/logout/")
    assert goes_on_to(answer).startswith(f"{issuer.url}/end?id_token_hint=eyJ")
    assert "post_logout_redirect_uri=http%3A%2F%2Ftestserver%2Fadmin%2Flogin%2F" in goes_on_to(answer)
    assert "_auth_user_id" not in client.session
    assert "oidc_id_token" not in client.session


@pytest.mark.parametrize("away", [True, False])
def test_a_log_out_works_without_the_provider(browser, issuer, away):
    client = browser().browser
    provider.cache.forget()
    issuer.status, issuer.description = (500, {}) if away else (200, {"end_session_endpoint": None})
    answer = client.post("/admin/logout/")
    assert (answer.status_code, goes_on_to(answer)) == (200, "")
    assert "_auth_user_id" not in client.session

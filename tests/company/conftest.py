"""A desk with a company log-in, and browsers that log in through it."""

import html
import re
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.test import Client

from project.accounts.company import provider
from project.base.settings_table import grants
from project.urls import urlpatterns as without_company
from tests.admin.conftest import member  # noqa: F401  people in their roles
from tests.company.issuer import CLIENT, SECRET, Issuer

ROLES = "ibs-bj=业务人员:BJ+TJ;ibs-sh=工程师:SH;ibs-all=工程师;ibs-admin=管理员;cn=ibs,ou=audit=审计员"
# these URL patterns are made before a test sets OIDC_ISSUER
assert not [one for one in without_company if "oidc" in str(one.pattern)]
START, CALLBACK = "/accounts/oidc/company/login/", "/accounts/oidc/company/login/callback/"


def with_company(settings, url: str) -> None:
    settings.OIDC_ISSUER = url
    settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = CLIENT, SECRET
    settings.OIDC_ROLES = grants("OIDC_ROLES", ROLES)
    settings.SITE_URL = "http://testserver"
    settings.ROOT_URLCONF = "tests.company.urls"
    provider.cache.forget()


@pytest.fixture
def issuer(settings):
    with Issuer() as issuer:
        with_company(settings, issuer.url)
        yield issuer
    provider.cache.forget()


def goes_on_to(answer) -> str:
    """Returns the address to which a page goes on by itself, or an empty text if it stays."""
    found = re.search(r'http-equiv="refresh" content="0; url=([^"]*)"', answer.content.decode())
    return html.unescape(found[1]) if found else ""


def asked_of(answer) -> dict:
    """Returns the parameters that a redirect sends to the provider."""
    return dict(parse_qsl(urlsplit(answer["Location"]).query))


def sent() -> tuple[Client, dict]:
    """Returns a client that was redirected to the provider, and the parameters of this request."""
    client = Client()
    return client, asked_of(client.get(START))


@pytest.fixture
def browser(issuer):
    """Returns a function. `browser(groups=["ibs-bj"])` returns the desk's answer to somebody who comes back from the
    provider with these claims.
    """

    def come_back(*, client=None, next_page="", **claims):
        client = client or Client()
        began = client.get(START, {"next": next_page} if next_page else {})
        asked = asked_of(began)
        answer = client.get(CALLBACK, {"code": issuer.code_for(asked, **claims), "state": asked["state"]})
        answer.browser = client
        return answer

    return come_back

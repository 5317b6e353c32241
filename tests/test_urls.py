"""The start page, and the pages of the API's documentation, which load nothing from other sites."""

import re

from django.contrib.staticfiles import finders
from django.urls import get_resolver


def test_the_root_leads_to_the_admin(client):
    assert client.get("/")["Location"] == "/admin/"


def test_no_other_address_of_accounts_is_mounted():
    """No address for signing up exists (contract 6)."""
    found = {str(one.pattern) for one in get_resolver().url_patterns if str(one.pattern).startswith("accounts/")}
    assert found == {"accounts/emergency/", "accounts/password_reset/", "accounts/password_reset/set/"}


def test_the_schema_names_our_addresses(client):
    answer = client.get("/api/schema", headers={"accept": "application/vnd.oai.openapi+json"})
    assert answer.status_code == 200
    assert {"/api/bboss/orders", "/api/bpm/approvals"} <= set(answer.json()["paths"])


def test_the_docs_load_only_files_of_ours_hold_no_inline_code_and_their_script_comes_by_itself(client):
    answer = client.get("/api/docs")
    text = answer.content.decode()
    addresses = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert addresses
    for address in addresses:
        assert address.startswith(("/static/", "/api/docs"))
        if address.startswith("/static/"):
            assert finders.find(address.removeprefix("/static/")), address
    assert ("<style" in text, "<script>" in text) == (False, False)
    assert "unsafe" not in answer["Content-Security-Policy"]
    answer = client.get("/api/docs?script=")
    assert answer["Content-Type"] == "application/javascript"
    assert b"SwaggerUIBundle" in answer.content

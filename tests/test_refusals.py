"""A foreign Host header is refused in the form that callers of the address expect (contract 2.3, 3.6)."""

import pytest


@pytest.fixture
def stranger(client, settings):
    settings.DEBUG = False
    settings.ALLOWED_HOSTS = ["127.0.0.1"]
    client.raise_request_exception = False
    return lambda path: client.post(path, b"{}", content_type="application/json", headers={"host": "elsewhere.example"})


def test_bboss_gets_its_envelope(db, stranger):
    answer = stranger("/api/bboss/orders")
    assert answer.status_code == 400
    assert answer.json()["response"]["rspCode"] == "20105"
    assert answer.json()["transIDO"] == ""


def test_bpm_gets_its_code(db, stranger):
    answer = stranger("/api/bpm/approvals")
    assert (answer.status_code, answer.json()["code"]) == (400, 400)


def test_another_system_gets_json(db, stranger):
    answer = stranger("/api/orders/")
    assert (answer.status_code, answer.json()) == (400, {"error": "bad request"})


def test_a_person_gets_a_page(db, stranger):
    answer = stranger("/admin/")
    assert answer.status_code == 400
    assert answer["Content-Type"].startswith("text/html")

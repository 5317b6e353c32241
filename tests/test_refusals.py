"""A request with a foreign Host header is refused in the form that callers of the address expect (contract 2.3,
3.6).
"""

import pytest


@pytest.mark.django_db
def test_a_foreign_host_is_refused_in_the_form_that_each_caller_expects(client, settings):
    settings.DEBUG, settings.ALLOWED_HOSTS, client.raise_request_exception = False, ["127.0.0.1"], False
    answers = [
        client.post(path, b"{}", content_type="application/json", headers={"host": "elsewhere.example"})
        for path in ("/api/bboss/orders", "/api/bpm/approvals", "/api/orders/", "/admin/")
    ]
    assert [answer.status_code for answer in answers] == [400] * 4
    bboss, bpm, system, person = answers
    assert (bboss.json()["response"]["rspCode"], bboss.json()["transIDO"]) == ("20105", "")
    assert bpm.json()["code"] == 400
    assert system.json() == {"error": "bad request"}
    assert person["Content-Type"].startswith("text/html")

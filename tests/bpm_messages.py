"""Approvals as BPM's callbacks send them, for tests that call our endpoint."""

from integrations.bpm.callback_signature import sign

URL = "/api/bpm/approvals"
DECISION = {
    "node": "sa-review",
    "nodeName": "政企SA审批",
    "result": "pass",
    "operator": "zhangsan",
    "opinion": "同意",
    "time": "2023-09-20 19:19:10",
    "finished": False,
}


def approval(number: str, **members) -> dict:
    """Returns an approval record for the order of this number. `members` replace or add members of the record."""
    return {"recordId": "bpm-1-1", "code": number, **DECISION, **members}


def post_signed(client, body: bytes):
    """Posts a signed body through Django's test client. Returns the response."""
    headers = {"X-Signature": sign(body, "test-callback-secret")}
    return client.post(URL, body, content_type="application/json", headers=headers)

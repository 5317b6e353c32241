"""Messages as BBOSS sends them, for tests that call our endpoint."""

import json
import uuid

from django.utils import timezone

from integrations.bboss.sample_envelope import signed_envelope

URL = "/api/bboss/orders"


def post_order(client, content: dict, *, trans_ido: str | None = None, **overrides):
    """Posts a signed envelope around `content` through Django's test client. Returns the reply as a dict."""
    envelope = signed_envelope(
        content, now=timezone.now(), trans_ido=trans_ido or uuid.uuid4().hex, overrides=overrides or None
    )
    response = client.post(URL, json.dumps(envelope, ensure_ascii=False).encode(), content_type="application/json")
    return response.json()


def accepted(reply: dict) -> bool:
    """Returns True if the reply's code is 00000."""
    return reply["response"]["rspCode"] == "00000"

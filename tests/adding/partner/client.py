"""The call to a made-up licence server, with a customer's domains. It does not use the database, and the body is a
pure function of its arguments.
"""

from collections.abc import Sequence
from typing import Any

from django.conf import settings

from integrations.outbound.failure_classification import check_success
from integrations.outbound.http_client import post
from integrations.partners.calls import Call


def licence(*, number: str, enterprise_name: str, domains: Sequence[str]) -> dict[str, Any]:
    """Returns the body, which asks for a licence for each domain of the order."""
    return {"customer": enterprise_name, "domains": list(domains), "order": number}


def take_out(body: bytes, *, key: str, request_id: str) -> str:
    """Asks for the licences with `body`, and returns the answer. Raises PartnerError unless the server granted them."""
    call = Call("licence.take", settings.LICENCE_BASE_URL.rstrip("/") + "/licences")
    answer = post(call, body, key=key, request_id=request_id, timeout=settings.PARTNER_TIMEOUT_SECONDS)
    check_success(answer)
    return answer.text

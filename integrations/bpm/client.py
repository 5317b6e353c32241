"""Calls to BPM (contract 3.4). Knows no database."""

from django.conf import settings

from integrations.outbound.http import Answer, check, clean, post

LONGEST_PROCESS_ID = 128


def start_flow(body: bytes, *, key: str, request_id: str) -> str:
    """Starts a flow with `body` (JSON, UTF-8; one of `payload`'s two); BPM's process id, "" if it names none.

    `key` is the dispatch's, the same for every attempt. Raises `integrations.outbound.http.PartnerError` unless BPM
    accepted.
    """
    url = settings.BPM_BASE_URL.rstrip("/") + "/flows/start"
    answer = post(url, body, key=key, request_id=request_id, timeout=settings.PARTNER_TIMEOUT_SECONDS)
    check(answer)
    return _process_id(answer)


def _process_id(answer: Answer) -> str:
    result = answer.data.get("result")
    given = result.get("processId") if isinstance(result, dict) else None
    return clean(str(given))[:LONGEST_PROCESS_ID] if isinstance(given, str | int) else ""

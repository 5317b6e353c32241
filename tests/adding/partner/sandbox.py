"""The licence server of the sandbox, which gives a licence for each domain."""

from integrations.sandbox.http_messages import SandboxRequest
from integrations.sandbox.store import Store
from integrations.sandbox.validation import filled_string, list_of, members

check_licence = members({"customer": filled_string, "domains": list_of(filled_string, least=1), "order": filled_string})


def give(store: Store, request: SandboxRequest, body: dict) -> dict:
    """Answers `POST /licences`."""
    check_licence("", body)
    return {"code": 200, "message": "成功", "result": {"licences": len(body["domains"])}}

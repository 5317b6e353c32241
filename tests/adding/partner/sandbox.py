"""The licence server: gives a licence for each domain."""

from integrations.sandbox.calls import Call
from integrations.sandbox.shapes import list_of, members, text
from integrations.sandbox.store import Store

check_licence = members({"customer": text, "domains": list_of(text, least=1), "order": text})


def give(store: Store, call: Call, body: dict) -> dict:
    """`POST /licences`."""
    check_licence("", body)
    return {"code": 200, "message": "成功", "result": {"licences": len(body["domains"])}}

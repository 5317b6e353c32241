"""Sends a finished approval callback as BPM would (contract section 3.6), to this machine only."""

from datetime import datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

import requests

from integrations.partners.profile import Callback
from integrations.sandbox.dialect import callback
from integrations.sandbox.store import Store, json_or_text
from integrations.sandbox.validation import Refusal, choice_of, filled_string
from orders.rules.local_time import SHANGHAI

TIMEOUT_SECONDS = 30


def approve(store: Store, asked: dict, url: str, how: Callback) -> dict:
    """Posts the callback for `{"code": OrderNum, "result": "pass"}` to `url`.

    Optional members: `opinion`, `operator`, `node`, `nodeName`, `finished` (true unless the result is `return`).
    Returns `{"status", "answer", "sent"}`. Raises Refusal for a bad member or an address that is not loopback. Raises
    requests.RequestException if there is no response.
    """
    _check_loopback(url)
    sent, body, proof = callback_for(store, asked, how)
    headers = {"Content-Type": "application/json", **proof}
    with requests.Session() as session:
        session.trust_env = False
        reply = session.post(url, data=body, headers=headers, timeout=TIMEOUT_SECONDS, allow_redirects=False)
    return {"status": reply.status_code, "answer": json_or_text(reply.content.decode(errors="replace")), "sent": sent}


def callback_for(store: Store, asked: dict, how: Callback) -> tuple[dict, bytes, dict[str, str]]:
    """Returns the callback's members, body and headers in the profile's format. Raises Refusal for an invalid
    member."""
    filled_string("code", asked.get("code"))
    choice_of("pass", "reject", "return")("result", asked.get("result"))
    moment = datetime.now(SHANGHAI)
    said = {
        "recordId": store.next_approval(asked["code"]),
        "code": asked["code"],
        "node": asked.get("node", "sa-review"),
        "nodeName": asked.get("nodeName", "政企SA审批"),
        "result": asked["result"],
        "operator": asked.get("operator", "sandbox"),
        "opinion": asked.get("opinion", "同意" if asked["result"] == "pass" else "不同意"),
        "time": "",
        "finished": asked.get("finished", asked["result"] != "return"),
    }
    return callback(how, said, process=f"bpm-{store.process_number(asked['code'])}", moment=moment)


def _check_loopback(url: object) -> None:
    """Raises Refusal if `url` is not an http or https URL of this machine."""
    filled_string("url", url)
    try:
        # Check the URL in the form in which requests would call it. A backslash ends the host.
        parts = urlsplit(requests.Request("POST", url).prepare().url)
        ours = parts.hostname == "localhost" or ip_address(parts.hostname or "").is_loopback
    except ValueError:  # includes requests' own errors for URLs
        ours = False
    if not ours or parts.scheme not in ("http", "https"):
        raise Refusal("url", "只能是本机地址（http://127.0.0.1:端口/…）")

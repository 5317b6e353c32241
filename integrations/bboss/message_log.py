"""What is kept of a request (contract 2.3, last paragraph): masked, and harmless to every database."""

import hashlib
import re

from integrations.bboss.signature import MASK, SECRET_NAMES
from integrations.bboss.tokens import TOKEN
from integrations.outbound.formats import encode
from notifications.masks import head
from orders.models import InboundMessage

LONGEST_TRANS_IDO = 64
MOST_OF_A_STRANGER = 4096  # bytes
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NUMBER = re.compile(r"[A-Za-z0-9_-]{1,64}")


def stored_trans_ido(given: str) -> str:
    """The caller's number as our columns hold it: itself, or a digest where it is too long, a token, not plain text."""
    if len(given) <= LONGEST_TRANS_IDO and not _CONTROL.search(given) and not TOKEN.search(given):
        return given
    return "sha256:" + hashlib.sha256(given.encode()).hexdigest()[:57]


def masked_body(members: dict) -> str:
    """The request as JSON text without its token and signature. JSON escapes U+0000, which PostgreSQL refuses."""
    return TOKEN.sub(MASK, encode(_masked(members)))


def storable_hint(hint: str, *, signed: bool) -> str:
    """What was wrong, as every database takes it and without what looks like a token; a stranger's is cut."""
    masked = TOKEN.sub(MASK, hint).replace("\0", "\\u0000")
    return masked if signed else head(masked, MOST_OF_A_STRANGER)[0]


def _masked(value):
    """A JSON value with tokens and signatures masked at any depth: an envelope may come wrapped in another object."""
    if isinstance(value, dict):
        return {key: MASK if key.lower() in SECRET_NAMES else _masked(inner) for key, inner in value.items()}
    return [_masked(inner) for inner in value] if isinstance(value, list) else value


def order_number_of(content) -> str:
    """The order that a message speaks of, if it can be told."""
    number = content.get("OrderNum") if isinstance(content, dict) else None
    return number if isinstance(number, str) and _NUMBER.fullmatch(number) else ""


def unsigned(message: InboundMessage, raw: bytes) -> InboundMessage:
    """The row of a message that nobody known to us signed: the head of what was masked, length and hash of `raw`."""
    message.signed = False
    message.body = head(message.body, MOST_OF_A_STRANGER)[0]
    message.length, message.sha256 = len(raw), hashlib.sha256(raw).hexdigest()
    return message


def message_of(members: dict, *, address: str, trans_idh: str, received_at) -> InboundMessage:
    """The unsaved row of a request; its outcome is filled in by `mark`."""
    given = members.get("transIDO")
    return InboundMessage(
        received_at=received_at,
        remote_address=address,
        trans_ido=stored_trans_ido(given) if isinstance(given, str) else "",
        trans_idh=trans_idh,
        order_number=order_number_of(members.get("content")),
        body=masked_body(members),
    )

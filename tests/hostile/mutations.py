"""Makes hostile requests. A seed and a number always give the same request.

Each request starts from a valid signed envelope or a valid callback, and mutates structure, text, bytes and headers.
Most requests are signed after the mutation, so that they reach the checks behind the signature.
"""

import hashlib
import hmac
import json
import random

from django.conf import settings

from integrations.bboss.compute_signature import sign
from integrations.bboss.sample_envelope import signed_envelope
from tests.hostile import shapes, valid, wire
from tests.hostile.wire import Request

BBOSS, BPM = "/api/bboss/orders", "/api/bpm/approvals"
CONTENT_NAMES = sorted({name for content in valid.CONTENTS.values() for name in content})
ENVELOPE_NAMES = ["accessToken", "content", "transIDO", "timeStamp", "sign", "SIGN", "sessionID", "version", "envFlag"]
APPROVAL_NAMES = sorted(next(iter(valid.APPROVALS.values())))


def hostile_request(path: str, seed: int | str, number: int) -> Request:
    """Returns the request with this number for this seed."""
    chance = random.Random(f"{path} {seed} {number}")
    request = _order(chance) if path == BBOSS else _approval(chance)
    if chance.random() < 0.12:
        request.made.append(wire.mutate_request(request, chance))
    return request


def _order(chance: random.Random) -> Request:
    kind, content = valid.content(chance)
    made = [kind]
    _mutate(content, chance, CONTENT_NAMES, made, chance.choice([0, 1, 1, 2, 3]))
    members = _envelope(content, chance)
    if chance.random() < 0.3:
        _mutate(members, chance, ENVELOPE_NAMES, made, 1)
    if chance.random() < 0.85:
        _sign_again(members, made)
    return Request(BBOSS, _bytes(members, chance, made), made=made)


def _envelope(content: dict, chance: random.Random) -> dict:
    """Returns a valid envelope with the given content, sometimes as a JSON string."""
    members = signed_envelope(valid.TRIAL_CONTENT, now=valid.NOW, trans_ido=f"{chance.getrandbits(128):032x}")
    members["content"] = _content_text(content, chance) if chance.random() < 0.15 else content
    return members


def _content_text(content: dict, chance: random.Random) -> str:
    """Returns the content as text. The text is signed as it is, so that even invalid JSON reaches the checks of the
    content."""
    text = json.dumps(content)
    return wire.mutate_text(text, chance)[0] if chance.random() < 0.5 else text


def _sign_again(members: dict, made: list[str]) -> None:
    """Signs the members if they can be signed. Otherwise they keep a wrong signature."""
    try:
        members["sign"] = sign(members, settings.BBOSS_APP_SECRET)
    except ValueError:  # NaN, or half of a surrogate pair
        return
    made.append("signed")


def _approval(chance: random.Random) -> Request:
    kind, members = valid.approval(chance)
    made = [kind]
    _mutate(members, chance, APPROVAL_NAMES, made, chance.choice([0, 1, 1, 1, 2]))
    body = _bytes(members, chance, made)
    key, signed = settings.BPM_CALLBACK_SECRET.encode(), body if chance.random() < 0.85 else b"another body"
    signature = hmac.new(key, signed, hashlib.sha256).hexdigest()
    return Request(BPM, body, meta={"HTTP_X_SIGNATURE": signature}, made=made)


def _mutate(members: dict, chance: random.Random, names: list[str], made: list[str], times: int) -> None:
    made += [shapes.mutate(members, chance, names) for _ in range(times)]


def _bytes(members: dict, chance: random.Random, made: list[str]) -> bytes:
    text = json.dumps(members, ensure_ascii=chance.random() < 0.5)
    if chance.random() < 0.15:
        text, name = wire.mutate_text(text, chance)
        made.append(name)
    body = wire.encoded(text, chance, strange=0.02)
    if chance.random() < 0.08:
        made.append("bytes")
        body = wire.mutate_bytes(body, chance)
    return body

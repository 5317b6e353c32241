"""The tests act as BBOSS: they post signed envelopes to the real address."""

import json
from dataclasses import dataclass

import pytest
from django.conf import settings
from django.utils import timezone

from integrations.bboss.compute_signature import sign
from integrations.bboss.sample_envelope import signed_envelope
from orders.models import InboundMessage

PATH = "/api/bboss/orders"
TRIAL = {
    "OrderType": "1",
    "OrderNum": "100T1",
    "EnterpriseID": "100A23100079275183",
    "EnterpriseName": "北京泽天伟业商贸有限公司",
    "ProdType": "1",
    "BusinessType": "1",
    "BillingMethod": "1",
    "DataFlow": "1",
    "BizStart": "20230920",
    "ProvContent": [{"ProvReq": "a.example.com"}],
}
CHANGE = {"OrderType": "2", "OrderNum": "100C1", "BizRequest": "100T1", "DataFlow": "2"}
ACTIVATION = {
    "OrderNum": "100A1",
    "BizRequest": "100T1",
    "BizStart": "20230920",
    "ProdType": "1",
    "ProductID": "61000616304",
    "BusinessType": "1",
    "BillingMethod": "1",
}

MEMBERS = ["transIDO", "transIDH", "transIDHTime", "cutOffDay", "providePartyID", "response", "result"]


def without(members: dict, *names: str) -> dict:
    """Returns the members without the named ones."""
    return {name: value for name, value in members.items() if name not in names}


def envelope(content=TRIAL, *, absent=(), trans_ido="t1", **overrides) -> dict:
    """Returns a signed envelope. Members are replaced or left out before it is signed."""
    members = signed_envelope(content, now=timezone.now(), trans_ido=trans_ido, overrides=overrides)
    members = without(members, *absent)
    if "sign" in absent or "sign" in overrides:
        return members
    return members | {"sign": sign(members, settings.BBOSS_APP_SECRET)}


@dataclass
class Answer:
    """The desk's answer to a message from BBOSS."""

    status: int
    body: dict

    @property
    def code(self) -> str:
        return self.body["response"]["rspCode"]

    @property
    def desc(self) -> str:
        return self.body["response"]["rspDesc"]

    @property
    def result(self) -> dict:
        return json.loads(self.body["result"])


def answered(response) -> Answer:
    return Answer(response.status_code, json.loads(response.content))


@pytest.fixture
def post(client, db, clock):
    """Returns a function: `post(members)` posts an envelope (a dict, or raw bytes) and returns the answer."""

    def send(members, content_type: str = "application/json", **headers) -> Answer:
        raw = members if isinstance(members, bytes) else json.dumps(members).encode()
        return answered(client.generic("POST", PATH, raw, CONTENT_TYPE=content_type, **headers))

    return send


@pytest.fixture
def kept(db):
    """Returns a function: `kept()` returns the inbound messages, oldest first."""
    return lambda: list(InboundMessage.objects.order_by("pk"))

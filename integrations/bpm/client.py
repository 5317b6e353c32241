"""Starts flows in BPM: the bodies, which are pure, and the call (contract 3.4). Uses no database."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from integrations.outbound.formats import bpm_time
from integrations.outbound.http import check_success, clean, post
from notifications.recipients import ContactFacts
from orders.steps import START_FLOW

LONGEST_PROCESS_ID = 128
SENDER = {"accessSystem": "IBS", "account": "CDN-IBS"}
TITLE = "业务开通(处理业务开通工单)"


@dataclass(frozen=True, kw_only=True)
class FlowFacts:
    """An activation as BPM's people need it.

    `at` is T. `start` is when the business starts. `file_names` are InfoSecurity, then BusiInfo, without empty ones.
    `contacts` are the SA contacts of the attribution. Each flow uses what it needs.
    """

    number: str
    domains: Sequence[str]
    cdn_type: str
    plains: Sequence[str]
    enterprise_name: str
    oper_user: str
    oper_tel: str
    oper_mail: str
    prod_type: str
    province_letters: str
    at: datetime.datetime
    start: datetime.datetime
    user_id: str = ""
    cp_id: str = ""
    file_names: Sequence[str] = ()
    contacts: Sequence[ContactFacts] = ()


def first_activation(facts: FlowFacts) -> dict[str, Any]:
    """Flow `tyywrwlc`: the trial's domains turn commercial."""
    now = bpm_time(facts.at)
    form = {
        "businessStartTime": bpm_time(facts.start),
        "cdn_type": facts.cdn_type,
        "code": facts.number,
        "createDate": now,
        "create_time": now,
        "domains": list(facts.domains),
        **_customer(facts),
        "plains": list(facts.plains),
        "pro_content": f"{TITLE}, {facts.cdn_type}, 域名列表: {','.join(facts.domains)}",
        "pro_title": TITLE,
        "prodType": facts.prod_type,
        "province": facts.province_letters,
        "task_first_class": "3",
        "task_second_class": "5",
        "triggerMode": "manualTrigger",
        "user_id": facts.user_id,
    }
    return {**SENDER, "flowKey": "tyywrwlc", "data": {"tyywrwlcdx": form}}


def subsequent_activation(facts: FlowFacts) -> dict[str, Any]:
    """Process type 2: new domains of a converted trial. BPM spells `numberOfDoamin` so; it is a number."""
    demand = {
        "cdn_type": facts.cdn_type,
        "cpId": facts.cp_id,
        "domains": list(facts.domains),
        "filelist": [{"name": name} for name in facts.file_names if name],
        **_customer(facts),
        "numberOfDoamin": len(facts.domains),
        "sourceBasis": facts.number,
        "sourceOfDemand": "IBS平台",
        "titleOfDemand": f"{facts.enterprise_name}业务开通工单",
    }
    return {
        **SENDER,
        "code": facts.number,
        "createDate": bpm_time(facts.at),
        "data": demand,
        "processType": "2",
        "prodType": facts.prod_type,
        "province": facts.province_letters,
        "userList": [_user(contact) for contact in facts.contacts],
    }


def _customer(facts: FlowFacts) -> dict[str, Any]:
    return {
        "nameOfClient": facts.enterprise_name,
        "operMail": facts.oper_mail,
        "operTel": facts.oper_tel,
        "operUser": facts.oper_user,
    }


def _user(contact: ContactFacts) -> dict[str, Any]:
    return {"userMail": contact.mail, "userName": contact.name, "userTel": contact.tel}


def start_flow(body: bytes, *, key: str, request_id: str) -> str:
    """Starts a flow with `body` (JSON, UTF-8; one of the two above). Returns BPM's process id, or "" if it names none.

    `key` is the dispatch's key, the same for every attempt. Raises `integrations.outbound.http.PartnerError` unless BPM
    accepts.
    """
    url = settings.BPM_BASE_URL.rstrip("/") + START_FLOW
    answer = post(url, body, key=key, request_id=request_id, timeout=settings.PARTNER_TIMEOUT_SECONDS)
    check_success(answer)
    result = answer.data.get("result")
    given = result.get("processId") if isinstance(result, dict) else None
    return clean(str(given))[:LONGEST_PROCESS_ID] if isinstance(given, str | int) else ""

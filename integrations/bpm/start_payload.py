"""Builds the request that starts a flow in BPM (contract 3.4), in the profile's format (7.1)."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from integrations.partners.calls import rename_paths
from notifications.contacts_and_recipients import ContactFacts
from orders.rules.local_time import SHANGHAI

SENDER = ("accessSystem", "account")
TITLE = "业务开通(处理业务开通工单)"


@dataclass(frozen=True, kw_only=True)
class FlowFacts:
    """The facts of an activation that BPM's users need.

    `at` is the time T. `start` is the start of the business. `file_names` are InfoSecurity and BusiInfo. Empty names
    are not sent. `contacts` are the SA contacts of the attribution. A flow uses only some of the facts.
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
    """Returns the body that starts the flow for a first activation: `tyywrwlc`, or the attribution's own flow. The flow
    makes a trial's domains commercial."""
    how = settings.PARTNERS.bpm
    now, flow = bpm_time(facts.at), how.flow_by_attribution.get(facts.province_letters, how.flow)
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
        **_constants("task_first_class", "task_second_class", "triggerMode"),
        "user_id": facts.user_id,
    }
    return _renamed({**_constants(*SENDER), "flowKey": flow, "data": {f"{flow}dx": form}})


def subsequent_activation(facts: FlowFacts) -> dict[str, Any]:
    """Returns the body for process type 2, which adds new domains to a converted trial. The member `numberOfDoamin`
    (BPM's spelling) has a number as its value."""
    demand = {
        "cdn_type": facts.cdn_type,
        "cpId": facts.cp_id,
        "domains": list(facts.domains),
        "filelist": [{"name": name} for name in facts.file_names if name],
        **_customer(facts),
        "numberOfDoamin": len(facts.domains),
        "sourceBasis": facts.number,
        **_constants("sourceOfDemand"),
        "titleOfDemand": f"{facts.enterprise_name}业务开通工单",
    }
    body = {
        **_constants(*SENDER),
        "code": facts.number,
        "createDate": bpm_time(facts.at),
        "data": demand,
        "processType": settings.PARTNERS.bpm.process_type,
        "prodType": facts.prod_type,
        "province": facts.province_letters,
        "userList": [_user(contact) for contact in facts.contacts],
    }
    return _renamed(body)


def _renamed(body: dict[str, Any]) -> dict[str, Any]:
    return rename_paths(body, settings.PARTNERS.bpm.rename)


def _constants(*names: str) -> dict[str, str]:
    return {name: settings.PARTNERS.bpm.constants[name] for name in names}


def bpm_time(moment: datetime.datetime) -> str:
    """Formats an aware time for BPM, as `2023-09-20 18:54:36` or in the profile's form."""
    return moment.astimezone(SHANGHAI).strftime(settings.PARTNERS.bpm.time_format)


def _customer(facts: FlowFacts) -> dict[str, Any]:
    return {
        "nameOfClient": facts.enterprise_name,
        "operMail": facts.oper_mail,
        "operTel": facts.oper_tel,
        "operUser": facts.oper_user,
    }


def _user(contact: ContactFacts) -> dict[str, Any]:
    return {"userMail": contact.mail, "userName": contact.name, "userTel": contact.tel}

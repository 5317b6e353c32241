"""The three acceptance cases as requests to partners, and a message of BBOSS, under a profile (`partners check`)."""

import contextlib
import datetime
import json
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.utils import timezone

from integrations.bboss.compute_signature import MASK
from integrations.bboss.sample_envelope import SigningError, body_of, signed_envelope
from integrations.bigdata.billing_record_fields import RecordFacts, deletion_body, records_body
from integrations.bpm.start_payload import FlowFacts, first_activation, subsequent_activation
from integrations.partners.profile import Profile
from notifications.contacts_and_recipients import ContactFacts
from orders.rules.local_time import SHANGHAI

CUSTOMER = "北京泽天伟业商贸有限公司"
OPERATOR = {"oper_user": "beijingyunying", "oper_tel": "13800000000", "oper_mail": "ops@example.com"}
SA = ContactFacts("sa-beijing", "sa.beijing@example.com", "13900000000")
ONE = {"job_id": "100A230920170126001", "product_id": "61000616304"}
CONTENT = {
    **{"OrderType": "1", "OrderNum": "100A230920170122001", "EnterpriseID": "100A23100079275183", "CpID": "80171614"},
    **{"EnterpriseName": CUSTOMER, "UserID": "1458", "OperUser": "beijingyunying", "OperTel": "13800000000"},
    **{"OperMail": "ops@example.com", "ProdType": "1", "BusinessType": "1", "BillingMethod": "1", "DataFlow": "1"},
    **{"BizStart": "20230920", "ProvContent": [{"ProvReq": "pull.api-eas-3.li.com"}]},
}


def samples(profile: Profile) -> list[tuple[str, str]]:
    """Returns (name, text) of the payloads of each case, and of an example message of BBOSS, under the profile."""
    with _in_force(profile):
        found = [(name, json.dumps(body, ensure_ascii=False)) for name, body in _payloads()]
        return [*found, ("an example message of BBOSS", _message(profile))]


def example_of(name: str) -> dict[str, Any]:
    """Returns an example body of the call `bigdata.post`, `bigdata.delete` or `bpm.start`, under the profile in
    force."""
    if name == "bigdata.delete":
        return deletion_body([_record("20230920185436", "20330920185436", "pull.api-eas-3.li.com", **ONE)])
    return next(body for label, body in _payloads() if label.startswith(f"case 1, {name}"))


@contextlib.contextmanager
def _in_force(profile: Profile) -> Iterator[None]:
    before, settings.PARTNERS = settings.PARTNERS, profile
    try:
        yield
    finally:
        settings.PARTNERS = before


def _payloads() -> Iterator[tuple[str, dict[str, Any]]]:
    cancelled = {"job_id": "100A230920170122001", "product_id": "1", "info_type": "1", "cancelled": True}
    trial = _record("20230920183230", "20230920185436", "pull.api-eas-3.li.com", **cancelled)
    yield "case 1, bigdata.post, the trial ends", records_body([trial])
    first = _record("20230920185436", "20330920185436", "pull.api-eas-3.li.com", **ONE)
    yield "case 1, bigdata.post, billing begins", records_body([first])
    flow = _flow("100A230920170126001", "20230920185436", ["pull.api-eas-3.li.com"])
    yield "case 1, bpm.start", first_activation(flow)
    files = [f"100A230920170127001_{code}_20230920191212.xlsx" for code in ("50004020027", "50004020030")]
    more: dict[str, Any] = {"file_names": files, "contacts": [SA]}
    flow = _flow("100A230920170127001", "20230920191312", ["pull.api-easss-3.li.com"], **more)
    yield "case 2, bpm.start", subsequent_activation(flow)
    two = {"job_id": "100A230920170127001", "product_id": "61000616305"}
    billed = _record("20230920191917", "20330920191917", "pull.api-easss-3.li.com", **two)
    yield "case 2, bigdata.post, after the approval", records_body([billed])
    domains = ["pull.api-eassss-3.li.com", "pull.api-aeassss-3.li.com"]
    three = {"job_id": "100A230920170130001", "product_id": "61000616307", "business_type": "4"}
    later = [_record("20230930000000", "20330920194051", domain, **three) for domain in domains]
    yield "case 3, bigdata.post, from a later day", records_body(later)
    live: dict[str, Any] = {"cdn_type": "liveStream", "plains": ["-1"], "start": _at("20230930000000")}
    flow = _flow("100A230920170130001", "20230920194051", domains, **live)
    yield "case 3, bpm.start", first_activation(flow)


def _record(create: str, cancel: str, domain: str, **more: Any) -> RecordFacts:
    facts: dict[str, Any] = {"enterprise_id": "100A23100079275183", "enterprise_name": CUSTOMER, "info_type": "2"}
    facts |= {"province_code": "100", "business_type": "1", "billing_method": "1", "domain": domain}
    return RecordFacts(**facts | {"create_time": _at(create), "cancel_time": _at(cancel)} | more)


def _flow(number: str, at: str, domains: list[str], **more: Any) -> FlowFacts:
    facts: dict[str, Any] = {"number": number, "domains": domains, "cdn_type": "web", "plains": ["0"], "prod_type": "1"}
    facts |= {"province_letters": "BJ", "user_id": "1458", "cp_id": "80171614", "enterprise_name": CUSTOMER} | OPERATOR
    return FlowFacts(**facts | {"at": _at(at), "start": _at(at)} | more)


def _at(text: str) -> datetime.datetime:
    return datetime.datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=SHANGHAI)


def _message(profile: Profile) -> str:
    """Returns the message's text. Token and signature are masked, because they are secret and soon become invalid."""
    how = profile.bboss
    try:
        members = signed_envelope(CONTENT, now=timezone.now(), trans_ido="675cf2df623c47e69e523c0fd2b6f7b9", how=how)
        hidden = {name: MASK if name.lower() in how.secret_names else value for name, value in members.items()}
        body, kind = body_of(hidden, how)
    except (SigningError, UnicodeEncodeError) as error:
        return f"none: {error}"
    return f"Content-Type: {kind}\n{body.decode(how.charsets[0])}"

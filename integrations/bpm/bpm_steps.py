"""Carries out the outbox's BPM steps. Payloads are built from the database, and calls are made in threads."""

import datetime

from django.conf import settings

from integrations.bpm.callback_reading import LONGEST_PROCESS
from integrations.bpm.start_payload import FlowFacts, first_activation, subsequent_activation
from integrations.outbound.failure_classification import PartnerError, check_success, clean
from integrations.outbound.http_client import post
from integrations.outbound.wire_formats import encode
from integrations.partners.calls import call_of
from notifications.contacts_and_recipients import contacts_for
from orders.models import Attempt, Dispatch
from orders.outbox.outcome import ACTED_BEFORE, Work


def build_bpm(row: Dispatch, now: datetime.datetime, records: dict, domains: dict) -> str:
    """Returns the body that starts the flow of a first or a subsequent activation."""
    order = row.order
    facts = FlowFacts(
        number=order.number,
        domains=domains[order.pk],
        cdn_type=order.service_type.cdn_type,
        plains=order.service_type.plains,
        enterprise_name=order.enterprise_name,
        oper_user=order.oper_user,
        oper_tel=order.oper_tel,
        oper_mail=order.oper_mail,
        prod_type=order.prod_type,
        province_letters=order.attribution_id,
        at=now,
        start=order.start_at or now,
        user_id=order.user_id,
        cp_id=order.cp_id,
        file_names=[order.info_security, order.busi_info],
        contacts=() if order.first else contacts_for(order.attribution_id),
    )
    return encode(first_activation(facts) if order.first else subsequent_activation(facts))


def start_flow(body: bytes, *, key: str, request_id: str) -> str:
    """Starts a flow with `body` (JSON, UTF-8; see start_payload.py). Returns BPM's process id. If the response has no
    process id, returns "".

    `key` is the dispatch's key, which is the same at every attempt. If the response is not a success, raises
    PartnerError.
    """
    answer = post(call_of("bpm.start"), body, key=key, request_id=request_id, timeout=settings.PARTNER_TIMEOUT_SECONDS)
    check_success(answer)
    return clean(answer.reading.process)[:LONGEST_PROCESS]


def send_bpm(work: Work, until: float) -> dict:
    """Starts the flow, in a thread. Returns fields of an `Outcome`. If BPM has already carried out a request with this
    key, the fields contain ACTED_BEFORE. Raises PartnerError."""
    try:
        process = start_flow(work.payload.encode(), key=work.key, request_id=work.request_id)
    except PartnerError as error:
        if error.acted_before:
            return error.answered | {"result": Attempt.Outcome.ACTED_BEFORE, "code": ACTED_BEFORE}
        raise
    return {"result": Attempt.Outcome.OK, "answer": process, "data": {"process": process}, "read": "success"}

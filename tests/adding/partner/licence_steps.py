"""The outbox's steps for licences. The payload is made from the database, and the call is made in a thread."""

import datetime

from integrations.licence.client import licence, take_out

from integrations.outbound.wire_formats import encode
from orders.models import Attempt, Dispatch
from orders.outbox.outcome import Work


def build_licence(row: Dispatch, now: datetime.datetime, records: dict, domains: dict) -> str:
    """Returns the payload, with the order's domains and the customer's name."""
    order = row.order
    body = licence(number=order.number, enterprise_name=order.enterprise_name, domains=domains[order.pk])
    return encode(body)


def send_licence(work: Work, until: float) -> dict:
    answer = take_out(work.payload.encode(), key=work.key, request_id=work.request_id)
    return {"result": Attempt.Outcome.OK, "answer": answer}

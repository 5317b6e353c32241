"""The outbox's licence steps: the payload is read from the database, the call is made in a thread."""

import datetime

from integrations.licence.client import licence, take_out

from integrations.outbound.wire_formats import encode
from orders.models import Attempt, Dispatch
from orders.outbox.outcome import Work


def build_licence(row: Dispatch, now: datetime.datetime, records: dict, domains: dict) -> str:
    """The order's domains, with the customer's name."""
    order = row.order
    body = licence(number=order.number, enterprise_name=order.enterprise_name, domains=domains[order.pk])
    return encode(body)


def send_licence(work: Work, until: float) -> dict:
    answer = take_out(work.payload.encode(), key=work.key, request_id=work.request_id)
    return {"result": Attempt.Outcome.OK, "answer": answer}

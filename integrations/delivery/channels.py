"""Carries out the steps of each channel. Builds payloads at the first attempt, and makes the calls.

CHANNELS lists the functions of each channel. Most of these functions are in the partner's folder.
"""

import datetime
import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from django.conf import settings
from django.db.models import prefetch_related_objects

from integrations.bigdata.bigdata_steps import build_billing, build_usage, send_billing, send_usage
from integrations.bigdata.client import look_up_seconds
from integrations.bpm.bpm_steps import build_bpm, send_bpm
from integrations.delivery.write_and_send_mail import send_mail
from integrations.outbound.failure_classification import CAUSE_SAYS_ALL, PartnerError, clean
from integrations.outbound.wire_formats import encode
from integrations.partners.calls import rules_hash
from notifications.contacts_and_recipients import contacts_read_once
from notifications.sending import MailError
from orders.attachments.check import FILE_TYPES, UNCHECKED, check_files
from orders.attachments.xlsx import ProbeError
from orders.models import Attempt, BillingRecord, Dispatch, OrderDomain
from orders.outbox.outcome import Outcome, Work
from orders.outbox.retry_schedule import WAITS
from orders.rules.steps import STEPS, Channel, call_name

logger = logging.getLogger(__name__)
LEASE_RESERVE = 5.0  # seconds of a lease that must remain after the longest possible call
LONGEST_IN_A_DRAIN = 12.0  # seconds; a drain claims for 8 s and must end within 20 s (contract 3.9, Alive)


def build_payloads(
    rows: list[Dispatch], now: datetime.datetime, records: dict[int, BillingRecord]
) -> dict[int, str | Exception]:
    """Returns {dispatch id: JSON text}. If a payload can't be built, its value is the exception. The other payloads are
    still built.

    `records` are the billing records of the rows, by id, with the values to send.
    """
    _give_orders(rows, records)
    _give_shapes(rows)
    domains = _domains_of(rows)
    built: dict[int, str | Exception] = {}
    with contacts_read_once():
        for row in rows:
            try:
                built[row.pk] = CHANNELS[row.channel].build(row, now, records, domains)
            except Exception as error:  # an error must not stop the other payloads
                built[row.pk] = error
    return built


def _give_orders(rows: list[Dispatch], records: dict[int, BillingRecord]) -> None:
    """Sets `order` on each record. No query is needed if the order is the order of a row, or its trial."""
    orders = {order.pk: order for row in rows for order in (row.order, row.order.trial) if order}
    for record in records.values():
        if record.order_id in orders:
            record.order = orders[record.order_id]
    if records:
        prefetch_related_objects(list(records.values()), "order__attribution")


def _give_shapes(rows: list[Dispatch]) -> None:
    """Sets `shape`, the target state, on each trial for which traffic is queried."""
    if trials := [row.order.trial or row.order for row in rows if row.channel == Channel.USAGE]:
        prefetch_related_objects(trials, "shape")


def _domains_of(rows: list[Dispatch]) -> dict[int, list[str]]:
    """Returns {order id: domains} for the channels that need them (`names_domains`)."""
    wanted = {row.order_id for row in rows if CHANNELS[row.channel].names_domains}
    found: dict[int, list[str]] = {pk: [] for pk in wanted}
    if wanted:
        rows = OrderDomain.objects.filter(order__in=wanted).order_by("pk")
        for order_id, name in rows.values_list("order_id", "name"):
            found[order_id].append(name)
    return found


def send_step(work: Work) -> Outcome:
    """Makes the call of a step or mail, in a thread. Returns its outcome. Every error becomes an outcome, so nothing is
    raised."""
    if not work.payload:
        return Outcome.of(
            work,
            Attempt.Outcome.REFUSED,
            code="payload",
            message="the payload could not be built; see the log",
            params=CAUSE_SAYS_ALL,
        )
    send = send_mail if work.channel == Channel.MAIL else CHANNELS[work.channel].send
    try:
        return Outcome.of(work, **send(work, time.monotonic() + longest(work)), rules=_rules(work))
    except PartnerError as error:
        return Outcome.of(
            work,
            Attempt.Outcome.REFUSED if error.permanent else Attempt.Outcome.RETRY,
            **error.answered,
            unknown=error.unknown,
            transport=error.transport,
            retry_after=error.retry_after,
        )
    except MailError as error:
        result = Attempt.Outcome.REFUSED if error.permanent else Attempt.Outcome.RETRY
        return Outcome.of(
            work,
            result,
            code=error.code,
            message=str(error),
            params=error.params,
            unknown=not error.permanent,
            transport=error.is_outage,
            data={"payload": encode(error.left)} if error.left else {},
        )
    except Exception as error:  # a bug must not stop the other calls
        logger.exception("dispatch %s", work.dispatch_id)
        return Outcome.of(work, Attempt.Outcome.RETRY, code="internal", message=clean(repr(error))[:300], unknown=True)


def _rules(work: Work) -> str:
    call = call_name(work.step, posted=work.posted) if work.step in STEPS else ""
    return rules_hash(call) if call else ""


def longest(work: Work) -> float:
    """Returns the seconds that `send` may take. If a billing step has many records, it gets more than
    PARTNER_TIMEOUT_SECONDS, within the limits of a drain and of the lease."""
    usual = settings.PARTNER_TIMEOUT_SECONDS
    if work.channel != Channel.BILLING:
        return usual
    most = min(LONGEST_IN_A_DRAIN, settings.DISPATCH_LEASE_SECONDS - LEASE_RESERVE - 0.5)
    return max(usual, min(look_up_seconds(work.size), most))


def _build_files(row: Dispatch, now: datetime.datetime, records: dict, domains: dict) -> str:
    names = {kind: getattr(row.order, kind) for kind in FILE_TYPES}
    return json.dumps({"order_number": row.order.number, "files": {kind: name for kind, name in names.items() if name}})


def _send_files(work: Work, until: float) -> dict:
    try:
        found = check_files(**json.loads(work.payload))
    except ProbeError as error:  # a fault of our machine, which can't check files: the retry costs no attempt
        said = {"code": UNCHECKED, "message": str(error)}
        return {"result": Attempt.Outcome.RETRY, "free": True, "retry_after": WAITS["unchecked_files"][0], **said}
    if not found:
        return {"result": Attempt.Outcome.OK}
    found.sort(key=lambda one: (not one.never_cured, not one.code))  # findings that a new file can't fix come first
    wrong = [one for one in found if one.code]
    return {
        "result": Attempt.Outcome.HELD,
        "code": found[0].code,
        "message": "; ".join(f"{one.file}: {one.message}" for one in wrong),
        "params": {"parts": [one.why | {"file": one.file} for one in wrong]},
        "data": {"findings": list(map(asdict, found))},
    }


@dataclass(frozen=True)
class Carrier:
    """The functions that carry out a channel's steps. Mails need no `build` function, because their rows contain the
    text.

    `build` gets a dispatch, the time, records by id, and domains by order id. It returns the payload. Domains are
    loaded only if `names_domains` is set. `send` makes the call, in a thread. It gets the work and a deadline, which is
    a value of time.monotonic(). It returns the fields of an Outcome, or raises PartnerError or MailError.
    """

    build: Callable
    send: Callable[[Work, float], dict]
    names_domains: bool = False


CHANNELS = {
    Channel.BILLING: Carrier(build_billing, send_billing),
    Channel.USAGE: Carrier(build_usage, send_usage),
    Channel.BPM: Carrier(build_bpm, send_bpm, names_domains=True),
    Channel.FILES: Carrier(_build_files, _send_files),
}

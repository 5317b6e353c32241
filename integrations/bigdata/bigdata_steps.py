"""Carries out the outbox's steps for the big-data side: builds payloads, makes calls.

`build_...` functions read the database. `send_...` functions run in threads and do not use the database. `send_...`
functions return fields of an `Outcome`, or raise PartnerError.
"""

import datetime
import json
import time
import uuid
from collections.abc import Callable

from django.conf import settings

from integrations.bigdata import billing_record_fields as fields
from integrations.bigdata import client as bigdata
from integrations.bigdata.billing_record_fields import RecordFacts
from integrations.bigdata.record_lookup import held_records
from integrations.outbound import partner_rate
from integrations.outbound.failure_classification import KEPT_CHARACTERS, PartnerError, PartnerResponse
from integrations.outbound.wire_formats import encode
from orders.models import Attempt, BillingRecord, Dispatch, Order
from orders.outbox.outcome import ACTED_BEFORE, LOOK_UP, Work
from orders.outbox.record_selection import WAS_IN
from orders.rules.host_names import domain_key
from orders.rules.steps import SENDS_NOTHING, STEPS, Effect, Step
from orders.trials.trial_state_reads import shape_of, shape_row

LEFT_OUT = "{}"  # the payload of a traffic query if the partner does not have this call
LOOK_UPS = {Effect.ASK, Effect.VERIFY}
RESTORED = PartnerError(
    "it was attempted before the database was restored: not sent, the big-data side was asked", code=ACTED_BEFORE
)


def build_billing(row: Dispatch, now: datetime.datetime, records: dict, domains: dict) -> str:
    """Returns the payload of a billing step. The `records` must already have the values to send."""
    if STEPS[row.step].fix:
        return encode(_fix(row, records))
    if row.step == Step.ASK_BILLING:
        return encode(bigdata.job_query(row.asked_job or row.order.number))
    cancelled = STEPS[row.step].effect == Effect.CANCEL
    facts = [record_facts(records[pk], cancelled=cancelled) for pk in row.records]
    if row.step == Step.VERIFY_DELETED:
        seen = {"there": True} if row.seen_there else {}  # a person has checked it at the partner (contract 7.2)
        return encode(bigdata.job_query(row.order.number) | {"delete": _deletion(row, facts)} | seen)
    return encode(_deletion(row, facts) if row.step == Step.DELETE_BILLING else fields.records_body(facts))


def _deletion(row: Dispatch, facts: list[RecordFacts]) -> dict:
    return fields.deletion_by_post_body(facts, row.frozen_at) if row.posted else fields.deletion_body(facts)


def _fix(row: Dispatch, records: dict[int, BillingRecord]) -> dict:
    """Returns the body of a correction. A record that is live or cancelled here is never deleted. A record in any other
    state is never sent."""
    stand = {BillingRecord.State.LIVE, BillingRecord.State.CANCELLED}
    if row.step == Step.FIX_DELETE:
        ours = set(row.order.billing_records.filter(state__in=stand).values_list("product_id", "domain_key"))
        named = [one for one in row.named if (one["productId"], domain_key(one["domain"])) not in ours]
        facts = [_facts_of_named(row.order, one) for one in named]
        fixed = _deletion(row, facts) if row.posted else fields.body_in_their_names(named)
    else:
        mine = [records[pk] for pk in row.fixes if records[pk].state in stand]
        cancelled = BillingRecord.State.CANCELLED
        fixed = fields.records_body(record_facts(record, cancelled=record.state == cancelled) for record in mine)
    return fixed


def _facts_of_named(order: Order, named: dict[str, str]) -> RecordFacts:
    """Returns the facts of a record to delete. Its identity is spelled as at the partner. The other facts come from the
    order."""
    return RecordFacts(
        job_id=named["jobId"],
        product_id=named["productId"],
        domain=named["domain"],
        info_type=named["infoType"],
        business_type=order.service_type_id or "",
        billing_method=order.billing_method,
        enterprise_id=named["enterpriseId"],
        enterprise_name=order.enterprise_name,
        province_code=order.attribution.code,
    )


def record_facts(record: BillingRecord, *, cancelled: bool) -> RecordFacts:
    """Returns the target state of a record at the partner. The customer comes from the record's own order, so a trial's
    record keeps the trial's customer."""
    owner, accepted = record.order, record.accepted
    if WAS_IN in accepted and not cancelled:  # the record becomes live again, with its order's current attribution
        accepted = {name: value for name, value in accepted.items() if name != "province"}
    return RecordFacts(
        job_id=owner.number,
        product_id=record.product_id,
        domain=record.domain,
        info_type=record.info_type,
        business_type=record.business_type,
        billing_method=owner.billing_method,
        create_time=record.create_time,
        cancel_time=record.cancelled_at if cancelled else record.cancel_time,
        cancelled=cancelled,
        enterprise_id=owner.enterprise_id,
        enterprise_name=owner.enterprise_name,
        province_code=owner.attribution.code,
        accepted=accepted,
    )


def build_usage(row: Dispatch, now: datetime.datetime, records: dict, domains: dict) -> str:
    if not settings.PARTNERS.bigdata.traffic.path:  # the profile still had this call when the step was planned
        return LEFT_OUT
    trial = row.order.trial or row.order
    kept = shape_row(trial)
    service = kept.service if kept else shape_of(trial).service
    return encode(bigdata.trial_flow_query(enterprise_id=trial.enterprise_id, product_id=service, job_id=trial.number))


def send_billing(work: Work, until: float) -> dict:
    """Makes all calls of a step. Look-ups after the step's own call end by `until`, so that a drain ends in time."""
    if STEPS[work.step].effect in LOOK_UPS:
        return _look_up(work, json.loads(work.payload), until)
    if work.payload == SENDS_NOTHING:
        return {"result": Attempt.Outcome.OK, "answer": "nothing to send"}
    if work.ask_first:
        return _acted_before(work, json.loads(work.payload)["productInfos"], RESTORED, until)
    effect = STEPS[work.step].effect
    send = _deletes(work) if effect == Effect.DELETE else bigdata.post_product_infos
    try:
        answer = send(work.payload.encode(), key=work.key, request_id=work.request_id)
    except PartnerError as error:
        named = json.loads(work.payload)["productInfos"]
        if error.acted_before:
            return _acted_before(work, named, error, until)
        if error.code == bigdata.NO_SUCH_CALL:
            raise
        if error.permanent and (effect == Effect.CANCEL or work.posted and not STEPS[work.step].fix):
            return _refused_cancel(work, named, error, until)
        # the move of a start has its own status queries (contract 3.9, 18)
        if error.permanent and work.unsure and work.step != Step.MOVE_START:
            return _acted_before(work, named, error, until)
        raise
    return {"result": Attempt.Outcome.OK, "http_status": answer.http_status, "answer": answer.text, "read": "success"}


def _deletes(work: Work) -> Callable[..., PartnerResponse]:
    return bigdata.post_product_infos if work.posted else bigdata.delete_product_infos


def _look_up(work: Work, asked: dict, until: float) -> dict:
    """Carries out a step of ASK_BILLING (looks up records) or VERIFY_DELETED (looks up and deletes records)."""
    if work.step == Step.ASK_BILLING:
        rows = _query(fields.in_our_names(asked)["jobId"], work, key=work.key, until=until)
        return {
            "result": Attempt.Outcome.OK,
            "answer": f"{len(rows)} records are there",
            "data": {"held": held_records(rows)},
        }
    if not asked["delete"]["productInfos"]:
        return {"result": Attempt.Outcome.OK, "answer": "nothing to send"}
    if work.ask_first:
        return _acted_before(work, asked["delete"]["productInfos"], RESTORED, until)
    return _verify_deleted(work, asked, until)


def _query(job_id: str, work: Work, *, key: str, until: float) -> list[dict]:
    return bigdata.query_product_infos(
        job_id, key=key, request_id=work.request_id, seconds=_left(until), expected=work.size
    )


def _wait_for_further_call(until: float) -> None:
    """Waits for a slot within PARTNER_RATE before a further call of a step. The loop has already waited for the first
    call's slot. Raises PartnerError (`timeout`) if no slot is free before `until`."""
    if not partner_rate.wait_for_slot("bigdata", latest=until, urgent=True):
        raise PartnerError("no time was left for one call more within PARTNER_RATE", code="timeout")


def _left(until: float) -> float:
    return max(until - time.monotonic(), 0.001)


def _acted_before(work: Work, named: list[dict], error: PartnerError, until: float) -> dict:
    """Looks up the records of a step that was or may have been carried out before (contract 3.5; 3.9, 17).

    Returns ACTED_BEFORE with the records that the partner holds, or a RETRY if the look-up fails.
    """
    try:
        rows = _look_up_jobs(work, named, until)
    except PartnerError as silence:
        return _retry_look_up(error, f"; asked what it holds: {silence.message}", silence)
    return error.answered | {
        "result": Attempt.Outcome.ACTED_BEFORE,
        "code": ACTED_BEFORE,
        "data": {"held": held_records(rows)},
    }


def _refused_cancel(work: Work, named: list[dict], error: PartnerError, until: float) -> dict:
    """Looks up the records after a refused cancel (contract 3.9, 19).

    If one record is missing, the partner refuses all records of the cancel. Returns REFUSED with the records, or a
    RETRY if the look-up fails.
    """
    try:
        rows = _look_up_jobs(work, named, until)
    except PartnerError as silence:
        return _retry_look_up(error, f"; asked what it holds: {silence.message}", silence, unknown=False)
    return error.answered | {"result": Attempt.Outcome.REFUSED, "data": {"held": held_records(rows)}}


def _look_up_jobs(work: Work, named: list[dict], until: float) -> list[dict]:
    bigdata.check_look_up()
    rows = []
    for job_id in dict.fromkeys(fields.in_our_names(record)["jobId"] for record in named):
        _wait_for_further_call(until)
        rows += _query(job_id, work, key=str(uuid.uuid4()), until=until)
    return rows


def _retry_look_up(error: PartnerError, more: str, silence: PartnerError, *, unknown: bool = True) -> dict:
    """Returns a RETRY. While the partner's records are unknown, a step is neither done nor refused. If the partner has
    no look-up, the step waits for a person."""
    return error.answered | {
        "data": {LOOK_UP: True} if silence.code == LOOK_UP else {},
        "result": Attempt.Outcome.RETRY,
        "code": ACTED_BEFORE if unknown else error.code,
        "message": error.message + more,
        "params": error.params,  # a page shows the text of the partner's refusal; the failed look-up is only logged
        "unknown": unknown,
        "transport": silence.transport,
        "retry_after": silence.retry_after,
    }


def _verify_deleted(work: Work, asked: dict, until: float) -> dict:
    """Looks up the records of a deletion whose result is unknown, and deletes records that still exist (contract 3.9,
    Unknown). The new deletion has the same records and a new key.

    If a person has seen the records at the partner (`there`), nothing is looked up.
    """
    seen, named = asked.get("there", False), asked["delete"]
    rows = [asked] if seen else _query(fields.in_our_names(asked)["jobId"], work, key=work.key, until=until)
    if work.posted and not seen:  # a partner may refuse to cancel a record that it does not have
        there = {(row["productId"], domain_key(str(row["domain"]))) for row in rows}
        ours = [(one, fields.in_our_names(one)) for one in named["productInfos"]]
        named = {"productInfos": [one for one, our in ours if (our["productId"], domain_key(our["domain"])) in there]}
    if rows and named["productInfos"]:
        if not seen:
            _wait_for_further_call(until)
        again = {"key": str(uuid.uuid4()), "request_id": work.request_id, "seconds": _left(until)}
        try:
            _deletes(work)(encode(named).encode(), **again)
        except PartnerError as error:
            if error.acted_before:
                return _retry_look_up(error, "", error)
            raise
    return {"result": Attempt.Outcome.OK, "answer": f"{len(rows)} records were there"}


def send_usage(work: Work, until: float) -> dict:
    if work.payload == LEFT_OUT:
        return {"result": Attempt.Outcome.OK, "answer": "the partner has no such call"}
    rows = bigdata.query_trial_flow(work.payload.encode(), key=work.key, request_id=work.request_id)
    kept = json.dumps(rows, ensure_ascii=False)[:KEPT_CHARACTERS]
    return {"result": Attempt.Outcome.OK, "answer": kept, "data": {"usage": rows}}

"""Sends one claimed dispatch and says how it ended. Runs in threads: no database here."""

import json
import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict
from functools import partial

from django.conf import settings

from integrations.bigdata import client as bigdata
from integrations.bigdata.books import held_records
from integrations.bpm import client as bpm
from integrations.delivery import rate
from integrations.outbound import formats
from integrations.outbound.deadline import adapter, connected
from integrations.outbound.http import KEPT_CHARACTERS, NO_MORE, PartnerError, clean
from notifications import services as mail
from orders.attachments.check import check_files
from orders.models import Attempt, Dispatch
from orders.services.outbox.claim import Work
from orders.services.outbox.outcome import ACTED_BEFORE, Outcome

logger = logging.getLogger(__name__)
DELETIONS = {Dispatch.Step.DELETE_BILLING, Dispatch.Step.FIX_DELETE}
LOOK_UPS = {Dispatch.Step.ASK_BILLING, Dispatch.Step.VERIFY_DELETED}
NOTHING = formats.encode({"productInfos": []})
LEASE_RESERVE = 5.0  # seconds that a lease must have left beyond the longest that a call may take
LONGEST_IN_A_DRAIN = 12.0  # seconds: a drain claims for 8 s and ends within 20 (contract 3.9, Alive)
Step, Channel, Result = Dispatch.Step, Dispatch.Channel, Attempt.Outcome
RESTORED = PartnerError(
    "it was attempted before the database was restored: not sent, the big-data side was asked", code=ACTED_BEFORE
)


def send(work: Work) -> Outcome:
    """Makes the call; whatever goes wrong is an outcome, never an exception."""
    if not work.payload:
        return _outcome(
            work, Result.REFUSED, code="payload", message="the payload could not be built; see the log", params=NO_MORE
        )
    try:
        return _SENDERS[work.channel](work)
    except PartnerError as error:
        return _failure(work, error)
    except mail.MailError as error:
        result = Result.REFUSED if error.permanent else Result.RETRY
        return _outcome(
            work, result, code=error.code, message=str(error), params=error.params, unknown=not error.permanent
        )
    except Exception as error:  # a fault of ours must not take the other calls with it
        logger.exception("dispatch %s", work.dispatch_id)
        return _outcome(work, Result.RETRY, code="internal", message=clean(repr(error))[:300], unknown=True)


def longest(work: Work) -> float:
    """The seconds that `send` may take: a look-up's grow with the records that it is about, as far as a drain and the
    lease allow."""
    usual = settings.PARTNER_TIMEOUT_SECONDS
    if work.channel != Channel.BILLING:
        return usual
    most = min(LONGEST_IN_A_DRAIN, settings.DISPATCH_LEASE_SECONDS - LEASE_RESERVE - 0.5)
    return max(usual, min(bigdata.look_up_seconds(work.size), most))


def _outcome(work: Work, result: str, **more) -> Outcome:
    return Outcome(
        dispatch_id=work.dispatch_id,
        attempt_id=work.attempt_id,
        token=work.token,
        channel=work.channel,
        result=result,
        **more,
    )


def _failure(work: Work, error: PartnerError) -> Outcome:
    return _outcome(
        work,
        Result.REFUSED if error.permanent else Result.RETRY,
        code=error.code,
        message=error.message,
        params=error.params,
        http_status=error.http_status,
        answer=error.answer,
        unknown=error.unknown,
        transport=error.transport,
        retry_after=error.retry_after,
    )


def _billing(work: Work) -> Outcome:
    """All its calls within one total time-out, so that a drain ends in time."""
    until = time.monotonic() + longest(work)
    if work.step in LOOK_UPS:
        return _look_up(work, json.loads(work.payload), until)
    if work.payload == NOTHING:
        return _outcome(work, Result.OK, answer="nothing to send")
    if work.ask_first:
        return _acted_before(work, json.loads(work.payload)["productInfos"], RESTORED, until)
    post = bigdata.delete_product_infos if work.step in DELETIONS else bigdata.post_product_infos
    try:
        answer = post(work.payload.encode(), key=work.key, request_id=work.request_id)
    except PartnerError as error:
        if error.acted_before:
            return _acted_before(work, json.loads(work.payload)["productInfos"], error, until)
        raise
    return _outcome(work, Result.OK, http_status=answer.http_status, answer=answer.text)


def _look_up(work: Work, asked: dict, until: float) -> Outcome:
    """A step that asks what the big-data side holds, and perhaps deletes it."""
    if work.step == Step.ASK_BILLING:
        rows = _query(asked["jobId"], work, key=work.key, until=until)
        return _outcome(work, Result.OK, answer=f"{len(rows)} records are there", data={"held": held_records(rows)})
    if not asked["delete"]["productInfos"]:
        return _outcome(work, Result.OK, answer="nothing to send")
    if work.ask_first:
        return _acted_before(work, asked["delete"]["productInfos"], RESTORED, until)
    return _verify_deleted(work, asked, until)


def _query(job_id: str, work: Work, *, key: str, until: float) -> list[dict]:
    return bigdata.query_product_infos(
        job_id, key=key, request_id=work.request_id, seconds=_left(until), expected=work.size
    )


def _one_more_call(until: float) -> None:
    """A step's second call counts within PARTNER_RATE like the first, which `integrations.delivery.loop` waited for."""
    if not rate.take("bigdata", latest=until, urgent=True):
        raise PartnerError("no time was left for one call more within PARTNER_RATE", code="timeout")


def _left(until: float) -> float:
    return max(until - time.monotonic(), 0.001)


def _acted_before(work: Work, named: list[dict], error: PartnerError, until: float) -> Outcome:
    """The partner acted on this key before, with other bytes, or may have, in a stretch that a restored database lost:
    what it holds decides (contract 3.5; 3.9, 17)."""
    rows = []
    try:
        for job_id in dict.fromkeys(record["jobId"] for record in named):
            _one_more_call(until)
            rows += _query(job_id, work, key=str(uuid.uuid4()), until=until)
    except PartnerError as silence:
        return _still_to_ask(work, error, f"; asked what it holds: {silence.message}", silence)
    return _outcome(
        work,
        Result.ACTED_BEFORE,
        code=ACTED_BEFORE,
        message=error.message,
        params=error.params,
        http_status=error.http_status,
        answer=error.answer,
        data={"held": held_records(rows)},
    )


def _with(params: dict, more: str) -> dict:
    """The partner's words with some more of ours."""
    return params | {"words": params["words"] + more} if "words" in params else {} if more else params


def _still_to_ask(work: Work, error: PartnerError, more: str, silence: PartnerError) -> Outcome:
    """To be tried again: neither done nor refused, as long as nobody knows what the partner holds."""
    return _outcome(
        work,
        Result.RETRY,
        code=ACTED_BEFORE,
        message=error.message + more,
        params=_with(error.params, more),
        http_status=error.http_status,
        answer=error.answer,
        unknown=True,
        transport=silence.transport,
        retry_after=silence.retry_after,
    )


def _verify_deleted(work: Work, asked: dict, until: float) -> Outcome:
    """Asks what the big-data side holds for the order; deletes what is there after all (contract 3.9, Unknown).

    The deletion repeats the bytes of an earlier one, so its key is a new one each time.
    """
    rows = _query(asked["jobId"], work, key=work.key, until=until)
    if rows:
        _one_more_call(until)
        again = {"key": str(uuid.uuid4()), "request_id": work.request_id, "seconds": _left(until)}
        try:
            bigdata.delete_product_infos(formats.encode(asked["delete"]).encode(), **again)
        except PartnerError as error:
            if error.acted_before:
                return _still_to_ask(work, error, "", error)
            raise
    return _outcome(work, Result.OK, answer=f"{len(rows)} records were there")


def _usage(work: Work) -> Outcome:
    rows = bigdata.query_trial_flow(work.payload.encode(), key=work.key, request_id=work.request_id)
    kept = json.dumps(rows, ensure_ascii=False)[:KEPT_CHARACTERS]
    return _outcome(work, Result.OK, answer=kept, data={"usage": rows})


def _bpm(work: Work) -> Outcome:
    try:
        process = bpm.start_flow(work.payload.encode(), key=work.key, request_id=work.request_id)
    except PartnerError as error:
        if error.acted_before:
            known = {"http_status": error.http_status, "answer": error.answer}
            return _outcome(
                work, Result.ACTED_BEFORE, code=ACTED_BEFORE, message=error.message, params=error.params, **known
            )
        raise
    return _outcome(work, Result.OK, answer=process, data={"process": process})


def _mail(work: Work) -> Outcome:
    """All of it within the partners' total time-out: a mail that outlasts its lease would be sent twice."""
    seconds = settings.PARTNER_TIMEOUT_SECONDS
    with adapter().deadline(seconds) as call:
        try:
            mail.send(json.loads(work.payload), connect=partial(connected, call=call))
        except mail.MailError as error:
            if call.overdue and not error.permanent:
                raise mail.MailError(
                    f"the mail server took longer than {seconds} s", permanent=False, code="timeout"
                ) from error
            raise
    return _outcome(work, Result.OK)


def _files(work: Work) -> Outcome:
    found = check_files(**json.loads(work.payload))
    if not found:
        return _outcome(work, Result.OK)
    wrong = [one for one in found if one.code]
    message = "; ".join(f"{one.file}: {one.message}" for one in wrong)
    params = {"parts": [one.why | {"file": one.file} for one in wrong]}
    data = {"findings": list(map(asdict, found))}
    return _outcome(work, Result.HELD, code=found[0].code, message=message, params=params, data=data)


_SENDERS: dict[str, Callable[[Work], Outcome]] = {
    Channel.BILLING: _billing,
    Channel.USAGE: _usage,
    Channel.BPM: _bpm,
    Channel.MAIL: _mail,
    Channel.FILES: _files,
}

"""Sends one claimed dispatch and says how it ended. Runs in threads: no database here."""

import json
import logging
import uuid
from collections.abc import Callable
from functools import partial

from django.conf import settings

from integrations.bigdata import client as bigdata
from integrations.bpm import client as bpm
from integrations.deadline import adapter, connected
from integrations.http import PartnerError
from notifications import services as mail
from orders.attachments import check_files
from orders.models import Attempt, Dispatch
from orders.services.leases import Work
from orders.services.outcome import Outcome

logger = logging.getLogger(__name__)
DELETIONS = {Dispatch.Step.DELETE_BILLING, Dispatch.Step.FIX_DELETE}
Step, Channel, Result = Dispatch.Step, Dispatch.Channel, Attempt.Outcome


def send(work: Work) -> Outcome:
    """Makes the call; whatever goes wrong is an outcome, never an exception."""
    if not work.payload:
        return _outcome(work, Result.REFUSED, code="payload", message="the payload could not be built; see the log")
    try:
        return _SENDERS[work.channel](work)
    except PartnerError as error:
        return _failure(work, error)
    except mail.MailError as error:
        result = Result.REFUSED if error.permanent else Result.RETRY
        return _outcome(work, result, code=error.code, message=str(error), unknown=not error.permanent)
    except Exception as error:  # a fault of ours must not take the other calls with it
        logger.exception("dispatch %s", work.dispatch_id)
        return _outcome(work, Result.RETRY, code="internal", message=repr(error), unknown=True)


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
        http_status=error.http_status,
        answer=error.answer,
        unknown=error.unknown,
        transport=error.transport,
        retry_after=error.retry_after,
    )


def _billing(work: Work) -> Outcome:
    call = {"key": work.key, "request_id": work.request_id}
    if work.step == Step.VERIFY_DELETED:
        return _verify_deleted(work, call)
    post = bigdata.delete_product_infos if work.step in DELETIONS else bigdata.post_product_infos
    answer = post(work.payload.encode(), **call)
    return _outcome(work, Result.OK, http_status=answer.http_status, answer=answer.text)


def _verify_deleted(work: Work, call: dict) -> Outcome:
    """Asks what the big-data side holds for the order; deletes what is there after all (contract 3.9, Unknown)."""
    asked = json.loads(work.payload)
    rows = bigdata.query_product_infos(asked["jobId"], **call)
    if rows:
        again = {"key": str(uuid.uuid5(uuid.UUID(work.key), "delete again")), "request_id": work.request_id}
        bigdata.delete_product_infos(json.dumps(asked["delete"], ensure_ascii=False).encode(), **again)
    return _outcome(work, Result.OK, answer=f"{len(rows)} records were there")


def _usage(work: Work) -> Outcome:
    rows = bigdata.query_trial_flow(work.payload.encode(), key=work.key, request_id=work.request_id)
    return _outcome(work, Result.OK, answer=json.dumps(rows, ensure_ascii=False)[:4000], data={"usage": rows})


def _bpm(work: Work) -> Outcome:
    process = bpm.start_flow(work.payload.encode(), key=work.key, request_id=work.request_id)
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
    finding = check_files(**json.loads(work.payload))
    if finding is None:
        return _outcome(work, Result.OK)
    return _outcome(work, Result.HELD, code=finding.code, message=f"{finding.file}: {finding.message}")


_SENDERS: dict[str, Callable[[Work], Outcome]] = {
    Channel.BILLING: _billing,
    Channel.USAGE: _usage,
    Channel.BPM: _bpm,
    Channel.MAIL: _mail,
    Channel.FILES: _files,
}

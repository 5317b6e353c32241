"""Claims due mails for a worker, and records the outcomes of their sending (contract 3.12).

Lease, fencing, schedule and the handling of lost workers are the same as for steps (orders/outbox/leases.py). A mail's
row is also its attempt.
"""

import datetime
import functools
import json
import logging
import uuid
from collections.abc import Callable, Collection, Iterable

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Count, DateTimeField, Q, QuerySet, Value
from django.db.models.functions import Lower

from notifications.contacts_and_recipients import contacts_read_once
from notifications.mail_rendering import mail_payload
from notifications.models import Contact, Mail
from notifications.sending import NOT_WANTED, MailError, send
from orders.db.compiled_sql import Prepared, Slot, update_rows
from orders.db.expressions import OneOf
from orders.history.order_locks_and_events import add_event, add_events, event
from orders.incidents.incident_codes import PARTNERS_OWN
from orders.incidents.incidents import (
    close_parts,
    end_incidents,
    lock_incidents,
    open_incident,
    open_incident_of_none,
    stopping_nobody,
)
from orders.mails.mail_creation import TO_CONTACTS
from orders.models import AffectedOrder, Attempt, Incident, OrderDomain, OrderEvent
from orders.outbox.leases import (
    AFTER_WORKER_LOSS,
    NEVER_LOST,
    TAKEN,
    fail_lost,
    first_due,
    hand_back,
    lost_rows,
    still_held,
    take,
    within_bounds,
)
from orders.outbox.outcome import Outcome, Work
from orders.outbox.retry_schedule import next_try, try_again
from orders.restore.detect_restore import read_restore_state
from orders.rules.steps import Channel, Partner, Step
from orders.sending.claim import not_paused

logger = logging.getLogger(__name__)
MOST_LOOKS = 10  # claims in a row, if no due mail needs a call
ABOUT_ORDERS = frozenset(Step.values)  # kinds of mails; other kinds are to staff
EVENTS = {Mail.State.DONE: "step_done", Mail.State.FAILED: "step_failed", Mail.State.RETRYING: "step_retrying"}
CLAIMED = [*TAKEN, "lost", "fate", "frozen_at"]
WRITTEN = ["subject", "body", "recipients", "chosen"]
RECORDED = [*TAKEN, "lost", "fate", "tries_left", "definite", "sent_at"]
ERROR = ["error_code", "error", "error_params"]
NOW = Slot("now", DateTimeField())
LOST = Prepared(lambda: lost_rows(Mail.objects.due(NOW), step="kind", attempt=Value(0)))
DUE = Prepared(lambda: Mail.objects.due(NOW).order_by().values_list("pk")[:1])
WITH_ORDERS = Prepared(
    lambda: Mail.objects.filter(OneOf("pk", "ids")).select_related("order__attribution").order_by("next_try_at", "pk")
)
SENT = Prepared(
    lambda: (
        Mail.objects.filter(OneOf("pk", "ids"))
        .select_related("order__trial")
        .defer("body", "order__content", "order__trial__content")
        .order_by("pk")
        .select_for_update(no_key=True, of=("self",))
    )
)


@functools.cache
def _claimable(room: int, after_worker_loss: bool) -> Prepared:
    due = (
        Mail.objects.due(NOW)
        .filter(AFTER_WORKER_LOSS if after_worker_loss else NEVER_LOST)
        .order_by("next_try_at", "pk")
    )
    return Prepared(lambda: due.select_for_update(skip_locked=True).values_list("pk")[:room])


Writer = Callable[[Mail, list[str]], None]


def is_mail_due(*, now: datetime.datetime) -> bool:
    return bool(DUE(now=now))


def next_mail_due(*, after: datetime.datetime, until: datetime.datetime) -> datetime.datetime | None:
    rows = Mail.objects.filter(next_try_at__gt=after, next_try_at__lte=until).order_by("next_try_at")
    return rows.values_list("next_try_at", flat=True).first()


def claim_mails(
    *,
    write: Writer,
    room: int,
    now: datetime.datetime,
    lease: datetime.timedelta,
    idle: bool = True,
    lost_first: bool = True,
) -> list[Work]:
    """Claims at most `room` due mails, the most overdue first, as `claim` does with steps (`idle`, `lost_first` too).

    `write` sets a mail's text at its first attempt, without saving the mail. It takes the mail and the domains of the
    mail's order.

    While mail is paused or the desk counts as restored, returns nothing. A first attempt writes the text and chooses
    recipients. If a claim has more than one mail, its texts have at most RECORDS_A_CLAIM domains together. Staff who
    may not log in any more get no mail. A mail that is no longer wanted (a digest after noon) is removed. Must be
    called outside a transaction.
    """
    for _ in range(MOST_LOOKS if room > 0 and not read_restore_state().restored else 0):
        works, found = _claim_due(write, room, now, lease, idle, lost_first) if is_mail_due(now=now) else ([], False)
        if works or not found:
            return works
    return []


def _claim_due(
    write: Writer, room: int, now: datetime.datetime, lease: datetime.timedelta, idle: bool, lost_first: bool
) -> tuple[list[Work], bool]:
    """Makes one claim. Returns the claimed work, and True if mails were due. Mails that need no call are recorded at
    once."""
    lost = idle and fail_lost(LOST(now=now), record_mails, now=now, mail=True)
    with transaction.atomic():
        if not not_paused({Partner.MAIL: room}, now=now):
            return [], False
        ids = first_due(
            lambda after_worker_loss: _claimable(1 if after_worker_loss else room, after_worker_loss)(now=now),
            lost=lost,
            lost_first=lost_first,
        )
        if not ids:
            return [], False
        rows = _in_sequence(_within_bounds(WITH_ORDERS(ids=ids)), now)
        _write(rows, write)
        died, works, over, unwanted = take(rows, until=now + lease), [], [], []
        for row in rows:
            row.frozen_at = row.frozen_at or now
            work = functools.partial(_work, row, after_loss=row in died)
            try:
                payload = _payload(row)
                if payload and (payload.get("off") or not payload["to"]):
                    send(payload)  # makes no call; if mail is on, raises an error
                    over.append(Outcome.of(work(""), Attempt.Outcome.OK))
                    continue
            except MailError as error:
                if error.code == NOT_WANTED:
                    unwanted.append(row.pk)
                else:
                    over.append(Outcome.of(work(""), Attempt.Outcome.REFUSED, **_error_params(error)))
            else:
                works.append(work(json.dumps(payload, ensure_ascii=False) if payload else ""))
        update_rows(rows, [*CLAIMED, *WRITTEN])
        Mail.objects.filter(pk__in=unwanted).delete()
    record_mails(over, now=now)
    return works, True


def _within_bounds(rows: list[Mail]) -> list[Mail]:
    """Returns the first mails that RECORDS_A_CLAIM allows, at least one: a new text contains its order's domains."""
    new = {row.order_id for row in rows if row.order_id and not row.body}
    if not new:
        return rows
    counted = OrderDomain.objects.filter(order__in=new).order_by().values_list("order")
    sizes = dict(counted.annotate(number=Count("pk")))
    return within_bounds([(row, 0 if row.body else sizes.get(row.order_id, 0)) for row in rows])


def _in_sequence(rows: list[Mail], now: datetime.datetime) -> list[Mail]:
    """Leaves out mails about an end while the mail about its beginning is being sent (`about["behind"]` has the ids of
    the mails about the beginning).

    A mail about the beginning that is still unsent is closed, since the mail about the end reports both.
    """
    ends = [row for row in rows if row.attempts == 0 and row.about.get("behind")]
    if not ends:
        return rows
    before = Mail.objects.filter(pk__in=[pk for row in ends for pk in row.about["behind"]])
    unsent = before.filter(state__in=[Mail.State.DUE, Mail.State.RETRYING]).select_for_update(
        skip_locked=True, no_key=True
    )
    began = dict(unsent.values_list("pk", "written_at"))
    Mail.objects.filter(pk__in=began).update(state=Mail.State.CLOSED, next_try_at=None)
    busy = set(
        before.exclude(state__in=[Mail.State.DONE, Mail.State.FAILED, Mail.State.CLOSED]).values_list("pk", flat=True)
    )
    late = []
    for row in ends:
        if busy.intersection(row.about["behind"]):
            row.next_try_at = next_try("mail_in_front", now)
            late.append(row)
        elif moments := [began[pk] for pk in row.about["behind"] if pk in began]:
            row.about["since"] = min(moments).isoformat()
    update_rows(ends, ["about", "next_try_at"])
    return [row for row in rows if row not in late and row.pk not in began]


def _write(rows: Iterable[Mail], write: Writer) -> None:
    """Writes the missing texts, and removes recipients who are no longer staff or contacts. Does not save the mails."""
    new = [row for row in rows if not row.body]
    domains: dict[int, list[str]] = {row.order_id: [] for row in new if row.order_id}
    if domains:
        found = OrderDomain.objects.filter(order__in=domains).order_by("pk").values_list("order_id", "name")
        for order, name in found:
            domains[order].append(name)
    if new:
        _write_texts(new, domains, write)
    for kind, known in ((False, _staff), (True, _contacts)):
        if to_persons := [row for row in rows if row.addressee and (row.kind in TO_CONTACTS) is kind]:
            still = known(mail for row in to_persons for mail in row.recipients)
            for row in to_persons:
                row.recipients = [mail for mail in row.recipients if mail.lower() in still]


def _write_texts(rows: list[Mail], domains: dict[int, list[str]], write: Writer) -> None:
    """Writes all texts in one savepoint. If this fails, writes each text in a savepoint of its own, so that no mail
    stops the others."""

    def write_all(some: list[Mail]) -> None:
        with transaction.atomic():  # the queries may fail
            for row in some:
                write(row, domains.get(row.order_id, []))

    with contacts_read_once():
        try:
            write_all(rows)
        except Exception:
            for row in rows:
                try:
                    write_all([row])
                except Exception:
                    logger.exception("mail %s can't be written", row.pk)
                    row.body = ""


def _staff(mails: Iterable[str]) -> set[str]:
    """Returns the addresses that belong to an account that may log in, and the default contact's address. Leaves out
    all others."""
    people = get_user_model().objects.filter(is_active=True, is_staff=True).annotate(mail=Lower("email"))
    known = set(people.filter(mail__in={mail.lower() for mail in mails}).values_list("mail", flat=True))
    return known | {settings.DEFAULT_CONTACT_MAIL.lower()}


def _contacts(mails: Iterable[str]) -> set[str]:
    """Returns the addresses that belong to an active contact, and the default contact's address. Leaves out all
    others."""
    people = Contact.objects.filter(active=True).annotate(lower=Lower("mail"))
    known = set(people.filter(lower__in={mail.lower() for mail in mails}).values_list("lower", flat=True))
    return known | {settings.DEFAULT_CONTACT_MAIL.lower()}


def _payload(row: Mail) -> dict:
    """Returns the payload of a mail, or an empty payload if the mail could not be written. `from` keeps the value of
    the first attempt. Raises MailError."""
    if not row.body:
        return {}
    try:
        payload = mail_payload(row)
    except MailError:
        raise
    except Exception:  # no mail may stop the others
        logger.exception("mail %s can't be ended", row.pk)
        return {}
    row.fate = {"from": payload["from"], **row.fate}
    return payload


def _error_params(error: MailError) -> dict:
    return {"code": error.code, "message": str(error), "params": error.params}


def _work(row: Mail, payload: str, *, after_loss: bool) -> Work:
    return Work(
        dispatch_id=row.pk,
        attempt_id=0,
        token=row.lease_token,
        channel=Channel.MAIL,
        step=row.kind,
        key=row.message_id,
        request_id=uuid.uuid4().hex,
        payload=payload,
        lease_until=row.next_try_at,
        order=row.order.number if row.order else "-",
        attempt=row.attempts,
        trace=(row.order and row.order.trace) or uuid.uuid4().hex,
        alone=row.lost > 0,
        after_loss=after_loss,
        mail=True,
    )


# --- outcomes


def record_mails(outcomes: Iterable[Outcome], *, now: datetime.datetime, by: str = "worker") -> None:
    """Saves outcomes in one transaction. If the lease of an outcome has been lost, the outcome is late and changes
    nothing (fencing)."""
    outcomes = {outcome.dispatch_id: outcome for outcome in outcomes}
    if not outcomes:
        return
    with transaction.atomic():
        ours = list(still_held({row.pk: row for row in SENT(ids=outcomes)}, outcomes).values())
        for row in ours:
            _settle(row, outcomes[row.pk], now)
        update_rows(ours, [*RECORDED, *ERROR])
        of_orders = [row for row in ours if row.order and row.kind in ABOUT_ORDERS]
        add_events(_event(row, now, by) for row in of_orders if row.state in EVENTS)
        _move_incidents(ours, now, by)


def _settle(row: Mail, outcome: Outcome, now: datetime.datetime) -> None:
    row.error_code, row.error, row.error_params = outcome.code[:32], outcome.message, outcome.params
    row.lease_token, row.definite = None, outcome.result == Attempt.Outcome.REFUSED
    if outcome.result == Attempt.Outcome.HANDED_BACK:
        hand_back(row, now)
        return
    row.lost = 0
    if payload := outcome.data.get("payload"):
        sent = json.loads(payload)
        row.fate = {name: sent[name] for name in ("from", "got", "refused")}
    if outcome.result == Attempt.Outcome.OK:
        row.state, row.sent_at, row.next_try_at = Mail.State.DONE, now, None
    elif outcome.result != Attempt.Outcome.RETRY or not try_again(row, outcome, now):
        row.state, row.next_try_at = Mail.State.FAILED, None


def _event(row: Mail, now: datetime.datetime, by: str) -> OrderEvent:
    about = {"step": row.kind} | ({"code": row.error_code, "message": row.error} if row.error_code else {})
    about |= {"params": row.error_params} if row.error_params else {}
    return event(row.order, EVENTS[row.state], by=by, now=now, **about)


def _move_incidents(rows: Collection[Mail], now: datetime.datetime, by: str) -> None:
    """Opens an incident for each mail that failed for good, and closes the incidents of mails that were sent. If
    another mail of the same order and kind has failed too, the incident stays open. Sends no mails about these
    incidents."""
    failed = [row for row in rows if row.state == Mail.State.FAILED]
    done = [row for row in rows if row.state == Mail.State.DONE]
    troubles = _troubles_of_mails().filter(order__in=[row.order_id for row in done if row.order_id])
    troubled = set(troubles.values_list("order_id", "incident__step")) if done else set()
    if troubled:
        others = Mail.objects.given_up().filter(order__in=[order for order, _ in troubled])
        troubled -= {(row.order_id, _step(row)) for row in others.only("order_id", "kind")}
    cured = [row for row in done if (row.order_id, _step(row)) in troubled]
    alone = Incident.objects.unresolved().filter(partner=Partner.MAIL, affected=None, step__in=map(_step, done))
    alone = list(alone.exclude(code__in=PARTNERS_OWN)) if any(row.order_id is None for row in done) else []
    if failed or cured or alone:
        lock_incidents([(Partner.MAIL, "")])
    for row in cured:
        own = _troubles_of_mails().filter(order=row.order, incident__step=_step(row))
        incidents = list(own.values_list("incident", flat=True))
        close_parts(row.order, incidents, now=now)
        end_incidents(stopping_nobody(incidents), now=now, mail=False)
        add_event(row.order, "incident_over", by=by, now=now, step=_step(row), code="")
    for row in failed:
        _open_incident(row, now)
    given_up = Mail.objects.given_up().to_staff().without_history(now)
    over = [one for one in alone if not given_up.filter(_of_step(one.step), error_code=one.code).exists()]
    end_incidents(over, now=now, mail=False)


def _troubles_of_mails() -> QuerySet[AffectedOrder]:
    """Returns the open incidents about failed mails, by order. Incidents of the mail server itself are left out."""
    rows = AffectedOrder.objects.unresolved().filter(incident__partner=Partner.MAIL)
    return rows.exclude(incident__code__in=PARTNERS_OWN)


def _open_incident(row: Mail, now: datetime.datetime) -> None:
    cause: dict = {"partner": Partner.MAIL, "step": _step(row), "code": row.error_code}
    cause |= {"detail": row.error, "params": row.error_params, "now": now}
    if row.order:
        open_incident(row.order, **cause)
    else:
        open_incident_of_none(**cause)


def _step(row: Mail) -> str:
    """Returns the step name of the mail's incident. This is the mail's kind if the mail is about an order, or an empty
    string if the mail is to staff."""
    return row.kind if row.kind in ABOUT_ORDERS else ""


def _of_step(step: str) -> Q:
    return Q(kind=step) if step else ~Q(kind__in=ABOUT_ORDERS)

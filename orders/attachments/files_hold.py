"""Holds orders with wrong info-security files, accepts replacements, and releases the orders (contract 3.7)."""

import datetime
import hashlib
from collections.abc import Collection, Iterable

from django.db import transaction
from django.db.models import Exists, OuterRef, Subquery
from django.db.models.functions import Coalesce

from approvals.models import ApprovalRecord
from notifications.models import Mail
from orders.attachments.check import FILE_TYPES, UNCHECKED, is_named_right
from orders.attachments.upload import upload_beside
from orders.bpm.received_decisions import add_staff_record, as_done
from orders.history.order_locks_and_events import add_event, find_order, lock_order, lock_orders, refresh_states
from orders.history.states import set_held
from orders.incidents.desk_incidents import keep_desk_incident
from orders.incidents.incidents import close_troubles, move_trouble, open_incident
from orders.mails.mail_creation import build_mail, queue_mail, save_mails
from orders.models import NOTES, Attempt, Dispatch, Order
from orders.outbox.enqueue import wake
from orders.outbox.release_steps import release
from orders.rules.steps import Step
from orders.texts.errors import NotAllowedError, check_reason

FILES = "files "  # prefix of the causes of mails about files
MAILED_AGAIN = datetime.timedelta(minutes=30)
UNCHECKED_FOR = datetime.timedelta(hours=1)
SAYS_NOTHING = [Attempt.Outcome.OPEN, Attempt.Outcome.HANDED_BACK, Attempt.Outcome.LOST]


def hold_for_files(row: Dispatch, outcome, *, now: datetime.datetime, by: str) -> None:
    """Holds the order and mails its SA at once. If a later check has new findings, mails the latest findings, at most
    once per MAILED_AGAIN.

    Only right files or a waiver end the hold.
    """
    order = row.order
    if order.undo_since:
        return
    held = _troubles_of(row) if order.held_because == Order.Held.FILES else set()
    if (outcome.code, outcome.message) in held:
        return
    known = {_said_of(one) for one in row.findings or []} if held else set()
    row.findings = outcome.data.get("findings", [])
    row.save(update_fields=NOTES)
    if not held:
        close_troubles(order, step=row.step, now=now, by=by)
        set_held(order, Order.Held.FILES)
    found: dict = {"detail": outcome.message, "params": outcome.params}
    is_news = not held or not {_said_of(one) for one in row.findings if one["code"]} <= known
    if is_news:
        add_event(order, "held", by=by, now=now, because=order.held_because, code=outcome.code, **found)
    move_trouble(order, partner="files", step=row.step, code=outcome.code, now=now)
    open_incident(order, partner="files", step=row.step, now=now, code=outcome.code, mail=False, **found)
    if is_news:
        wrong = sorted(_said_of(one) for one in row.findings if one["code"])
        cause = f"{FILES}{hashlib.sha256(repr(wrong).encode()).hexdigest()[:32]}"
        _mail(order, cause, now=now, again=bool(held), because=outcome.code, **found)


def _mail(order: Order, cause: str, *, now: datetime.datetime, again: bool, **about) -> None:
    """Writes the mail about the findings.

    `again`: the mail replaces a waiting mail, and is sent MAILED_AGAIN after the previous mail.
    """
    if not again:
        queue_mail(order, Step.MAIL_HELD, cause=cause, now=now, **about)
        return
    _drop_waiting_mail(order)
    mail = build_mail(order, Step.MAIL_HELD, cause=cause, now=now, again=True, **about)
    before = order.mails.filter(kind=Step.MAIL_HELD, cause__startswith=FILES).order_by("-pk").first()
    if before is not None:
        mail.next_try_at = max(now, before.written_at + MAILED_AGAIN)
    save_mails([mail])


def _drop_waiting_mail(order: Order) -> None:
    waiting = order.mails.filter(kind=Step.MAIL_HELD, cause__startswith=FILES, about__again=True)
    waiting.filter(state=Mail.State.DUE, attempts=0).delete()


def _troubles_of(check: Dispatch) -> set[tuple[str, str]]:
    """Returns codes and details of the open incidents of the check."""
    rows = check.order.troubles.unresolved().filter(incident__step=check.step)
    return set(rows.values_list("incident__code", "detail"))


def _said_of(finding: dict) -> tuple[str, str]:
    return finding["file"], finding["message"]


def end_files_hold(order: Order) -> None:
    """Ends the hold: the files are right or waived."""
    if order.held_because == Order.Held.FILES:
        set_held(order, Order.Held.NOT)
        _drop_waiting_mail(order)


def waive_files(*, number: str, reason: str, by: str, now: datetime.datetime) -> Order:
    """Lets an order proceed with wrong files. The reason is stored in the approval history.

    The check counts as done. If a worker is checking the files at this moment, its result is ignored. Raises
    OrderUnknownError and NotAllowedError (not held for its files, or the reason is blank).
    """
    check_reason(reason, "a waiver")
    reason = reason.strip()
    with transaction.atomic():
        order = lock_order(number)
        row = _held_check(order)
        Dispatch.objects.filter(pk=row.pk).update(**as_done(now))
        add_staff_record(
            order,
            "waive",
            node="files",
            node_name="信安文件检查",
            result=ApprovalRecord.Result.WAIVE,
            operator=by,
            opinion=reason,
            finished=False,
            now=now,
        )
        add_event(order, "waived", by=by, now=now, step=row.step, reason=reason)
        end_files_hold(order)
        close_troubles(order, step=row.step, now=now, by=by)
        release(now=now, order_ids=[order.pk])
        refresh_states([order], now=now, by=by)
        wake()
    return order


def _held_check(order: Order) -> Dispatch:
    """Returns the (locked) check that holds the order. Raises NotAllowedError."""
    if why := why_not_waive(order):
        raise why
    rows = order.dispatches.current().open().filter(step=Step.CHECK_FILES)
    row = rows.select_for_update(no_key=True).first()
    if row is None:
        raise NotAllowedError("not_held_for_files", number=order.number, state=order.state)
    return row


def why_not_waive(order: Order) -> NotAllowedError | None:
    if order.held_because == Order.Held.FILES and not order.undo_since:
        return None
    return NotAllowedError("not_held_for_files", number=order.number, state=order.state)


def take_upload(*, number: str, field: str, chunks: Iterable[bytes], by: str, now: datetime.datetime) -> Order:
    """Stores a file uploaded by staff in place of the order's file, keeps the old one, and has all files checked now.

    `field` is one of FILE_TYPES. Only the check decides if the order proceeds. The result of a check that is running is
    ignored, since it saw the old file. Raises OrderUnknownError and NotAllowedError (the order is not held for its
    files, the order names no file of this type, the name from BBOSS is wrong, the file can't be right, or the file
    can't be written).
    """
    _check_place(find_order(number), field)
    with upload_beside(chunks) as part, transaction.atomic():
        order = lock_order(number)
        row = _held_check(order)
        _check_place(order, field)
        row.state, row.lease_token, row.next_try_at = Dispatch.State.RETRYING, None, now
        row.save(update_fields=["state", "lease_token", "next_try_at"])
        name = getattr(order, field)
        kept = part.replaced_name(name, now)
        add_event(order, "file_uploaded", by=by, now=now, file=name, size=part.size, sha256=part.sha256, kept=kept)
        wake()
        part.put_in_place(name, kept)  # last before the commit: a check that starts now waits for the lock
    return order


def _check_place(order: Order, field: str) -> None:
    """Raises NotAllowedError if the file must not be replaced."""
    if why := why_not_waive(order):
        raise why
    name = getattr(order, field)
    if not name:
        raise NotAllowedError("upload_not_named")
    if not is_named_right(name, order.number, field):
        raise NotAllowedError("upload_bad_name", name=name)


def can_be_cured(order: Order) -> bool:
    """Returns True if better files let the order proceed. The order must be held for its files, and each file must have
    a valid name."""
    names = {kind: getattr(order, kind) for kind in FILE_TYPES}
    return why_not_waive(order) is None and all(
        is_named_right(name, order.number, kind) for kind, name in names.items() if name
    )


def look_again(*, number: str, by: str, now: datetime.datetime) -> Order:
    """Has an order's files checked now, for staff. Raises OrderUnknownError and NotAllowedError."""
    with transaction.atomic():
        order = lock_order(number)
        if not recheck_files(numbers=[number], now=now):
            raise NotAllowedError("files_busy", number=number)
        add_event(order, "files_looked_at", by=by, now=now)
    return order


def recheck_files(*, numbers: Collection[str] | None = None, now: datetime.datetime) -> list[str]:
    """Has the files of held orders (None: all) checked now. Returns the numbers of the orders whose files will be
    checked."""
    held = Dispatch.objects.current().filter(
        step=Step.CHECK_FILES,
        state=Dispatch.State.RETRYING,
        order__held_because=Order.Held.FILES,
        order__undo_since=None,
    )
    if numbers is not None:
        held = held.filter(order__number__in=numbers)
    with transaction.atomic():
        lock_orders(held.values_list("order_id", flat=True))
        found = dict(held.values_list("pk", "order__number"))  # leaves out orders that were waived or claimed meanwhile
        rows = Dispatch.objects.filter(pk__in=found, state=Dispatch.State.RETRYING)
        ids = list(rows.order_by("pk").select_for_update(no_key=True).values_list("pk", flat=True))
        if Dispatch.objects.filter(pk__in=ids).update(next_try_at=now):
            wake()
    return sorted(found[pk] for pk in ids)


def watch_unchecked(*, now: datetime.datetime) -> None:
    """Opens the incident if files could not be checked on this system for UNCHECKED_FOR, or closes it.

    Nobody else is notified, since the order is not held for this reason, and its files may be right. The sweep calls
    this function each minute.
    """
    ended = Attempt.objects.exclude(outcome__in=SAYS_NOTHING).order_by("-pk")
    mine = ended.filter(dispatch=OuterRef("pk"))
    last = Subquery(mine.values("error_code")[:1])
    before = Coalesce(Subquery(mine.exclude(error_code=UNCHECKED).values("pk")[:1]), 0)
    rows = Dispatch.objects.current().filter(channel=Dispatch.Channel.FILES, state=Dispatch.State.RETRYING)
    rows = rows.filter(order__undo_since=None).annotate(last=last, before=before).filter(last=UNCHECKED)
    number = rows.filter(Exists(mine.filter(pk__gt=OuterRef("before"), started_at__lte=now - UNCHECKED_FOR))).count()
    keep_desk_incident(UNCHECKED, {"number": number} if number else None, now=now)

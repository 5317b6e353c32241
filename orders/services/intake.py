"""Receives orders. An order that is accepted is stored (contract 2.3, 3.9 First claim)."""

import datetime
import uuid
from collections.abc import Mapping

from django.db import IntegrityError, transaction
from django.utils import timezone

from orders.content import MOST_DOMAINS, OrderContent, Receipt, content_hash, shown
from orders.db.compiled_sql import FreeIds, Prepared, Slot, insert_together, new_row, reserve_ids
from orders.errors import ContentError, OrderConflictError, RepeatCallError
from orders.models import AcceptedCall, BillingRecord, InboundMessage, Order, OrderEvent, Province, ServiceType
from orders.restored_guard import remember
from orders.services.entered import ENTERED, differences, note_difference
from orders.services.holds import FOLLOWERS, note_hold, settle_followers
from orders.services.order_state import TrialFacts, ask_trial, event, refresh_states
from orders.services.outbox.enqueue import wake_up
from orders.services.planning import keep_changed_shape, rows_of_plan, settle

SERVICE_TYPE = Prepared(lambda: ServiceType.objects.filter(code=Slot("code")).values_list("code"))
PROVINCE = Prepared(lambda: Province.objects.filter(letters=Slot("letters")).values_list("letters"))
IDS = FreeIds(Order, OrderEvent, BillingRecord)
USUAL_DOMAINS = 4  # so many records get their ids ahead where the trial names the domains
COPIED = [
    "biz_start", "biz_end", "enterprise_id", "enterprise_name", "cp_id", "user_id", "oper_user", "oper_tel",
    "oper_mail", "prod_type", "product_id", "billing_method", "data_flow", "info_security", "info_security_table",
    "busi_info",
]  # fmt: skip
GIVEN = ["domains", "service_type", "data_flow", "biz_end"]  # what an order takes from its trial if not given


def receive_order(content: OrderContent, *, raw: dict, trans_ido: str, message: InboundMessage) -> Receipt:
    """Stores a new order with its plan, in one transaction with `message`. For a known order gives its first answer.

    The database's constraints decide who was first, so the same order sent fifty times at once becomes one order. Only
    when a constraint fails, the existing order is looked up.

    Raises ContentError (20505), RepeatCallError (20002) and OrderConflictError (3001). Nothing is stored then.
    """
    digest = content_hash(raw)
    for _ in range(3):
        message.pk = None  # a rolled back try may have set it
        try:
            with transaction.atomic():
                return _accept(content, raw, digest, trans_ido, message)
        except (IntegrityError, ContentError) as error:
            receipt = _answer_known(content, digest, trans_ido, message)
            if receipt:
                return receipt
            if isinstance(error, ContentError):
                raise
            last = error
    raise last


def enter_order(content: OrderContent, *, raw: dict, by: str) -> Receipt:
    """Stores a trial that a person entered, as if BBOSS had sent it. There is no message and no transIDO of it.

    Whoever calls it notes the new numbers (`entered_numbers`) before the transaction commits.

    One that we have already, with a content that says the same, gives its first answer and changes nothing. Raises
    ContentError, and OrderConflictError if it says something else. Nothing is stored then.
    """
    order = Order.objects.filter(number=content.number).first()
    if order is None:
        try:
            with transaction.atomic():
                return _accept(content, raw, content_hash(raw), by=by)
        except IntegrityError:
            order = Order.objects.filter(number=content.number).first()
            if order is None:  # BBOSS was not quicker: something else is wrong
                raise
    if differences(order, content):
        raise OrderConflictError("order_conflict", number=content.number)
    return Receipt(order_number=order.number, trans_idh=order.trans_idh, repeated=True)


def keep_message(message: InboundMessage) -> None:
    """Stores a refused message with our answer."""
    message.save(force_insert=True)


def _check_size(content: OrderContent) -> None:
    """Refuses too many domains. The form's check does not, since an order from before the limit may be repeated."""
    if content.domains and len(content.domains) > MOST_DOMAINS:
        raise ContentError(
            "content_too_many_domains", field="ProvContent", count=len(content.domains), most=MOST_DOMAINS
        )


def _accept(
    content: OrderContent, raw: dict, digest: str, trans_ido: str = "", message: InboundMessage | None = None, *,
    by: str = "bboss",
) -> Receipt:  # fmt: skip
    """Two round trips, or a few more: what it is planned from, with ids for its rows; then the rows.

    Without a message, `by` entered the order by hand.
    """
    now = timezone.now()
    _check_size(content)
    facts, ids, followers = _read_facts(content)
    order = _new_order(content, raw, digest, facts.trial, message.trans_idh if message else uuid.uuid4().hex, now)
    decision = settle(order, domains=list(content.domains or ()), facts=facts, now=now)
    if message:
        received = event(order, "received", by=by, now=now, transIDO=trans_ido, state=order.state)
        arrival = [new_row(AcceptedCall, trans_ido=trans_ido, content_hash=digest, order=order), message]
    else:
        received = event(order, ENTERED, by=by, now=now, state=order.state)
        arrival = []
    records = [row for row in decision.new if row.pk is None]
    reserve_ids([order, received, *records], ids)
    plan = rows_of_plan(order, decision, facts, now=now)
    settles = order.kind == Order.Kind.TRIAL or bool(decision.held)
    insert_together([order, *arrival, received, *records, *plan, wake_up(settle=settles)])
    remember(received.pk)
    if decision.held:
        note_hold(order, now=now, by=by)
    else:
        keep_changed_shape(order, decision, now=now, by=by)
        if not decision.steps:  # a change that sends nothing is carried out
            refresh_states([order], now=now, by=by)
    if followers:
        settle_followers(order, now=now, by=by)
    return Receipt(order_number=order.number, trans_idh=order.trans_idh, repeated=False)


def _read_facts(content: OrderContent) -> tuple[TrialFacts, Mapping, list]:
    """What the order is planned from, ids for its rows, and what waits for it. Locks its trial.

    Asks only for what is given. Raises ContentError for an unknown service type or attribution.
    """
    asked: dict = {IDS: {"counts": (1, 1, len(content.domains or ()) or USUAL_DOMAINS)}}
    if not content.trial_number:
        asked |= {FOLLOWERS: {"trial_number": content.number}, SERVICE_TYPE: {"code": content.service_type}}
    if content.attribution:
        asked[PROVINCE] = {"letters": content.attribution}
    facts, answers = ask_trial(content.trial_number, *asked.items())
    found = dict(zip(asked, answers, strict=True))
    if content.service_type and not (found.get(SERVICE_TYPE) or _has_type(facts, content.service_type)):
        raise ContentError("content_service_type", field="BusinessType", given=shown(content.service_type))
    if content.attribution and not found[PROVINCE]:
        raise ContentError("content_attribution", field="Attribution", given=shown(content.attribution))
    return facts, found[IDS], found.get(FOLLOWERS, [])


def _has_type(facts: TrialFacts, code: str) -> bool:
    """Whether the trial has this service type, or there is one. Most orders give that of their trial."""
    return bool(facts.shape.service == code or SERVICE_TYPE(code=code))


def _new_order(
    content: OrderContent, raw: dict, digest: str, trial: Order | None, trans_idh: str, now: datetime.datetime
) -> Order:
    order = new_row(
        Order,
        number=content.number,
        kind=content.kind,
        trial=trial,
        trial_number=content.trial_number,
        attribution_id=content.attribution or None,
        service_type_id=content.service_type or None,
        given=[name for name in GIVEN if getattr(content, name)],
        content=raw,
        content_hash=digest,
        trans_idh=trans_idh,
        received_at=now,
        state_since=now,
    )
    for name in COPIED:
        setattr(order, name, getattr(content, name))
    return order


def _answer_known(content: OrderContent, digest: str, trans_ido: str, message: InboundMessage) -> Receipt | None:
    """The answer for an order or a transIDO that we have; None if we have neither.

    Any message for a number that staff entered is accepted. If it says something else, staff decide (contract 3.10).
    """
    call = AcceptedCall.objects.filter(trans_ido=trans_ido).first()
    if call and call.content_hash != digest:
        raise RepeatCallError("call_repeated")
    order = Order.objects.filter(number=content.number).first()
    if order is None:
        return None
    if order.content_hash == digest:
        return answer_again(order, digest, trans_ido, message, known=call is not None)
    if not order.events.filter(kind=ENTERED).exists():
        raise OrderConflictError("order_conflict", number=content.number)
    with transaction.atomic():
        note_difference(content, digest, now=timezone.now())
        return answer_again(order, digest, trans_ido, message, known=call is not None)


def answer_again(order: Order, digest: str, trans_ido: str, message: InboundMessage, *, known: bool) -> Receipt:
    """Gives the first answer again. Stores only the message, and the transIDO if it is new."""
    message.trans_idh, message.pk = order.trans_idh, None
    with transaction.atomic():
        if not known:
            AcceptedCall.objects.get_or_create(trans_ido=trans_ido, defaults={"content_hash": digest, "order": order})
        message.save(force_insert=True)
    return Receipt(order_number=order.number, trans_idh=order.trans_idh, repeated=True)

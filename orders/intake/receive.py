"""Receives orders, and stores those that it accepts (contract 2.3, 3.9 First claim)."""

import uuid

from django.db import IntegrityError, OperationalError, transaction
from django.utils import timezone

from orders.erasing.erased_orders import erase_later
from orders.intake.duplicates import answer_known
from orders.intake.facts import read_facts
from orders.intake.manual_trials import differences
from orders.intake.plan_or_hold import plan_order
from orders.intake.replan_held_orders import settle_followers
from orders.intake.write_planned_order import new_order, write_plan
from orders.models import InboundMessage, Order
from orders.rules.content import MAX_DOMAINS, HashOf, OrderContent, Receipt, content_hash
from orders.texts.errors import ContentError, OrderConflictError

DEADLOCK = "40P01"  # PostgreSQL's code


def receive_order(
    content: OrderContent,
    *,
    raw: dict,
    trans_ido: str,
    message: InboundMessage,
    digest: str = "",
    hash_of: HashOf = content_hash,
) -> Receipt:
    """Stores a new order with its plan, in one transaction with `message`. A known order gets its first answer again.
    `raw` is the content as received. `digest` is the hash of its meaning, and `hash_of` computes that hash for a stored
    content.

    The database's constraints decide which call was first, so fifty simultaneous calls with one order store it once.
    The stored order is read only after a constraint has failed. A transaction that fails by a deadlock is retried.

    Raises ContentError (20505), RepeatCallError (20002) and OrderConflictError (3001). After an error nothing is
    stored.
    """
    digest = digest or content_hash(raw)
    for _ in range(3):
        message.pk = None  # a rolled back try may have set the key
        try:
            with transaction.atomic():
                return _accept(content, raw, digest, trans_ido, message)
        except (IntegrityError, ContentError) as error:
            # Only after the rollback: PostgreSQL reads nothing in a failed transaction.
            receipt = answer_known(content, digest, hash_of, trans_ido, message)
            if receipt:
                return receipt
            if isinstance(error, ContentError):
                raise
            last = error
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", "") != DEADLOCK:
                raise
            last = error
    raise last


def enter_order(content: OrderContent, *, raw: dict, by: str) -> Receipt:
    """Stores a trial that a person entered, as if BBOSS had sent it, but without a message and a transIDO.

    The caller stores the new number (`entered_numbers`) before the transaction commits.

    If the trial is known and its content has the same meaning, returns its first answer and changes nothing. Raises
    ContentError, and OrderConflictError if the content differs. After an error nothing is stored.
    """
    order = Order.objects.filter(number=content.number).first()
    if order is None:
        try:
            with transaction.atomic():
                return _accept(content, raw, content_hash(raw), by=by)
        except IntegrityError:
            order = Order.objects.filter(number=content.number).first()
            if order is None:  # the number is not taken: another constraint failed
                raise
    if differences(order, content):
        raise OrderConflictError("order_conflict", number=content.number)
    return Receipt(order_number=order.number, trans_idh=order.trans_idh, repeated=True)


def store_new(content: OrderContent, *, raw: dict, trans_ido: str, message: InboundMessage) -> Receipt:
    """Stores an order that the caller knows to be new, in the caller's transaction. Raises any error that prevents
    it."""
    return _accept(content, raw, content_hash(raw), trans_ido, message)


def keep_message(message: InboundMessage) -> None:
    """Stores a refused message with our answer."""
    erase_later(message)
    message.save(force_insert=True)


def _accept(
    content: OrderContent,
    raw: dict,
    digest: str,
    trans_ido: str = "",
    message: InboundMessage | None = None,
    *,
    by: str = "bboss",
) -> Receipt:
    """Stores an order in two round trips: facts and ids, then the rows. Without a message, `by` entered the order by
    hand."""
    now = timezone.now()
    # Not checked in the form, since an order from before the limit may be repeated.
    if (count := len(content.domains or ())) > MAX_DOMAINS:
        raise ContentError("content_too_many_domains", field="ProvContent", count=count, most=MAX_DOMAINS)
    # Locks the trial, so that the decision stays valid until the commit.
    facts = read_facts(content)
    plan = plan_order(content, facts, now=now)
    trans_idh = message.trans_idh if message else uuid.uuid4().hex
    order = new_order(content, trial=facts.trial, raw=raw, digest=digest, trans_idh=trans_idh, now=now)
    write_plan(order, plan, facts, now=now, by=by, trans_ido=trans_ido, message=message)
    # After the plan, since the orders that waited for this order are planned on that plan.
    if facts.followers:
        settle_followers(order, now=now, by=by)
    return Receipt(order_number=order.number, trans_idh=order.trans_idh, repeated=False)

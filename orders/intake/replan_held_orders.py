"""Plans held orders again when the reason for the hold no longer applies, or when staff decide (contract 2.4, 3.10)."""

import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from orders.history.order_locks_and_events import add_event, lock_order, refresh_states
from orders.incidents.incidents import close_troubles
from orders.intake.facts import WAITS_FOR_TRIAL, content_of, given_domains, read_again, waiting_for
from orders.intake.plan_or_hold import is_withdrawn, plan_order
from orders.intake.write_planned_order import write_plan
from orders.models import Order, Province
from orders.outbox.enqueue import wake
from orders.rules.content import MAX_DOMAINS
from orders.rules.host_names import domain_fault, domain_key
from orders.rules.local_time import SHANGHAI
from orders.texts.error_messages import say_why_in_english
from orders.texts.errors import NotAllowedError, check_reason


def settle_followers(trial: Order, *, now: datetime.datetime, by: str, held: list[str] | None = None) -> None:
    _settle(trial, waiting_for(trial.number, held or WAITS_FOR_TRIAL), now, by)


def _settle(trial: Order, waiting: QuerySet[Order], now: datetime.datetime, by: str) -> None:
    for order in waiting.order_by("pk").select_for_update(no_key=True):
        order.trial = trial
        settle_again(order, now=now, by=by)


def settle_again(order: Order, *, now: datetime.datetime, by: str, domains: list[str] | None = None) -> bool:
    """Plans a held order again, with these `domains` if given. The order and its trial must be locked. Returns True if
    the order is no longer held."""
    was = order.held_because
    content = content_of(order, domains=given_domains(order) if domains is None else domains)
    facts = read_again(order, content)
    plan = plan_order(content, facts, now=now)
    if plan.held != was:  # before the events of the plan, which waits for no lock
        close_troubles(order, code=was, now=now, by=by)
    write_plan(order, plan, facts, now=now, by=by)
    if plan.held:
        return False
    add_event(order, "went_on", by=by, now=now, was=was)
    add_event(order, "state", by=by, now=now, old=Order.State.HELD, new=order.state)
    refresh_states([order], now=now, by=by)
    if order.kind == Order.Kind.TRIAL:
        settle_followers(order, now=now, by=by)
    return True


def settle_arrived(*, now: datetime.datetime) -> int:
    """Plans held orders again if their trial has arrived, if they are changes of a trial that runs again, or if their
    records now fit into a call. Returns the number of these trials, plus the number of orders with fitting records."""
    trial = Order.objects.filter(number=OuterRef("trial_number"), kind=Order.Kind.TRIAL)
    waiting = Order.objects.filter(state=Order.State.HELD, held_because=Order.Held.TRIAL_UNKNOWN).filter(Exists(trial))
    numbers = set(waiting.values_list("trial_number", flat=True)[:500])
    numbers |= set(_running_again(now).values_list("trial_number", flat=True)[:500])
    for number in numbers:
        with transaction.atomic():
            trial = Order.objects.select_for_update(no_key=True).get(number=number)
            settle_followers(trial, now=now, by="worker")
            _settle(trial, _running_again(now).filter(trial=trial), now, "worker")
            wake()
    return len(numbers) + sum(_settle_fitting(number, now) for number in _may_fit())


def _may_fit() -> list[str]:
    """Returns the order numbers of orders held for too many records, without those that still have too many own
    domains."""
    most = settings.PARTNERS.bigdata.post.most
    rows = Order.objects.filter(state=Order.State.HELD, held_because=Order.Held.TOO_MANY, undo_since=None)
    if most:
        rows = rows.annotate(own=Count("domains")).filter(Q(kind=Order.Kind.CHANGE) | Q(own__lte=most))
    return list(rows.order_by("pk").values_list("number", flat=True)[:500])


@transaction.atomic
def _settle_fitting(number: str, now: datetime.datetime) -> bool:
    order = lock_order(number)
    if order.held_because != Order.Held.TOO_MANY or not settle_again(order, now=now, by="worker"):
        return False
    wake()
    return True


def _running_again(now: datetime.datetime) -> QuerySet[Order]:
    """Returns changes that were held because their trial was closed, if the trial runs again. For activations staff
    decide."""
    lasts = Q(trial__shape__ends_on=None) | Q(trial__shape__ends_on__gte=now.astimezone(SHANGHAI).date())
    runs = Q(trial__state=Order.State.TRIALING, trial__undo_since=None, trial__shape__closed=False) & lasts
    held = Order.objects.filter(state=Order.State.HELD, held_because=Order.Held.TRIAL_CLOSED, undo_since=None)
    return held.filter(runs, kind=Order.Kind.CHANGE)


def proceed(*, number: str, reason: str, by: str, now: datetime.datetime) -> Order:
    """Lets an order continue although its trial is closed, for staff (contract 3.10).

    An activation becomes the first activation if no other order holds the claim. Otherwise it becomes a subsequent one.
    A change continues if its trial has ended, but not if the trial is withdrawn. The change then counts in the shape,
    but nothing is sent until the trial runs again. Raises OrderUnknownError and NotAllowedError.
    """
    check_reason(reason, "letting it proceed")
    with transaction.atomic():
        order = lock_order(number)
        if why := why_not_proceed(order):
            raise why
        order.proceeded = True
        add_event(order, "proceeded", by=by, now=now, reason=reason.strip(), trial=order.trial.state)
        settle_again(order, now=now, by=by)
        wake()
    return order


def why_not_proceed(order: Order) -> NotAllowedError | None:
    """Returns the error if the order can't proceed, or None if it can.

    An order can proceed if it is held because its trial is closed. The trial of a change must not be withdrawn.
    """
    if order.held_because != Order.Held.TRIAL_CLOSED or order.undo_since:
        return NotAllowedError("not_held_for_trial", number=order.number, state=order.state)
    if order.kind == Order.Kind.CHANGE and is_withdrawn(order.trial):
        return NotAllowedError("change_of_closed_trial", number=order.number, trial=order.trial.state)
    return None


def name_domains(*, number: str, domains: list[str], reason: str, by: str, now: datetime.datetime) -> Order:
    """Sets the domains that the message of a subsequent activation lacked, and plans the activation again. For staff.

    `domains` are sent as given, but compared by their keys. Raises OrderUnknownError, and NotAllowedError if the order
    is not held for its domains, if a domain is invalid or a duplicate, if there are none or more than 20,000, or if the
    reason is blank.
    """
    check_reason(reason, "naming domains")
    _check_domains(domains)
    with transaction.atomic():
        order = lock_order(number)
        if why := why_not_name_domains(order):
            raise why
        order.given = sorted({*order.given, "domains"})
        add_event(
            order, "domains_named", by=by, now=now, domains=domains[:100], count=len(domains), reason=reason.strip()
        )
        settle_again(order, now=now, by=by, domains=domains)
        wake()
    return order


def why_not_name_domains(order: Order) -> NotAllowedError | None:
    """Returns the reason why domains can't be set, or None if the order is held for its domains."""
    if order.held_because == Order.Held.DOMAINS_MISSING and not order.undo_since:
        return None
    return NotAllowedError("not_held_for_domains", number=order.number, state=order.state)


def _check_domains(domains: list[str]) -> None:
    if not domains:
        raise NotAllowedError("no_domain")
    if len(domains) > MAX_DOMAINS:
        raise NotAllowedError("too_many_domains", most=MAX_DOMAINS)
    seen = set()
    for name in domains:
        if wrong := domain_fault(name):
            raise NotAllowedError("bad_domain", name=name, why=say_why_in_english(wrong))
        if domain_key(name) in seen:
            raise NotAllowedError("domain_twice", name=name)
        seen.add(domain_key(name))


def choose_attribution(*, number: str, letters: str, reason: str, by: str, now: datetime.datetime) -> Order:
    """Sets the attribution of a held order, and plans the order again. For staff. Raises OrderUnknownError and
    NotAllowedError."""
    letters = province_of(letters).letters
    with transaction.atomic():
        order = lock_order(number)
        if why := why_not_attribute(order):
            raise why
        order.attribution_id = letters
        # shown with the trial
        order.followers.filter(state=Order.State.HELD, attribution=None).update(attribution=letters)
        add_event(order, "attribution_chosen", by=by, now=now, letters=letters, reason=reason)
        settle_again(order, now=now, by=by)
        wake()
    return order


def province_of(given: str) -> Province:
    """Returns the attribution with these letters or this code. Raises NotAllowedError."""
    found = Province.objects.filter(Q(letters=given) | Q(code=given)).first()
    if found is None:
        known = ", ".join(sorted(Province.objects.values_list("pk", flat=True)))
        raise NotAllowedError("no_such_attribution", letters=given, known=known)
    return found


def why_not_attribute(order: Order) -> NotAllowedError | None:
    """Returns the reason why no attribution can be set, or None if the order is held for its attribution."""
    if order.held_because == Order.Held.ATTRIBUTION_UNKNOWN:
        return None
    return NotAllowedError("not_held_for_attribution", number=order.number, state=order.state)

"""Warnings that a person must confirm before a valid trial is entered.

The warnings use only orders that the person may see, so that no other orders are revealed.
"""

import datetime
from collections import defaultdict
from collections.abc import Iterable

from orders.intake.customer_names import name_of
from orders.models import BillingRecord, Order
from orders.office.trials.columns import CUSTOMER, CUSTOMER_NAME, DOMAINS, NUMBER
from orders.office.trials.sheet import Entry, Fault
from orders.rules.host_names import domain_key

MEANT = [BillingRecord.State.TO_SEND, *BillingRecord.THERE]
OVER = [Order.State.WITHDRAWN, Order.State.REJECTED]
BATCH_SIZE, MAX_ORDERS, MAX_NAMES = 1000, 10, 3
CODES = {BillingRecord.Type.COMMERCIAL: "warn_billed", BillingRecord.Type.TRIAL: "warn_on_trial"}


def warnings_of(entries: Iterable[Entry], letters: frozenset[str] | None, *, now: datetime.datetime) -> list[Fault]:
    """Returns the warnings about these trials, which are stored already. They concern domains that other orders bill or
    have on trial, and names that differ from the customer's known name. `letters`: the attributions of a limited user,
    or None for all."""
    entries = list(entries)
    visible = Order.objects.all() if letters is None else Order.objects.filter(attribution__in=letters)
    numbers = {entry.content[NUMBER] for entry in entries}
    names = {entry.content[CUSTOMER]: "" for entry in entries}
    for customer in names:
        names[customer] = name_of(visible.filter(enterprise_id=customer).exclude(number__in=numbers))
    used = _used_domains(entries, letters, now)
    found = []
    for entry in entries:
        known = names[entry.content[CUSTOMER]]
        if known and known != entry.content[CUSTOMER_NAME]:
            found.append(entry.fault(CUSTOMER_NAME, "warn_name", known=known))
        found += _about_domains(entry, used)
    return found


def _used_domains(
    entries: list[Entry], letters: frozenset[str] | None, now: datetime.datetime
) -> dict[str, set[tuple]]:
    """Returns {domain key: orders that bill the domain or have it on trial}. Each order is (type, number)."""
    keys = sorted({domain_key(one["ProvReq"]) for entry in entries for one in entry.content[DOMAINS]})
    used = defaultdict(set)
    meant = BillingRecord.objects.not_run_out(now).filter(state__in=MEANT)
    meant = meant.exclude(order__state__in=OVER).order_by()
    meant = meant if letters is None else meant.filter(order__attribution__in=letters)
    for start in range(0, len(keys), BATCH_SIZE):
        rows = meant.filter(domain_key__in=keys[start : start + BATCH_SIZE])
        for key, *order in rows.values_list("domain_key", "info_type", "order__number"):
            used[key].add(tuple(order))
    return used


def _about_domains(entry: Entry, used: dict[str, set[tuple]]) -> list[Fault]:
    """Returns a warning for each order that has some of the domains, at most MAX_ORDERS. Billing orders come before
    trials."""
    names = defaultdict(list)
    for one in entry.content[DOMAINS]:
        for order in used.get(domain_key(one["ProvReq"]), ()):
            names[order].append(one["ProvReq"])
    names.pop((BillingRecord.Type.TRIAL.value, entry.content[NUMBER]), None)
    return [
        entry.fault(
            DOMAINS,
            CODES[BillingRecord.Type(kind)],
            order=number,
            count=len(names[kind, number]),
            domains=", ".join(names[kind, number][:MAX_NAMES]),
        )
        for kind, number in sorted(names, key=lambda order: (-int(order[0]), order[1]))[:MAX_ORDERS]
    ]

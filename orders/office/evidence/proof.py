"""A customer's proof on one page. It shows what was ordered, served and billed, for an order and the orders of the same
trial.

The facts come from our books alone. A record that the big-data side accepted counts from its start on. A record with an
unknown state or an open difference is shown as being in question. The page has no personal data.
"""

import datetime
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace

from django.db.models import Count, Q, QuerySet, TextChoices
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.incidents.order_warnings import open_differences
from orders.models import BillingRecord, Difference, Dispatch, Order
from orders.order_words.trial_family import family_of
from orders.rules.local_time import SHANGHAI, in_ten_years
from orders.rules.steps import Step

MAX_RECORDS, MAX_NAMES = 20_000, 100
TRIAL = BillingRecord.Type.TRIAL
NOT_FINISHED = {Order.State.IN_PROGRESS, Order.State.HELD, Order.State.FAILED, Order.State.COMPENSATING}
KINDS = {TRIAL: gettext_lazy("trial, free"), BillingRecord.Type.COMMERCIAL: gettext_lazy("billed")}
BEGINS = {TRIAL: gettext_lazy("Trial begins"), BillingRecord.Type.COMMERCIAL: gettext_lazy("Billing begins")}
ENDS = {TRIAL: gettext_lazy("Trial ends"), BillingRecord.Type.COMMERCIAL: gettext_lazy("Billing ends")}
CONFIRMED = {
    Step.CREATE_TRIAL: gettext_lazy("Trial noted for billing"),
    Step.CANCEL_TRIAL: gettext_lazy("End of the trial noted"),
    Step.EXTEND_TRIAL: gettext_lazy("Last day of the trial changed"),
    Step.RESTORE_TRIAL: gettext_lazy("Trial noted again"),
    Step.CREATE_BILLING: gettext_lazy("Billing noted"),
    Step.MOVE_START: gettext_lazy("Start of billing moved"),
    Step.CANCEL_BILLING: gettext_lazy("End of billing noted"),
    Step.DELETE_BILLING: gettext_lazy("Billing taken back"),
    Step.VERIFY_DELETED: gettext_lazy("Checked that the billing was taken back"),
    Step.FIX_CREATE: gettext_lazy("Billing corrected"),
}
BY_CHANGE = {
    Step.CREATE_TRIAL: gettext_lazy("Domains added to the trial"),
    Step.CANCEL_TRIAL: gettext_lazy("Domains removed from the trial"),
}
HAPPENED = [Dispatch.State.DONE, Dispatch.State.UNDONE]


class Course(TextChoices):
    """The state of a record in the customer's words."""

    IN_FORCE = "in_force", gettext_lazy("in force")
    LATER = "later", gettext_lazy("not begun yet")
    OVER = "over", gettext_lazy("over")
    TAKEN_BACK = "taken_back", gettext_lazy("never begun, or taken back")
    IN_QUESTION = "in_question", gettext_lazy("in question, being checked")


@dataclass(frozen=True)
class Period:
    """The records of an order with the same type, times and course. `ends` is None if no end is agreed. Both times are
    None if the period never began."""

    number: str
    info_type: BillingRecord.Type
    begins: datetime.datetime | None
    ends: datetime.datetime | None
    course: Course
    domains: Sequence[str]

    @property
    def kind(self) -> str | Promise:
        return KINDS[self.info_type]

    @property
    def names(self) -> str:
        return _names(self.domains)


@dataclass(frozen=True)
class Event:
    """An event that concerns domains of an order. It is a line in `days` of the proof."""

    at: datetime.datetime
    number: str
    what: str | Promise
    names: str = ""


@dataclass(frozen=True)
class Proof:
    """A customer's proof. `orders`: the orders, each with `finished` and `named` (the number of its domains). `days`:
    the events by local day. `cut`: the page does not list everything."""

    orders: list[Order]
    periods: list[Period]
    days: list[tuple[datetime.date, list[Event]]]
    cut: bool

    @property
    def current(self) -> list[Period]:
        """The periods of today, one for each type and course. A period has the earliest start of its records. It has an
        end only if this is the same for all."""
        alike = defaultdict(list)
        for one in self.periods:
            if one.course in {Course.IN_FORCE, Course.IN_QUESTION}:
                alike[one.info_type, one.course].append(one)
        return [
            replace(
                ones[0],
                ends=ones[0].ends if len({one.ends for one in ones}) == 1 else None,
                domains=[name for one in ones for name in one.domains],
            )
            for ones in alike.values()
        ]


def proof_of(order: Order, orders: QuerySet[Order], *, now: datetime.datetime) -> Proof:
    """Returns the proof for an order and the orders of the same trial. `orders` are the orders that the user may see.
    Only these are included. Makes five queries."""
    family = family_of(order, orders)
    ids = [member.order.pk for member in family.members]
    line = list(Order.objects.filter(pk__in=ids).select_related("service_type").annotate(named=Count("domains")))
    line.sort(key=lambda one: ids.index(one.pk))
    for one in line:
        one.finished = one.state not in NOT_FINISHED
    records = list(BillingRecord.objects.filter(order__in=ids).order_by("pk")[: MAX_RECORDS + 1])
    periods = _periods(records, {one.pk: one for one in line}, now)
    events = [*_of_orders(line), *_of_steps(line, records), *_of_periods(periods, now)]
    return Proof(line, periods, _by_day(events), family.more or len(records) > MAX_RECORDS)


def _periods(records: Iterable[BillingRecord], orders: dict[int, Order], now: datetime.datetime) -> list[Period]:
    open_ones = open_differences(Difference.objects.filter(order__in=orders))
    doubts = set(open_ones.values_list("order_id", "product_id", "domain"))
    alike = defaultdict(list)
    for record in records:
        record.order = orders[record.order_id]
        alike[record.order_id, record.info_type, *_course(record, doubts, now)].append(record.domain)
    found = [
        Period(orders[order].number, BillingRecord.Type(info_type), begins, ends, course, domains)
        for (order, info_type, begins, ends, course), domains in alike.items()
    ]
    return sorted(found, key=lambda one: (one.begins is None, one.begins or now))


def _course(record: BillingRecord, doubts: Set[tuple], now: datetime.datetime) -> tuple:
    """Returns when a record begins and ends, to the minute, and its course."""
    begins, ends = record.create_time, record.cancelled_at
    if record.state != BillingRecord.State.CANCELLED:
        agreed = record.cancel_time and record.cancel_time < in_ten_years(record.order.received_at)
        ends = (
            record.cancel_time if agreed else None
        )  # a record without an agreed end gets one ten years after it is sent
    differs = {(record.order_id, record.product_id, record.domain), (record.order_id, "", "")} & doubts
    if differs or record.state == BillingRecord.State.UNKNOWN:
        return _minute(begins), _minute(ends), Course.IN_QUESTION
    if record.state == BillingRecord.State.TO_SEND:
        return None, None, Course.LATER
    if record.state == BillingRecord.State.DELETED or begins and ends and ends <= begins:
        return None, None, Course.TAKEN_BACK
    over = record.state == BillingRecord.State.CANCELLED or ends and ends <= now
    later = begins is None or begins > now
    return _minute(begins), _minute(ends), Course.OVER if over else Course.LATER if later else Course.IN_FORCE


def _minute(moment: datetime.datetime | None) -> datetime.datetime | None:
    return moment and moment.replace(second=0, microsecond=0)


def _of_orders(line: Iterable[Order]) -> Iterator[Event]:
    for one in line:
        yield Event(one.received_at, one.number, _("Ordered: %(kind)s") % {"kind": one.get_kind_display()})
        if one.decision and one.decided_at:
            passed = one.decision == Order.Decision.PASS
            yield Event(one.decided_at, one.number, _("Approval passed") if passed else _("Not approved"))
        if one.state == Order.State.WITHDRAWN and one.state_since:
            yield Event(one.state_since, one.number, one.get_state_display())


def _of_steps(line: Iterable[Order], records: Iterable[BillingRecord]) -> Iterator[Event]:
    """Yields the events that the big-data side has confirmed. A step without records of these orders has done
    nothing."""
    orders, domains = {one.pk: one for one in line}, {record.pk: record.domain for record in records}
    happened = Q(order__in=orders, step__in=CONFIRMED, state__in=HAPPENED, done_at__isnull=False, repeat=False)
    for row in Dispatch.objects.filter(happened).order_by("done_at", "pk").defer("payload", "error"):
        order = orders[row.order_id]
        words = CONFIRMED | (BY_CHANGE if order.kind == Order.Kind.CHANGE else {})
        touched = row.fixes or () if row.step == Step.FIX_CREATE else row.records
        names = [domains[pk] for pk in touched if pk in domains]
        if names:
            yield Event(
                row.done_at, order.number, _("%(what)s (confirmed)") % {"what": words[Step(row.step)]}, _names(names)
            )


def _of_periods(periods: Iterable[Period], now: datetime.datetime) -> Iterator[Event]:
    for one in periods:
        for at, words in ((one.begins, BEGINS), (one.ends, ENDS)):
            if at and at <= now and one.course != Course.IN_QUESTION:
                yield Event(at, one.number, words[one.info_type], one.names)


def _by_day(events: Iterable[Event]) -> list[tuple[datetime.date, list[Event]]]:
    days = defaultdict(list)
    for one in sorted(events, key=lambda one: _minute(one.at)):  # within a minute in the order of their causes
        days[one.at.astimezone(SHANGHAI).date()].append(one)
    return list(days.items())


def _names(domains: Sequence[str]) -> str:
    more = len(domains) - MAX_NAMES
    return _(", ").join([*domains[:MAX_NAMES], *([_("%(n)s more") % {"n": more}] if more > 0 else [])])

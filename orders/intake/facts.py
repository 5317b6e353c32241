"""Reads the facts for planning orders, in one round trip to the database. The trial is locked first.

A trial's lock also protects its line, so the orders of a trial are planned one at a time.
"""

import datetime

from django.conf import settings
from django.db.models import OuterRef, Q, QuerySet

from orders.db.compiled_sql import FreeIds, Prepared, Slot, ask_together
from orders.db.expressions import RowsOf
from orders.intake.plan_or_hold import ClaimFacts, Facts, RecordFacts
from orders.models import BillingRecord, Dispatch, Order, OrderEvent, Province, ServiceType, TrialClaim
from orders.outbox.release_steps import BLOCKING, NOT_FINISHED
from orders.rules.content import OrderContent, shown
from orders.texts.errors import ContentError
from orders.trials.trial_state_reads import shape_from, shape_of
from orders.trials.trial_state_writes import LAST_NUMBERS, number_after

WAITS_FOR_TRIAL = [Order.Held.TRIAL_UNKNOWN, Order.Held.TRIAL_HELD]
USUAL_DOMAINS = 4  # number of record ids that are reserved if the domains come from the trial
TRIALS = Order.objects.filter(number=Slot("number"), kind=Order.Kind.TRIAL)
TRIAL = Prepared(lambda: TRIALS.select_for_update(no_key=True))
SERVICE_TYPE = Prepared(lambda: ServiceType.objects.filter(code=Slot("code")).values_list("code"))
PROVINCE = Prepared(lambda: Province.objects.filter(letters=Slot("letters")).values_list("letters"))
ATTRIBUTION = Prepared(lambda: Province.objects.filter(code=Slot("code")).order_by("pk").values_list("letters")[:1])
FOLLOWERS = Prepared(lambda: waiting_for(Slot("trial_number"), WAITS_FOR_TRIAL).values_list("pk")[:1])
OPEN_CLAIM = Prepared(lambda: TrialClaim.objects.filter(trial=Slot("trial"), released_at=None))
UNDO_ASKED = Prepared(
    lambda: Order.objects.filter(trial=Slot("trial"), undo_asked_at__isnull=False).values_list("pk", flat=True)[:1]
)
IDS = FreeIds(Order, OrderEvent, BillingRecord)


def _of_trial() -> QuerySet:
    """Returns the query for the facts about a trial, in one row."""
    mine = OuterRef("pk")
    planned, undone = Q(activation__planned_at__isnull=False), Q(activation__undo_since__isnull=False)
    claim = TrialClaim.objects.filter(trial=mine, released_at=None).order_by().annotate(planned=planned, undone=undone)
    records = BillingRecord.objects.filter(order=mine).order_by("pk")
    unfinished = Dispatch.objects.current().filter(lane=mine, state__in=NOT_FINISHED)
    line = unfinished.annotate(waited_for=BLOCKING).order_by("-waited_for")[:1]
    return TRIALS.annotate(
        claim=RowsOf(claim, "activation_id", "planned", "undone"),
        records=RowsOf(records, "pk", "domain_key", "product_id", "state"),
        line=RowsOf(line, "waited_for"),
    ).values_list("shape__domains", "shape__service", "shape__ends_on", "shape__closed", "claim", "records", "line")


OF_TRIAL = Prepared(_of_trial)


def read_facts(content: OrderContent) -> Facts:
    """Locks the trial of a new order, reads the facts for planning the order, and reserves ids for its rows.

    Queries only what the content needs. Raises ContentError for an unknown service type or attribution.
    """
    asked: dict = {IDS: {"counts": (1, 1, len(content.domains or ()) or USUAL_DOMAINS)}}
    if not content.trial_number:
        asked |= {FOLLOWERS: {"trial_number": content.number}, SERVICE_TYPE: {"code": content.service_type}}
    if content.attribution:
        asked[PROVINCE] = {"letters": content.attribution}
    facts, found = _ask(content, content.trial_number, asked)
    code = content.service_type  # mostly the trial's service type
    if code and not (found.get(SERVICE_TYPE) or facts.shape.service == code or SERVICE_TYPE(code=code)):
        raise ContentError("content_service_type", field="BusinessType", given=shown(code))
    if content.attribution and not found[PROVINCE]:
        raise ContentError("content_attribution", field="Attribution", given=shown(content.attribution))
    facts.ids, facts.followers = found[IDS], bool(found.get(FOLLOWERS))
    return facts


def read_again(order: Order, content: OrderContent) -> Facts:
    """Reads the facts for planning a known order again. The order and its trial must be locked."""
    facts, _ = _ask(content, order.trial.number if order.trial else "", {}, order=order)
    facts.order_id, facts.first, facts.proceeded = order.pk, order.first, order.proceeded
    return facts


def _ask(
    content: OrderContent, trial_number: str, asked: dict[Prepared, dict], *, order: Order | None = None
) -> tuple[Facts, dict]:
    """Returns the facts about the (now locked) trial, and the results of the queries `asked`. If `trial_number` is
    empty, reads no trial."""
    number, own = {"number": trial_number}, order.change_number if order else None
    if trial_number:
        asked = {TRIAL: number, OF_TRIAL: number} | asked
    if trial_number and content.kind == Order.Kind.CHANGE and own is None:
        asked[LAST_NUMBERS] = number
    if content.kind == Order.Kind.TRIAL and not content.attribution:
        asked[ATTRIBUTION] = {"code": content.enterprise_id[:3]}  # the id begins with the code (contract 2.4)
    found = dict(zip(asked, ask_together(*asked.items()), strict=True))
    there = settings.PARTNERS.bigdata
    facts = Facts(
        billing_at_once=settings.SUBSEQUENT_BILLING == "at_once",
        has_traffic=bool(there.traffic.path),
        most=there.post.most,
    )
    facts.attribution = next(iter(found.get(ATTRIBUTION, ())), None)
    if found.get(TRIAL):
        trial = facts.trial = order.trial if order else found[TRIAL][0]
        _add_trial(facts, trial, *found[OF_TRIAL][0])
        facts.change_number = number_after(found[LAST_NUMBERS]) if LAST_NUMBERS in found else own
    return facts, found


def _add_trial(
    facts: Facts,
    trial: Order,
    domains: list | None,
    service: str,
    end: datetime.date,
    closed: bool,
    claim: list,
    records: list,
    line: list,
) -> None:
    facts.shape = shape_of(trial) if domains is None else shape_from(domains, service, end, closed)
    facts.claim = ClaimFacts(*claim[0]) if claim else None
    facts.records = [RecordFacts(*row) for row in records]
    facts.line_is_free, facts.line_moves = not line, not line or not line[0][0]
    if trial.undo_asked_at:
        facts.undo_asked_by = UNDO_ASKED.first(trial=trial.pk)


def content_of(order: Order, *, domains: list[str]) -> OrderContent:
    """Returns the content of a known order with these domains. The order is planned again with this content."""
    own = order.kind == Order.Kind.TRIAL
    return OrderContent(
        kind=order.kind,
        number=order.number,
        trial_number=order.trial_number,
        domains=tuple(domains) or None,
        service_type=order.service_type_id or "" if own or "service_type" in order.given else "",
        attribution=order.attribution_id or "",
        biz_start=order.biz_start,
        biz_end=order.biz_end if own or "biz_end" in order.given else None,
        enterprise_id=order.enterprise_id,
        data_flow=order.data_flow,
        info_security=order.info_security,
        info_security_table=order.info_security_table,
        busi_info=order.busi_info,
    )


def given_domains(order: Order) -> list[str]:
    """Returns the domains from the order's message or from staff. The result is empty if the order has its trial's
    domains."""
    return list(order.domains.values_list("name", flat=True)) if "domains" in order.given else []


def waiting_for(trial_number, held: list[str]) -> QuerySet[Order]:
    """Returns the orders of this trial that are held for one of these reasons."""
    return Order.objects.filter(
        trial_number=trial_number, state=Order.State.HELD, held_because__in=held, undo_since=None
    )


def open_claim(trial: Order | None) -> TrialClaim | None:
    """Returns the open claim on a trial, or None."""
    return OPEN_CLAIM.first(trial=trial.pk) if trial and trial.pk else None

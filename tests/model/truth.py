"""The rules that a desk at rest must fulfil (contract 3.9, 14). At rest, nothing is due.

The checks read only rows of the desk and of the partners. Each function yields errors, or raises WrongError. Other
tests may call `all_wrong(store)`, which needs a database at rest and the sandbox's store.
"""

import datetime
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from django.db.models import Q
from django.utils import timezone

from integrations.bigdata.bigdata_steps import record_facts
from integrations.bigdata.billing_record_fields import records_body
from integrations.sandbox.store import Store
from notifications.models import Mail
from orders.db.compiled_sql import Prepared, Slot
from orders.history.states import may_move
from orders.mails.mail_creation import ACCEPTED, KINDS_OF_DONE_STEPS
from orders.models import (
    AffectedOrder,
    BillingRecord,
    Difference,
    Dispatch,
    Order,
    OrderEvent,
    Province,
    TrialClaim,
    TrialShape,
)
from orders.models.querysets import STOPPED_BY
from orders.restore.detect_restore import is_restored
from orders.rules.host_names import domain_key
from orders.rules.steps import STEPS, Phase
from orders.rules.trial_shape import fold, is_same
from orders.trials.trial_state_reads import SERVICE_NOW, entries_of, read_shape
from tests.model.acts import WrongError
from tests.model.meant import read_rows
from tests.model.stories import read_stories
from tests.model.story import Story, Wrong

D, R, S, Kind = Dispatch.State, BillingRecord.State, Order.State, Order.Kind
MAY_BILL = {S.IN_PROGRESS, S.AWAITING_APPROVAL, S.SCHEDULED, S.ACTIVE}
# Incidents with these codes excuse records that differ. Failed mails and contradictions of BPM do not.
ABOUT_BOOKS = {
    "unknown_record",
    "difference",
    "acted_before",
    "billed_not_active",
    "late_undo",
    "change_built_upon",
    "restored",
}
LASTING = {
    "unknown_record",
    "difference",
    "acted_before",
    "billed_not_active",
    "process_differs",
    "late_undo",
    "entered_differs",
    "change_built_upon",
}
DOUBTS = {"not_understood", "unanswered", "unproven", "refusals_in_a_row"}
BILLING_STEPS = {step for step in Dispatch.Step.values if "billing" in step or step in {Dispatch.Step.VERIFY_DELETED}}
CLAIMED = Prepared(
    lambda: Dispatch.objects.filter(pk=Slot("pk")).values_list(
        "superseded",
        "undo",
        "channel",
        "attempts",
        "position",
        "step",
        "order__state",
        "order__undo_since",
        "order__number",
    )
)

READ = {
    "orders": Prepared(lambda: Order.objects.order_by("pk").defer("content")),
    "provinces": Prepared(lambda: Province.objects.order_by("pk")),
    "records": Prepared(lambda: BillingRecord.objects.order_by("pk")),
    "dispatches": Prepared(
        lambda: Dispatch.objects.filter(superseded=False).order_by("position", "pk").defer("payload")
    ),
    "troubles": Prepared(
        lambda: (
            AffectedOrder.objects.filter(Q(closed_at=None) | ~Q(accepted_by=""))
            .annotate(stopped_by=STOPPED_BY)
            .values_list("closed_at", "order", "incident__partner", "stopped_by", "incident__code")
        )
    ),
    "mails": Prepared(
        lambda: Mail.objects.beside_steps().order_by("pk").values_list("order", "kind", "state", "pk", "about")
    ),
    "differences": Prepared(lambda: Difference.objects.exclude(state="over").values_list("job_id", "state", "kind")),
    "claims": Prepared(lambda: TrialClaim.objects.filter(released_at=None).values_list("trial", "activation")),
    "events": Prepared(
        lambda: (
            OrderEvent.objects.filter(kind__in=["received", "state"], order__isnull=False)
            .order_by("pk")
            .values_list("order", "kind", "data")
        )
    ),
}


def check_claimed(work, air: Iterable, now: datetime.datetime) -> None:
    """Raises WrongError if a claimed step or mail must not be sent.

    Only one worker may send a step at a time. A replaced step must never be sent. For a withdrawn order only undo
    steps, repeats of billing calls and mails may be sent.
    """
    same = (flight.work for flight in air if flight.work.mail == work.mail)
    if any(other.dispatch_id == work.dispatch_id and other.lease_until > now for other in same):
        raise WrongError("one sender at a time", work.step)
    if work.mail:
        if is_restored():
            raise WrongError("nothing is sent while it counts as restored", work.order, work.step)
        return
    row = CLAIMED.first(pk=work.dispatch_id)
    superseded, undo, channel, attempts, position, step, state, since, number = row
    if is_restored() and step not in {Dispatch.Step.ASK_BILLING, Dispatch.Step.FETCH_USAGE}:
        raise WrongError("nothing is sent while it counts as restored", number, step)
    if superseded:
        raise WrongError("a replaced dispatch is never sent", number, step)
    made_sure = channel == Dispatch.Channel.BILLING and attempts > 1
    if (state == S.WITHDRAWN or since) and not (undo or made_sure or position >= Phase.AFTER):
        built_upon = AffectedOrder.objects.filter(order__number=number, incident__code="change_built_upon")
        if not built_upon.filter(Q(closed_at=None) | ~Q(accepted_by="")).exists():
            raise WrongError("nothing new is sent for a withdrawn order", number, step, state)


@dataclass
class Books:
    """All rows that the rules check. Each row is read once."""

    now: datetime.datetime
    orders: dict[int, Order] = field(default_factory=dict)
    records: dict[int, BillingRecord] = field(default_factory=dict)
    dispatches: list[Dispatch] = field(default_factory=list)
    mails: list[tuple] = field(default_factory=list)  # order, kind, state, id, about
    causes: dict[int, set[tuple[str, str, str]]] = field(default_factory=lambda: defaultdict(set))
    lived_with: dict[int, set[tuple[str, str, str]]] = field(default_factory=lambda: defaultdict(set))
    named: set[str] = field(default_factory=set)  # numbers in differences of both sides' records, open or accepted
    named_open: set[str] = field(default_factory=set)
    open_differences: set[str] = field(default_factory=set)
    claims: dict[int, int] = field(default_factory=dict)
    theirs: dict[tuple, dict] = field(default_factory=dict)
    violations: list[dict] = field(default_factory=list)

    @classmethod
    def read(cls, store: Store) -> "Books":
        books = cls(now=timezone.now())
        books.orders = {row.pk: row for row in READ["orders"]()}
        provinces = {row.pk: row for row in READ["provinces"]()}
        for order in books.orders.values():
            order.trial = books.orders.get(order.trial_id)
            order.attribution = provinces.get(order.attribution_id)
        for record in READ["records"]():
            record.order = books.orders[record.order_id]
            books.records[record.pk] = record
        books.dispatches, books.mails = READ["dispatches"](), READ["mails"]()
        for closed, order, *cause in READ["troubles"]():
            (books.lived_with if closed else books.causes)[order].add(tuple(cause))
        differences = READ["differences"]()
        books.open_differences = {job for job, state, _ in differences if state == "open"}
        differing = [(job, state) for job, state, kind in differences if kind != Difference.Kind.NOT_LISTED]
        books.named = {job for job, _ in differing}
        books.named_open = {job for job, state in differing if state == "open"}
        books.claims = dict(READ["claims"]())
        books.theirs = {(row["jobId"], row["productId"], domain_key(row["domain"])): row for row in store.records()}
        books.violations = store.violations()
        return books

    def excused(self, order: Order | None) -> bool:
        """Returns True if a difference or an incident about records excuses errors of the order.

        The difference or incident must name the order, and be open or accepted.
        """
        if order is None or order.number in self.named:
            return order is not None
        return any(map(_is_about_books, self.causes[order.pk] | self.lived_with[order.pk]))

    def in_doubt(self, order: Order) -> bool:
        """Returns True if a step in doubt stopped the order, so that the order must not change (contract 7.2)."""
        doubts = {code for _, _, code in self.causes[order.pk]} & DOUBTS
        return order.state == S.FAILED and order.undo_since is None and bool(doubts)

    def is_open(self, order: Order) -> bool:
        """Returns True if an open difference or an open incident about records names the order."""
        return order.number in self.named_open or any(map(_is_about_books, self.causes[order.pk]))

    def record_excused(self, record: BillingRecord) -> bool:
        """Returns True if the record's order is excused, or another order with a step on this record.

        That step is not done, or it changed the record last.
        """
        touching = {row.order_id for row in self.dispatches if record.pk in row.records and row.state != D.DONE}
        touching |= {row.order_id for row in self.dispatches if row.pk == record.dispatch_id}
        return any(self.excused(self.orders[pk]) for pk in {record.order_id, *touching})


def all_wrong(
    store: Store, stuck: Iterable | None = None, *, contents: Mapping[str, dict], seen: Sequence = (), loose=False
) -> list[str]:
    """Returns all errors. Each error begins with the name of its rule.

    `stuck` is the result of orders.incidents.stuck. `contents` has the accepted messages by number. `seen` has the
    partner's earlier records (stories.py).
    """
    books = Books.read(store)
    rules = (
        steps_rest,
        books_agree,
        only_these_are_billed,
        not_beside_each_other,
        one_process,
        claims_fit,
        history_fits,
        shapes_are_kept,
        mails_are_told,
        incidents_end,
        doubts_are_named,
    )
    found = [f"{rule.__name__}: {line}" for rule in rules for line in rule(books)]
    found += [f"as_meant: {line}" for line in as_meant(books, contents, seen, loose)]
    if stuck is not None:
        found += [f"stuck_are_named: {line}" for line in stuck_are_named(books, {row.number: row for row in stuck})]
    return found


def steps_rest(books: Books) -> Iterator[str]:
    """Yields steps in progress, and orders that are in progress although they wait for nothing.

    Steps may wait for a day, for BPM, or for a failed step that an incident names.
    """
    failed = what_stopped(books)
    for row in books.dispatches:
        order = books.orders[row.order_id]
        if row.state in {D.DUE, D.SENDING} or (row.state == D.RETRYING and row.step != Dispatch.Step.CHECK_FILES):
            yield f"{order.number} {row.step} is {row.state}"
        if row.state == D.FAILED and row.blocking and order.state != S.WITHDRAWN and not books.causes[row.order_id]:
            yield f"{order.number} {row.step} failed, and no incident is open"
    for order in books.orders.values():
        if order.state in {S.IN_PROGRESS, S.COMPENSATING} and not waits_for(books, order, failed):
            yield f"{order.number} is {order.state} and waits for nothing"


def mails_are_told(books: Books) -> Iterator[str]:
    """Yields missing, duplicate and unsent mails.

    A mail may be unsent if an incident names its order, or if a later mail replaces it. This later mail says that the
    cause of the first mail has ended.
    """
    counts = Counter((order, kind) for order, kind, *_ in books.mails)
    told_at_end = {pk for *_, about in books.mails for pk in about.get("behind", [])}
    for order, kind, state, pk, _about in books.mails:
        if state not in {"done", "failed"} and not (state == "closed" and pk in told_at_end):
            yield f"{kind} of {books.orders[order].number} is {state}"
        named = any(cause[:2] == ("mail", kind) for cause in books.causes[order] | books.lived_with[order])
        if state == "failed" and not named and books.orders[order].state != S.WITHDRAWN:  # as with steps
            yield f"{kind} of {books.orders[order].number} failed, and no incident says so"
    for row in books.dispatches:
        order = books.orders[row.order_id]
        kind = ACCEPTED[row.step][0] if row.step in ACCEPTED and row.state == D.DONE and not row.repeat else ""
        told = kind and order.undo_since is None and (row.step == Dispatch.Step.START_BPM or order.first is False)
        if told and not counts[row.order_id, kind]:
            yield f"{order.number} has no {kind}"
    for order in books.orders.values():
        if order.held_because and not counts[order.pk, Dispatch.Step.MAIL_HELD]:
            yield f"{order.number} is held, and nobody was mailed"
    for (order, kind), number in counts.items():
        if kind in KINDS_OF_DONE_STEPS and number > 1:
            yield f"{books.orders[order].number} has {number} {kind}"


def incidents_end(books: Books) -> Iterator[str]:
    """Yields open incidents whose cause is over.

    The cause is over if the step is finished, or if BPM's early decision was followed by the real one. A given-up step
    counts as finished once its effect is known. Incidents in LASTING are ignored, because only a comparison or
    `accept` ends them.
    """
    over = {D.DONE, D.CLOSED, D.UNDONE}
    rows = (row for row in books.dispatches if row.state not in over)
    left = {(row.order_id, row.step) for row in rows if row.state != D.GIVEN_UP or "settled" not in row.about}
    for pk, causes in books.causes.items():
        order = books.orders[pk]
        family = [order.pk, *(row.pk for row in books.orders.values() if row.trial_id == pk)]  # may be named too
        for partner, step, code in sorted(causes):
            moves = code == "move_failed" and order.state in {S.SCHEDULED, S.IN_PROGRESS}  # it can still move
            about = step in STEPS and code not in LASTING and not moves
            if about and not any((one, step) in left for one in family):
                yield f"{order.number} is {order.state}, {step} is over, and {partner}'s {code} is open"
            if code == "early" and order.decision:
                yield f"{order.number} is decided, and its early decision is open"


def doubts_are_named(books: Books) -> Iterator[str]:
    """Yields steps in doubt without an incident of their code, and incidents about steps that did not stop.

    Orders that are being undone are ignored. A stopped step that waits to be sent again is still in doubt. If a repeat
    got another answer later, the step has a second incident.
    """
    stopped = [row for row in books.dispatches if row.state in {D.FAILED, D.GIVEN_UP}]
    for row in stopped:
        order, cause = books.orders[row.order_id], (STEPS[row.step].partner, row.step, row.error_code)
        doubtful = row.state == D.FAILED and row.error_code in DOUBTS and order.undo_since is None
        if doubtful and cause not in books.causes[order.pk]:
            yield f"{order.number} {row.step} is in doubt ({row.error_code}), and no incident says so"
    again = [row for row in books.dispatches if row.state == D.WAITING and row.attempts]
    places = {(row.order_id, row.step) for row in [*stopped, *again]}
    for pk, causes in books.causes.items():
        family = [pk, *(row.pk for row in books.orders.values() if row.trial_id == pk)]
        for _, step, code in causes:
            if code in DOUBTS and not any((one, step) in places for one in family):
                yield f"{books.orders[pk].number} is named as {code}, and its {step} did not stop"


def what_stopped(books: Books) -> list[Dispatch]:
    """Returns the steps that block others: failed steps, and given-up deletions or cancels that leave an order
    billed."""
    return [
        row
        for row in books.dispatches
        if row.state == D.FAILED
        or (
            row.state == D.GIVEN_UP
            and row.undo
            and ("bigdata", row.step, "billed_not_active") in books.causes[row.order_id]
        )
    ]


def waits_for(books: Books, order: Order, failed: list[Dispatch]) -> list[Dispatch]:
    """Returns the failed steps that an order waits for.

    These are its own steps, and the steps in its trial's lane (the line of billing steps). If an undo step of another
    order waits in that lane, that order's steps are included too.
    """
    lane = order.trial_id or order.pk
    behind = {row.order_id for row in books.dispatches if row.lane == lane and row.state == D.WAITING and row.undo}
    return [
        row for row in failed if row.order_id == order.pk or row.lane == lane or row.undo and row.order_id in behind
    ]


def books_agree(books: Books) -> Iterator[str]:
    """Yields the differences between the desk's billing records and the partner's, field by field."""
    left = dict(books.theirs)
    for record in books.records.values():
        key = (record.order.number, record.product_id, record.domain_key)
        there = left.pop(key, None)
        wrong = difference(record, there)
        if wrong and not books.record_excused(record):
            yield f"{'/'.join(key)}: {wrong}"
    for key, row in left.items():
        if key[0] not in books.named:
            yield f"{'/'.join(key)}: unknown to us, theirs {_status(row)}"


def difference(record: BillingRecord, there: dict | None) -> str:
    """Returns a text about the difference between a record of the desk and the partner's, or "" if they are equal."""
    if record.state == R.UNKNOWN:
        return f"ours unknown, theirs {_status(there)}"
    if record.state in {R.TO_SEND, R.DELETED}:
        return f"ours {record.state}, theirs {_status(there)}" if there else ""
    if there is None or _status(there) != record.state:
        return f"ours {record.state}, theirs {_status(there)}"
    facts = record_facts(record, cancelled=record.state == R.CANCELLED)
    try:
        ours = records_body([facts])["productInfos"][0]
    except AttributeError:
        return f"ours {record.state} without its times"
    accepted = record.accepted  # accepted values count until a step of ours changes them
    fields = [
        f"{name} ours {value} theirs {there.get(name)}"
        for name, value in ours.items()
        if there[name] not in (value, accepted.get(name))
    ]
    return ", ".join(fields)


def _is_about_books(cause: tuple[str, str, str]) -> bool:
    partner, step, code = cause
    return step in BILLING_STEPS and partner == "bigdata" or code in ABOUT_BOOKS


def _status(row: dict | None) -> str:
    return "missing" if row is None else {"1": "live", "2": "cancelled"}[row["cancelStatus"]]


def as_meant(books: Books, contents: Mapping[str, dict], seen: Sequence, loose: bool) -> Iterator[str]:
    """Yields states and records that do not follow from the messages.

    Errors of an order that an incident or difference names are excused. Errors of a trial's records are excused only
    if the trial itself is named.
    """
    numbers = {order.number: order for order in books.orders.values()}
    told = read_stories(
        books.orders, books.claims, contents, seen, list(books.theirs.values()), now=books.now, loose=loose
    )
    for story in told:

        def excused(wrong: Wrong, story: Story = story) -> bool:
            order = numbers.get(wrong.excuse)
            lived_with = order and books.excused(order) and (loose or story.lived_with(wrong))
            return bool(lived_with or (order and books.is_open(order)))

        yield from (wrong.text for wrong in story.wrong(excused))


def only_these_are_billed(books: Books) -> Iterator[str]:
    """Yields live commercial records of orders that must not be billed."""
    numbers = {order.number: order for order in books.orders.values()}
    for (job, _, domain), row in books.theirs.items():
        order = numbers.get(job)
        if row["infoType"] != "2" or _status(row) != "live" or order is None:
            continue
        if order.state not in MAY_BILL and not books.in_doubt(order) and not books.excused(order):
            yield f"{job} is {order.state}, and {domain} is billed"


def not_beside_each_other(books: Books) -> Iterator[str]:
    """Yields trials that are billed beside their activation.

    The activation has claimed the trial, it is billed, and its start has come. The trial still has a record that runs
    on. Orders that an incident or difference names are excused.
    """
    now = f"{books.now.astimezone(datetime.timezone(datetime.timedelta(hours=8))):%Y%m%d%H%M%S}"
    live = defaultdict(list)
    for row in read_rows(books.theirs.values()):
        if row.live:
            live[row.job].append(row)
    for trial_id, activation_id in books.claims.items():
        trial, first = books.orders[trial_id], books.orders[activation_id]
        begun = [row.domain for row in live[first.number] if row.created <= now]
        # A live record whose end has passed bills nothing, so the desk does not cancel the record.
        beside = [(row.domain, row.created) for row in live[trial.number] if row.runs(now)]
        named = books.excused(trial) or books.is_open(first) or books.in_doubt(first)
        if first.undo_since is None and begun and beside and not named:
            yield f"{first.number} bills {begun} ({first.state}), and {trial.number} has live {beside}"


def one_process(books: Books) -> Iterator[str]:
    """Yields BPM steps that started more than one process."""
    for row in books.violations:
        if row["kind"] == "started_twice":
            yield f"{row['kind']} {row['detail']}"


def claims_fit(books: Books) -> Iterator[str]:
    """Yields wrong claims of activations on trials.

    A valid first activation must have its trial's claim. A trial may be converted only while an activation has its
    claim.
    """
    for order in books.orders.values():
        holder = books.claims.get(order.trial_id or order.pk)
        if order.kind == Kind.ACTIVATION and order.first and order.state in MAY_BILL and holder != order.pk:
            yield f"{order.number} is first and {order.state}, but the claim is {holder}'s"
        if order.kind == Kind.TRIAL and order.state == S.CONVERTED and not holder:
            yield f"{order.number} is converted, and nobody holds the claim"
    for trial, holder in books.claims.items():
        order = books.orders[holder]
        if order.state in {S.WITHDRAWN, S.REJECTED} and not books.excused(order):
            yield f"{order.number} is {order.state} and still holds the claim of {books.orders[trial].number}"


def history_fits(books: Books) -> Iterator[str]:
    """Yields changes of a state that are forbidden, and states that differ from the history."""
    state: dict[int, str] = {}
    for order_id, kind, data in READ["events"]():
        if kind == "received":
            state[order_id] = data["state"]
            continue
        order, old, new = books.orders[order_id], data["old"], data["new"]
        if state.get(order_id, old) != old:
            yield f"{order.number}: {old} -> {new}, but it was {state[order_id]}"
        if not may_move(order.kind, old, new):
            yield f"{order.number} must not go from {old} to {new}"
        state[order_id] = new
    for pk, order in books.orders.items():
        if state.get(pk) != order.state:
            yield f"{order.number} is {order.state}, its history says {state.get(pk)}"


def shapes_are_kept(books: Books) -> Iterator[str]:
    """Yields trials whose stored shape differs from the computed shape, or that lists find under a wrong service."""
    kept = {row.pk: read_shape(row) for row in TrialShape.objects.all()}
    found = dict(Order.objects.values_list("pk", SERVICE_NOW))
    for pk, shape in kept.items():
        if found[pk] != (shape.service or books.orders[pk].service_type_id):
            yield f"{books.orders[pk].number} is found by the service {found[pk]}, its shape has {shape.service}"
    for pk, entries in entries_of([pk for pk, order in books.orders.items() if order.kind == Kind.TRIAL]).items():
        if pk not in kept or not is_same(kept[pk], fold(entries)):
            yield f"{books.orders[pk].number}: kept is {kept.get(pk)}, a fold gives {fold(entries)}"


def stuck_are_named(books: Books, told: dict) -> Iterator[str]:
    """Yields orders that need somebody and are not in `stuck`, and orders in `stuck` that need nobody.

    `told` is `stuck` by number.
    """
    failed = what_stopped(books)
    for order in books.orders.values():
        stopped = order.state in {S.HELD, S.FAILED, S.IN_PROGRESS, S.COMPENSATING}
        named = order.number in books.open_differences or (order.undo_asked_at and order.kind == Kind.ACTIVATION)
        if (stopped or named or books.causes[order.pk]) and order.number not in told:
            yield f"{order.number} is {order.state}, {sorted(books.causes[order.pk])}, and stuck does not name it"
        if order.number in told and not (stopped or named or books.causes[order.pk]):
            own = [row.step for row in failed if row.order_id == order.pk]
            waits = order.state in {S.SCHEDULED, S.WITHDRAWN}  # withdrawn changes on which others depend are sent
            if not own and not (waits and waits_for(books, order, failed)):
                yield f"{order.number} is {order.state}, and stuck names it: {told[order.number].reasons}"
    for number in books.open_differences - {order.number for order in books.orders.values()}:
        if number not in told:
            yield f"{number} is unknown here, and stuck does not name it"

"""Compares our billing records of one order with the big-data side's. Pure functions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from integrations.bigdata.billing_record_fields import CANCELLED, RecordFacts, record_members
from integrations.bigdata.record_lookup import clean_text, has_name, is_clean, is_name, partner_time
from orders.books.books import CREATE, DELETE, NOTHING, SETTLE, Discrepancy
from orders.rules.host_names import domain_key

NOT_BILLED, NOT_OURS, FIELDS, UNREADABLE = "not_billed", "not_ours", "fields", "unreadable"  # of Difference.Kind
LIVE_THERE, CANCELLED_THERE, MISSING = "live", "cancelled", "missing"
IDENTITY = ("jobId", "productId", "domain", "enterpriseId", "infoType")
MEMBERS = (
    *IDENTITY,
    "billingMethod",
    "businessType",
    "cancelStatus",
    "cancelTime",
    "createTime",
    "enterpriseName",
    "province",
)
MAX_VALUE_LENGTH = 300  # characters of a value that are stored


@dataclass(frozen=True)
class Ours:
    """A record of ours. `facts` is its target state at the partner. `accepted` has the partner's values that staff
    accepted."""

    pk: int
    state: str
    facts: RecordFacts
    accepted: Mapping[str, str] = field(default_factory=dict)


def compare_records(ours: Iterable[Ours], theirs: Iterable[object]) -> list[Discrepancy]:
    """Returns the differences between our records of an order and the big-data side's rows for its jobId.

    productId and domain (by its `domain_key`) identify a record. Members that we do not send are ignored. If a row
    can't be stored unchanged, or lacks productId or domain, it is a separate difference and does not affect other rows.
    """
    known = {_key(row.facts.product_id, row.facts.domain): row for row in ours}
    there, nameless = _by_key(theirs)
    found = []
    for key, row in known.items():
        found += _of_ours(row, there.pop(key, []))
    for rows in there.values():
        found += [_not_ours(row) for row in rows]
    return found + [_unreadable(None, row) for row in nameless]


def filled_in(ours: Iterable[Ours], theirs: Iterable[dict]) -> list[dict]:
    """Returns the rows that a person saw. If the partner did not show a member, our value is filled in, so that the
    member is no difference."""
    known = {
        _key(row.facts.product_id, row.facts.domain): record_members(replace(row.facts, accepted={}))
        for row in ours
        if row.facts.create_time and row.facts.cancel_time
    }
    return [known.get(_key(row["productId"], row["domain"]), {}) | row for row in theirs]


def unreadable_answer(text: str) -> Discrepancy:
    """Returns the difference for a response that is not a list of objects. Such a response shows no record's state."""
    return Discrepancy(
        kind=UNREADABLE,
        product_id="",
        domain="",
        ours="none",
        theirs=UNREADABLE,
        remedy=NOTHING,
        fields={"result": [None, _cut(text)]},
    )


def _by_key(theirs: Iterable[object]) -> tuple[dict, list[object]]:
    there: dict[tuple[str, str], list[dict]] = {}
    nameless = []
    for row in theirs:
        if isinstance(row, dict) and has_name(row):
            there.setdefault(_key(row["productId"], row["domain"]), []).append(row)
        else:
            nameless.append(row)
    return there, nameless


def _key(product_id: object, domain: object) -> tuple[str, str]:
    return str(product_id), domain_key(str(domain))


def _of_ours(ours: Ours, rows: list[dict]) -> list[Discrepancy]:
    """Returns the differences between our record and the partner's `rows` with the same key.

    A row with our spelling of the domain is preferred. All other rows are differences without a remedy.
    """
    rows = sorted(rows, key=lambda row: str(row["domain"]) == ours.facts.domain)
    theirs = rows.pop() if rows else None
    found = _settled(ours, theirs) if ours.state == "unknown" else [_differs(ours, theirs)]
    return [*filter(None, found), *(replace(_not_ours(row), remedy=NOTHING) for row in rows)]


def _settled(ours: Ours, theirs: dict | None) -> list[Discrepancy | None]:
    """Returns the differences of one of our records with unknown state. The first difference gives the record the state
    of the partner's row. The second compares the record in that state with the row, and is None if they are equal."""
    there = record_status(theirs)
    settled = _difference(FIELDS, SETTLE, ours, theirs)
    found: list[Discrepancy | None] = [settled]
    if theirs:
        facts, (created, ends) = ours.facts, settled.times
        facts = replace(facts, create_time=created or facts.create_time, cancel_time=ends or facts.cancel_time)
        facts = replace(facts, cancelled=there == CANCELLED_THERE)
        found.append(_differs(replace(ours, state=there, facts=facts), theirs))
    return found


def _differs(ours: Ours, theirs: dict | None) -> Discrepancy | None:
    there = record_status(theirs)
    wanted = ours.state if ours.state in {LIVE_THERE, CANCELLED_THERE} else MISSING
    if theirs and not _is_readable(theirs, ours.accepted):
        return _unreadable(ours, theirs, remedy=DELETE if wanted == MISSING else CREATE)
    if wanted == there:
        fields = _other_fields(ours, theirs) if theirs else {}
        return _difference(FIELDS, CREATE, ours, theirs, fields) if fields else None
    if wanted == MISSING:
        return _difference(NOT_OURS, DELETE, ours, theirs)
    if there == LIVE_THERE:
        return _difference(NOT_OURS, CREATE, ours, theirs)  # it is sent as cancelled
    return _difference(NOT_BILLED if wanted == LIVE_THERE else FIELDS, CREATE, ours, theirs)


def _is_readable(theirs: dict, accepted: Mapping[str, str] | None = None) -> bool:
    """Returns True if the row can be stored unchanged, apart from values that staff accepted."""
    if is_clean("".join([value for value in theirs.values() if isinstance(value, str)])):
        return True  # quick check, sufficient for nearly all rows
    spoilt = [name for name in MEMBERS if not is_clean(theirs.get(name))]
    return all(accepted and clean_text(theirs[name]) == accepted.get(name) for name in spoilt)


def record_status(theirs: dict | None) -> str:
    """Returns the state indicated by the partner's row, or by its absence: live, cancelled or missing."""
    if theirs is None:
        return MISSING
    return CANCELLED_THERE if str(theirs.get("cancelStatus")) == CANCELLED else LIVE_THERE


def _other_fields(ours: Ours, theirs: dict) -> dict:
    """Returns the fields that differ from our values, except those that staff accepted."""
    if not (ours.facts.create_time and ours.facts.cancel_time):
        return {}
    facts = replace(ours.facts, accepted={}) if ours.facts.accepted else ours.facts
    wanted = record_members(facts)
    wanted.pop("domain")  # part of the key: any spelling is correct
    return {
        name: [value, None if theirs.get(name) is None else _cut(theirs[name])]
        for name, value in wanted.items()
        if theirs.get(name) != value and clean_text(theirs.get(name)) not in {value, ours.accepted.get(name)}
    }


def _not_ours(theirs: dict) -> Discrepancy:
    return _difference(NOT_OURS, DELETE, None, theirs) if _is_readable(theirs) else _unreadable(None, theirs, DELETE)


def _unreadable(ours: Ours | None, theirs: object, remedy: str = NOTHING) -> Discrepancy:
    """Returns the difference for a row that can't be stored unchanged. Its key is stored as far as it is readable."""
    row = theirs if isinstance(theirs, dict) else {"domain": theirs}
    spoilt = {name: [None, _cut(row[name])] for name in MEMBERS if not is_clean(row.get(name))}
    return _difference(UNREADABLE, remedy, ours, row, spoilt)


def _cut(value: object) -> str:
    return clean_text(value)[:MAX_VALUE_LENGTH]


def _difference(
    kind: str, remedy: str, ours: Ours | None, theirs: dict | None, fields: dict | None = None
) -> Discrepancy:
    """Returns a difference. If a record must be deleted and its identity can't be repeated exactly, the remedy is
    NOTHING, because the partner deletes records only under its own spelling."""
    if remedy == DELETE and not all(is_name(theirs.get(name)) for name in IDENTITY):
        remedy = NOTHING
    return Discrepancy(
        kind=kind,
        product_id=ours.facts.product_id if ours else _cut(theirs.get("productId")),
        domain=ours.facts.domain if ours else _cut(theirs.get("domain")),
        ours=ours.state if ours else "none",
        theirs=record_status(theirs),
        remedy=remedy,
        record=ours.pk if ours else None,
        named={name: clean_text(theirs.get(name)) for name in IDENTITY} if theirs and remedy == DELETE else {},
        fields=fields or {},
        times=(partner_time(theirs.get("createTime")), partner_time(theirs.get("cancelTime")))
        if theirs
        else (None, None),
    )

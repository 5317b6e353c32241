"""Our billing records of one order held against the big-data side's. Pure: facts and answers in, differences out."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from integrations.bigdata.payload import CANCELLED, RecordFacts, product_infos

NOT_BILLED, NOT_OURS, FIELDS = "not_billed", "not_ours", "fields"  # as models.Difference.Kind has them
CREATE, DELETE, SETTLE = "create", "delete", "settle"
LIVE_THERE, CANCELLED_THERE, MISSING = "live", "cancelled", "missing"
IDENTITY = ("jobId", "productId", "domain", "enterpriseId", "infoType")


@dataclass(frozen=True)
class Ours:
    """A record of ours. `state`: to_send, live, cancelled, deleted or unknown; `facts`: as it shall be there."""

    pk: int
    state: str
    facts: RecordFacts


@dataclass(frozen=True)
class Found:
    """One difference. `ours` and `theirs` are words for a reader; `fields`: {name: [ours, theirs]}.

    `remedy`: `create` (send our record again, live or cancelled), `delete` (theirs, as `named` names it) or `settle`
    (ours was unknown and is now what `theirs` says). `record`: ours, if there is one.
    """

    kind: str
    product_id: str
    domain: str
    ours: str
    theirs: str
    remedy: str
    record: int | None = None
    named: dict = field(default_factory=dict)
    fields: dict = field(default_factory=dict)


def compare(ours: Iterable[Ours], theirs: Iterable[dict]) -> list[Found]:
    """What differs between our records of an order and the rows that the big-data side holds for its jobId.

    Records are told apart by productId and domain (in lower case). Members that we do not send are not looked at.
    """
    known = {_key(row.facts.product_id, row.facts.domain): row for row in ours}
    there = {_key(row.get("productId"), row.get("domain")): row for row in theirs}
    found = [_differs(row, there.get(key)) for key, row in known.items()]
    found += [_difference(NOT_OURS, DELETE, None, row) for key, row in there.items() if key not in known]
    return [one for one in found if one]


def _key(product_id: object, domain: object) -> tuple[str, str]:
    return str(product_id), str(domain).lower()


def _differs(ours: Ours, theirs: dict | None) -> Found | None:
    there = status(theirs)
    if ours.state == "unknown":
        return _difference(FIELDS, SETTLE, ours, theirs)
    wanted = ours.state if ours.state in {LIVE_THERE, CANCELLED_THERE} else MISSING
    if wanted == there:
        fields = _other_fields(ours.facts, theirs) if theirs else {}
        return _difference(FIELDS, CREATE, ours, theirs, fields) if fields else None
    if wanted == MISSING:
        return _difference(NOT_OURS, DELETE, ours, theirs)
    if there == LIVE_THERE:
        return _difference(NOT_OURS, CREATE, ours, theirs)  # to be cancelled there
    return _difference(NOT_BILLED if wanted == LIVE_THERE else FIELDS, CREATE, ours, theirs)


def status(theirs: dict | None) -> str:
    """What their row (or its absence) means: live, cancelled or missing."""
    if theirs is None:
        return MISSING
    return CANCELLED_THERE if str(theirs.get("cancelStatus")) == CANCELLED else LIVE_THERE


def _other_fields(facts: RecordFacts, theirs: dict) -> dict:
    if not (facts.create_time and facts.cancel_time):
        return {}
    wanted = product_infos([facts])["productInfos"][0]
    wanted.pop("domain")  # the key, in any letter case
    return {name: [value, theirs.get(name)] for name, value in wanted.items() if str(theirs.get(name)) != value}


def _difference(kind: str, remedy: str, ours: Ours | None, theirs: dict | None, fields: dict | None = None) -> Found:
    return Found(
        kind=kind,
        product_id=ours.facts.product_id if ours else str(theirs.get("productId")),
        domain=ours.facts.domain if ours else str(theirs.get("domain")),
        ours=ours.state if ours else "none",
        theirs=status(theirs),
        remedy=remedy,
        record=ours.pk if ours else None,
        named={name: str(theirs.get(name, "")) for name in IDENTITY} if theirs else {},
        fields=fields or {},
    )

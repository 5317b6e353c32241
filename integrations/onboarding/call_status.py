"""The status of each partner call (contract 7.3), for commands and pages: its proof, its hold and its last attempts."""

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.db.models import Max, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from integrations.partners.profile import NAMES
from orders.models import AffectedOrder, Attempt, KeptAnswer, PartnerHold, PartnerProof, Pause
from orders.outbox.outcome import DOUBTS, NOT_UNDERSTOOD
from orders.outbox.proven_calls import CALLS, asks_proof, proofs_in_force
from orders.pauses.paused_steps import holds_in_force, say_held, say_when
from orders.rules.steps import STEPS, call_name

ATTEMPTS_SEARCHED = 50_000  # the newest attempts are searched, because no index finds the last attempt of a call
NO_STATUS = [step for step in STEPS if call_name(step) in {"bigdata.query", "bigdata.traffic", "bpm.start"}]
"""Steps whose success is stored without an HTTP status. An attempt of any other step without a status sent nothing."""


@dataclass(frozen=True, kw_only=True)
class CallStatus:
    """The status of a call.

    `proofs` has an entry for each kind of step that needs a proof (contract 7.2): the proof, or None. `held` is the
    hold on these kinds. `paused` is a pause by staff. `accepted`, `refused` and `doubtful` are the last attempts with
    such a result.
    """

    name: str
    proofs: Mapping[str, PartnerProof | None]
    held: PartnerHold | None
    paused: Pause | None
    accepted: Attempt | None
    refused: Attempt | None
    doubtful: Attempt | None


def call_statuses() -> list[CallStatus]:
    """Returns the current status of all calls."""
    proofs = proofs_in_force() if asks_proof() else {}
    held = {row.partner: row for row in holds_in_force()}
    paused = {row.partner: row for row in Pause.objects.in_force(timezone.now())}
    last = _last_ids()
    attempts = Attempt.objects.select_related("dispatch__order").defer("dispatch__payload").in_bulk(last.values())
    found = []
    for name in NAMES:
        kinds = {kind: proof for kind, proof in proofs.items() if CALLS[kind] == name}
        partner = name.partition(".")[0]
        found.append(
            CallStatus(
                name=name,
                proofs=kinds,
                held=held.get(partner) if kinds else None,
                paused=paused.get(partner),
                accepted=attempts.get(last.get((name, Attempt.Outcome.OK.value), 0)),
                refused=attempts.get(last.get((name, Attempt.Outcome.REFUSED.value), 0)),
                doubtful=attempts.get(last.get((name, NOT_UNDERSTOOD), 0)),
            )
        )
    return found


def _last_ids() -> dict[tuple[str, str], int]:
    """Returns the id of the newest attempt, by (call, outcome). Attempts in doubt have the outcome NOT_UNDERSTOOD."""
    newest = Attempt.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    rows = Attempt.objects.filter(pk__gt=newest - ATTEMPTS_SEARCHED, dispatch__step__in=filter(call_name, STEPS))
    rows = rows.filter(Q(outcome=Attempt.Outcome.REFUSED) | Q(_answered(), outcome=Attempt.Outcome.OK)).order_by()
    found: dict[tuple[str, str], int] = {}
    for step, outcome, pk in rows.values_list("dispatch__step", "outcome").annotate(Max("pk")):
        found[call_name(step), outcome] = max(pk, found.get((call_name(step), outcome), 0))
    doubts = (
        doubtful_answers().filter(pk__gt=newest - ATTEMPTS_SEARCHED).order_by().values_list("call").annotate(Max("pk"))
    )
    return found | {(name, NOT_UNDERSTOOD): pk for name, pk in doubts}


def _answered() -> Q:
    return Q(http_status__isnull=False) | Q(dispatch__step__in=NO_STATUS)


def doubtful_answers() -> QuerySet:
    """Returns the answers that were not understood and the answers of steps in doubt, newest first. `incident` is the
    id of an incident in DOUBTS that affected the order at that time, or None."""
    troubles = AffectedOrder.objects.of_step(OuterRef("attempt__dispatch__step")).filter(
        Q(closed_at=None) | Q(closed_at__gte=OuterRef("at")),
        order=OuterRef("attempt__dispatch__order"),
        incident__code__in=DOUBTS,
    )
    rows = KeptAnswer.objects.annotate(incident=Subquery(troubles.order_by("-pk").values("incident")[:1]))
    return rows.filter(Q(read=NOT_UNDERSTOOD) | Q(incident__isnull=False)).order_by("-pk")


def lines_of_status(row: CallStatus) -> Iterator[str]:
    """Yields the lines that describe a call's status, for engineers."""
    proofs = [f"{kind}: {_proven(proof)}" for kind, proof in row.proofs.items()]
    yield f"  proven   {'; '.join(proofs) or 'not asked'}"
    for word in ("accepted", "refused", "doubtful"):
        yield f"  last {word:9}{_answer_line(getattr(row, word))}"
    held = f"{say_held(row.held)}; `resume {row.held.partner}` ends it" if row.held else "no"
    yield f"  held     {held}{f'; {row.paused.partner} is paused {say_when(row.paused)}' if row.paused else ''}"


def _proven(proof: PartnerProof | None) -> str:
    if proof is None:
        return "not yet"
    return f"since {_second(proof.proven_at)} by {f'order {proof.order}' if proof.order else 'what an upgrade found'}"


def _answer_line(attempt: Attempt | None) -> str:
    if attempt is None:
        return f"none of the last {ATTEMPTS_SEARCHED} attempts"
    said = f" ({attempt.error_code})" if attempt.error_code else ""
    about = f"{attempt.dispatch.order.number} {attempt.dispatch.step}, attempt {attempt.number}"
    return f"{_second(attempt.finished_at or attempt.started_at)} {about}{said}"


def _second(at: datetime.datetime) -> str:
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M:%S}"

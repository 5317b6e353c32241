"""How each call of a partner stands: proven, held, and its last answers (contract 7.3). For commands and pages."""

from collections.abc import Mapping
from dataclasses import dataclass

from integrations.partners.calls import Call, call_of
from integrations.partners.profile import NAMES
from orders.models import Attempt, KeptAnswer, PartnerHold, PartnerProof
from orders.queries.pauses import holds_in_force
from orders.services.outbox.proof import CALLS, PARTNER_OF, proofs_in_force
from orders.steps import STEPS, call_name

Result = Attempt.Outcome


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One call. `proofs`: by the kinds of step that ask it for proof, what proved them; None: nothing yet. `held`: the
    hold that keeps these kinds back. The last attempts of the call that were accepted, refused and in doubt."""

    call: Call
    proofs: Mapping[str, PartnerProof | None]
    held: PartnerHold | None
    accepted: Attempt | None
    refused: Attempt | None
    doubtful: Attempt | None


def standings() -> list[Standing]:
    """All calls, as they stand now."""
    proofs, held = proofs_in_force(), {row.partner: row for row in holds_in_force()}
    return [_standing(name, proofs, held) for name in NAMES]


def _standing(name: str, proofs: Mapping[str, PartnerProof | None], held: Mapping[str, PartnerHold]) -> Standing:
    kinds = [kind for kind, call in CALLS.items() if call == name]
    tries = Attempt.objects.filter(dispatch__step__in=[step for step in STEPS if call_name(step) == name])
    tries = tries.select_related("dispatch__order").order_by("-pk")
    return Standing(
        call=call_of(name),
        proofs={kind: proofs[kind] for kind in kinds},
        held=held.get(PARTNER_OF[kinds[0]]) if kinds else None,
        accepted=tries.filter(outcome=Result.OK).first(),
        refused=tries.filter(outcome=Result.REFUSED).first(),
        doubtful=tries.filter(outcome=Result.NOT_UNDERSTOOD).first(),
    )


def last_doubtful(number: int = 20) -> list[KeptAnswer]:
    """The newest answers that were refused by a step that asks for proof, or not understood, as they came."""
    return list(KeptAnswer.objects.select_related("attempt__dispatch__order").order_by("-pk")[:number])

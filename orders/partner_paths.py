"""Where the partners are called, below their base addresses (contract 3.3, 3.4). Pure."""

from orders.steps import STEPS, Channel, Effect, Step

PRODUCT_INFOS = "/productInfos"
DELETE_PRODUCT_INFOS = "/productInfos/delete"
QUERY_PRODUCT_INFOS = "/productInfos/query"
QUERY_TRIAL_FLOW = "/trialFlow/query"
START_FLOW = "/flows/start"
BY_STEP = {Step.FETCH_USAGE: QUERY_TRIAL_FLOW, Step.START_BPM: START_FLOW}
BY_EFFECT = {
    Effect.DELETE: DELETE_PRODUCT_INFOS,
    Effect.VERIFY: QUERY_PRODUCT_INFOS,
    Effect.ASK: QUERY_PRODUCT_INFOS,
}


def path_of(step: str) -> str:
    """Where a step's payload goes first; empty for steps that call neither partner."""
    kind = STEPS[step]
    if kind.channel == Channel.BILLING:
        return BY_EFFECT.get(kind.effect, PRODUCT_INFOS)
    return BY_STEP.get(kind.name, "")

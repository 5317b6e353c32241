"""The fixes of contract 7.2 for `bite`: doubtful steps, kept answers, proofs, runs of refusals, `repeats = "ask"`."""

import datetime
from dataclasses import replace

from tests.model.mends import Mend, put

NOTICED_BY = {
    "7.2 doubt undoes its order": "an_answer_that_nobody_understands_undoes_nothing",
    "7.2 what is not understood is no doubt": "an_answer_that_nobody_understands_undoes_nothing",
    "7.2 a start without an answer is no doubt": "a_start_without_an_answer_is_not_undone",
    "7.2 a refusal after a silence is no doubt": "a_start_without_an_answer_is_not_undone",
    "7.2 doubt is definite": "an_answer_that_nobody_understands_undoes_nothing",
    "7.2 doubt has not acted": "an_answer_that_nobody_understands_undoes_nothing",
    "7.2 what is not understood ends at once": "an_answer_that_nobody_understands_undoes_nothing",
    "7.2 an unproven call is tried again": "what_is_not_understood_at_an_unproven_call_ends_at_once_and_holds",
    "7.2 a refusal after a silence is not looked up": "a_billing_step_refused_after_a_silence_is_looked_up",
    "7.2 no bytes are kept": "resend_reads_first_too",
    "7.2 resend does not read": "resend_reads_first_too",
    "7.2 resume does not read": "a_success_in_other_words_ends_the_step_without_a_call",
    "7.2 what is read again proves nothing": "a_success_in_other_words_ends_the_step_without_a_call",
    "7.2 what was undone is not read again": "an_order_that_was_undone_before_keeps_the_key_of_its_start",
    "7.2 nothing asks for proof": "the_first_refusal_of_a_start_is_doubtful_and_holds",
    "7.2 trust asks for proof": "trust_asks_for_no_proof",
    "7.2 a refusal proves": "the_first_refusal_of_a_start_is_doubtful_and_holds",
    "7.2 other rules are proven too": "other_rules_are_proven_anew",
    "7.2 other steps ask for proof": "",
    "7.2 many of an unproven kind are in the air": "one_of_an_unproven_kind_is_in_the_air",
    "7.2 doubt holds nothing": "the_first_refusal_of_a_start_is_doubtful_and_holds",
    "7.2 what is held goes out": "the_first_refusal_of_a_start_is_doubtful_and_holds",
    "7.2 a success ends no hold": "resend_reads_first_too",
    "7.2 resume ends no hold": "the_first_refusal_of_a_start_is_doubtful_and_holds",
    "7.2 no run is counted": "the_third_refusal_in_the_same_words_undoes_nothing",
    "7.2 one order is a run": "one_order_alone_is_no_run",
    "7.2 a run has no end": "refusals_with_a_success_between_or_far_apart_are_no_run",
    "7.2 a run over days": "refusals_with_a_success_between_or_far_apart_are_no_run",
    "7.2 ask tries a start again": "what_may_have_acted_is_not_repeated",
    "7.2 ask repeats a lost start": "a_lost_attempt_is_not_repeated",
    "7.2 ask repeats by another road": "what_may_have_acted_is_not_repeated_by_another_road_either",
    "7.2 ask lets people repeat": "what_may_have_acted_is_not_repeated",
    "7.2 a start is a probe": "a_start_is_no_probe_until_bpm_can_be_reached",
    "7.2 --new keeps an order's key": "a_compensated_order_is_opened_with_a_new_key",
    "7.2 --new does not look": "a_billing_step_goes_out_anew_only_where_nothing_is_there",
    "7.2 --new without doubt": "bpm_did_nothing",
    "7.2 a callback settles no doubt": "any_callback_settles_a_start_in_doubt",
    "7.2 take leaves no incident": "bpm_has_the_process",
    "7.2 the incident has no lines": "the_incident_has_the_lines_that_decide",
}
"""By fix: a test of `tests/flows/test_doubts.py` that fails without the fix. `test_` is omitted. One fix has no
test."""


def doubts() -> dict[str, Mend]:
    """Returns the fixes by name.

    Each name describes the wrong behaviour without the fix. Requires that Django is set up.
    """
    from integrations.delivery import loop
    from orders.actions import take
    from orders.bpm import received_decisions
    from orders.models import Dispatch, KeptAnswer, PartnerHold, PartnerProof
    from orders.outbox import leases, proven_calls
    from orders.outbox.outcome import DOUBTS, NOT_UNDERSTOOD, UNANSWERED
    from orders.pauses import pause_and_resume
    from orders.rules.steps import Step
    from orders.sending import claim, record, reread_answers, resend
    from orders.undoing import after_failed_step

    doubt_of, settle_row, note_proofs, gate = record._doubt_of, record._settle_row, record.note_proofs, claim.gate
    work_of, end_again, hash_of = claim._work, reread_answers.record_read_again, proven_calls.hash_of

    def no_doubt(code, result=""):
        def doubt(row, outcome):
            found = doubt_of(row, outcome)
            return "" if found == code and result in {"", outcome.result} else found

        return put("_doubt_of", doubt, record)

    def settled(**values):
        def settle(row, outcome, now, *, fits):
            settle_row(row, outcome, now, fits=fits)
            if row.error_code in DOUBTS:
                for name, value in values.items():
                    setattr(row, name, value)

        return put("_settle_row", settle, record)

    def read_as(place, **values):
        return put(
            "record_read_again", lambda row, outcome, **by: end_again(row, replace(outcome, **values), **by), place
        )

    def prove_by_any(rows, outcomes, **when):
        told = dict(outcomes)
        for row in rows:
            kind = proven_calls.kind_of(row)
            if kind and told[row.pk].read == "refused":
                told[row.pk] = replace(told[row.pk], read="success", rules=hash_of(kind))
        note_proofs(rows, told, **when)

    def all_go(*, now):
        may_go = gate(now=now)
        flying = {kind for kind in may_go.shut if proven_calls.PARTNER_OF[kind] not in held_partners()}
        return replace(may_go, shut=may_go.shut - flying, single=())

    def held_partners():
        return set(PartnerHold.objects.filter(ended_at=None).values_list("partner", flat=True))

    def held_go(*, now):
        may_go = gate(now=now)
        freed = {kind for kind in may_go.shut if proven_calls.PARTNER_OF[kind] in held_partners()}
        return replace(may_go, shut=may_go.shut - freed, single=(*may_go.single, *freed))

    def refused(kind, outcome):
        return KeptAnswer.objects.filter(kind=kind, said=outcome.code[:32], read="refused")

    def anew(row, order):
        return resend.Judgement(order.number, row.step, resend.NEW, dispatch_id=row.pk, anew=True)

    def not_never(place):
        return put("is_never_repeated", lambda step: False, place)

    nothing, none = lambda *ignored, **also: None, lambda *ignored, **also: []  # noqa: E731
    ends_at_once, never = record._ends_at_once, record.is_never_repeated
    found = {
        "7.2 doubt undoes its order": put(
            "NOT_COMPENSATED", after_failed_step.NOT_COMPENSATED - DOUBTS, after_failed_step
        ),
        "7.2 what is not understood is no doubt": no_doubt(NOT_UNDERSTOOD),
        "7.2 a start without an answer is no doubt": no_doubt(UNANSWERED),
        "7.2 a refusal after a silence is no doubt": no_doubt(UNANSWERED, "refused"),
        "7.2 doubt is definite": settled(definite=True),
        "7.2 doubt has not acted": settled(may_have_acted=False),
        "7.2 what is not understood ends at once": put(
            "_ends_at_once", lambda row, outcome: outcome.not_understood or ends_at_once(row, outcome), record
        ),
        "7.2 an unproven call is tried again": put(
            "_ends_at_once", lambda row, outcome: outcome.unknown and never(row.step), record
        ),
        "7.2 a refusal after a silence is not looked up": put(
            "_work", lambda row, attempt, **how: replace(work_of(row, attempt, **how), unsure=False), claim
        ),
        "7.2 no bytes are kept": put("keep_answer", nothing, record),
        "7.2 resend does not read": put("end_by_reading", lambda row, **by: False, resend),
        "7.2 resume does not read": put("read_partner_again", none, reread_answers),
        "7.2 what is read again proves nothing": read_as(reread_answers, rules=""),
        "7.2 what was undone is not read again": put("note_begun", nothing, resend),
        "7.2 nothing asks for proof": put("asks_proof", lambda: False, proven_calls, record),
        "7.2 trust asks for proof": put("asks_proof", lambda: True, proven_calls, record),
        "7.2 a refusal proves": put("note_proofs", prove_by_any, record),
        "7.2 other rules are proven too": put(
            "is_proven", lambda kind: PartnerProof.objects.filter(kind=kind).exists(), proven_calls, record
        ),
        "7.2 other steps ask for proof": put(
            "BY_STEP", proven_calls.BY_STEP | {Step.EXTEND_TRIAL: proven_calls.CREATE}, proven_calls
        ),
        "7.2 many of an unproven kind are in the air": put("gate", all_go, claim),
        "7.2 doubt holds nothing": put("hold", nothing, record),
        "7.2 what is held goes out": put("gate", held_go, claim),
        "7.2 a success ends no hold": put("end_holds", none, proven_calls),
        "7.2 resume ends no hold": put("end_holds", none, pause_and_resume),
        "7.2 no run is counted": put("is_in_run", lambda kind, outcome: False, record),
        "7.2 one order is a run": put("is_in_run", lambda kind, outcome: refused(kind, outcome).count() > 1, record),
        "7.2 a run has no end": put("_newest_accepted", lambda kind: 0, proven_calls),
        "7.2 a run over days": put("A_DAY", datetime.timedelta(days=999), proven_calls),
        "7.2 ask tries a start again": not_never(record),
        "7.2 ask repeats a lost start": not_never(leases),
        "7.2 ask repeats by another road": put("hold_unanswered", lambda *, now: 0, claim),
        "7.2 ask lets people repeat": not_never(resend),
        "7.2 a start is a probe": put("_may_send_one", lambda partner: True, loop),
        "7.2 --new keeps an order's key": put("bpm_acts", lambda order: Dispatch.objects.none(), resend),
        "7.2 --new does not look": put("_is_there", lambda row, order: False, resend),
        "7.2 --new without doubt": put("_judge_anew", anew, resend),
        "7.2 a callback settles no doubt": put("_start_in_doubt", nothing, received_decisions),
        "7.2 take leaves no incident": read_as(take, result="ok"),
        "7.2 the incident has no lines": put("say_doubt", lambda row, outcome: {}, record),
    }
    named = {name: f"test_doubts.py::test_{test}" if test else "" for name, test in NOTICED_BY.items()}
    return {name: Mend(patch, named[name]) for name, patch in found.items()}

"""The table of steps: each name of a step or of a mail has a label, and each step has a row and code that runs it."""

import pytest
from django.utils.translation import override

from integrations.delivery.channels import CHANNELS
from orders.mails.mail_reasons import EVENTS
from orders.models import BillingRecord, Dispatch
from orders.rules.steps import PARTNERS, RECORD_STATE_AFTER, STEPS, Channel, Effect, Phase, Step, channels_of, named


@pytest.mark.parametrize("step", Dispatch.Step)
def test_every_step_has_a_row_and_words(step):
    assert step in STEPS or step in EVENTS
    with override("zh-hans"):
        assert any(ord(letter) > 0x2E80 for letter in str(step.label))


def test_no_row_is_of_an_unknown_step():
    assert sorted([*STEPS, *EVENTS]) == sorted(Dispatch.Step.values)


def test_every_channel_has_a_partner_and_somebody_who_carries_its_steps_out():
    assert set(PARTNERS) == {*CHANNELS, Channel.MAIL} == set(Channel)


def test_what_steps_leave_is_a_state_of_a_billing_record():
    assert set(RECORD_STATE_AFTER.values()) <= set(BillingRecord.State.values)


@pytest.mark.parametrize("kind", STEPS.values(), ids=list(STEPS))
def test_only_billing_steps_touch_records(kind):
    touches = kind.effect not in {Effect.NONE, Effect.ASK}
    assert (
        not (touches or kind.serialised_per_trial or kind.record_state_after or kind.fix)
        or kind.channel == Channel.BILLING
    )


@pytest.mark.parametrize("kind", [kind for kind in STEPS.values() if kind.undone_by], ids=lambda kind: kind.name)
def test_what_undoes_a_step_is_a_step(kind):
    assert {STEPS[name].channel for name in kind.undone_by} == {Channel.BILLING}


def test_the_sets_that_the_contract_names():
    """The sets of steps in contract 3.5 (idempotency keys) and 3.9 (Compensation's reach)."""
    assert named(derived_key=True) == [
        Step.CREATE_TRIAL,
        Step.CANCEL_TRIAL,
        Step.EXTEND_TRIAL,
        Step.CREATE_BILLING,
        Step.START_BPM,
        Step.CANCEL_BILLING,
    ]
    assert set(named(compensated=True)) == {Step.CREATE_BILLING, Step.CANCEL_TRIAL, Step.START_BPM}
    assert set(named(effect=Effect.ASK)) == {Step.ASK_BILLING, Step.FETCH_USAGE}
    assert channels_of("bigdata") == [Channel.BILLING, Channel.USAGE]


def test_phases_leave_room_for_each_other():
    assert sorted(Phase) == [Phase.FIX, Phase.PLAN, Phase.UNDO, Phase.AFTER]

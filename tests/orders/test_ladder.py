"""Every state of an order gives a ladder (the stages on the order's page) that shows how far the order is. No test
here uses a database.
"""

import datetime

import pytest
from django.utils.formats import date_format
from django.utils.translation import override

from orders.incidents.order_warnings import Marks, Open
from orders.models import Dispatch, Order
from orders.order_words.ladder.ladder import build_ladder, current
from orders.order_words.ladder.step_stages import Facts, Trouble
from orders.texts.incident_texts import UNKNOWN
from tests.factories import NOW

S, H = Order.State, Order.Held
DAY = datetime.timedelta(days=1)
KEYS = ["received", "stored", "files", "billing", "bpm", "approval", "start", "live"]


def stage_of(stages, key):
    return next(stage for stage in stages if stage.key == key)


def step(name, state="done", **fields):
    channel = {"check_files": "files", "start_bpm": "bpm"}.get(name, "billing")
    done_at = NOW if state == "done" else None
    base = {"step": name, "channel": channel, "state": state, "blocking": True, "attempts": 1, "done_at": done_at}
    return Dispatch(**(base | fields))


def order(state, kind="activation", **fields):
    base = {"kind": kind, "state": state, "received_at": NOW, "planned_at": NOW, "biz_start": NOW.date()}
    if kind == "activation":
        base["first"] = True
    return Order(**(base | fields))


def first_plan(billing="done", bpm="done"):
    return [
        step("cancel_trial_billing", position=2),
        step("create_billing", billing, position=3),
        step("start_bpm", bpm, position=4),
    ]


def ladder(one, steps=(), **facts):
    return build_ladder(Facts(order=one, steps=list(steps), now=NOW, **facts))


def by_key(stages):
    return {stage.key: stage for stage in stages}


LATER = {"start_at": NOW + 10 * DAY, "biz_start": (NOW + 10 * DAY).date()}
SUBSEQUENT = {"first": False}
LATE_BILLING = [step("start_bpm", position=1), step("create_billing", "waiting", gate="approval", position=3)]
CANCEL_LATER = step("cancel_trial_billing", "waiting", gate="start", position=5)
UNDONE = {"undo_since": NOW}
GONE = [step("delete_billing", undo=True, records=[1, 2]), step("restore_trial_billing", undo=True, records=[3])]

# for each row: id, order, steps, and of the current stage its name, tone and action
TABLE = [
    ("trial under way", order(S.IN_PROGRESS, "trial"), [step("create_trial_billing", "due")], "billing", "blue", ""),
    ("trial running", order(S.TRIALING, "trial"), [step("create_trial_billing")], "live", "green", ""),
    ("trial converted", order(S.CONVERTED, "trial"), [step("create_trial_billing")], "live", "green", ""),
    ("trial ended", order(S.ENDED, "trial"), [step("create_trial_billing")], "live", "none", ""),
    ("trial failed", order(S.FAILED, "trial"), [step("create_trial_billing", "failed", error_code="code_400")],
     "billing", "red", "resend"),
    ("trial made before", order(S.FAILED, "trial"), [step("create_trial_billing", "failed", error_code="acted_before")],
     "billing", "red", "take"),
    ("trial given up", order(S.ENDED, "trial"), [step("create_trial_billing", "given_up")], "live", "none", ""),
    ("change given up", order(S.APPLIED, "change"),
     [step("cancel_trial_billing"), step("create_trial_billing", "given_up", position=2)], "live", "green", ""),
    ("trial withdrawn", order(S.WITHDRAWN, "trial", **UNDONE), [step("create_trial_billing", "undone")],
     "undo", "none", ""),
    ("trial without attribution", order(S.HELD, "trial", held_because=H.ATTRIBUTION_UNKNOWN, planned_at=None), [],
     "stored", "amber", "attribute"),
    ("change applied", order(S.APPLIED, "change"), [step("create_trial_billing")], "live", "green", ""),
    ("change in line", order(S.IN_PROGRESS, "change"), [step("cancel_trial_billing", "waiting", lane=1, position=1)],
     "billing", "blue", ""),
    ("change held", order(S.HELD, "change", held_because=H.CLAIM_HELD, planned_at=None), [], "stored", "amber", ""),
    ("sending", order(S.IN_PROGRESS), first_plan("sending", "waiting"), "billing", "blue", ""),
    ("retrying", order(S.IN_PROGRESS), first_plan("retrying", "waiting"), "billing", "amber", "resend"),
    ("trial unknown", order(S.HELD, held_because=H.TRIAL_UNKNOWN, planned_at=None), [], "stored", "amber", ""),
    ("trial closed", order(S.HELD, held_because=H.TRIAL_CLOSED, planned_at=None), [], "stored", "amber", "proceed"),
    ("change of a closed trial", order(S.HELD, "change", held_because=H.TRIAL_CLOSED, planned_at=None), [],
     "stored", "amber", "withdraw"),
    ("domains missing", order(S.HELD, held_because=H.DOMAINS_MISSING, planned_at=None), [],
     "stored", "amber", "name_domains"),
    ("files wrong", order(S.HELD, held_because=H.FILES, info_security="a.xlsx"),
     [step("check_files", "retrying", error_code="missing", position=1)], "files", "amber", "waive"),
    ("awaiting approval", order(S.AWAITING_APPROVAL, **SUBSEQUENT), LATE_BILLING, "approval", "violet", "push"),
    ("scheduled", order(S.SCHEDULED, **LATER), [*first_plan(), CANCEL_LATER], "start", "blue", "move_start"),
    ("start day come", order(S.SCHEDULED, start_at=NOW - DAY), [*first_plan(), CANCEL_LATER],
     "start", "blue", "activate"),
    ("start day failing", order(S.FAILED, start_at=NOW - DAY),
     [*first_plan(), step("cancel_trial_billing", "failed", gate="start", position=5)], "start", "red", "resend"),
    ("active", order(S.ACTIVE, live_at=NOW), first_plan(), "live", "green", ""),
    ("rejected", order(S.REJECTED, decision="reject", decided_at=NOW, **SUBSEQUENT, **UNDONE),
     [step("start_bpm"), step("create_billing", "closed", gate="approval", done_at=None)], "approval", "red", ""),
    ("failed and undone", order(S.FAILED, **UNDONE), [*first_plan("undone", "failed"), *GONE], "bpm", "red", "resend"),
    ("compensating", order(S.COMPENSATING, **UNDONE),
     [*first_plan("done", "failed"), step("delete_billing", "sending", undo=True, records=[1])], "undo", "blue", ""),
    ("compensation failed", order(S.COMPENSATING, **UNDONE),
     [*first_plan("done", "failed"), step("delete_billing", "failed", undo=True)], "undo", "red", "resend"),
    ("withdrawn", order(S.WITHDRAWN, **UNDONE), [*first_plan("undone"), *GONE], "undo", "none", ""),
]  # fmt: skip


@pytest.mark.parametrize("one, steps, key, tone, action", [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_where_it_stands(one, steps, key, tone, action):
    stages = ladder(one, steps)
    here = current(stages)
    assert (here.key, here.tone, here.action) == (key, tone, action)
    assert sum(stage.current for stage in stages) == 1
    assert all(str(stage.title) and str(stage.result) for stage in stages)
    if here.tone in {"red", "amber"}:
        assert str(here.cause.what)
        assert str(here.cause.next)
    else:
        assert str(here.note)


BOOKS = {
    "late_undo": "withdraw",
    "acted_before": "take",
    "difference": "fix",
    "process_differs": "accept",
    "billed_not_active": "accept",
    "change_built_upon": "accept",
}


@pytest.mark.parametrize("code", BOOKS)
@pytest.mark.parametrize(
    "one, key",
    [
        (order(S.ACTIVE, live_at=NOW), "live"),
        (order(S.TRIALING, "trial"), "live"),
        (order(S.WITHDRAWN, **UNDONE), "undo"),
        (order(S.REJECTED, **UNDONE), "undo"),
    ],
    ids=["active", "trialing", "withdrawn", "rejected"],
)
def test_what_only_the_books_end_is_not_shown_as_fine(one, key, code):
    stages = ladder(one, [], troubles=[Trouble(code=code, since=NOW)])
    stage = by_key(stages)[key]
    assert (stage.tone, stage.action, stage.code) == ("amber", BOOKS[code], code)
    assert current(stages).key == key
    assert str(stage.cause.what) != str(UNKNOWN.what)


@pytest.mark.parametrize("state", [S.ACTIVE, S.SCHEDULED, S.IN_PROGRESS, S.HELD, S.WITHDRAWN, S.COMPENSATING])
def test_nothing_is_green_while_a_difference_is_open(state):
    undone = {"undo_since": NOW} if state in {S.WITHDRAWN, S.COMPENSATING} else {}
    stages = ladder(order(state, live_at=NOW, **undone), first_plan(), open=Open(number=1, since=NOW))
    assert "green" not in {stage.tone for stage in stages}


def test_a_customer_who_is_served_and_not_billed_is_red():
    stages = ladder(order(S.ACTIVE, live_at=NOW), first_plan(), open=Open(number=2, unbilled=1, since=NOW))
    here = current(stages)
    assert (here.key, here.tone, here.action, here.at) == ("live", "red", "fix", NOW)


def test_what_only_bbosss_list_lacks_can_be_lived_with():
    stages = ladder(order(S.ACTIVE, live_at=NOW), first_plan(), open=Open(number=1, unlisted=1, since=NOW))
    assert (current(stages).tone, current(stages).action) == ("amber", "accept")


def test_one_behind_a_failed_order_names_it():
    other = step("create_trial_billing", "failed", error_code="code_400", done_at=NOW)
    other.order = order(S.FAILED, "trial", number="T1")
    steps = [step("cancel_trial_billing", "waiting", lane=1, position=2)]
    here = current(ladder(order(S.IN_PROGRESS), steps, behind=other))
    assert (here.key, here.tone, here.other.number) == ("billing", "amber", "T1")


def test_the_table_knows_every_state():
    assert {row[1].state for row in TABLE} == set(S)


def test_an_activation_has_eight_stages_in_this_order():
    assert [stage.key for stage in ladder(order(S.ACTIVE, live_at=NOW), first_plan())] == KEYS


def test_a_subsequent_one_is_billed_after_its_approval():
    keys = [stage.key for stage in ladder(order(S.AWAITING_APPROVAL, **SUBSEQUENT), LATE_BILLING)]
    assert keys == ["received", "stored", "files", "bpm", "approval", "billing", "start", "live"]


def test_a_trial_has_four():
    stages = ladder(order(S.TRIALING, "trial"), [step("create_trial_billing")])
    assert [stage.key for stage in stages] == ["received", "stored", "billing", "live"]


def test_an_undone_order_tells_what_went():
    stages = by_key(ladder(order(S.WITHDRAWN, **UNDONE), [*first_plan("undone"), *GONE]))
    assert "2" in str(stages["undo"].note)
    assert "1" in str(stages["undo"].note)


def test_a_retry_says_when_and_why():
    told = {"code": "partner_words", "words": "稍后再试"}
    row = step(
        "create_billing",
        "retrying",
        error_code="code_500",
        error="code 500",
        error_params=told,
        attempts=3,
        next_try_at=NOW + DAY,
    )
    stage = by_key(ladder(order(S.IN_PROGRESS), [row]))["billing"]
    assert (stage.tries, stage.next_try, stage.code, stage.detail) == (3, NOW + DAY, "code_500", "稍后再试")


def test_a_partner_that_is_down_offers_no_button():
    stage = by_key(ladder(order(S.IN_PROGRESS), first_plan("retrying", "waiting"), shut={"bigdata"}))["billing"]
    assert (stage.tone, stage.action) == ("amber", "")
    assert stage.next_try is None


def test_a_finding_is_told_by_its_own_code():
    trouble = Trouble(code="encrypted", step="check_files", partner="files", detail="a.xlsx: locked", since=NOW)
    one = order(S.HELD, held_because=H.FILES, info_security="a.xlsx")
    stage = current(ladder(one, [step("check_files", "retrying", error_code="encrypted")], troubles=[trouble]))
    assert (stage.code, stage.detail) == ("encrypted", "a.xlsx")


def test_bpm_deciding_twice_shows_on_the_approval():
    one = order(S.ACTIVE, live_at=NOW, decision="pass", decided_at=NOW, **SUBSEQUENT)
    stages = ladder(one, first_plan(), troubles=[Trouble(code="second", step="approval", partner="bpm")])
    assert (current(stages).key, current(stages).tone) == ("approval", "amber")


@pytest.mark.parametrize("attempts, note", [(0, "It was never begun"), (1, "It was under way when")])
def test_a_closed_step_says_whether_it_was_begun(attempts, note):
    """A call to BPM may be under way when its order is withdrawn. Its step is then closed, whatever the answer is."""
    steps = [*first_plan()[:2], step("start_bpm", "closed", position=4, attempts=attempts, done_at=None)]
    stage = by_key(ladder(order(S.WITHDRAWN, **UNDONE), steps))["bpm"]
    with override("en"):
        assert str(stage.note).startswith(note)


def test_the_start_day_of_an_order_without_a_plan_is_the_one_it_names():
    """The ladder shows the start day from the message. Only planning decides whether the day is in the future."""
    held = order(S.HELD, held_because=H.TRIAL_UNKNOWN, planned_at=None, biz_start=(NOW + 5 * DAY).date())
    assert stage_of(ladder(held, []), "start").result == date_format(held.biz_start, "n-j")


@pytest.mark.parametrize(
    "one, steps, icon",
    [
        (order(S.REJECTED, decision="reject", decided_at=NOW, **SUBSEQUENT, **UNDONE), [step("start_bpm")], "dash"),
        (order(S.FAILED, **UNDONE), first_plan("failed", "closed"), "dash"),
        (order(S.WITHDRAWN, "trial", **UNDONE), [step("create_trial_billing", "undone")], "undo"),
        (order(S.WITHDRAWN, "trial", **UNDONE), [step("create_trial_billing", "closed")], "dash"),
    ],
)
def test_what_was_taken_back_is_not_still_to_come(one, steps, icon):
    assert stage_of(ladder(one, steps), "live").icon == icon


def test_a_trial_beside_a_stopped_change_is_not_shown_as_fine():
    change = order(S.FAILED, "change", number="C0")
    trouble = Trouble(code="code_400", step="create_trial_billing", partner="bigdata", since=NOW, beside=True)
    facts = {"troubles": [trouble], "beside": change, "marks": Marks("code_400")}
    here = current(ladder(order(S.TRIALING, "trial"), [step("create_trial_billing")], **facts))
    assert (here.key, here.tone, here.other, here.code) == ("live", "amber", change, "code_400")


@pytest.mark.parametrize(
    "one, marks, tone",
    [
        (order(S.ACTIVE, live_at=NOW), Marks("code_503"), "amber"),
        (order(S.ACTIVE, live_at=NOW), Marks(behind=True), "amber"),
        (order(S.WITHDRAWN, **UNDONE), Marks("billed_not_active"), "amber"),
        (order(S.FAILED, **UNDONE), Marks(), "red"),
        (order(S.ACTIVE, live_at=NOW), Marks(), "green"),
    ],
)
def test_what_is_not_fine_is_never_all_green(one, marks, tone):
    """The warnings of orders.incidents.order_warnings decide whether an order is shown as fine, whatever its stages
    show.
    """
    here = current(ladder(one, first_plan(), marks=marks))
    assert here.tone == tone
    assert here.tone == "green" or str(here.cause.what)


def test_a_reject_that_staff_let_stand_is_not_red():
    one = order(S.ACTIVE, live_at=NOW, decision="reject", decided_at=NOW)
    assert stage_of(ladder(one, first_plan()), "approval").tone == "none"
    one.undo_asked_at = NOW  # nobody has decided about the rejection yet
    assert stage_of(ladder(one, first_plan()), "approval").tone == "red"


@pytest.mark.parametrize(
    "steps, told",
    [
        ([], "Nothing had reached the big-data side, so nothing had to be undone."),
        ([step("cancel_trial_billing", undo=True, records=[])], "Nothing had to be taken back at the big-data side."),
        (GONE, "2 billing records deleted; 1 trial record restored"),
        (
            [step("cancel_billing", undo=True, records=[1])],
            "1 billing record cancelled from then on; what was used before is billed",
        ),
        ([step("delete_billing", "given_up", undo=True, records=[1])], "given up, not done: Delete commercial records"),
        (
            [step("restore_trial_billing", undo=True, records=[1], about={"settled": True})],
            "given up, and nothing of it is left to do: Restore trial records",
        ),
        (
            [step("delete_billing", "given_up", undo=True, records=[1], about={"settled": True, "accepted": True})],
            "given up, left as it is: Delete commercial records",
        ),
    ],
)
def test_what_an_undoing_did_is_told_and_not_what_it_planned(steps, told):
    with override("en"):
        assert str(stage_of(ladder(order(S.WITHDRAWN, **UNDONE), steps), "undo").note) == told


@pytest.mark.parametrize(
    "over, told",
    [
        ("last_day", "The trial's last day has passed."),
        ("no_domain", "No domain is left on trial."),
        ("", "The trial has ended."),
    ],
)
def test_why_a_trial_has_ended_is_told(over, told):
    with override("en"):
        stage = stage_of(ladder(order(S.ENDED, "trial"), [step("create_trial_billing")], over=over), "live")
        assert str(stage.note) == told


def test_a_failed_step_that_matters_no_more_is_not_red():
    steps = [step("create_billing", "failed", position=3, error_code="timeout")]
    assert stage_of(ladder(order(S.WITHDRAWN, **UNDONE), steps), "billing").tone == "grey"

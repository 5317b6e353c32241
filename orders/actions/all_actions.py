"""All staff actions on an order, in the sequence of the menu, and all staff actions on many rows. The actions on
incidents are in incident_acts.py."""

from collections.abc import Callable

from orders.actions.action import Action
from orders.actions.approval_acts import PASS, PUSH, REJECT
from orders.actions.book_acts import ACCEPT, COMPARE, FIX, TAKE
from orders.actions.bulk_action import Bulk
from orders.actions.erase_act import ERASE
from orders.actions.hold_acts import ATTRIBUTE, MOVE_ATTRIBUTION, NAME_DOMAINS, PROCEED, WAIVE
from orders.actions.manual_look_up import LOOK_UP_BY_HAND
from orders.actions.note_acts import NOTE, REMIND, SEE_CONFLICT
from orders.actions.owner_acts import HAND_OVER, TAKE_INCIDENTS
from orders.actions.start_day_acts import ACTIVATE, MOVE_END, MOVE_START
from orders.actions.step_acts import GIVE_UP, RESEND, USAGE
from orders.actions.undo_acts import CALL_OFF, COMPENSATE, WITHDRAW
from orders.models import AskedAct
from orders.order_words.ladder.step_stages import Facts

DECISIONS: dict[str, Action] = {
    row.key: row
    for row in (
        RESEND,
        WAIVE,
        ATTRIBUTE,
        ACTIVATE,
        MOVE_START,
        MOVE_END,
        MOVE_ATTRIBUTION,
        CALL_OFF,
        USAGE,
        PUSH,
        NOTE,
        REMIND,
        COMPENSATE,
        WITHDRAW,
        PROCEED,
        NAME_DOMAINS,
        LOOK_UP_BY_HAND,
        TAKE,
        FIX,
        COMPARE,
        GIVE_UP,
        ACCEPT,
        SEE_CONFLICT,
        PASS,
        REJECT,
        ERASE,
    )
}
"""Actions on an order's page by key, as in URLs and in `AskedAct.decision`."""
BULK_ACTS: dict[str, Bulk] = {
    row.bulk.key: row.bulk for row in (*DECISIONS.values(), TAKE_INCIDENTS, *HAND_OVER) if row.bulk
}
"""Bulk actions by key, as in `BulkRun.act` and in URLs."""


def label_of(row: AskedAct) -> str:
    """Returns the label of the action's button. If another version asked for the action, it may be unknown here."""
    return str(DECISIONS[row.decision].label if row.decision in DECISIONS else row.get_act_display())


def offered_decisions(facts: Facts, has_perm: Callable[[str], bool]) -> list[Action]:
    return [row for row in DECISIONS.values() if has_perm(row.permission) and not row.why_not(facts)]

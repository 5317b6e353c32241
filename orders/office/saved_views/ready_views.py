"""Built-in views of lists, for every reader. They are part of the code, so that they change together with their
filters."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from orders.lists.chosen_columns import LAST_DAY
from orders.models import Dispatch, Order


@dataclass(frozen=True)
class ReadyView:
    """A built-in view. `key` identifies it in URLs. Without `columns` it shows the default columns."""

    key: str
    name: str | Promise
    query: str
    columns: tuple[str, ...] = ()


LONGEST_FIRST = "o=since"
WAITING = (
    "number",
    "kind",
    "customer",
    "attribution_name",
    "state_chip",
    "stuck_at",
    "owner_name",
    "since",
    "waited",
    "start_day",
)
ENDING = ("number", "customer", "attribution_name", "service_name", "state_chip", LAST_DAY, "start_day")
READY = {
    "orders": [
        ReadyView("needs", _("To be dealt with"), f"needs=somebody&{LONGEST_FIRST}", WAITING),
        ReadyView("mine", _("Mine"), f"owner=me&{LONGEST_FIRST}", WAITING),
        ReadyView(
            "approval",
            _("Awaiting approval for 3 days"),
            f"in_state=3d&state__exact={Order.State.AWAITING_APPROVAL}&{LONGEST_FIRST}",
            WAITING,
        ),
        ReadyView("bpm", _("Stuck at BPM"), f"stuck={Dispatch.Channel.BPM}&{LONGEST_FIRST}", WAITING),
        ReadyView("today", _("Due to start today"), "start=starting"),
        ReadyView("ending", _("Trials that end within 7 days"), f"ends=7d&o={LAST_DAY}", ENDING),
    ],
    "incidents": [ReadyView("mine", _("Mine"), "owner=me")],
    "differences": [ReadyView("mine", _("Mine"), "owner=me")],
}
"""{list name: its built-in views}. tests/office/test_views.py checks that each query is valid for its list."""

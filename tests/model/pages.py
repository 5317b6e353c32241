"""Checks the views of a desk at rest, and presses buttons of the orders' pages at any time.

Page, `show`, API, lists and the customer's page must agree with `stuck`, the list of orders that need somebody. Every
button that a page offers must work.
"""

import datetime
import json
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from io import StringIO

from django.core.management import call_command
from django.db import transaction
from django.forms import Field
from django.utils import timezone
from rest_framework.test import APIRequestFactory, force_authenticate

from integrations.api.authentication import Reader
from integrations.api.views import OrdersView, OrderView
from integrations.models import ApiToken
from orders.actions.action import Action
from orders.actions.all_actions import DECISIONS, offered_decisions
from orders.actions.run_action import ChangedMeanwhileError, carry_out
from orders.books.books import BooksSilentError
from orders.customer_page.billed_now import billed_lines, lines_of, records_of
from orders.incidents.incident_codes import PARTNERS_OWN
from orders.incidents.order_warnings import mark_orders
from orders.lists.chips import chip_of
from orders.models import BillingRecord, Order
from orders.order_words.ladder.ladder import build_ladder
from orders.order_words.ladder.step_stages import Facts
from orders.order_words.order_facts import facts_of, last_event
from orders.people.owned_work import set_owners
from orders.texts.errors import OrderError
from tests.model.acts import act
from tests.model.shown import only_what_was_shown

S = Order.State
ASIDE = ("mail_", "fetch_usage")
NOT_FINE = {"red", "amber"}
CHIPS_NOT_FINE = tuple(f"chip-{tone}" for tone in NOT_FINE)
SAYS_SO = {S.HELD, S.FAILED, S.REJECTED}  # states that already show that something is wrong
SERVES = {S.IN_PROGRESS, S.AWAITING_APPROVAL, S.SCHEDULED, S.ACTIVE, S.TRIALING}
WHY = {"by": "staff:model", "reason": "the model"}
CHANGES_NOTHING = {"note", "usage", "conflict"}
TYPED = {"domains": ["c.example.com"], "newest": [1], "day": [datetime.date(2024, 12, 24)]}
"""Values for fields without choices."""
ITS_ANSWER = {
    "step_not_there",
    "record_not_there",
    "record_to_come",
    "record_not_ours",
    "record_ends",
    "ends_differ",
    "ends_within_a_day",
    "move_same_day",
    "move_too_late",
    "move_day_past",
    "move_day_too_far",
    "move_not_there",
    "books_otherwise",
    "reminder_day",
}
"""Refusals that depend on the big-data side's answer to a query, or on the day that a person enters. So the page can't
know them before."""


class Undone(Exception):
    """Raised to roll back the act of a button."""


def pages_tell_the_truth(stuck: Iterable) -> Iterator[str]:
    """Yields the differences between the views and `stuck`, which has the orders that need somebody.

    Failed mails and traffic queries change no state. So an order with only such failures counts as fine.
    """
    now, rows = timezone.now(), list(stuck)
    needing = {row.number for row in rows if not all(map(_is_aside, row.reasons))}
    orders = list(Order.objects.select_related("trial").order_by("pk"))
    mark_orders(orders)
    set_owners(orders)
    yield from _filters(rows, orders)
    yield from _customers(needing, orders)
    for order in orders:
        facts, needs, name = facts_of(order, now=now), order.number in needing, f"{order.number} ({order.state})"
        for view, told in (
            ("page", _page(facts)),
            ("list", _list(order)),
            ("show", _show(order)),
            ("API", _api(order)),
        ):
            if told != needs and (needs or not _ends_red(order)):
                yield f"{view}: {name} is shown as {'stopped' if told else 'fine'}, stuck says otherwise"
        for decision in offered_decisions(facts, lambda permission: True):
            for why in _refusals(decision, order):
                yield f"the page of {name} offers {decision.key}, which is refused: {why}"


def _ends_red(order: Order) -> bool:
    """Returns True for orders that BPM rejected or returned.

    Views show such orders in red or amber, although `stuck` does not name them.
    """
    return order.decision == Order.Decision.REJECT or order.marks.returned


def _page(facts: Facts) -> bool:
    return bool(NOT_FINE & {stage.tone for stage in build_ladder(facts)})


def _list(order: Order) -> bool:
    return order.marks.behind or any(tone in chip_of(order) for tone in CHIPS_NOT_FINE)


def _show(order: Order) -> bool:
    """Returns True if the command `show` names a fault of the order.

    Only the text of `show`, and not its JSON, names the order that this order waits for. So the marks are used for
    that.
    """
    told = StringIO()
    call_command("show", order.number, "--json", stdout=told)
    facts = json.loads(told.getvalue())
    own = [row for row in facts["incidents"] if row["code"] not in PARTNERS_OWN]
    own = [row for row in own if not row["step"].startswith(ASIDE) and row["partner"] != "mail"]
    return bool(own) or facts["state"] in SAYS_SO or order.marks.behind


def _api(order: Order) -> bool:
    """Returns True if the API's response about the order shows a fault."""
    facts = _read(OrderView, number=order.number)
    return bool(facts["stands"]["cause"]) or facts["state"] in SAYS_SO or bool(facts["doubt"])


def _filters(stuck: Iterable, orders: Iterable[Order]) -> Iterator[str]:
    """Yields errors of the API's list of orders. This list has the same filters as the list for staff."""
    known = {order.number for order in orders}
    named = {row.number for row in stuck} & known
    rows = {row["order"]: row for row in _read(OrdersView, limit="200")["results"]}
    found = {row["order"] for row in _read(OrdersView, needs="somebody", limit="200")["results"]}
    if found != named:
        yield f"needs=somebody lists {sorted(found)}, stuck {sorted(named)}"
    for order in orders:
        if bool(rows[order.number]["doubt"]) == order.marks.fine:
            yield f"the API's list says of {order.number}: {rows[order.number]['doubt']}, its marks {order.marks}"


def _customers(needing: set[str], orders: list[Order]) -> Iterator[str]:
    """Yields orders that bill a customer without serving the customer, unless somebody knows of the order."""
    lines = lines_of(records_of(Order.objects.all(), now=timezone.now()))
    told = billed_lines(lines, Order.objects.all(), now=timezone.now())
    lived_with = _lived_with()
    for line in told:
        fine = line.order.number not in needing and not line.differing and line.order.pk not in lived_with
        if fine and line.order.state not in SERVES and line.order.state != S.CONVERTED:
            yield f"the customer's page bills {line.order.number} ({line.order.state}), and nobody needs to look"


def _lived_with() -> set[int]:
    """Returns the ids of orders with a record that staff accepted as it is."""
    rows = BillingRecord.objects.exclude(accepted={}).values_list("order_id", "order__trial_id")
    return {pk for pair in rows for pk in pair if pk}


def _read(view: type, number: str = "", **query: str) -> dict:
    """Returns the API's response to a system that may read all orders."""
    request, token = APIRequestFactory(SERVER_NAME="localhost").get("/api/orders/", query), ApiToken(system="model")
    force_authenticate(request, user=Reader(token), token=token)
    return view.as_view(throttle_classes=[])(request, **({"number": number} if number else {})).data


def _refusals(decision: Action, order: Order) -> Iterator[str]:
    """Presses a button once for each choice of its form, and yields the refusals. Rolls each act back."""
    form = decision.form(order=order)
    names = [name for name in form.fields if name not in {"reason", "seen"}]
    choices = max([len(_values(name, form.fields[name])) for name in names if name not in TYPED], default=1)
    for choice in range(choices):
        more = {name: _chosen(name, form.fields[name], choice) for name in names}
        try:
            with transaction.atomic():
                carry_out(
                    decision, number=order.number, last_event_id=last_event(order), now=timezone.now(), **WHY, **more
                )
                raise Undone
        except (Undone, BooksSilentError, ChangedMeanwhileError):  # the page itself says that it was outdated
            continue
        except OrderError as error:
            if error.code not in ITS_ANSWER:
                yield f"{error} {more or ''}".strip()


class Buttons:
    """Presses buttons on an order's page."""

    def buttons(self, number: str) -> list[str]:
        """Returns the keys of the decisions that an order's page offers, without those that change nothing."""
        order = Order.objects.select_related("trial").filter(number=number).first()
        if order is None:
            return []
        found = offered_decisions(facts_of(order, now=timezone.now()), lambda permission: True)
        return [one.key for one in found if one.key not in CHANGES_NOTHING]

    @act
    def press(self, number: str, key: str, choice: int = 0):
        """Presses a button of an order's page, with choice number `choice` of its form."""
        if key == "resend" and self.bpm_has(number):
            return "BPM was asked, and has a process under a key that we lost"
        order, decision = Order.objects.select_related("trial").filter(number=number).first(), DECISIONS[key]
        if order is None:
            return "a restore has lost the order, so it has no page"
        more = answers(decision, order, choice)
        try:
            with only_what_was_shown(number) if key in {"accept", "take"} else nullcontext():
                carry_out(decision, number=number, last_event_id=last_event(order), now=timezone.now(), **WHY, **more)
        except (BooksSilentError, ChangedMeanwhileError) as error:
            return repr(error)
        return ""


def answers(decision: Action, order: Order, choice: int) -> dict[str, object]:
    """Returns a value for each field of a decision's form, except `reason` and `seen`. `choice` selects the values."""
    words = {name: _chosen(name, field, choice) for name, field in decision.form(order=order).fields.items()}
    return {name: words[name] for name in words.keys() - {"reason", "seen"}}


def _values(name: str, field: Field) -> list:
    """Returns the possible values of a form's field."""
    values = [value for value, _ in getattr(field, "choices", ()) if value] or TYPED.get(name, [field.initial])
    return values[:2] if name == "letters" else values  # two attributions are enough, because all behave alike


def _chosen(name: str, field: Field, choice: int) -> object:
    """Returns the value of a form's field for this choice."""
    values = _values(name, field)
    return values if name == "domains" else values[choice % len(values)]


def _is_aside(reason) -> bool:
    return reason.step.startswith(ASIDE)

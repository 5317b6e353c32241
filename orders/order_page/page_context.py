"""The context of the order's page, gathered in at most 22 queries."""

import datetime
from dataclasses import replace

from django.contrib.messages import get_messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from notifications.contacts_and_recipients import chosen_as
from orders.actions.all_actions import label_of
from orders.attachments.files_hold import can_be_cured
from orders.bpm.pushing import days_waited, waits_since, whom_to_push
from orders.erasing.erased_orders import erased_at
from orders.erasing.over_lines import is_over
from orders.history.actors import actor_of
from orders.incidents.incident_codes import BREAKER_OPEN, PARTNER_PAUSED
from orders.incidents.order_warnings import mark_orders
from orders.limits.late_orders import mark_overtime
from orders.lists.assign_owner import owner_line
from orders.lists.live_pages import is_partial
from orders.lists.notes import Notes, notes_of_order
from orders.lists.overtime_marks import overtime_mark
from orders.lists.pauses_in_force import paused_for
from orders.lists.personal_data import PersonalAccess, open_personal_data
from orders.models import AskedAct, Dispatch, Order
from orders.order_page.advice_buttons import UPLOAD, Ways
from orders.order_page.page_fingerprint import changed_since
from orders.order_page.tabs import APPROVALS, DIFFERENCES, Ask, Tab, differences_of, open_tab, tabs_of
from orders.order_words.history import describe
from orders.order_words.ladder.ending import way_out
from orders.order_words.ladder.ladder import build_ladder, current
from orders.order_words.ladder.step_stages import Facts, Stage, Trouble
from orders.order_words.order_facts import facts_of
from orders.outbox.enqueue import find_schedule
from orders.people.asked_acts import may_confirm, open_acts
from orders.rules.four_eyes_acts import acts_asked
from orders.rules.steps import PARTNERS
from orders.texts.bpm_task import task_url

DIFFERENCES_SHOWN = 5
BESIDE = {"pass": "reject"}  # the opposite decision
MAX_PRINTED = 1000  # rows of each kind in print
ENDING_SHOWN, A_DAY = 3, datetime.timedelta(days=1)
SOON = datetime.timedelta(seconds=5)
LOOKS = 60
"""How often the page reloads after an action, every 5 seconds, while a step of the order is in progress."""


def page_context(request: HttpRequest, order: Order, orders: QuerySet[Order], *, whole: bool = False) -> dict:
    """Returns the template context. If personal data is shown, the history records this. `whole`: the context contains
    all tabs as `parts`, for print."""
    facts = shown_facts(request, order)
    tabs = tabs_of(facts, request.user.has_perms)
    tab = open_tab(tabs, request.GET.get("tab") if not whole else None)
    where = "order print" if whole else f"order {tab.key}"
    waits = order.state == Order.State.AWAITING_APPROVAL
    personal = open_personal_data(request, order, where, there=tab.personal or waits)
    params, most = ({}, MAX_PRINTED) if whole else (request.GET, None)
    ladder, ways = build_ladder(facts), Ways(request.user, facts)
    ask = Ask(facts=facts, params=params, orders=orders, personal=personal, ways=ways, most=most)
    differs = request.user.has_perm(DIFFERENCES)
    loaded = tab.load(ask)
    if "family" in loaded:
        mark_orders(member.order for member in loaded["family"].members)
    return {
        "order": order,
        "overtime": overtime_mark(order.overtime),
        "ladder": [(stage, ways.of_stage(stage)) for stage in ladder],
        "here": current(ladder),
        "others": [(row, ways.advise(row.cause.advice, way_out(row, facts))) for row in other_troubles(facts, ladder)],
        "tab": tab,
        "tabs": tabs,
        "steps": facts.steps,
        "trial_shape": facts.shape,
        "waiver": facts.waiver,
        "under_way": under_way(facts),
        "watch": looks_left(request),
        "owning": owner_line(request, order),
        "notes": _notes(request, order, tabs),
        "asked_acts": waiting_acts(request, order, facts.now),
        **changes_of(request, order, tabs),
        "ending": _ending(facts, ways),
        "erased": erased_at(order.number) if is_over(order) else None,
        "task_url": task_url(order),
        "asking": _asking(facts, personal) if waits else None,
        "conflicts": facts.conflicts,
        "schedule": find_schedule(order),
        "personal": personal,
        **_buttons(request, current(ladder), ways, facts, tabs),
        "open": facts.open,
        "differing": differences_of(order, still=True)[:DIFFERENCES_SHOWN] if facts.open.number and differs else [],
        "behind_here": is_behind_shown(facts, orders),
        "parts": [(tab, loaded), *((one, one.load(ask)) for one in tabs if one is not tab)] if whole else [],
        **loaded,
    }


def shown_facts(request: HttpRequest, order: Order) -> Facts:
    """Returns the order's facts as the user may see them, and sets the order's `overtime`."""
    facts = facts_of(order, now=timezone.now(), paused=paused_for(request))
    mark_overtime([order], now=facts.now)
    return facts if request.user.has_perm(APPROVALS) else replace(facts, opinion="")


def is_behind_shown(facts: Facts, orders: QuerySet[Order]) -> bool:
    """Returns True if the user may see the order that the given order waits for."""
    return facts.behind is not None and orders.filter(pk=facts.behind.order_id).exists()


def _asking(facts: Facts, personal: PersonalAccess) -> dict:
    """Returns the SA contacts to ask for the approval, since when the order waits, and today's request, if any."""
    people = [
        {"why": chosen_as(one.how, one.of, one.instead), **personal.person(one.name, one.tel, one.mail)}
        for one in whom_to_push(facts.order)
    ]
    since = waits_since(facts.order)
    return {
        "people": people,
        "since": since,
        "days": days_waited(since, facts.now),
        "pushed": facts.pushed and describe(facts.pushed),
    }


def _ending(facts: Facts, ways: Ways) -> dict | None:
    """Returns the things that end with a running trial tonight or tomorrow night, and the act that moves the trial's
    end."""
    shape, today = facts.shape, timezone.localdate(facts.now)
    if facts.order.state != Order.State.TRIALING or shape is None or shape.end not in {today, today + A_DAY}:
        return None
    names = list(shape.domains.values())
    return {
        "tonight": shape.end == today,
        "names": names[:ENDING_SHOWN],
        "number": len(names),
        "advised": ways.advise((), "move_end"),
    }


def under_way(facts: Facts) -> list[str]:
    """Returns the steps being sent now or within seconds. The page does not show their results yet."""
    waits = {*facts.shut, *facts.paused}
    rows = [row for row in facts.steps if PARTNERS[row.channel] not in waits]
    soon = facts.now + SOON
    at_once = {Dispatch.State.DUE, Dispatch.State.RETRYING}
    busy = [
        row
        for row in rows
        if row.state == Dispatch.State.SENDING or row.state in at_once and row.next_try_at and row.next_try_at <= soon
    ]
    return list(dict.fromkeys(row.get_step_display() for row in busy))


def looks_left(request: HttpRequest) -> int | None:
    """Returns the remaining number of reloads, from the parameter `watch`, or None if no result is expected."""
    given = request.GET.get("watch", "")
    if given.isascii() and given.isdigit():
        return min(int(given[:3]), LOOKS)
    return LOOKS if len(get_messages(request)) else None


def waiting_acts(request: HttpRequest, order: Order, now: datetime.datetime) -> list[AskedAct]:
    """Returns the actions that wait for a second person. `answerable`: the user may confirm or cancel the action."""
    if not acts_asked() or not request.user.has_perm("orders.view_askedact"):
        return []
    found = list(open_acts().filter(order=order, lapses_at__gt=now).order_by("pk"))
    for row in found:
        row.order, row.who = order, actor_of(row.by, row.asker_id, row.asked_at)[0]
        row.own = row.asker_id == request.user.pk
        row.answerable = not row.own and may_confirm(request.user, row)
        row.label = label_of(row)
    return found


def _notes(request: HttpRequest, order: Order, tabs: list[Tab]) -> Notes:
    """Returns the order's notes. They are events, so they are shown only to users who may view events."""
    if not any(tab.key == "events" for tab in tabs):
        return Notes([])
    may = request.user.has_perm("orders.add_note")
    write = reverse("admin:orders_order_decide", args=[order.pk, "note"]) if may else ""
    return notes_of_order(order, more="?tab=events&who=notes#tabs", write=write)


def changes_of(request: HttpRequest, order: Order, tabs: list[Tab]) -> dict:
    """Returns the id of the newest event when the page was opened. For a poll, returns the newest event since that
    time."""
    seen = getattr(request, "moving_opened", "")
    if not is_partial(request):
        return {"moving_opened": seen}
    return {"changed": changed_since(order, seen) if any(tab.key == "events" for tab in tabs) else None}


def _buttons(request: HttpRequest, here: Stage, ways: Ways, facts: Facts, tabs: list[Tab]) -> dict:
    """Returns the recommended decision `right`, the opposite decision (`beside`) if there is one, and the other
    decisions for the menu. `uploads`: the page recommends uploading files first."""
    may, right = ways.offered(), ways.right(here.action)
    other = next((row for row in may if right and row.key == BESIDE.get(right.key)), None)
    return {
        "right": right,
        "beside": other,
        "menu": [row for row in may if row not in (right, other)],
        "uploads": takes_uploads(request, here, facts.order, tabs),
    }


def takes_uploads(request: HttpRequest, here: Stage, order: Order, tabs: list[Tab]) -> bool:
    may = here.key == "files" and request.user.has_perm(UPLOAD) and any(tab.key == "files" for tab in tabs)
    return may and can_be_cured(order)


def other_troubles(facts: Facts, ladder: list[Stage]) -> list[Trouble]:
    """Returns open incidents that the ladder does not show, for example a mail without recipients."""
    codes = {stage.code for stage in ladder} | {facts.order.held_because, PARTNER_PAUSED}
    codes |= {BREAKER_OPEN} if facts.shut else set()
    return [row for row in facts.troubles if row.code not in codes]

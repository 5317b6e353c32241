"""The dashboard of a user. Today's problems come first, then a block for each list that the user may see."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from integrations.models import Breaker, Heartbeat
from orders.incidents.desk_incidents import DESK
from orders.incidents.incident_codes import BREAKER_OPEN
from orders.lists.page_fingerprint import Counted, Figures, Fingerprint, newest
from orders.lists.pauses_in_force import may_pause, slept_through_for
from orders.lists.scope import attributions_of, is_unlimited
from orders.lists.time_cells import span
from orders.mails.places_without_sa import places_without_sa
from orders.models import Incident, Order
from orders.order_page.advice_buttons import Advised, Ways
from orders.order_words.pause_words import slept_words
from orders.pauses.paused_steps import PauseInForce
from orders.people.asked_acts import waiting_for
from orders.people.owned_work import set_owners
from orders.restore.detect_restore import is_restored
from orders.rules.four_eyes_acts import acts_asked
from orders.texts.incident_texts import cause_of, title_of
from project.dashboard import dashboard_queries
from project.dashboard.calls_page import may_see_calls
from project.dashboard.chart_and_calendar import DAYS, Calendar, Column, calendar_of, columns_of
from project.dashboard.my_work import Work, work_of
from project.dashboard.number_tiles import (
    KindRow,
    Late,
    Number,
    WaitingOrder,
    kind_rows,
    late_of,
    listing,
    orders_link,
    waiting_of,
)
from project.dashboard.partners_and_worker import PartnerHealth, Worker, partners_of, worker_of
from project.dashboard.probes_page import may_probe
from project.observability.alarm_reasons import LATE, RETRIED_LATE
from project.observability.desk_snapshot import DeskSnapshot, WaitsFor, is_alive
from project.observability.expiring_soon import Expiry, expiring_here

DAY = datetime.timedelta(days=1)
NO_NUMBER = Number("", 0, "")
KINDS_BY_RIGHT = {
    "orders.view_order": (WaitsFor.NEEDING, WaitsFor.AWAITING, WaitsFor.RETURNED),
    "orders.view_difference": (WaitsFor.DIFFERENCES, WaitsFor.UNBILLED),
    "orders.view_conflict": (WaitsFor.CONFLICTS,),
}
"""The kinds of waiting work that are counted for users with the right."""


@dataclass
class Dashboard:
    """The blocks of the dashboard. A block is None if the user may not see it.

    `needing` is the number of orders that need staff. `alone` is the number of these orders without an owner. `late`
    has the age in seconds of each partner's oldest due step, and `tried` that of its oldest retried step. Only ages
    above the alarm limit are included.
    """

    now: datetime.datetime
    kinds: list[KindRow] | None = None
    needing: int = 0
    alone: int = 0
    differences: Number | None = None
    unbilled: Number | None = None
    approvals: Number | None = None
    awaiting: list[WaitingOrder] = field(default_factory=list)
    returned: Number | None = None
    conflicts: Number | None = None
    over_time: Late | None = None
    notices: Number | None = None
    asked: Number | None = None
    chart: list[Column] | None = None
    calendar: Calendar | None = None
    incidents: list[Incident] | None = None
    partners: list[PartnerHealth] | None = None
    worker: Worker | None = None
    expiring: list[Expiry] = field(default_factory=list)
    late: dict[str, float] = field(default_factory=dict)
    tried: dict[str, float] = field(default_factory=dict)
    may_pause: bool = False
    may_probe: bool = False
    may_see_calls: bool = False
    slept: list[str] = field(default_factory=list)
    restored: Number | None = None
    work: list[Work] = field(default_factory=list)
    without_sa: list[str] = field(default_factory=list)
    breaker_advice: Advised | None = None

    @property
    def answer(self) -> Number | None:
        """Returns the headline: the work that waits for this user, with its number. Returns None if the user may see
        neither orders nor incidents."""
        if self.kinds is None and self.incidents is None:
            return None
        own = [row for work in self.work if work.for_me for row in work.numbers]
        own += [self.asked] if self.asked else []
        if number := sum(row.number for row in own):
            text = ngettext("%(n)d thing waits for you", "%(n)d things wait for you", number)
            return _number(text, number, own[0].url if len(own) == 1 else "", "violet")
        if number := self.alone:
            text = ngettext(
                "Nothing waits for you; %(n)d order is nobody's",
                "Nothing waits for you; %(n)d orders are nobody's",
                number,
            )
            return _number(text, number, orders_link(owner="nobody"), "amber")
        if self.problems:
            return Number(_("Nothing waits for you"), 0, "", "grey")
        if self.approvals and (number := self.approvals.number):
            text = ngettext(
                "%(n)d order awaits approval, nothing else is open.",
                "%(n)d orders await approval, nothing else is open.",
                number,
            )
            return _number(text, number, self.approvals.url, "violet")
        return Number(_("All is well: nothing waits for you."), 0, "", "green")

    @property
    def incidents_url(self) -> str:
        return listing("orders_incident", open="yes")

    @property
    def received(self) -> list[KindRow]:
        return [row for row in self.kinds or [] if row.total.number]

    @property
    def fine_partners(self) -> list[PartnerHealth]:
        return [row for row in self.partners or [] if row.fine]

    @property
    def other_partners(self) -> list[PartnerHealth]:
        return [row for row in self.partners or [] if not row.fine]

    @property
    def chart_is_empty(self) -> bool:
        return not any(column.received.number or column.stopped.number for column in self.chart or [])

    @property
    def zero(self) -> list[Number]:
        """Returns the blocks that the user may see and that are empty. The page shows them together."""
        late = self.over_time and Number(_("Over time"), len(self.over_time.places), self.over_time.url)
        open_ones = self.incidents is not None and Number(_("Open incidents"), len(self.incidents), self.incidents_url)
        received = self.kinds is not None and Number(
            _("Received today"), len(self.received), orders_link(received="today")
        )
        found = [late, open_ones, self.differences, self.approvals, received]
        return [row for row in found if row and not row.number]

    @property
    def problems(self) -> list[Number]:
        """Returns today's problems, worst first."""
        found = [self.restored, self.unbilled, *self._engine_problems(), *self._order_problems()]
        return [problem for problem in found if problem and problem.number]

    def _engine_problems(self) -> list[Number]:
        found = [
            Number(
                f"{title_of(incident.code, incident.words)} {cause_of(incident.code).next}",
                1,
                _incident_url(incident),
                "red",
            )
            for incident in self.incidents or []
            if incident.partner == DESK
        ]
        if self.worker and not self.worker.alive:
            found.append(Number(self.worker.silence, 1, self.worker.url, "red"))
        for partner in self.partners or []:
            if partner.shut:
                text = _("%(partner)s does not answer; its calls wait") % {"partner": partner.name}
                found.append(Number(text, 1, partner.breaker_url, "red"))
                continue
            late, tried = self.late.get(partner.key), self.tried.get(partner.key)
            if late:
                text = _("%(partner)s: the oldest step has been due for %(span)s")
                words = {"partner": partner.name, "span": span(int(late))}
                found.append(Number(text % words, partner.number, partner.url, "red"))
            if tried:
                text = _("%(partner)s: a step has been tried for %(span)s without success")
                words = {"partner": partner.name, "span": span(int(tried))}
                found.append(Number(text % words, 1, partner.url, "red"))
        return found

    def _order_problems(self) -> list[Number | None]:
        late = self.calendar.overdue if self.calendar else 0
        number = len(self.incidents or [])
        late_url = self.calendar.overdue_url if self.calendar else ""
        incidents = ngettext("%(n)d open incident", "%(n)d open incidents", number)
        missed = ngettext("%(n)d start day missed", "%(n)d start days missed", late)
        books, conflicts = self.differences or NO_NUMBER, self.conflicts or NO_NUMBER
        differing = ngettext(
            "%(n)d difference with the big-data side", "%(n)d differences with the big-data side", books.number
        )
        unseen = ngettext("%(n)d conflict not seen to", "%(n)d conflicts not seen to", conflicts.number)
        needing = ngettext("%(n)d order needs somebody", "%(n)d orders need somebody", self.needing)
        without_sa = ngettext(
            "%(n)d attribution has no SA: its mails go to the default contact",
            "%(n)d attributions have no SA: their mails go to the default contact",
            len(self.without_sa),
        )
        return [
            _number(differing, books.number, books.url, "red"),
            _number(incidents, number, self.incidents_url, "red"),
            _number(missed, late, late_url, "red"),
            _number(needing, self.needing, orders_link(needs="somebody", o="since"), "amber"),
            *self._late(),
            *(Number(row.words, 1, "", "amber") for row in self.expiring),
            self.asked,
            _number(unseen, conflicts.number, conflicts.url, "amber"),
            self.notices,
            _number(without_sa, len(self.without_sa), reverse("admin:notifications_contact_changelist"), "amber"),
        ]

    def _late(self) -> list[Number]:
        if self.over_time is None:
            return []
        number, tone = self.over_time.number, "red" if self.over_time.very else "amber"
        text = ngettext("%(n)d order over time", "%(n)d orders over time", number)
        return [_number(text, number, self.over_time.url, tone)]


def _incident_url(incident: Incident) -> str:
    return reverse("admin:orders_incident_change", args=[incident.pk])


def _number(text: str, number: int, url: str, tone: str) -> Number:
    return Number(text % {"n": number}, number, url, tone)


def dashboard(user, *, now: datetime.datetime, pauses: Sequence[PauseInForce] = ()) -> Dashboard:
    """Returns the dashboard for a user.

    Runs at most nine queries, apart from those for the user's rights and scope. Additional queries:

    - one for each paused partner;
    - one if a step is due;
    - one with FOUR_EYES;
    - one for users who may add contacts;
    - two for users who may own orders;
    - one for users without the right to test calls, while a breaker is open.
    """
    today = timezone.localdate(now)
    facts = DeskSnapshot(now, user=user, kinds=_kinds(user))
    page = Dashboard(now)
    if is_restored():
        text = _("The database was restored: nothing is taken in or sent")
        url = reverse("admin:restored") if user.has_perm("orders.view_order") else ""
        page.restored = Number(text, 1, url, "red")
    if user.has_perm("orders.view_order"):
        rows = dashboard_queries.orders_per_day(user, first=today - (DAYS - 1) * DAY)
        page.kinds, page.chart = kind_rows(rows, today), columns_of(rows, today)
        page.calendar = calendar_of(dashboard_queries.starts(user, first=today, last=today + (DAYS - 1) * DAY), today)
        page.over_time = late_of(dashboard_queries.late(user, now=now))
    _fill_waiting(page, user, facts)
    if acts_asked() and user.has_perm("orders.view_askedact"):
        page.asked = _confirmable_acts(user, now)
    if user.has_perm("orders.view_incident"):
        page.incidents = facts.incidents
        set_owners(page.incidents)
    if user.has_perm("orders.view_order"):
        causes = [row for row in page.incidents or [] if row.owned_by is None]
        page.work = work_of(user, now=now, causes=causes, alone=page.alone)
    if user.has_perm("orders.view_dispatch"):
        page.partners = partners_of(facts, {row.pause.partner for row in pauses})
        if not page.restored:
            page.late = {name: age for name, age in facts.oldest_due.items() if age > LATE}
            page.tried = {name: age for name, age in facts.oldest_retrying.items() if age > RETRIED_LATE}
        if any(row.shut for row in page.partners):
            page.breaker_advice = Ways(user).advise(cause_of(BREAKER_OPEN).advice)
        page.may_pause, page.may_probe, page.may_see_calls = may_pause(user), may_probe(user), may_see_calls(user)
    if user.has_perm("orders.view_order"):
        page.slept = [slept_words(slept_through_for(user, row.pause, now=now)) for row in pauses]
    if user.has_perm("integrations.view_heartbeat"):
        page.worker = worker_of(facts)
        page.expiring = expiring_here(now=now)
    if user.has_perm("notifications.add_contact"):
        page.without_sa = places_without_sa(attributions_of(user))
    return page


def _confirmable_acts(user, now: datetime.datetime) -> Number | None:
    """Returns the number of requested acts that this user may confirm, or None if there are none."""
    number = waiting_for(user, now=now).count()
    text = ngettext("%(n)d act waits for your confirmation", "%(n)d acts wait for your confirmation", number)
    if not number:
        return None
    return _number(text, number, listing("orders_askedact", state__exact="asked", mine="confirm"), "amber")


DASHBOARD_FIGURES = Figures(
    lambda: [newest(Heartbeat.objects.all(), "seen_at"), Counted(Breaker.objects.exclude(opened_at=None))]
)


def dashboard_fingerprint(user_id: int, *, now: datetime.datetime) -> Fingerprint:
    """Returns the figures about changes of orders, open breakers and a running worker. If one of them changes, the
    dashboard reloads."""
    marks = DASHBOARD_FIGURES(user_id)
    seen_at, shut = marks.own
    return Fingerprint(marks.desk, (shut, bool(seen_at) and is_alive(abs((now - seen_at).total_seconds()))), marks.busy)


def _kinds(user) -> list[str]:
    kinds = [what for right, names in KINDS_BY_RIGHT.items() if user.has_perm(right) for what in names]
    return [*kinds, WaitsFor.NOTICES] if user.has_perm("notifications.view_notice") and is_unlimited(user) else kinds


def _fill_waiting(page: Dashboard, user, facts: DeskSnapshot) -> None:
    """Sets the blocks of work that waits for staff. Runs at most two queries. If the user may see no such work, runs
    none."""
    if user.has_perm("orders.view_order"):
        page.needing, page.alone = facts.needing, facts.nobodys
        number, url = facts.group(WaitsFor.AWAITING).number, orders_link(state__exact=Order.State.AWAITING_APPROVAL)
        page.approvals = Number(_("Waiting for approval"), number, url)
        page.awaiting = waiting_of(dashboard_queries.waiting_orders(user)) if number else []
        number = facts.group(WaitsFor.RETURNED).number
        page.returned = Number(_("Returned by BPM"), number, orders_link(needs="returned", o="since"), "amber")
    if user.has_perm("orders.view_difference"):
        number, url = facts.differences.number, listing("orders_difference", state__exact="open")
        page.differences = Number(_("Differences with the big-data side"), number, url)
        number = facts.differences.unbilled
        text = ngettext(
            "%(n)d order has service and no billing record", "%(n)d orders have service and no billing record", number
        )
        page.unbilled = _number(text, number, orders_link(needs="unbilled", o="since"), "red")
    if WaitsFor.NOTICES in facts.kinds:
        number = facts.notices_given_up
        text = ngettext("%(n)d notice to staff did not go out", "%(n)d notices to staff did not go out", number)
        page.notices = _number(text, number, listing("notifications_mail", state="failed", kind="staff"), "amber")
    if user.has_perm("orders.view_conflict"):
        number = facts.group(WaitsFor.CONFLICTS).number
        page.conflicts = Number(_("Conflicts"), number, listing("orders_conflict", seen="no"))

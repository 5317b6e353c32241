"""The order list and the URLs of an order's pages. Filters are part of the URL, and each search and filter is supported
by an index."""

import datetime
from collections import defaultdict
from collections.abc import Callable, Iterable
from operator import attrgetter
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import BooleanField, Exists, ExpressionWrapper, F, OrderBy, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from notifications.masks import mask_mail, mask_name, mask_phone
from orders.admin.order_filters import (
    STOPPED,
    EndsFilter,
    IncidentFilter,
    InStateFilter,
    NeedsFilter,
    OrderCustomerFilter,
    OvertimeFilter,
    StartFilter,
    StoppedFilter,
    StuckFilter,
    is_past,
    stopped_steps,
)
from orders.db.unstorable_values import is_id
from orders.incidents.order_warnings import Marks, mark_orders
from orders.intake.manual_trials import ENTERED
from orders.limits.late_orders import mark_overtime
from orders.lists.assign_owner import owned_pages
from orders.lists.cells import column, cut
from orders.lists.change_list import DeskChangeList
from orders.lists.chips import chip_of, chip_parts
from orders.lists.chosen_columns import LAST_DAY
from orders.lists.filter_kinds import (
    AHEAD,
    OwnAttributions,
    day_filter,
    today,
)
from orders.lists.list_query import COLUMNS, NUMBER, ORDER_VAR, VIEW, reads_of
from orders.lists.neighbours import FROM_LIST
from orders.lists.overtime_marks import overtime_mark, overtime_words
from orders.lists.owner_column import OwnerFilter, owner_column
from orders.lists.read_only import ReadOnlyAdmin
from orders.lists.registration import EVERYBODY, Section, register_list
from orders.lists.scope import Scoped, visible_orders
from orders.lists.service_names import ServicesInWords, service_name
from orders.lists.time_cells import ago, ago_field, ahead
from orders.models import Difference, Dispatch, Order, OrderDomain, OrderEvent, ServiceType, TrialShape, Watch
from orders.models.dispatch import OPEN_STATES
from orders.office.bulk.page import resend_pages
from orders.office.bulk.selection import HandledFilter, TickedList
from orders.office.evidence.page import evidence_pages
from orders.office.trials.pages import trial_pages
from orders.order_page.panel import PREVIEW, add_preview
from orders.order_page.views import answer_page, order_pages
from orders.pauses.paused_steps import to_paused
from orders.people.owned_work import set_owners
from orders.search.list_search import customer_anchor, customer_words, search_orders
from orders.texts.incident_texts import cause_of
from orders.trials.trial_state_reads import shape_row


class EmptyLast(OrderBy):
    """An ordering that puts rows without a value last in both directions."""

    def __init__(self, expression, **more):
        super().__init__(expression, **{"nulls_last": True} | more)

    def reverse_ordering(self):
        self.descending = not self.descending
        return self


def _of_step(name: str, order: str, **more) -> EmptyLast:
    return EmptyLast(Subquery(stopped_steps(order=OuterRef("pk"), **more).order_by(order).values(name)[:1]))


MOST_ATTEMPTS = _of_step("attempts", "-attempts")
NEXT_TRY = _of_step("next_try_at", "next_try_at", state=Dispatch.State.RETRYING)
WAITING = [Order.State.AWAITING_APPROVAL, Order.State.HELD, Order.State.FAILED]
"""States in which an order waits for a person."""
LONGEST_WAITING = [Coalesce("state_since", Value(datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC))).asc(), "pk"]
"""Deliberately matches no index. With one, PostgreSQL would scan all orders from the oldest for the few that wait."""
MOST_LATE = ["state_since", "pk"]  # the columns of the index `order_in_time` (orders/db/indexes.py)
MOST_OVERDUE = ["biz_start", "pk"]
MAX_NAMED = 2000  # domains; a spreadsheet cell holds fewer
SORTED_STEPS = {"attempts": {}, "next_try": {"state": Dispatch.State.RETRYING}}
"""Columns that sort the list by a stopped step of each order, with the filter for the step. Orders without such a step
are left out, because sorting a million empty values is slow and useless."""


class OrderChangeList(DeskChangeList):
    def leave_out(self, request, rows):
        if reads_of(request) == NUMBER:  # files have all rows, however they are sorted
            return rows
        for more in self._sorted_steps():
            rows = rows.filter(pk__in=stopped_steps(**more).values("order_id"))
        return rows.filter(shape__ends_on__isnull=False) if self._is_by_last_day() else rows

    def get_usual_ordering(self, request, queryset):
        if self.params.get("start") == "overdue":
            return MOST_OVERDUE
        if "overtime" in self.params and ORDER_VAR not in self.params:
            return MOST_LATE
        waiting = self.params.get("state__exact") in WAITING
        return LONGEST_WAITING if waiting else super().get_usual_ordering(request, queryset)

    def _sorted_steps(self) -> list[dict]:
        return [SORTED_STEPS[column] for _sign, column in self.sorted_by() if column in SORTED_STEPS]

    def _is_by_last_day(self) -> bool:
        return any(column == LAST_DAY for _sign, column in self.sorted_by())

    @property
    def notice(self) -> str:
        """The text above the list that explains why some orders are left out, or an empty string."""
        only = _("Sorted like this, the list has only orders with a step that failed or is tried again.")
        if self._sorted_steps():
            return only
        alone = self._is_by_last_day() and EndsFilter.parameter_name not in self.params
        return _("Sorted like this, the list has only trials with a last day.") if alone else ""

    @property
    def resend_query(self) -> str:
        """The query string of the page for resending many orders: the list's filters, with `stuck` as `channel`."""
        stuck = {"channel": self.params["stuck"]} if "stuck" in self.params else {}
        return self.get_query_string(stuck, ["p", COLUMNS, VIEW])

    def add_facts(self, rows):
        mark_orders(rows)
        set_owners(rows)
        if {"domain_names", "domain_count"}.intersection(self.list_display):
            add_domains(rows)
        steps = explaining_steps([order.pk for order in rows])
        stopped = [row for row in steps if row.state in STOPPED]
        stuck = worst_steps(stopped)
        tried, again = defaultdict(list), defaultdict(list)
        for row in stopped:
            tried[row.order_id].append(row.attempts)
            again[row.order_id] += [row.next_try_at] if row.state == Dispatch.State.RETRYING else []
        asked = {row.order_id: row.done_at for row in steps if row.state == Dispatch.State.DONE}
        paused = {row.order_id for row in steps if row.is_paused}
        for order in rows:
            order.is_late = is_past(order) and order.pk not in paused
            order.stuck_step, order.asked_at = stuck.get(order.pk), asked.get(order.pk)
            order.tried, order.again_at = max(tried[order.pk], default=None), min(again[order.pk], default=None)
        set_service_now(rows)
        mark_overtime(rows, now=timezone.now())


def explaining_steps(order_ids: list[int]) -> list[Dispatch]:
    """Returns the orders' failed and retried steps, their finished BPM steps, and the blocking steps whose partner is
    paused (`is_paused`). Makes one query."""
    is_paused = Q(state__in=OPEN_STATES, blocking=True) & to_paused(timezone.now())
    explains = Q(state__in=STOPPED) | Q(step=Dispatch.Step.START_BPM, state=Dispatch.State.DONE) | is_paused
    rows = Dispatch.objects.current().filter(explains, order__in=order_ids).order_by("pk")
    rows = rows.annotate(is_paused=ExpressionWrapper(is_paused, BooleanField()))
    return list(
        rows.only(
            "order_id", "step", "state", "error_code", "position", "blocking", "done_at", "attempts", "next_try_at"
        )
    )


def worst_steps(rows: Iterable[Dispatch]) -> dict[int, Dispatch]:
    """Returns the worst step of each order. Blocking steps come first, then failed steps, then retried steps."""
    worst_last = sorted(rows, key=lambda row: (row.blocking, row.state == Dispatch.State.FAILED, -row.position))
    return {row.order_id: row for row in worst_last}


def set_service_now(rows: Iterable[Order]) -> None:
    """Sets `service_now`, the service type as in `orders.trials.trial_state_reads.SERVICE_NOW`.

    Runs one query if a change modified a service type, otherwise no query.
    """
    rows = list(rows)
    meant = {order.pk: shape.service for order in rows if (shape := shape_row(order)) and shape.service}
    moved = {meant[order.pk] for order in rows if meant.get(order.pk, order.service_type_id) != order.service_type_id}
    known = ServiceType.objects.in_bulk(moved) if moved else {}
    for order in rows:
        order.service_now = known.get(meant.get(order.pk, ""), order.service_type)


def add_domains(orders: list) -> None:
    """Sets `named`, the first MAX_NAMED domains, and `domains_in_all`, the total number of domains. Makes two
    queries."""
    ids = [order.pk for order in orders]
    shapes = dict(TrialShape.objects.filter(trial__in=ids).values_list("trial_id", "domains"))
    others = OrderDomain.objects.filter(order__in=[pk for pk in ids if pk not in shapes])
    found: dict[int, list[str]] = {pk: names[:MAX_NAMED] for pk, names in shapes.items()}
    numbers = {pk: len(names) for pk, names in shapes.items()}
    for pk, name in others.order_by("pk").values_list("order_id", "name").iterator(2000):
        numbers[pk] = numbers.get(pk, 0) + 1
        if numbers[pk] <= MAX_NAMED:
            found.setdefault(pk, []).append(name)
    for order in orders:
        order.named, order.domains_in_all = found.get(order.pk, []), numbers.get(order.pk, 0)


def mark_words(marks: Marks) -> str:
    """Returns the problem of an order that has no failed or retried step."""
    if marks.doubt in Difference.Kind:
        return Difference.Kind(marks.doubt).label
    return cause_of(marks.doubt).what if marks.doubt else _("Waits behind a failed order")


def stuck_words(order: Order) -> str | Promise | None:
    if order.held_because:
        return order.get_held_because_display()
    if order.state == Order.State.AWAITING_APPROVAL and not order.marks.doubt:
        return _("Returned by BPM") if order.marks.returned else _("With BPM")
    step = getattr(order, "stuck_step", None)
    if step is None or order.state == Order.State.WITHDRAWN:
        return mark_words(order.marks) if order.marks.doubt or order.marks.behind else None
    why = cause_of(step.error_code).what if step.error_code else ""
    return f"{step.get_step_display()}: {why}" if why else step.get_step_display()


def chip_and_cause(order: Order) -> str:
    why = stuck_words(order)
    return format_html("{} {}", chip_of(order), cut(why)) if why else chip_of(order)


@register_list(
    Order,
    menu=(Section.DESK, 10),
    needed_by=EVERYBODY,
    empty=_("No order yet. BBOSS's orders show here the moment they are accepted."),
    name="orders",
    tones={
        "grey": [Order.State.ENDED, Order.State.WITHDRAWN],
        "blue": [Order.State.IN_PROGRESS, Order.State.SCHEDULED, Order.State.COMPENSATING],
        "violet": [Order.State.AWAITING_APPROVAL],
        "amber": [Order.State.HELD],
        "red": [Order.State.REJECTED, Order.State.FAILED],
        "green": [Order.State.TRIALING, Order.State.CONVERTED, Order.State.APPLIED, Order.State.ACTIVE],
    },
)
class OrderAdmin(TickedList, Scoped, ReadOnlyAdmin):
    pages = [resend_pages, owned_pages, order_pages, trial_pages, evidence_pages]
    attribution_path = "attribution"
    changelist = OrderChangeList
    list_display = [
        "number",
        "kind",
        "customer",
        "attribution_name",
        "service_name",
        "state_chip",
        "stuck_at",
        "start_day",
        "received",
        "waited",
        "late",
        "overtime",
        "owner_name",  # last, because URLs with column positions must stay valid
    ]
    list_filter = [
        NeedsFilter,
        OwnerFilter,
        "state",
        InStateFilter,
        OvertimeFilter,
        "held_because",
        StuckFilter,
        "kind",
        "first",
        ("attribution", OwnAttributions),
        ("service_type", ServicesInWords),
        StartFilter,
        day_filter("received_at", _("received"), parameter="received"),
        day_filter("biz_end", _("end day of the message"), parameter="end", choices=AHEAD),
        EndsFilter,
        StoppedFilter,
        IncidentFilter,
        OrderCustomerFilter,
        HandledFilter,
    ]
    export_fields = [
        "since",
        "asked",
        "attempts",
        "next_try",
        "enterprise_id",
        "trial_number",
        "product_id",
        "data_flow",
        LAST_DAY,
        "biz_end",
        "bpm_process",
        "live_at",
        "domain_names",
        "domain_count",
    ]
    first_columns = ("number", "customer", "state_chip", "due", "owner_name")
    joined_columns = {"stuck_at": "state_chip", "waited": "due", "late": "due", "overtime": "due"}
    number_columns = ("data_flow",)
    personal_columns = {"oper_user": mask_name, "oper_tel": mask_phone, "oper_mail": mask_mail}
    column_meanings = {
        "number": _("BBOSS's number, or that which staff entered"),
        "kind": _("trial, change of a trial, or activation"),
        "attribution_name": _("province, group or international, to which the order belongs"),
        "service_name": _("service type"),
        "state_chip": _("where the order stands, and what is wrong with it"),
        "overtime": _("by how much working time it has passed the limit of its state"),
        "stuck_at": _("why it is held, or the step that failed or is tried again"),
        "start_day": _("the day on which the business starts"),
        "late": _("whole days since the business should have started"),
        "since": _("since when it is in this state; empty: not noted"),
        "attempts": _("how often the step at which it is stuck was tried"),
        "next_try": _("when that step is tried again by itself"),
        "trial_number": _("number of the trial that the order names"),
        "data_flow": _("ordered volume, as BBOSS sent it"),
        "biz_end": _("last day in the order's own message; a change may have moved it"),
        LAST_DAY: _("last day of the trial that counts, after changes"),
        "bpm_process": _("number of the process at BPM"),
        "live_at": _("since when the customer is served and billed"),
        "domain_names": _("domains of the order; of a trial those that are on trial now"),
        "domain_count": _("how many domains these are, also where the cell has no room for all"),
        "asked": _("when BPM accepted the order for approval"),
        "waited": _("whole days since the order waits in this state: for approval, held or failed"),
        "oper_user": _("the customer's person"),
        "oper_tel": _("phone of the customer's person"),
        "oper_mail": _("mail address of the customer's person"),
    }
    list_select_related = ["attribution", "service_type", "shape"]
    sortable_by = ["number", "start_day", "received", "since", "attempts", "next_try", LAST_DAY]
    search_fields = ["number"]  # shows the search box; search_orders does the search
    search_help_text = _("order, trial, product id or domain, or how it begins; customer: any part")

    def heading(self, obj):
        return obj.number

    def get_search_results(self, request, queryset, search_term):
        return search_orders(queryset, search_term, visible_orders(request.user)), False

    customer = column(_("customer"), customer_words, customer_anchor, empty_value="-")
    owner_name = owner_column
    attribution_name = column(
        _("attribution"), lambda order: order.attribution and order.attribution.name, empty_value="-"
    )
    service_name = column(_("service"), lambda order: service_name(order.service_now) or None, empty_value="-")

    state_chip = column(_("state"), lambda order: chip_parts(order)[1], chip_and_cause)
    stuck_at = column(_("stuck at"), stuck_words)
    overtime = column(_("over time"), lambda order: order.overtime and overtime_words(order.overtime))
    domain_names = column(
        _("domains"),
        attrgetter("named"),
        lambda order: cut(", ".join(order.named)) if order.named else None,
        empty_value="-",
    )
    domain_count = column(_("number of domains"), attrgetter("domains_in_all"))
    # Orders with an unknown time come first, because they are older than all others.
    since = ago_field("state_since", _("in this state since"), ordering=F("state_since").asc(nulls_first=True))

    @admin.display(description=_("days waited"), empty_value="")
    def waited(self, order):
        """For an order that waits for a person, returns the number of whole days in its state."""
        waits = order.state in WAITING and order.state_since
        return (timezone.now() - order.state_since).days if waits else None

    @admin.display(description=_("deadlines"), empty_value="")
    def due(self, order):
        """Returns how late the order is: the time over its time limit, the time past its start day, and the time that
        it has waited."""
        days = ((_("%(n)s days overdue"), self.late(order)), (_("waiting for %(n)s days"), self.waited(order)))
        marks = [overtime_mark(order.overtime), *(words % {"n": number} for words, number in days if number)]
        return format_html_join(" ", "<span>{}</span>", ((mark,) for mark in marks if mark))

    asked = column(
        _("sent for approval"),
        attrgetter("asked_at"),
        lambda order: order.asked_at and ago(order.asked_at),
        empty_value="",
    )
    attempts = column(_("number of attempts"), attrgetter("tried"), ordering=MOST_ATTEMPTS, empty_value="")
    next_try = column(
        _("next try"),
        attrgetter("again_at"),
        lambda order: order.again_at and ahead(order.again_at),
        ordering=NEXT_TRY,
        empty_value="",
    )
    start_day = column(_("start day"), attrgetter("biz_start"), ordering="biz_start", empty_value="-")
    late = column(
        _("days overdue"), lambda order: (today() - order.biz_start).days if order.is_late else None, empty_value=""
    )

    @admin.display(description=_("last day of a trial"), ordering="shape__ends_on", empty_value="-")
    def trial_end(self, order):
        """Returns the trial's last day after changes, instead of the last day in its own message."""
        shape = shape_row(order)
        return shape and shape.ends_on

    received = ago_field("received_at", _("received"), ordering="received_at")

    def changelist_view(self, request, extra_context=None):
        """Takes PREVIEW out of the query, since PREVIEW is no filter, and not a part of the list's links or its
        version."""
        request.GET = request.GET.copy()
        previewed = request.GET.pop(PREVIEW, [""])[-1]
        response = super().changelist_view(request, extra_context)
        add_preview(self, request, response, previewed)
        return response

    # --- the order's page

    def change_view(self, request, object_id, form_url="", extra_context=None):
        return answer_page(self, request, object_id)

    def get_preserved_filters(self, request):
        """Marks links from an unfiltered list with the list's page, so that the order's page can link to the
        neighbours."""
        found = super().get_preserved_filters(request)
        there = request.path == reverse("admin:orders_order_changelist")
        return found or (urlencode({FROM_LIST: "p=1"}) if there else "")

    def about_order(self, answer: Callable) -> Callable:
        """Returns the view of a URL below an order's. `answer` gets this ModelAdmin, the request and the order."""

        def view(request, pk: int, **named):
            return answer(self, request, self.order_or_404(request, pk), **named)

        return self.admin_site.admin_view(view)

    def order_or_404(self, request, pk: int | str) -> Order:
        """Returns the order with the related rows of the page header. `entered_by`: the staff member who entered the
        order."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if not is_id(str(pk)):
            raise Http404
        return get_object_or_404(self.with_head(request), pk=pk)

    def with_head(self, request) -> QuerySet[Order]:
        """Returns the orders that the user may see, with the related rows of the page header."""
        entered = OrderEvent.objects.filter(order=OuterRef("pk"), kind=ENTERED).values("actor")[:1]
        rows = self.get_queryset(request).select_related("trial", "attribution", "service_type")
        watches = Watch.objects.filter(account=request.user.pk, order=OuterRef("pk"))
        return rows.annotate(entered_by=Subquery(entered), watched=Exists(watches))

"""The tabs of an order's page. Only data of the open tab are read, with pagination."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from django.conf import settings
from django.core.paginator import Page, Paginator
from django.db.models import Count, Q, QuerySet
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from notifications.masks import mask_name
from notifications.models import Mail
from orders.attachments.files_hold import why_not_waive
from orders.attachments.preview import RIGHT, files_of, first_rows
from orders.incidents.order_warnings import mark_records
from orders.lists.filter_kinds import DaysForm
from orders.lists.personal_data import PersonalAccess
from orders.mails.mail_reasons import Reasons, reasons_of, upcoming_mails
from orders.models import BillingRecord, Difference, Dispatch, InboundMessage, Order, OrderDomain
from orders.order_page.advice_buttons import Ways
from orders.order_page.calls import MAX_ROWS, attempts_of, calls_of, explain, show_answers
from orders.order_page.trial_shape import domain_sources, shape_lines
from orders.order_words.differences import DifferenceLine, lines_of
from orders.order_words.history import FILTERS, describe, events_of
from orders.order_words.ladder.step_stages import Facts
from orders.order_words.order_facts import content_text
from orders.order_words.trial_family import family_of
from orders.queries.order_times import Stretch, Why, placed, times_of
from orders.rules.steps import OTHER_CHANNELS, Step
from orders.texts.error_messages import say
from orders.texts.refusal_hints import why_refused
from orders.texts.untrusted_text import pretty
from orders.trials.trial_state_sources import parts_of

TONES = ("red", "amber", "grey")
PAGE, CALLS_PAGE, MESSAGES_PAGE, MAX_DIFFERENCES = 50, 10, 5, 50
MEANS = {
    BillingRecord.State.TO_SEND: _("not at the big-data side yet"),
    BillingRecord.State.LIVE: _("accepted there; it counts"),
    BillingRecord.State.CANCELLED: _("ended there on time; kept as history"),
    BillingRecord.State.DELETED: _("not there, or not any more"),
    BillingRecord.State.UNKNOWN: _(
        "no definite answer: the same call is repeated, or the record looked up, before anything else"
    ),
}
WAIT_TONES = {
    Why.QUEUE: "grey",
    Why.START: "grey",
    Why.PARTNER: "blue",
    Why.APPROVAL: "violet",
    Why.RETRY: "amber",
    Why.HOLD: "amber",
    Why.PAUSE: "amber",
    Why.LEASE: "red",
}
NARROWEST = 0.5  # percent of the chart's width, so that each bar is visible


@dataclass(frozen=True)
class Bar:
    """A bar of the time chart. `left` and `width` are percentages of the chart's width."""

    stretch: Stretch
    tone: str
    left: str
    width: str


@dataclass(frozen=True)
class Ask:
    """The parameters of a request for a tab. `orders`: the orders visible to the user. `personal`: the user's access to
    personal data. `ways`: the acts of the page's advice.

    `most`: the number of rows of each kind in print, instead of the size of a page.
    """

    facts: Facts
    params: Mapping[str, str]
    orders: QuerySet[Order]
    personal: PersonalAccess
    ways: Ways
    most: int | None = None

    @property
    def order(self) -> Order:
        return self.facts.order

    def page(self, rows: QuerySet | Sequence, size: int = PAGE, parameter: str = "page") -> Page:
        """Returns the page in the URL, or the first or last page if the number is invalid."""
        return Paginator(rows, self.most or size).get_page(self.params.get(parameter))


def overview(ask: Ask) -> dict:
    order = ask.order
    shown = {
        "family": family_of(order, ask.orders),
        "operator": ask.personal.person(order.oper_user, order.oper_tel, order.oper_mail),
    }
    if order.kind == Order.Kind.TRIAL:
        return shown | {"shape": shape_lines(order, sees=partial(_visible_ids, ask.orders))}
    domains = list(order.domains.all()[:7])
    return shown | {"domains": domains[:6], "more_domains": len(domains) > 6}


def _visible_ids(orders: QuerySet[Order], ids: list[int]) -> set[int]:
    return set(orders.filter(pk__in=ids).order_by().values_list("pk", flat=True)) if ids else set()


def domains(ask: Ask) -> dict:
    """Returns each domain with its billing record. For a trial, these are the domains of its shape."""
    if ask.order.kind == Order.Kind.TRIAL:
        return _trial_domains(ask)
    page = ask.page(ask.order.domains.all())
    owner = ask.order.trial_id if ask.order.kind == Order.Kind.CHANGE else ask.order.pk
    keys = [row.key for row in page]
    records = BillingRecord.objects.filter(order=owner, domain_key__in=keys).order_by("pk")
    by_key = {row.domain_key: row for row in records}
    _mark_records(ask, by_key.values())
    for row in page:
        row.record = by_key.get(row.key)
    return {"rows": page}


def _trial_domains(ask: Ask) -> dict:
    parts = parts_of(ask.order)
    sources = domain_sources(ask.order, parts)
    page = ask.page([OrderDomain(name=name, key=key) for key, name in parts.shape.domains.items()])
    records = ask.order.billing_records.filter(product_id=parts.shape.service)
    by_key = {row.domain_key: row for row in records.filter(domain_key__in=[row.key for row in page])}
    _mark_records(ask, by_key.values())
    for row in page:
        row.record, row.source = by_key.get(row.key), sources[row.name]
    return {"rows": page, "meant": True}


def _mark_records(ask: Ask, records: Iterable[BillingRecord]) -> None:
    """Marks the records with differences. Runs a query only if the order has open differences."""
    if ask.facts.open.number:
        mark_records(records)


def billing(ask: Ask) -> dict:
    records = ask.order.billing_records.select_related("dispatch").defer("dispatch__payload").order_by("pk")
    page = ask.page(records)
    page.object_list = list(page.object_list)
    _mark_records(ask, page.object_list)
    return {
        "rows": page,
        "counts": _states_of(ask.order, differs=ask.facts.differs),
        "differences": differences_of(ask.order),
        **_calls(ask, Dispatch.Channel.BILLING),
    }


def differences_of(order: Order, *, still: bool = False) -> list[DifferenceLine]:
    """Returns the newest differences between an order's records and the big-data side's. `still`: returns only open
    differences. Makes one query."""
    rows = order.differences.select_related("fix", "reconciliation").defer("fix__payload").order_by("-pk")
    rows = rows.filter(state=Difference.State.OPEN) if still else rows
    lines = lines_of(rows[:MAX_DIFFERENCES], order)
    return sorted(lines, key=lambda line: TONES.index(line.tone))  # the worst first, then the newest


def _states_of(order: Order, *, differs: bool) -> list[tuple]:
    """Returns (label, number, explanation) for each state of an order's records. Live records that begin later are
    counted separately."""
    later = Count("pk", filter=Q(state=BillingRecord.State.LIVE, create_time__gt=timezone.now()))
    rows = order.billing_records.order_by().values_list("state").annotate(number=Count("*"), later=later)
    found = [(_("not begun yet"), late, _("accepted there; it counts from its begin on")) for *_s, late in rows if late]
    numbers = {state: number - late for state, number, late in rows if number > late}
    means = dict.fromkeys(BillingRecord.State, _("so in our books; the differences below say what is otherwise there"))
    means = means if differs else MEANS
    return found + [(state.label, numbers[state], means[state]) for state in BillingRecord.State if state in numbers]


def usage(ask: Ask) -> dict:
    """Returns the traffic of the trial, or of an activation's trial."""
    trial = ask.order if ask.order.kind == Order.Kind.TRIAL else ask.order.trial
    rows = trial.usages.order_by("-pk") if trial else ask.order.usages.none()
    never = "" if settings.PARTNERS.bigdata.traffic.path else say("usage_no_call", {})
    return {"trial": trial, "rows": ask.page(rows), "never": never, **_calls(ask, Dispatch.Channel.USAGE)}


def _calls(ask: Ask, channel: str) -> dict:
    attempts = ask.page(attempts_of(ask.order, channel), CALLS_PAGE, "calls")
    show_answers(attempts.object_list, mask=ask.personal.text)
    return {"calls": calls_of(ask.order, channel, mask=ask.personal.text), "attempts": attempts}


def approvals(ask: Ask) -> dict:
    page = ask.page(ask.order.approvals.order_by("-time", "-pk"))
    for row in page:
        row.opinion = ask.personal.text(row.opinion)
    return {"rows": page}


def files(ask: Ask) -> dict:
    """Returns the result of the check for each file.

    If personal data is shown, adds the first rows of the file in the parameter `file`, or of the first valid file. If
    personal data is masked, no rows are shown, since masking can't detect names in a sheet.
    """
    check = next((row for row in ask.facts.steps if row.step == Step.CHECK_FILES), None)
    named = files_of(ask.order, check, waived=ask.facts.waiver is not None)
    right = [row for row in named if row.check == RIGHT]
    wanted = next((row for row in right if row.field == ask.params.get("file")), right[0] if right else None)
    rows = first_rows(wanted.name) if wanted and ask.personal.shown else None
    return {
        "files": named,
        "opened": wanted,
        "rows": rows,
        "waiver": ask.facts.waiver,
        "checked_next": check.next_try_at if check and ask.order.held_because == Order.Held.FILES else None,
        "takes_files": why_not_waive(ask.order) is None,
        "now": ask.facts.now,
    }


def mails(ask: Ask) -> dict:
    """Returns the written mails and, on the first page, the upcoming mails. Each mail has its recipients and the
    reasons."""
    page = ask.page(Mail.objects.filter(order=ask.order).exclude(body=""))
    for row in page:
        row.reasons = shown_reasons(reasons_of(row), ask.personal)
        row.heading, row.text = ask.personal.text(row.subject), ask.personal.text(row.body)
    coming = upcoming_mails(ask.order) if page.number == 1 else []
    coming = [replace(one, reasons=shown_reasons(one.reasons, ask.personal)) for one in coming]
    return {"rows": page, "upcoming": coming}


def shown_reasons(reasons: Reasons, personal: PersonalAccess) -> Reasons:
    """Returns the recipients, masked unless personal data is shown."""
    people = [
        replace(one, name=one.name if personal.shown else mask_name(one.name), address=personal.text(one.address))
        for one in reasons.people
    ]
    return replace(reasons, people=people)


def events(ask: Ask) -> dict:
    who = ask.params.get("who", "")
    form = DaysForm(ask.params)
    page = ask.page(form.within(events_of(ask.order, who)))
    timeline = [replace(one, more=ask.personal.text(one.more)) for one in map(describe, page)]
    filters = [(key, label, key == who) for key, (label, _q) in FILTERS.items()]
    times = [] if who or form.has_changed() or page.number > 1 else times_of(ask.order, now=ask.facts.now)[-PAGE:]
    total = sum(one.seconds for one in times)
    shown = {"rows": page, "timeline": timeline, "filters": filters, "form": form}
    return shown | {"times": bars_of(times), "total": total}


def bars_of(times: list[Stretch]) -> list[Bar]:
    bars = []
    for one, begins, length in placed(times):
        width = max(length * 100, NARROWEST)
        left = min(begins * 100, 100 - width)
        bars.append(Bar(one, WAIT_TONES[one.why], f"{left:.2f}%", f"{width:.2f}%"))
    return bars


def raw(ask: Ask) -> dict:
    content = ask.personal.text(content_text(ask.order))
    beginning = ask.personal.text(json.dumps(_beginning(ask.order.content), ensure_ascii=False))
    page = ask.page(InboundMessage.objects.filter(order_number=ask.order.number), MESSAGES_PAGE)
    for row in page:
        row.why = why_refused(row)
        row.advised = ask.ways.advise(row.why.advice)
        row.shown, row.rsp_desc = pretty(ask.personal.text(row.body)), ask.personal.text(row.rsp_desc)
    return {"lines": explain(beginning), "content": pretty(content), "rows": page}


def _beginning(content: dict) -> dict:
    return {name: value[:MAX_ROWS] if isinstance(value, list) else value for name, value in content.items()}


@dataclass(frozen=True)
class Tab:
    """A tab of the page. `rights`: the permissions for all kinds of rows on the tab. `personal`: the tab may show
    personal data. `only_calls`: the tab shows the calls and responses of a channel, for orders with steps of that
    channel."""

    key: str
    title: str | Promise
    load: Callable[[Ask], dict]
    rights: tuple[str, ...] = ()
    personal: bool = False
    kinds: tuple[str, ...] = tuple(Order.Kind.values)
    only_calls: bool = False

    @property
    def template(self) -> str:
        return "includes/order/calls.html" if self.only_calls else f"includes/order/tab_{self.key}.html"


CALLS = ("orders.view_dispatch", "orders.view_attempt")
BPM_CALLS = partial(_calls, channel=Dispatch.Channel.BPM)
APPROVALS, DIFFERENCES = "approvals.view_approvalrecord", "orders.view_difference"
BILLING = ("orders.view_billingrecord", DIFFERENCES, "orders.view_billingdispatch", *CALLS)
TABS = [
    Tab("overview", _("Overview"), overview, personal=True),
    Tab("domains", _("Domains"), domains, ("orders.view_orderdomain", "orders.view_billingrecord")),
    Tab("billing", _("Billing records"), billing, BILLING),
    Tab("bpm", _("BPM"), BPM_CALLS, ("orders.view_bpmdispatch", *CALLS), personal=True, kinds=(Order.Kind.ACTIVATION,)),
    Tab("approvals", _("Approval history"), approvals, (APPROVALS,), personal=True, kinds=(Order.Kind.ACTIVATION,)),
    Tab("files", _("Attachments"), files, ("orders.view_orderfiles",), personal=True, kinds=(Order.Kind.ACTIVATION,)),
    Tab("mails", _("Mails"), mails, ("notifications.view_mail",), personal=True),
    Tab(
        "usage",
        _("Trial traffic"),
        usage,
        ("orders.view_trialusage", *CALLS),
        kinds=(Order.Kind.TRIAL, Order.Kind.ACTIVATION),
    ),
    *(
        Tab(
            channel.value,
            channel.label,
            partial(_calls, channel=channel),
            CALLS,
            personal=True,
            only_calls=True,
        )
        for channel in OTHER_CHANNELS
    ),
    Tab("events", _("Events"), events, ("orders.view_orderevent",), personal=True),
    Tab("raw", _("Raw message"), raw, ("orders.view_inboundmessage",), personal=True),
]


def tabs_of(facts: Facts, has_perms: Callable[[tuple[str, ...]], bool]) -> list[Tab]:
    """Returns the tabs of an order of this kind with these steps, for a user with these permissions."""
    channels = {row.channel for row in facts.steps}
    fitting = [tab for tab in TABS if facts.order.kind in tab.kinds and (not tab.only_calls or tab.key in channels)]
    return [tab for tab in fitting if has_perms(tab.rights)]


def open_tab(tabs: list[Tab], key: str | None) -> Tab:
    """Returns the tab in the URL, or the first tab, which needs no further permission."""
    return next((tab for tab in tabs if tab.key == key), tabs[0])

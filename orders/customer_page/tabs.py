"""The tabs of a customer's page. Only the open tab's data are read, one page at a time."""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from django.core.paginator import Page, Paginator
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from notifications.contacts_and_recipients import contacts_for
from orders.customer_page.billed_now import billed_lines, lines_of, records_of, set_theirs
from orders.incidents.order_warnings import mark_orders
from orders.lists.filter_kinds import DaysForm
from orders.lists.personal_data import PersonalAccess
from orders.models import AffectedOrder, Customer, Difference, Order, OrderEvent
from orders.order_words.differences import lines_of as difference_lines
from orders.order_words.history import FILTERS, describe
from orders.order_words.trial_family import Family, Member
from orders.texts.incident_texts import cause_of

PAGE, TREES, LINES = 50, 10, 20
MAX_MEMBERS, MAX_DIFFERENCES = 60, 20
MAX_ORDERS_READ = 200  # newest orders whose operators are shown


@dataclass(frozen=True)
class Ask:
    """The parameters of a request for a tab.

    `orders`: the customer's orders that the user may see. `personal`: the user's access to personal data. `places`: the
    customer's attributions that the user may see, `{letters: name}`.
    """

    customer: Customer
    orders: QuerySet[Order]
    now: datetime.datetime
    places: dict[str, str]
    params: Mapping[str, str]
    personal: PersonalAccess

    def page(self, rows: QuerySet, size: int = PAGE, parameter: str = "page") -> Page:
        """Returns the page whose number is in the URL, or the nearest valid one."""
        return Paginator(rows, size).get_page(self.params.get(parameter))

    @property
    def ids(self) -> QuerySet:
        return self.orders.order_by().values("pk")


def billing(ask: Ask) -> dict:
    """Returns the customer's current billing by order and product, then by domain, and the open differences."""
    records = records_of(ask.orders, now=ask.now)
    lines = ask.page(lines_of(records), LINES, "lines")
    rows = ask.page(
        records.order_by("-info_type", "domain_key", "pk")
        .select_related("order", "dispatch")
        .defer("order__content", "dispatch__payload")
    )
    rows.object_list = list(rows.object_list)
    set_theirs(rows.object_list)
    billed = billed_lines(lines, ask.orders, now=ask.now)
    mark_orders({line.order.pk: line.order for line in billed}.values())
    return {"lines": lines, "billed": billed, "rows": rows, "differences": _differences(ask)}


def _differences(ask: Ask) -> list:
    rows = Difference.objects.filter(order__in=ask.ids, state=Difference.State.OPEN).order_by("-pk")
    rows = rows.select_related("fix", "reconciliation", "order").defer("fix__payload", "order__content")
    return [line for row in rows[:MAX_DIFFERENCES] for line in difference_lines([row], row.order)]


def orders(ask: Ask) -> dict:
    trial = ask.orders.order_by().filter(number=OuterRef("trial_number"))
    roots = ask.orders.filter(Q(trial_number="") | ~Exists(trial)).order_by("-pk")
    roots = roots.select_related("shape").defer("content", "shape__domains")
    page = ask.page(roots, TREES)
    page.object_list = list(page.object_list)
    numbers = [row.number for row in page.object_list]
    behind: dict[str, list[Order]] = {}
    for row in ask.orders.filter(trial_number__in=numbers).order_by("pk").defer("content"):
        behind.setdefault(row.trial_number, []).append(row)
    mark_orders([*page.object_list, *(row for rows in behind.values() for row in rows)])
    return {"rows": page, "families": [_tree(root, behind.get(root.number, [])) for root in page.object_list]}


def _tree(root: Order, behind: list[Order]) -> Family:
    members = [Member(root, False, not root.trial_number), *(Member(row, False, False) for row in behind)]
    return Family(members[:MAX_MEMBERS], root.trial_number, len(members) > MAX_MEMBERS)


def contacts(ask: Ask) -> dict:
    """Returns the operators in the customer's newest orders, and the SAs who answer for its attributions."""
    rows = ask.orders.order_by("-pk").values_list("oper_user", "oper_tel", "oper_mail", "number", "pk")
    people: dict[tuple, tuple] = {}
    for user, tel, mail, number, pk in rows[:MAX_ORDERS_READ]:
        if user or tel or mail:
            people.setdefault((user, tel, mail), (number, pk))
    shown = [{"number": number, "pk": pk, **ask.personal.person(*names)} for names, (number, pk) in people.items()]
    ours = [
        {"name": name, **ask.personal.person(one.name, one.tel, one.mail)}
        for letters, name in ask.places.items()
        for one in contacts_for(letters)
    ]
    return {"people": shown, "ours": ours}


def files(ask: Ask) -> dict:
    named = ~Q(info_security="", info_security_table="", busi_info="")
    return {"rows": ask.page(ask.orders.filter(named).order_by("-pk").defer("content"))}


def incidents(ask: Ask) -> dict:
    rows = AffectedOrder.objects.filter(order__in=ask.ids).select_related("incident", "order").defer("order__content")
    page = ask.page(rows.order_by(F("closed_at").desc(nulls_first=True), "-pk"))
    for row in page:
        row.cause = cause_of(row.incident.code)
    return {"rows": page}


def events(ask: Ask) -> dict:
    who = ask.params.get("who", "")
    rows = OrderEvent.objects.filter(FILTERS.get(who, FILTERS[""])[1], order__in=ask.ids).order_by("-pk")
    form = DaysForm(ask.params)
    page = ask.page(form.within(rows).select_related("order").defer("order__content"))
    filters = [(key, label, key == who) for key, (label, _q) in FILTERS.items()]
    timeline = [replace(one, more=ask.personal.text(one.more)) for one in map(describe, page)]
    return {"rows": page, "timeline": timeline, "filters": filters, "form": form}


@dataclass(frozen=True)
class Tab:
    """A tab. `rights`: the permissions to see all its rows. `personal`: it may show phones, mails or names of
    people."""

    key: str
    title: str | Promise
    load: Callable[[Ask], dict]
    rights: tuple[str, ...]
    personal: bool = False

    @property
    def template(self) -> str:
        return f"includes/customer/tab_{self.key}.html"


ORDERS, RECORDS, DIFFERENCES = "orders.view_order", "orders.view_billingrecord", "orders.view_difference"
TROUBLES = ("orders.view_incident", "orders.view_affectedorder")
TABS = [
    Tab("billing", _("Billed now"), billing, (ORDERS, RECORDS, DIFFERENCES)),
    Tab("orders", _("Orders"), orders, (ORDERS,)),
    Tab("contacts", _("Contacts"), contacts, (ORDERS, "notifications.view_contact"), personal=True),
    Tab("files", _("Attachments"), files, (ORDERS, "orders.view_orderfiles")),
    Tab("incidents", _("Incidents"), incidents, (ORDERS, *TROUBLES)),
    Tab("events", _("Timeline"), events, (ORDERS, "orders.view_orderevent"), personal=True),
]


def tabs_for(user) -> list[Tab]:
    return [tab for tab in TABS if user.has_perms(tab.rights)]


def open_tab(tabs: list[Tab], key: str | None) -> Tab | None:
    return next((tab for tab in tabs if tab.key == key), tabs[0] if tabs else None)

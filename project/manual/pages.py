"""The pages of the manual. Each of them explains certain pages of the desk."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from django.contrib.admin import AdminSite
from django.db.models import TextChoices
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from approvals.models import ApprovalRecord
from notifications.models import Mail
from orders.models import AskedAct, Attempt, BillingRecord, Difference, Dispatch, Incident, Order
from orders.office.bulk.models import BulkItem, BulkRun
from orders.office.exports.models import Export
from orders.texts.state_meanings import MEANINGS

STATES = "states"


class ManualPage(NamedTuple):
    """A page of the manual. Its text is in templates/manual/SLUG.html.

    `explains` are prefixes of the URL names of the explained pages, without `admin:`.
    """

    slug: str
    title: str | Promise
    explains: tuple[str, ...] = ()


PAGES = (
    ManualPage("start", _("Where to begin"), ("index", "find", "app_list")),
    ManualPage(
        "lists", _("Lists, views, exports, printing"), ("orders_savedview", "orders_export", "orders_scheduledexport")
    ),
    ManualPage("order", _("An order"), ("orders_order_",)),
    ManualPage(STATES, _("What states mean")),
    ManualPage("todo", _("What needs somebody, and whose it is"), ("orders_affectedorder", "leave", "digest", "inbox")),
    ManualPage("incidents", _("Incidents"), ("orders_incident",)),
    ManualPage(
        "billing",
        _("Billing records and differences"),
        ("orders_billingrecord", "orders_difference", "orders_reconciliation", "orders_customer"),
    ),
    ManualPage("approvals", _("Approvals, and a second person"), ("approvals_", "orders_askedact")),
    ManualPage("trials", _("Entering trials"), ("orders_trial", "orders_upload")),
    ManualPage(
        "account",
        _("Accounts, contacts and settings"),
        (
            "sessions",
            "second_factor",
            "password",
            "project_",
            "auth_",
            "notifications_",
            "orders_calendarday",
            "orders_timelimit",
        ),
    ),
)
BY_SLUG = {page.slug: page for page in PAGES}


def page_explaining(name: str) -> ManualPage:
    """Returns the manual's page that explains the page with this URL name, or the manual's first page if there is
    none."""
    name = name.removeprefix("admin:")
    explaining = [page for page in PAGES if any(name.startswith(begin) for begin in page.explains)]
    if name == "orders_order_changelist":
        return BY_SLUG["lists"]
    return explaining[0] if explaining else PAGES[0]


class StateGroup(NamedTuple):
    """The states of a model. Their anchors on the page of states begin with `prefix`. If `are_chips`, they are shown as
    chips."""

    prefix: str
    title: str | Promise
    states: type[TextChoices]
    are_chips: bool = True


STATE_GROUPS = (
    StateGroup("order", _("States of an order"), Order.State),
    StateGroup("held", _("Why an order is held"), Order.Held, are_chips=False),
    StateGroup("step", _("States of a step"), Dispatch.State),
    StateGroup("attempt", _("Outcomes of a call"), Attempt.Outcome),
    StateGroup("mail", _("States of a mail"), Mail.State),
    StateGroup("record", _("States of a billing record"), BillingRecord.State),
    StateGroup("incident", _("States of an incident"), Incident.State),
    StateGroup("difference", _("Kinds of differences"), Difference.Kind, are_chips=False),
    StateGroup("differing", _("States of a difference"), Difference.State),
    StateGroup("approval", _("Decisions"), ApprovalRecord.Result),
    StateGroup("asked", _("States of an act for a second person"), AskedAct.State),
    StateGroup("bulk", _("States of a bulk run"), BulkRun.State),
    StateGroup("row", _("Rows of a bulk run"), BulkItem.State),
    StateGroup("export", _("States of an export"), Export.State),
)


class Meaning(NamedTuple):
    anchor: str
    state: TextChoices
    meaning: str | Promise


def meanings() -> Iterator[tuple[StateGroup, Iterable[Meaning]]]:
    """Yields the content of the page of states: (group, its states with anchor and meaning)."""
    for group in STATE_GROUPS:
        yield group, [Meaning(f"{group.prefix}-{state}", state, text) for state, text in MEANINGS[group.states].items()]


def manual_page(request: HttpRequest, slug: str = PAGES[0].slug, *, site: AdminSite) -> HttpResponse:
    """Shows a page of the manual. For an unknown slug, raises Http404. All staff may read the manual, because it
    contains no data."""
    if slug not in BY_SLUG:
        raise Http404
    place = list(BY_SLUG).index(slug)
    context = site.each_context(request) | {
        "title": BY_SLUG[slug].title,
        "pages": PAGES,
        "page": BY_SLUG[slug],
        "text": f"manual/{slug}.html",
        "before": PAGES[place - 1] if place else None,
        "after": PAGES[place + 1] if place + 1 < len(PAGES) else None,
    }
    if slug == STATES:
        context["meanings"] = meanings()
    return TemplateResponse(request, "manual/page.html", context)

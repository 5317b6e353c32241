"""Counts the queries of each page: as many with 5 rows as with 2, and never more than the limits here."""

import itertools

import pytest
from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from orders.customer_page.tabs import TABS as CUSTOMER_TABS
from orders.lists import page_fingerprint
from orders.lists.change_list import DeskChangeList
from orders.lists.model_admin import DeskAdmin
from orders.models import InboundMessage, Order
from orders.search.index import index_orders
from orders.search.list_search import customer_address
from tests import factories as make
from tests.admin.orders import failed, step
from tests.admin.rows import ALL_MAKERS, new_row, of_none, of_order
from tests.admin.walking import models, name_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("counted_each_time")]
FEW, MANY = 2, 5
# Each limit includes one query for the paused partners and one for the number of unread messages. LIST, PAGE,
# ORDER_PAGE and DASHBOARD may include two more for pages that stay open: the version of the page, and the count in the
# browser's tab.
LIST, PAGE, ORDER_PAGE, BRIEF, DECISION, ACT, DASHBOARD, FIND = 17, 15, 26, 22, 31, 37, 21, 32
OF_THEIR_OWN = {("orders_order", "change"), ("orders_customer", "change"), ("orders_askedact", "change")}
OF_ORDER = sorted(models() - set(ALL_MAKERS))


@pytest.fixture
def staff(member):
    """A person in the role that sees most, limited to an attribution, because then the pages make the most queries."""
    return member("管理员", letters=["BJ"])


@pytest.fixture
def unlimited(member):
    """An account with the most rights, as an account from before 1.7 may have. With it, the queries of the forms of
    actions are counted too.
    """
    return member("业务人员", "工程师", "管理员", "审批主管")


def queries(client, url, **more):
    """Returns the number of queries of a page. `more` is passed on to the client's `get`. The orders that need
    somebody are counted on every request. Otherwise a process counts them again only after some seconds.
    """
    page_fingerprint._counted.clear()
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url, **more).status_code == 200
    return len(captured)


def too_many(client, urls, most):
    """Returns `{name: queries}` of the pages that make more than `most`. Each of these pages is opened twice, so that
    what a process asks only once does not count.
    """
    found = {name: url for name, url in urls.items() if queries(client, url) > most}
    return {name: count for name, url in found.items() if (count := queries(client, url)) > most}


def grows_not(client, url, grow, most):
    """Asserts that the page makes as many queries with MANY rows as with FEW, and at most `most`."""
    for _ in range(FEW):
        grow()
    few = queries(client, url)
    many = grown(client, url, grow)
    if many < few:  # the first page made queries that a process makes only once
        few, many = many, grown(client, url, grow)
    assert many == few
    assert few <= most, few


def grown(client, url, grow):
    """Adds MANY - FEW rows and returns the number of the page's queries."""
    for _ in range(MANY - FEW):
        grow()
    return queries(client, url)


def listed(model, own):
    """Returns a list's name as a parameter. `make test` runs the lists whose rows show facts of other tables."""
    facts = type(own).add_facts is not DeskAdmin.add_facts or own.changelist.add_facts is not DeskChangeList.add_facts
    return pytest.param(name_of(model), marks=pytest.mark.each if facts else ())


@pytest.mark.parametrize("name", [listed(*one) for one in admin.site._registry.items()])
def test_a_list_asks_the_same_however_long(unlimited, name):
    grows_not(unlimited, reverse(f"admin:{name}_changelist"), lambda: new_row(name), LIST)


@pytest.mark.whole
def test_lists_of_limited_staff_ask_no_more(staff):
    for _ in range(2):
        of_order(make.OrderFactory(attribution_id="BJ"))
    assert too_many(staff, {name: reverse(f"admin:{name}_changelist") for name in OF_ORDER}, LIST) == {}


@pytest.mark.whole
def test_every_page_and_its_history(unlimited):
    rows = {**of_order(make.OrderFactory(attribution_id="BJ")), **of_none()}
    urls = {
        (name, page): reverse(f"admin:{name}_{page}", args=[row.pk])
        for name, row in rows.items()
        for page in ("change", "history")
        if (name, page) not in OF_THEIR_OWN
    }
    assert too_many(unlimited, urls, PAGE) == {}


def test_an_act_for_a_second_person(unlimited):
    """The page of an act that waits for a second person makes the queries of the decision's page. It also reads who
    the two people are and who has given them anything.
    """
    url = reverse("admin:orders_askedact_change", args=[new_row("orders_askedact").pk])
    grows_not(unlimited, url, lambda: new_row("orders_askedact"), ACT)


@pytest.mark.parametrize("tab", [tab.key for tab in CUSTOMER_TABS])
def test_a_customer_with_many_orders(staff, tab):
    row = make.CustomerFactory(last_order__attribution_id="BJ")

    def grow():
        order = make.OrderFactory(attribution_id="BJ", info_security="x.xlsx", trial_number="", enterprise_id=row.pk)
        busy(order)
        make.DifferenceFactory(order=order)

    grows_not(staff, f"{customer_address(row.pk)}?tab={tab}", grow, ORDER_PAGE)


@pytest.mark.parametrize("term", ["cdn00", "云帆"])
def test_finding_anything(staff, term):
    def grow():
        order = make.OrderFactory(
            attribution_id="BJ",
            enterprise_id=f"E{Order.objects.count()}",
            enterprise_name="云帆",
            number=f"cdn00{Order.objects.count()}",
        )
        make.OrderDomainFactory(order=order, name=f"cdn00{order.pk}.example.com")
        index_orders(now=timezone.now(), seconds=60)

    grows_not(staff, f"{reverse('admin:find')}?part=&q={term}", grow, FIND)


def history(row):
    kind = ContentType.objects.get_for_model(row)
    LogEntry.objects.create(
        user=make.UserFactory(), content_type=kind, object_id=row.pk, object_repr="x", action_flag=CHANGE
    )


def test_histories(unlimited):
    row = make.ContactFactory()
    url = reverse("admin:notifications_contact_history", args=[row.pk])
    grows_not(unlimited, url, lambda: history(row), PAGE)


def test_an_incident_with_many_orders(unlimited):
    row = make.IncidentFactory()
    url = reverse("admin:orders_incident_change", args=[row.pk])
    grows_not(unlimited, url, lambda: make.AffectedOrderFactory(incident=row), PAGE)
    url = reverse("admin:orders_incident_act", args=[row.pk, "resolve"])
    grows_not(unlimited, url, lambda: make.AffectedOrderFactory(incident=row, order__state="failed"), PAGE)


def test_an_outage_costs_two_queries_more(unlimited):
    """The page of an incident about an outage makes two queries more than another incident's: one counts the waiting
    calls, and one measures the rate of calls.
    """
    plain, outage = (make.IncidentFactory(partner="bigdata", code=code) for code in ("timeout", "breaker_open"))
    make.DispatchFactory()
    pages = [reverse("admin:orders_incident_change", args=[row.pk]) for row in (plain, outage)]
    queries(unlimited, pages[0])  # makes the queries that a process makes only once
    few, more = (queries(unlimited, page) for page in pages)
    assert more <= min(few + 2, PAGE)


@pytest.mark.parametrize("name", ["orders_dispatch", "orders_billingdispatch", "orders_bpmdispatch"])
def test_a_dispatch_with_many_attempts(unlimited, name):
    row, numbers = new_row(name), itertools.count(1)
    url = reverse(f"admin:{name}_change", args=[row.pk])
    grows_not(unlimited, url, lambda: make.AttemptFactory(dispatch_id=row.pk, number=next(numbers)), PAGE)


def test_a_conflict_with_many_messages(unlimited):
    order = make.OrderFactory()
    row = make.ConflictFactory(order_number=order.number)
    url = reverse("admin:orders_conflict_change", args=[row.pk])
    grows_not(unlimited, url, lambda: make.InboundMessageFactory(order_number=order.number), PAGE)


@pytest.mark.parametrize("name", ["project_user", "auth_group"])
def test_accounts(admin_client, name):
    row = ALL_MAKERS[name]()
    url = reverse(f"admin:{name}_change", args=[row.pk])
    grows_not(admin_client, url, ALL_MAKERS["auth_group"], PAGE)


def test_an_account(unlimited):
    row = make.UserFactory(letters=[])
    url = reverse("admin:project_user_change", args=[row.pk])
    grows_not(unlimited, url, lambda: row.attributions.add(ALL_MAKERS["orders_province"]()), PAGE)


def test_autocomplete(unlimited):
    url = reverse("admin:autocomplete") + "?app_label=project&model_name=user&field_name=deputy"
    grows_not(unlimited, url, make.UserFactory, PAGE)


def scheduled(owner, recipients=1):
    """Makes a scheduled export with recipients and a run."""
    row = make.ScheduledExportFactory(owner=owner)
    grow_schedule(row, recipients)
    return row


def grow_schedule(row, recipients=1):
    for _ in range(recipients):
        row.recipients.add(make.UserFactory(letters=["BJ"]))
    make.ExportFactory(schedule=row)


def test_a_scheduled_export_with_many_recipients_and_runs(unlimited):
    row = scheduled(unlimited.person)
    url = reverse("admin:orders_scheduledexport_change", args=[row.pk])
    grows_not(unlimited, url, lambda: grow_schedule(row), PAGE)
    grows_not(unlimited, reverse("admin:orders_scheduledexport_edit", args=[row.pk]), lambda: grow_schedule(row), PAGE)


def test_the_form_of_a_new_schedule(unlimited):
    def grow():
        make.SavedViewFactory(owner=unlimited.person)
        make.UserFactory()

    grows_not(unlimited, reverse("admin:orders_scheduledexport_new"), grow, PAGE)


def test_an_export_with_many_recipients(unlimited):
    row = make.ExportFactory(schedule=scheduled(unlimited.person))
    url = reverse("admin:orders_export_change", args=[row.pk])
    grows_not(unlimited, url, lambda: grow_schedule(row.schedule), PAGE)


def busy(order):
    """Adds one more of everything that a decision about the order reads."""
    step(order, "create_billing", "failed", position=order.dispatches.count() + 1, error_code="timeout")
    make.BillingRecordFactory(order=order)
    make.OrderDomainFactory(order=order)
    make.OrderEventFactory(order=order)
    make.AffectedOrderFactory(order=order)


@pytest.mark.parametrize("key", ["resend", "compensate", "withdraw", "note"])
def test_the_form_of_a_decision(unlimited, key):
    order = failed()
    url = reverse("admin:orders_order_decide", args=[order.pk, key])
    grows_not(unlimited, url, lambda: busy(order), DECISION)


@pytest.mark.parametrize("tab", ["overview", "domains", "billing", "bpm", "approvals", "mails", "usage", "events"])
def test_an_order_s_page(unlimited, tab):
    order = failed()
    url = reverse("admin:orders_order_change", args=[order.pk]) + f"?tab={tab}"

    def grow():
        busy(order)
        make.AttemptFactory(dispatch=order.dispatches.first(), number=order.dispatches.count())
        make.ApprovalRecordFactory(order=order)
        make.MailFactory(order=order)
        make.TrialUsageFactory(trial=order.trial)
        make.OrderFactory(trial=order.trial, trial_number=order.trial_number)

    grows_not(unlimited, url, grow, ORDER_PAGE)


def test_an_order_in_brief(unlimited):
    """The preview beside the list adds at most as many queries to the list as the preview alone may make."""
    order = failed()

    def grow():
        busy(order)
        make.OrderFactory(trial=order.trial, trial_number=order.trial_number)

    grows_not(unlimited, reverse("admin:orders_order_preview", args=[order.pk]), grow, BRIEF)
    listed = reverse("admin:orders_order_changelist")
    assert queries(unlimited, f"{listed}?preview={order.pk}") - queries(unlimited, listed) <= BRIEF


def test_an_order_s_page_within_a_list(unlimited):
    """Within a list, the order's page makes two queries more: for the order before and for the one after. On
    PostgreSQL it makes three further ones, which limit how long these two may take.
    """
    order = failed()
    url = reverse("admin:orders_order_change", args=[order.pk])
    queries(unlimited, url)
    plain, filters = queries(unlimited, url), ("p=1", "state__exact=failed", "needs=somebody&o=since", "o=-next_try")
    more = {query: queries(unlimited, url, query_params={"_changelist_filters": query}) - plain for query in filters}
    # a savepoint, the setting of its time limit, and its release
    bound = 3 if connection.vendor == "postgresql" else 0
    more = {query: number - bound for query, number in more.items()}
    assert more == {"p=1": 2, "state__exact=failed": 3, "needs=somebody&o=since": 2, "o=-next_try": 3}


def test_resending_many(unlimited):
    url = reverse("admin:orders_order_resend") + "?partner=bpm"
    grows_not(unlimited, url, failed, ORDER_PAGE)


def test_the_result_of_resending_many(unlimited):
    run = make.BulkRunFactory(act="resend", done=1, failed=1)
    url = reverse("admin:orders_bulkrun_change", args=[run.pk])

    def sent():
        make.BulkItemFactory(run=run, target=failed().pk)
        make.BulkItemFactory(run=run, target=failed().pk, state="failed", why={"code": "resend_nothing_failed"})

    grows_not(unlimited, url, sent, ORDER_PAGE)


@pytest.mark.parametrize("key", ["note", "attribute", "conflicts", "incidents"])
def test_an_act_on_many(unlimited, key):
    url = reverse("admin:orders_bulkrun_new", args=[key]) + "?every=1"
    grows_not(unlimited, url, lambda: of_order(make.OrderFactory(attribution_id="BJ")), PAGE)


def test_the_dashboard(staff):
    def grow():
        order = make.OrderFactory(received_at=timezone.now(), state="failed", attribution_id="BJ")
        make.DispatchFactory(order=order)
        make.AffectedOrderFactory(order=order)
        make.HeartbeatFactory()
        make.BreakerFactory(opened_at=timezone.now())

    grows_not(staff, reverse("admin:index"), grow, DASHBOARD)


def owned(user, state="failed"):
    """Makes an order, an incident and a difference that this person owns, and returns the order."""
    order = make.OrderFactory(state=state, attribution_id="BJ", owner=user)
    make.AffectedOrderFactory(order=order, incident__owner=user)
    make.DifferenceFactory(order=order, owner=user)
    return order


@pytest.mark.parametrize("letters", [None, ["BJ"]], ids=["all", "limited"])
def test_the_dashboard_of_who_has_much_and_stands_in_for_others(member, letters):
    clerk = member("业务人员", letters=letters)

    def grow():
        owned(clerk.person)
        owned(colleague(away_until="2099-12-05", deputy=clerk.person))

    grows_not(clerk, reverse("admin:index"), grow, DASHBOARD + 2)


def colleague(**more):
    user = make.UserFactory(**more)
    user.groups.set(Group.objects.filter(name="业务人员"))
    return user


@pytest.mark.parametrize("whose", ["own", "a colleague's"])
def test_a_leave(member, whose):
    """The page of a leave, for an owner of many rows and with many colleagues who could stand in."""
    staff = member("业务人员") if whose == "own" else member("管理员")
    person = staff.person if whose == "own" else colleague()
    url = reverse("admin:leave") if whose == "own" else reverse("admin:project_user_leave", args=[person.pk])

    def grow():
        owned(person)
        colleague()

    grows_not(staff, url, grow, PAGE if whose == "own" else PAGE + 1)  # the one more reads whose leave it is


@pytest.mark.parametrize("kind", ["order", "incident", "difference"])
def test_handing_something_over(member, kind):
    """The page that hands a row over to one of many colleagues, some of whom are away."""
    staff = member("业务人员", letters=["BJ"])
    order = owned(staff.person)
    row = {"order": order, "incident": order.troubles.get().incident, "difference": order.differences.get()}[kind]

    def grow():
        colleague(letters=["BJ"])
        colleague(away_until="2099-12-05", deputy=colleague())
        if kind == "incident":
            make.AffectedOrderFactory(incident=row, order__attribution_id="BJ")

    grows_not(staff, reverse(f"admin:orders_{kind}_own", args=[row.pk]), grow, PAGE)


def test_a_trial_of_the_mail_rules(unlimited):
    """The page that tries the mail rules on an order, with many rules that apply and many people for each of them."""
    order = make.OrderFactory(attribution_id="BJ")
    url = f"{reverse('admin:notifications_mailrule_try')}?order={order.number}&event=mail_billed"
    kinds = itertools.product(["", "activation"], ["BJ", None], ["", "mail_billed"])

    def grow():
        kind, letters, event = next(kinds)
        make.MailRuleFactory(attribution_id=letters, event=event, order_kind=kind, contact=make.ContactFactory())
        make.ContactFactory(attribution_id="BJ", role="copy")

    grows_not(unlimited, url, grow, PAGE)


def test_a_day_s_calls(unlimited):
    url = reverse("admin:calls") + f"?day={timezone.localdate()}"

    def grow():
        for row in (make.DispatchFactory(), make.BpmDispatchFactory()):
            make.AttemptFactory(dispatch=row, started_at=timezone.now(), finished_at=timezone.now(), outcome="refused")
        make.InboundMessageFactory(received_at=timezone.now(), rsp_code=f"2{InboundMessage.objects.count():04}")

    grows_not(unlimited, url, grow, PAGE)

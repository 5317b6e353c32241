"""A person limited to attributions sees only orders of these attributions on lists, pages, in searches, counts and
autocomplete.
"""

import pytest
from django.contrib import admin
from django.urls import reverse
from django.utils import timezone
from django_q.models import Schedule

from orders.lists.registration import LISTS
from orders.lists.scope import OwnRows, UnlimitedOnly
from tests import factories as make
from tests.admin.latin import Shown
from tests.admin.rows import kept_for_a_module, of_order
from tests.admin.walking import name_of, unrendered

pytestmark = pytest.mark.django_db
ROLE = "管理员"  # this role sees every list, so that only the limit hides anything


def keeps_to_the_scope(model):
    """Returns whether the list shows each person the rows of the person's attributions. Other lists show everybody the
    same rows or each person their own ones, or hide all rows from limited people.
    """
    own = admin.site.get_model_admin(model)
    return not LISTS[model].same_for_all and not isinstance(own, OwnRows | UnlimitedOnly)


NAMES = [name_of(model) for model in LISTS if keeps_to_the_scope(model)]
every_list = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def found(django_db_setup, django_db_blocker):
    """The rows of three orders: one of each of two attributions, and one without an attribution. Tests that make rows
    themselves use other attributions.
    """
    with kept_for_a_module(django_db_blocker):
        yield {letters: of_order(make.OrderFactory(attribution_id=letters)) for letters in ("GD", "TJ", None)}


def listed(client, name, **query):
    """Returns the keys of the rows that a list shows, and its count."""
    changelist = unrendered(client.person, reverse(f"admin:{name}_changelist"), query).context_data["cl"]
    return {row.pk for row in changelist.result_list}, changelist.result_count


@every_list
def test_lists_and_counts_keep_to_the_scope(member, found, name):
    rows, number = listed(member(ROLE, letters=["GD"]), name)
    assert found["GD"][name].pk in rows
    assert number == len(rows)
    everything, _number = listed(member(ROLE), name)
    assert everything > rows
    assert listed(member(ROLE, letters=[]), name) == (set(), 0)


@every_list
def test_a_direct_address_leads_nowhere(member, found, name):
    own, other = found["GD"][name], found["TJ"][name]
    staff = member(ROLE, letters=["GD"])
    for page in ("change", "history", "delete"):
        answer = staff.get(reverse(f"admin:{name}_{page}", args=[other.pk]))
        assert answer.status_code in (302, 403, 404), page
        # only the visible texts, because the name of the row may be a digit that also occurs in the page's markup
        said = " ".join(Shown(answer.content.decode()).texts)
        assert str(other) not in said
    assert staff.get(reverse(f"admin:{name}_change", args=[own.pk])).status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        "orders_order",
        "orders_dispatch",
        "orders_billingrecord",
        "orders_inboundmessage",
        "approvals_approvalrecord",
        "notifications_mail",
    ],
)
def test_search_keeps_to_the_scope(member, found, name):
    other = found["TJ"]["orders_order"]
    assert listed(member(ROLE, letters=["GD"]), name, q=other.number) == (set(), 0)
    assert listed(member(ROLE, letters=["TJ"]), name, q=other.number)[1] > 0


def test_a_search_does_not_tell_whether_others_have_such_a_customer(member):
    """A term that is no customer's id is searched as the beginning of a domain. The person gets the same result if
    such a customer exists that the person may not see.
    """
    make.BillingRecordFactory(order__attribution_id="BJ", domain="210a99secret.example.com")
    url, query = reverse("admin:orders_billingrecord_changelist"), {"q": "210a99secret"}
    shown = member(ROLE, letters=["BJ"]).get(url, query).content.decode()
    assert "210a99secret.example.com" in shown
    make.OrderFactory(attribution_id="SH", enterprise_id="210a99secret")
    assert "210a99secret.example.com" in member(ROLE, letters=["BJ"]).get(url, query).content.decode()


def test_an_incident_counts_only_the_orders_in_scope(member):
    incident = make.IncidentFactory()
    for letters in ("BJ", "SH", "SH"):
        make.AffectedOrderFactory(incident=incident, order=make.OrderFactory(attribution_id=letters))
    staff = member(ROLE, letters=["BJ"])
    row = staff.get(reverse("admin:orders_incident_changelist")).context["cl"].result_list[0]
    assert row.still == 1
    page = staff.get(reverse("admin:orders_incident_change", args=[incident.pk]))
    assert [row.order.attribution_id for row in page.context["stopped"]] == ["BJ"]


def test_probing_by_relations_is_refused(member):
    other = make.OrderFactory(attribution_id="SH", state="held", held_because="files")
    make.OrderFactory(attribution_id="BJ", trial=other)
    url = reverse("admin:orders_order_changelist")
    answer = member(ROLE, letters=["BJ"]).get(url, {"trial__enterprise_name__startswith": "北"})
    assert answer.status_code in (302, 400)


def test_what_belongs_to_no_attribution_is_for_those_who_see_all(member):
    make.ReconciliationFactory()
    Schedule.objects.create(name="BBossOrderJob_100A_1", func="os.getpid", next_run=timezone.now())
    staff = member(ROLE, letters=["BJ"])
    for name in ("orders_reconciliation", "django_q_schedule"):
        assert listed(staff, name) == (set(), 0)


def test_a_limited_person_gives_contacts_only_to_their_own(member):
    contact = make.ContactFactory(attribution_id="BJ")
    staff = member(ROLE, letters=["BJ"])
    form = {"name": "王五", "mail": "ww@example.com", "tel": "", "role": "sa", "attribution": "SH", "active": "on"}
    assert staff.post(reverse("admin:notifications_contact_change", args=[contact.pk]), form).status_code == 200
    contact.refresh_from_db()
    assert contact.attribution_id == "BJ"


ADDRESSED = [
    ("orders_affectedorder", "incident", lambda rows: rows["orders_affectedorder"].incident_id),
    ("orders_attempt", "dispatch", lambda rows: rows["orders_attempt"].dispatch_id),
    ("orders_difference", "reconciliation", lambda rows: rows["orders_difference"].reconciliation_id),
]


@pytest.mark.parametrize("name, parameter, key_of", ADDRESSED, ids=[row[0] for row in ADDRESSED])
def test_a_filter_by_somebody_else_s_number_finds_nothing(member, found, name, parameter, key_of):
    query = {parameter: key_of(found["TJ"])}
    assert listed(member(ROLE), name, **query)[1] > 0
    assert listed(member(ROLE, letters=["GD"]), name, **query) == (set(), 0)


def test_filters_offer_own_attributions_only_and_no_names_of_others(member):
    make.OrderFactory(attribution_id="BJ")
    make.ApprovalRecordFactory(order=make.OrderFactory(attribution_id="GD"), operator="zhaoliu", node_name="广东审批")
    Schedule.objects.create(name="x", func="os.getpid", cluster="BBossOrderJob_GD")
    staff = member(ROLE, letters=["BJ", "SH"])
    text = staff.get(reverse("admin:orders_order_changelist")).text
    assert "attribution__letters__exact=SH" in text
    assert "attribution__letters__exact=GD" not in text
    for name in ("approvals_approvalrecord", "django_q_schedule"):
        text = staff.get(reverse(f"admin:{name}_changelist")).text
        assert [word for word in ("zhaoliu", "广东审批", "BBossOrderJob_GD") if word in text] == []


@pytest.mark.parametrize(
    "app, model, field, name",
    [
        ("orders", "dispatch", "order", "orders_order"),
        ("orders", "affectedorder", "incident", "orders_incident"),
        ("orders", "attempt", "dispatch", "orders_dispatch"),
        ("approvals", "approvalrecord", "order", "orders_order"),
    ],
)
def test_autocomplete_keeps_to_the_scope(member, found, app, model, field, name):
    """Django's autocomplete answers for every field whose list has a search, even if no form uses it. It keeps to the
    person's attributions too.
    """
    own, other = found["GD"][name], found["TJ"][name]
    query = {"app_label": app, "model_name": model, "field_name": field, "term": ""}

    def offered(staff):
        return {row["id"] for row in staff.get(reverse("admin:autocomplete"), query).json()["results"]}

    assert offered(member(ROLE)) >= {str(own.pk), str(other.pk)}
    limited = offered(member(ROLE, letters=["GD"]))
    assert str(own.pk) in limited
    assert str(other.pk) not in limited


def test_a_bulk_resend_and_its_result_keep_to_the_scope(member):
    orders, staff = {}, member("业务人员", letters=["BJ"])
    run = make.BulkRunFactory(act="resend", done=2, by=f"staff:{staff.person.username}")
    for letters in ("BJ", "SH"):
        orders[letters] = make.OrderFactory(attribution_id=letters, state="failed")
        make.DispatchFactory(order=orders[letters], state="failed", next_try_at=None, error_code="timeout")
        make.BulkItemFactory(run=run, target=orders[letters].pk)
    for url in (
        reverse("admin:orders_order_resend") + "?code=timeout",
        reverse("admin:orders_bulkrun_change", args=[run.pk]),
        reverse("admin:orders_bulkitem_changelist") + f"?run={run.pk}",
    ):
        text = staff.get(url).content.decode()
        assert orders["BJ"].number in text
        assert orders["SH"].number not in text


def test_pages_name_no_order_of_others(member):
    """Pages of related orders and of incidents link to other orders, but name no order of another attribution."""
    trial = make.TrialFactory(attribution_id="BJ")
    own, other = (make.OrderFactory(attribution_id=letters, trial=trial) for letters in ("BJ", "SH"))
    incident = make.AffectedOrderFactory(order=own).incident
    make.AffectedOrderFactory(order=other, incident=incident)
    staff = member(ROLE, letters=["BJ"])
    pages = [("orders_order", own), ("orders_order", trial), ("orders_incident", incident)]
    asked = [reverse(f"admin:{name}_change", args=[row.pk]) for name, row in pages]
    for url in (*asked, reverse("admin:orders_affectedorder_changelist"), reverse("admin:index")):
        assert other.number not in staff.get(url).content.decode(), url

"""Lists accept only their declared filters, so nobody can filter by a column of people's data or by its first
letters.
"""

import itertools
from urllib.parse import parse_qsl

import pytest
from django.contrib import admin
from django.contrib.messages import get_messages
from django.db.models import DateField
from django.urls import reverse

from orders.lists.change_list import DeskChangeList
from orders.lists.model_admin import DeskAdmin
from orders.models import Order
from tests import factories as make
from tests.admin.rows import new_row, of_none, of_order
from tests.admin.walking import unrendered
from tests.sampling import WHOLE

pytestmark = pytest.mark.django_db
LOOKUPS = ["", "__exact", "__startswith", "__istartswith", "__contains", "__regex", "__iregex", "__gte", "__in"]
LOOKUPS += ["__isnull"]
AT_ONCE = 500  # Django accepts up to a thousand
NAMED = {model._meta.label_lower: own for model, own in admin.site._registry.items()}


def listed_by(own):
    """Yields the parameters that the list's filters and our links use."""
    for entry in own.list_filter:
        if isinstance(entry, str):
            if own.model._meta.app_label == "django_q":  # a library's list, whose filters offer all values of a field
                yield entry
            dated = isinstance(own.model._meta.get_field(entry), DateField)
            yield from (f"{entry}{more}" for more in ("__exact", "__isnull", *(["__gte", "__lt"] if dated else [])))
        elif isinstance(entry, tuple):
            yield from (f"{entry[0]}{more}" for more in ("__exact", "__isnull", "__gte", "__lt", "__isempty"))
        else:
            yield entry.parameter_name
    yield from getattr(own, "linked_by", ())


def test_every_list_of_the_site_is_guarded():
    """The lists of libraries are guarded too, because their classes are registered under DeskAdmin as well."""
    assert [name for name, own in NAMED.items() if not isinstance(own, DeskAdmin)] == []
    assert [name for name, own in NAMED.items() if not issubclass(own.get_changelist(None), DeskChangeList)] == []


def undeclared(own):
    """Yields parameters that are not declared: each column of the list and each column of its order, with each
    look-up.
    """
    declared = set(listed_by(own))
    for field, lookup in itertools.product(own.model._meta.get_fields(), LOOKUPS):
        if (name := f"{field.name}{lookup}") not in declared:
            yield from (name, f"order__{name}")


@pytest.fixture
def rows():
    order = make.OrderFactory(attribution_id="BJ", oper_tel="13712345678")
    return {**of_order(order), **of_none()}


@pytest.mark.parametrize("label", sorted(NAMED))
@pytest.mark.each
def test_no_undeclared_name_changes_a_list(admin_user, label):
    """Sends many undeclared parameters at once. The list redirects to its address without those that it refuses, until
    none is left. A parameter that the list accepted would stay in the address.
    """
    url = reverse(f"admin:{label.replace('.', '_')}_changelist")
    new_row(label.replace(".", "_"))
    names = list(undeclared(NAMED[label]))
    for start in range(0, len(names), AT_ONCE):
        left = names[start : start + AT_ONCE]
        while left:
            answer = unrendered(admin_user, url, dict.fromkeys(left, "1"))
            assert (answer.status_code, bool(answer.messages)) == (302, True), left
            path, _, query = answer["Location"].partition("?")
            rest = [name for name, _value in parse_qsl(query)]
            assert (path, set(rest) < set(left)) == (url, True), (left, query)
            left = rest


def test_no_phone_is_read_character_by_character_and_no_order_chosen_by_it(member, rows):
    """The list redirects to its address without the undeclared parameter. The page that resends many orders refuses
    such an address. If it ignored the parameter, it would choose more orders than the address means.
    """
    staff = member("工程师")
    url = reverse("admin:orders_order_changelist")
    answers = [staff.get(url, {name: "137"}) for name in ("oper_tel__startswith", "oper_tel", "oper_tel__regex")]
    assert [(answer.status_code, answer["Location"]) for answer in answers] == [(302, url)] * 3
    assert staff.get(reverse("admin:orders_order_resend"), {"oper_tel__startswith": "137"}).status_code == 404


def test_a_shared_filter_works_whatever_else_its_link_carries(member, rows):
    Order.objects.update(state="held", held_because="trial_unknown")
    staff, url = member("工程师"), reverse("admin:orders_order_changelist")
    answer = staff.get(f"{url}?state__exact=held&utm_source=mail&q=&oper_tel__startswith=137&p=1")
    assert answer.status_code == 302
    assert answer["Location"] == f"{url}?state__exact=held&q=&p=1"
    shown = staff.get(answer["Location"])
    assert shown.context["cl"].result_count == Order.objects.count()
    words = [str(message) for message in get_messages(shown.wsgi_request)]
    assert words == ["以下条件不是本列表的筛选项，已忽略：oper_tel__startswith, utm_source"]


@pytest.mark.parametrize("label", sorted(NAMED))
def test_declared_names_are_all_taken(admin_user, label):
    """Follows the links of each declared filter as the list offers them."""
    model = label.replace(".", "_")
    url = reverse(f"admin:{model}_changelist")
    new_row(model)
    shown = unrendered(admin_user, url).context_data["cl"]
    choices = [list(spec.choices(shown)) for spec in shown.filter_specs]
    for choice in itertools.chain(*(every if WHOLE else every[-1:] for every in choices)):
        assert unrendered(admin_user, url + choice["query_string"]).status_code == 200, choice


@pytest.mark.parametrize("role, found", [("业务人员", 1), ("工程师", 2)])
def test_contacts_are_searched_only_by_those_who_may_read_them(member, role, found):
    """Whoever may not read contacts can't search them: the list stays the same, whatever they type."""
    for mail in ("a@example.com", "b@example.com"):
        make.ContactFactory(mail=mail, attribution_id="BJ")
    staff = member(role)
    shown = staff.get(reverse("admin:notifications_contact_changelist"), {"q": "a@example.com"})
    assert shown.context["cl"].result_count == found


def test_only_headings_that_order_the_list_do(admin_user):
    make.InboundMessageFactory(trans_ido="0"), make.InboundMessageFactory(trans_ido="9")
    url = reverse("admin:orders_inboundmessage_changelist")

    def listed(**query):
        return [row.pk for row in unrendered(admin_user, url, query).context_data["cl"].result_list]

    first = listed()
    for column in ("1", "-1", "2", "-2", "6"):
        assert listed(o=column) == first

"""Nonsense in the address: no list ever answers 500, even on a strict database."""

from functools import partial
from types import SimpleNamespace
from urllib.parse import urlencode

import pytest
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import transaction
from django.http import Http404
from django.urls import reverse

from tests import factories as make
from tests.admin.orders import failed
from tests.admin.rows import of_none, of_order
from tests.admin.walking import ask, models, name_of

pytestmark = pytest.mark.django_db
HUGE = "9" * 30
QUERIES = [
    {"p": "abc"}, {"p": "-1"}, {"p": HUGE}, {"q": "a\0b"}, {"q": HUGE}, {"q": "'\"%_\\\U0001f600\u202e" + "x" * 3000},
    {"o": "abc"}, {"o": "-99.99"}, {"nonsense__gt": "1"}, {"pk": "abc"}, {"pk__in": "a,b"}, {"id__exact": HUGE},
    {"id__regex": "("}, {"_to_field": "password"}, {"_facets": "True"}, {"state__exact": "zzz"}, {"order": HUGE},
    {"order__id__exact": "x"},
]  # fmt: skip
RAW = ["q=%ff%fe", "%00=1", "q=%&=&=&", "p=1&p=2", "state__exact=%ff&state__exact=b"]
VALUES = ["zzz", "\0", HUGE, "9999-12-31"]


def admin_of(name):
    return next(own for model, own in admin.site._registry.items() if name_of(model) == name)


def parameters(name):
    """Yields the parameters that the list's filters use."""
    for entry in admin_of(name).list_filter:
        if isinstance(entry, str):
            yield from (f"{entry}__exact", f"{entry}__gte")
        elif isinstance(entry, tuple):
            yield from (f"{entry[0]}__letters__exact", f"{entry[0]}__gte")
        else:
            yield entry.parameter_name


def asked(name):
    """Returns every query string that the test tries on a list."""
    made = [*QUERIES, *({parameter: value} for parameter in parameters(name) for value in VALUES)]
    return [*RAW, *(urlencode(query) for query in made)]


@pytest.fixture
def answer(rf, admin_user):
    """Returns a function. `answer(view, url)` returns the status of a view's response before the page is rendered. By
    then the view has read its rows.
    """

    def asking(view, url="/", **arguments):
        request = rf.get(url)
        request.user, request._messages = admin_user, SimpleNamespace(add=lambda *_: None)
        return status(partial(view, **arguments), request)

    return asking


def status(view, request):
    with transaction.atomic():
        try:
            return view(request).status_code
        except SuspiciousOperation:  # as Django does in a request
            return 400
        except Http404:
            return 404
        except PermissionDenied:
            return 403
        finally:
            transaction.set_rollback(True)


@pytest.mark.parametrize("name", sorted(models()))
def test_no_list_breaks(answer, name):
    of_order(make.OrderFactory(attribution_id="BJ"))
    of_none()
    view, url = admin_of(name).changelist_view, reverse(f"admin:{name}_changelist")
    found = {query: answer(view, f"{url}?{query}") for query in asked(name)}
    assert {query: code for query, code in found.items() if code not in (200, 302, 400)} == {}
    assert 302 in found.values()


def test_drawn_pages_do_not_break_either(admin_client):
    make.OrderFactory()
    url = reverse("admin:orders_order_changelist")
    for query in asked("orders_order"):
        assert admin_client.get(f"{url}?{query}").status_code in (200, 302, 400), query


def with_each(url, *queries):
    return [f"{url}?{query}" for query in queries]


def own_pages():
    """Yields addresses of our own pages, with nonsense in their parameters."""
    order, event = failed(), make.OrderEventFactory(order=None, kind="resend")
    page = reverse("admin:orders_order_change", args=[order.pk])
    yield from with_each(page, "tab=%00", "tab=nonsense", f"tab=events&page={HUGE}&who=%00", f"tab=bpm&calls={HUGE}")
    yield from with_each(page, "tab=bpm&calls=-1&page=-1", "tab=events&page=1e9&who=zzz")
    many = reverse("admin:orders_order_resend")
    yield from with_each(many, "partner=zzz", "code=%00", f"code={HUGE}", "channel=%00")
    yield from with_each(many, "since=9999-12-31", "since=0001-01-01", "since=2026-13-99")
    yield reverse("admin:orders_order_resent", args=[event.pk]) + "?%00=%ff"
    new = reverse("admin:orders_bulkrun_new", args=["note"])
    yield from with_each(new, f"pick={HUGE}", "pick=%00", "pick=x&every=1", "pick=²", f"again={HUGE}", "again=%00")
    yield from with_each(new, "every=1&q=%00", "every=1&state__exact=%00")
    yield from with_each(reverse("admin:orders_bulkitem_changelist"), f"run={HUGE}", "run=%00")
    yield reverse("admin:orders_bulkrun_new", args=["zzz"])
    for number in (HUGE, "0"):
        yield reverse("admin:orders_order_change", args=[number])
        yield reverse("admin:orders_order_decide", args=[number, "note"])
        yield reverse("admin:orders_order_file", args=[number, "busi_info"])
        yield reverse("admin:orders_order_resent", args=[number])
    for odd in ("\u00b2", "a\0b", "_00", "x" * 3000):
        yield reverse("admin:orders_order_change", args=[quote(odd)])
    finder = reverse("admin:autocomplete") + "?app_label=project&model_name=user&field_name=deputy"
    yield from (f"{finder}&term=%00", f"{finder}&page=abc", f"{finder}&page={HUGE}", finder.replace("deputy", "%00"))
    yield reverse("admin:autocomplete") + "?app_label=%00"


def test_our_own_pages_do_not_break(admin_client):
    admin_client.raise_request_exception = False
    found = {url: ask(admin_client, url).status for url in own_pages()}
    assert {url: code for url, code in found.items() if code >= 500} == {}


@pytest.mark.parametrize("name", sorted(models()))
def test_no_page_breaks_at_a_number_that_nothing_has(answer, name):
    own = admin_of(name)
    for number in (HUGE, "9" * 5000, "abc", "a_00b", "-1", "0"):
        assert answer(own.change_view, object_id=number) == 404
        assert answer(own.history_view, object_id=number) == 404
        assert answer(own.delete_view, object_id=number) in (404, 403)

"""Resending many orders chosen by a filter: the count, the dry run, the resending, and its true result."""

import re
from urllib.parse import quote

import pytest
from django.urls import reverse

from orders.models import Dispatch, OrderEvent
from tests import factories
from tests.admin.orders import billed, failed, staff, step

pytestmark = pytest.mark.django_db
URL = reverse("admin:orders_order_resend")


@pytest.fixture
def sender(client):
    client.force_login(staff("resend_order"))
    return client


def confirm(client, query, reason="BPM 已恢复"):
    draft = client.get(URL + query).context["form"]["draft"].value()
    return client.post(URL + query, {"reason": reason, "draft": draft})


@pytest.mark.parametrize(
    "query, number",
    [
        ("", 0),  # without a filter no order is chosen
        ("?partner=bpm", 2),
        ("?partner=bigdata", 0),
        ("?channel=bpm", 2),
        ("?code=timeout", 2),
        ("?code=x", 0),
        ("?since=2000-01-01&partner=", 2),
        ("?since=2999-01-01", 0),
        ("?partner=&channel=&code=", 2),
    ],
)
def test_the_filter_counts(sender, query, number):
    failed(), failed(), billed()
    assert sender.get(URL + query).context["count"] == number


def test_the_dry_run_changes_nothing(sender):
    order = failed()
    context = sender.get(URL + "?partner=bpm").context
    assert [number for _, number in context["verdicts"]] == [1]
    assert [name for _address, name, _words in context["sample"]] == [order.number]
    assert order.dispatches.get().state == "failed"
    assert not OrderEvent.objects.exists()


def test_it_asks_a_reason_sends_and_shows_the_progress(sender):
    one, two = failed(), failed()
    assert confirm(sender, "?partner=bpm", reason=" ").status_code == 200
    assert not OrderEvent.objects.exists()
    answer = confirm(sender, "?partner=bpm")
    assert answer.status_code == 302
    assert set(Dispatch.objects.values_list("state", flat=True)) == {"due"}
    assert one.events.get(kind="resend").data["reason"] == "BPM 已恢复"
    page = sender.get(answer["Location"])
    assert (page.context["run"].total, page.context["run"].done, page.context["busy"]) == (2, 2, True)
    assert 'http-equiv="refresh"' in page.content.decode()
    one.dispatches.update(state="done", next_try_at=None)
    two.dispatches.update(state="failed", next_try_at=None, error_code="code_400", error="域名未备案")
    page = sender.get(answer["Location"])
    assert (page.context["resent"].fixed, page.context["resent"].failed, page.context["busy"]) == (1, 1, False)
    text = page.content.decode()
    assert "域名未备案" in text
    assert 'http-equiv="refresh"' not in text


@pytest.mark.parametrize("form", [{"reason": "\0"}, {"reason": "x" * 501}, {"reason": "x", "draft": "x" * 5000}, {}])
def test_nonsense_in_the_form_sends_nothing(sender, form):
    failed()
    assert sender.post(URL + "?partner=bpm", form).status_code == 200
    assert not OrderEvent.objects.exists()


def test_a_log_in_that_ended_leads_back_to_the_same_selection(client):
    failed()
    answer = client.post(URL + "?partner=bpm&code=timeout", {"reason": "x", "draft": "1"})
    assert answer["Location"] == f"{reverse('admin:login')}?next={quote(URL + '?partner=bpm&code=timeout')}"
    assert not OrderEvent.objects.exists()


def test_a_partner_that_is_down_is_said(sender):
    order = failed()
    step(order, "create_billing", "failed", position=1, error_code="timeout")
    factories.IncidentFactory(partner="bpm", step="", code="breaker_open")
    words = [str(word) for word, _ in sender.get(URL + "?partner=bpm").context["verdicts"]]
    assert words == ["已排队，对方恢复后自动发送"]


def test_a_list_leads_here_with_its_filters(client):
    client.force_login(staff("resend_order"))
    mine, other = failed(), failed()
    other.attribution_id = "SH"
    other.save()
    listing = reverse("admin:orders_order_changelist")
    text = client.get(f"{listing}?attribution__letters__exact=BJ&stuck=bpm").content.decode()
    link = re.search(rf'href="({URL}\?[^"]*)"', text)[1].replace("&amp;", "&")
    assert "channel=bpm" in link
    page = client.get(link)
    assert [name for _address, name, _words in page.context["sample"]] == [mine.number]
    assert [value for _, value in page.context["carried"]] == ["北京", "BPM"]
    confirm(client, link.removeprefix(URL))
    assert (mine.dispatches.get().state, other.dispatches.get().state) == ("due", "failed")


def test_a_list_s_search_goes_along(sender):
    one, _two = failed(), failed()
    page = sender.get(f"{URL}?q={one.number}")
    assert page.context["count"] == 1
    assert page.context["carried"] == [("搜索", one.number)]
    assert page.context["without"] == "?"


def test_who_may_not_resend_is_not_led_here(client):
    client.force_login(staff("withdraw_order"))
    assert URL not in client.get(reverse("admin:orders_order_changelist")).content.decode()


@pytest.mark.parametrize("may", [True, False])
def test_an_incident_leads_to_resending_its_orders(client, may):
    client.force_login(staff("view_incident", *(["resend_order"] if may else [])))
    incident = factories.IncidentFactory(partner="bpm", code="timeout")
    factories.AffectedOrderFactory(incident=incident, order=failed())
    text = client.get(reverse("admin:orders_incident_change", args=[incident.pk])).content.decode()
    assert (f"{URL}?partner=bpm&amp;code=timeout" in text) == may

"""The manual has a page about each page of the desk, and explains each state."""

import re

import pytest
from django.contrib.staticfiles import finders
from django.urls import get_resolver, reverse

from orders.models import Order
from orders.texts.state_meanings import MEANINGS
from project.manual.pages import BY_SLUG, PAGES, STATE_GROUPS, page_explaining
from tests.admin.orders import staff
from tests.factories import OrderFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def read(client):
    client.force_login(staff("orders.view_order"))
    return lambda slug: client.get(reverse("admin:manual", args=[slug])).content.decode()


@pytest.mark.parametrize("slug", BY_SLUG)
def test_each_page_is_short_and_what_it_shows_and_links_is_there(read, slug):
    text = read(slug)
    assert "{{" not in text
    assert "{%" not in text
    article = text[text.index("<article>") : text.index("</article>")]
    assert 200 < len(re.sub(r"<[^>]*>|\s", "", article)) < 3000
    pictures = re.findall(r'src="/static/([^"]+)"', article)
    assert [picture for picture in pictures if not finders.find(re.sub(r"\.[0-9a-f]{12}\.", ".", picture))] == []
    links = set(re.findall(r'href="/admin/manual/([\w-]+)/', article))
    assert links <= set(BY_SLUG)


@pytest.mark.parametrize("words", STATE_GROUPS, ids=lambda words: words.prefix)
def test_each_state_is_explained_at_its_place(read, words):
    text = read("states")
    states = set(words.states) - {Order.Held.NOT} if words.states is Order.Held else set(words.states)
    for state in states:
        assert f'id="{words.prefix}-{state.value}"' in text
    assert set(MEANINGS[words.states]) == states


@pytest.mark.parametrize(
    "more, anchor", [({"state": "active"}, "order-active"), ({"state": "held", "held_because": "files"}, "held-files")]
)
def test_the_state_in_front_of_me_is_one_click_away(client, more, anchor):
    client.force_login(staff("orders.view_order"))
    order = OrderFactory(**more)
    text = client.get(reverse("admin:orders_order_change", args=[order.pk])).content.decode()
    assert f'href="/admin/manual/states/#{anchor}"' in text
    assert str(MEANINGS[Order.State][Order.State(order.state)]) in text


def test_the_help_button_opens_the_page_about_this_one_and_an_unknown_page_is_not_found(client):
    client.force_login(staff("orders.view_order"))
    for address, slug in (("admin:index", "start"), ("admin:orders_order_changelist", "lists")):
        assert f'href="/admin/manual/{slug}/" rel="help"' in client.get(reverse(address)).content.decode()
    assert client.get("/admin/manual/nothing/").status_code == 404


def test_each_page_of_the_manual_explains_some_page():
    names = {name for name in get_resolver().namespace_dict["admin"][1].reverse_dict if isinstance(name, str)}
    explained = {page_explaining(name).slug for name in names} | {"states"}
    assert explained == {page.slug for page in PAGES}

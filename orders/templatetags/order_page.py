"""Template tags and filters of the order's page."""

from urllib.parse import urlencode

from django import template
from django.urls import reverse
from django.utils.safestring import mark_safe

from orders.history.actors import node_of, operator_of
from orders.lists import time_cells
from orders.lists.chips import TONES, chip, chip_of
from orders.lists.neighbours import FROM_LIST, list_query
from orders.lists.personal_data import mask_text_or_json
from orders.lists.service_names import service_name
from orders.models import Attempt
from orders.order_words.error_details import of_attempt, of_step, of_trouble
from orders.order_words.history import by_day
from orders.search.list_search import customer_address
from orders.texts.incident_texts import cause_of

register = template.Library()
register.filter("ago", time_cells.ago)
register.filter("ahead", time_cells.ahead)
register.filter("by_day", by_day)
register.filter("clock", time_cells.clock)
register.filter("customer_address", customer_address)
register.filter("error_words", of_step)
register.filter("attempt_words", of_attempt)
register.filter("detail_words", of_trouble)
register.filter("masked", mask_text_or_json)
register.filter("node_name", node_of)
register.filter("operator_name", operator_of)
register.filter("service", service_name)
register.filter("state_chip", chip_of)
register.filter("plain_chip", chip)
register.filter("took", time_cells.took)


@register.simple_tag(takes_context=True)
def of_list(context) -> str:
    """Returns the query string of links to this order: the list that the user came from, and the order's position in
    it."""
    near = context.get("near")
    return list_query(context["request"].GET, near.place if near else "")


@register.simple_tag(takes_context=True)
def back_to_list(context) -> str:
    """Returns the URL of the list of orders, with the filter that the user came with."""
    query = context["request"].GET.get(FROM_LIST, "")
    return reverse("admin:orders_order_changelist") + (f"?{query}" if query and query != "p=1" else "")


@register.simple_tag(takes_context=True)
def neighbour_address(context, order) -> str:
    """Returns the URL of a neighbour in the same list. That page finds its own position."""
    query = urlencode({FROM_LIST: context["request"].GET[FROM_LIST]})
    return f"{reverse('admin:orders_order_change', args=[order.pk])}?{query}"


@register.filter
def thousands(number: int) -> str:
    return f"{number:,}"


@register.filter
def cause(row) -> str:
    return cause_of(row.error_code).what


@register.filter
def outcome_chip(attempt) -> str:
    return chip(Attempt.Outcome(attempt.outcome))


@register.filter
def result_tone(record) -> str:
    return TONES[record.result]


@register.simple_tag(takes_context=True)
def whole_tab(context, tab, loaded: dict) -> str:
    """Returns a tab's content with all `<details>` open, for printing."""
    with context.push(tab=tab, **loaded):
        html = context.template.engine.get_template(tab.template).render(context)
    return mark_safe(html.replace("<details>", "<details open>"))  # noqa: S308 a template made it; what is foreign is escaped


@register.filter
def page_links(page) -> list:
    return list(page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1))

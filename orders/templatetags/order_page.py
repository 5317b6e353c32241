"""Chips, moments and icons for the order's page."""

from django import template
from django.utils.safestring import mark_safe

from orders.admin.refusal_hints import why_refused
from orders.admin.search import customer_address
from orders.admin.service_names import service_name
from orders.incident_causes import cause_of
from orders.lists import times
from orders.lists.chips import TONES, chip, chip_of
from orders.lists.personal import mask_text_or_json
from orders.lists.times import took
from orders.models import Attempt
from orders.order_page.error_details import of_attempt, of_step, of_trouble
from orders.people import node_of, operator_of

register = template.Library()
register.filter("ago", times.ago)
register.filter("ahead", times.ahead)
register.filter("customer_address", customer_address)
register.filter("error_words", of_step)
register.filter("attempt_words", of_attempt)
register.filter("detail_words", of_trouble)
register.filter("masked", mask_text_or_json)
register.filter("node_name", node_of)
register.filter("operator_name", operator_of)
register.filter("took", took)


@register.filter
def thousands(number: int) -> str:
    """`1,000,000`."""
    return f"{number:,}"


@register.filter
def state_chip(row) -> str:
    return chip_of(row)


@register.filter
def cause(row) -> str:
    return cause_of(row.error_code).what


@register.filter
def service(service_type) -> str:
    return service_name(service_type)


@register.filter
def answer_what(message) -> str:
    return why_refused(message).what


@register.filter
def answer_next(message) -> str:
    return why_refused(message).next


@register.filter
def outcome_chip(attempt) -> str:
    return chip(Attempt.Outcome(attempt.outcome))


@register.filter
def result_tone(record) -> str:
    return TONES[record.result]


@register.simple_tag(takes_context=True)
def whole_tab(context, tab, loaded: dict) -> str:
    """A tab's content with all that can be opened open, for paper."""
    with context.push(tab=tab, **loaded):
        told = context.template.engine.get_template(tab.template).render(context)
    return mark_safe(told.replace("<details>", "<details open>"))  # noqa: S308 a template made it; what is foreign is escaped


@register.filter
def page_links(page) -> list:
    """The numbers to show for a page: the first, the last and those near."""
    return list(page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1))

"""A row of an imported workbook, in words."""

from django import template
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from orders.lists.chips import toned_chip
from orders.models import Order
from orders.office.trials.service import KNOWN, WRONG, RowResult

register = template.Library()


@register.simple_tag
def verdict_chip(row: RowResult, imported) -> SafeString:
    """What becomes of the row, or what became of it."""
    if row.verdict == WRONG:
        tone, word = "red", _("Wrong")
    elif row.verdict == KNOWN:
        tone, word = "grey", _("Is there already")
    elif row.held:
        tone, word = "amber", _("Entered, held") if imported else _("Will be held")
    else:
        tone, word = "green", _("Entered") if imported else _("Right")
    return toned_chip(tone, word)


@register.filter
def held_words(held: str) -> str:
    return str(Order.Held(held).label)

"""A list's filter as a page shows it: in words as the address has it, and as a link to the list under it."""

from urllib.parse import unquote_plus

from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _

from orders.admin.cells import cut
from orders.admin.office.exported_lists import LISTS, admin_of
from orders.admin.personal import masked_text


def filter_words(query: str) -> str:
    """The filter, cut and masked: it may name a person."""
    return cut(masked_text(unquote_plus(query)))


def filter_link(list_name: str, query: str) -> str:
    """The filter, and the list as it is now under it. A filter that names somebody is masked and not linked."""
    words = unquote_plus(query)
    if list_name not in LISTS or masked_text(words) != words:
        return filter_words(query)
    opts = admin_of(list_name).opts
    url = reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")
    title, words = _("The list as it is now"), words or _("everything")
    return format_html('<a href="{}?{}" title="{}">{}</a>', url, query, title, words)

"""Shows the filter that a row stores: as text, and as a link to the filtered list."""

from urllib.parse import unquote_plus

from django.db.models import Q
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.lists.cells import cut
from orders.lists.change_list import DeskChangeList
from orders.lists.filter_kinds import WordFilter
from orders.lists.list_query import ReferenceRows, in_a_line, query_words
from orders.lists.personal_data import mask_text_or_json
from orders.lists.registration import address_of_list, admin_of, exported_lists


def filter_words(list_name: str, query: str, rows: ReferenceRows | None = None) -> str:
    """Returns the filter as text. The text is cut, and masked since it may name a person. `rows`: as in
    `query_words`."""
    return cut(mask_text_or_json(_filter_words(list_name, query, rows)))


def _filter_words(list_name: str, query: str, rows: ReferenceRows | None = None) -> str:
    """Returns the filter as text: `状态：已挂起；开始日期：今天`. If the list is gone: the decoded query string."""
    if list_name not in exported_lists():
        return unquote_plus(query)
    return in_a_line(query_words(admin_of(list_name), query, rows))


class ListFilter(WordFilter):
    title, parameter_name = gettext_lazy("list"), "list"

    @property
    def conditions(self) -> dict:
        return {name: (one.opts.verbose_name_plural, Q(list_name=name)) for name, one in exported_lists().items()}


class FilterChangeList(DeskChangeList):
    """A list of rows that store a filter. The rows share `filter_rows`, the cached rows that the filters refer to."""

    def add_facts(self, rows):
        shared = ReferenceRows()
        for row in rows:
            row.filter_rows = shared


def filter_link(list_name: str, query: str) -> str:
    """Returns a link to the filtered list. A filter with personal data is masked and not linked."""
    plain = unquote_plus(query)
    if list_name not in exported_lists() or mask_text_or_json(plain) != plain:
        return filter_words(list_name, query)
    url = address_of_list(admin_of(list_name).model)
    title, words = _("The list as it is now"), _filter_words(list_name, query) or _("everything")
    return format_html('<a href="{}?{}" title="{}">{}</a>', url, query, title, words)

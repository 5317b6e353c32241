"""A list's filter as a page shows it: in words, and as a link to the list under it. For rows that keep one."""

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
    """The filter, cut and masked: it may name a person. `rows`: as in `query_words`."""
    return cut(mask_text_or_json(_filter_words(list_name, query, rows)))


def _filter_words(list_name: str, query: str, rows: ReferenceRows | None = None) -> str:
    """`状态：已挂起；开始日期：今天`. Of a list that is gone: as the address has it."""
    if list_name not in exported_lists():
        return unquote_plus(query)
    return in_a_line(query_words(admin_of(list_name), query, rows))


class ListFilter(WordFilter):
    title, parameter_name = gettext_lazy("list"), "list"

    @property
    def conditions(self) -> dict:
        return {name: (one.opts.verbose_name_plural, Q(list_name=name)) for name, one in exported_lists().items()}


class FilterChangeList(DeskChangeList):
    """A list of rows that have a filter each. Its rows look up together what filters name, in `filter_rows`."""

    def add_facts(self, rows):
        shared = ReferenceRows()
        for row in rows:
            row.filter_rows = shared


def filter_link(list_name: str, query: str) -> str:
    """The filter, and the list as it is now under it. A filter that names somebody is masked and not linked."""
    plain = unquote_plus(query)
    if list_name not in exported_lists() or mask_text_or_json(plain) != plain:
        return filter_words(list_name, query)
    url = address_of_list(admin_of(list_name).model)
    title, words = _("The list as it is now"), _filter_words(list_name, query) or _("everything")
    return format_html('<a href="{}?{}" title="{}">{}</a>', url, query, title, words)

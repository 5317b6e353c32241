"""The base class of the site's ModelAdmins. Lists tolerate invalid URLs, and lists and change pages are live pages.

Undeclared parameters in a list's URL (orders/lists/change_list.py) are removed, with a message. A value that the
database does not accept leads to a redirect to the list, not to a server error. Without JavaScript, a form sends some
values in several parameters. They are joined, so that each list has one URL.
"""

import functools
import itertools
from collections.abc import Callable, Sequence

from django.contrib import messages
from django.contrib.admin.options import ModelAdmin
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.utils.translation import gettext as _

from orders.lists.change_list import CappedPaginator, DeskChangeList
from orders.lists.chosen_columns import can_choose, tidy_columns
from orders.lists.list_query import unoffered
from orders.lists.live_pages import answer_live_page, is_partial
from orders.lists.page_fingerprint import ChangeFields, list_fingerprint, row_fingerprint

LONGEST_NAME, MAX_NAMES = 40, 5  # limits of the names in the message


class DeskAdmin(ModelAdmin):
    """The base class of the site's ModelAdmins. Invalid parameters redirect to the list without them. Rows are counted
    once and up to a limit.

    Lists are live pages (orders/lists/live_pages.py), as are the change pages of classes with `change_fields`.
    """

    changelist: type[DeskChangeList] = DeskChangeList
    paginator = CappedPaginator
    show_full_result_count = False
    warns_of_gone_values = False
    pages: Sequence[Callable] = ()  # functions that return additional URL patterns for the ModelAdmin

    def get_changelist(self, request, **kwargs):
        return self.changelist

    def add_facts(self, rows: list) -> None:
        """Sets attributes on a list's rows for its columns."""

    def get_urls(self):
        return [*itertools.chain.from_iterable(make(self) for make in self.pages), *super().get_urls()]

    def list_context(self, request) -> dict:
        """Returns additional context of the list's page."""
        return {}

    def _get_obj_does_not_exist_redirect(self, *_asked):
        """Raises Http404, for missing and forbidden rows alike. Django's default message would show the id."""
        raise Http404

    def changelist_view(self, request, extra_context=None):
        by = getattr(self, "change_fields", ChangeFields())
        read = functools.partial(list_fingerprint, self.model, by, request.user.pk)
        return answer_live_page(request, read, lambda: self._guarded_list(request, extra_context))

    def change_view(self, request, object_id, form_url="", extra_context=None):
        show = functools.partial(super().change_view, request, object_id, form_url, extra_context)
        by = getattr(self, "change_fields", None)
        if by is None:
            return show()
        read = functools.partial(row_fingerprint, self.model, by, object_id, request.user.pk)
        return answer_live_page(request, read, show)

    def _guarded_list(self, request, extra_context):
        if request.method == "GET" and (query := self._one_address(request)) != request.GET:
            return _list_under(request, query)
        response = super().changelist_view(request, self.list_context(request) | (extra_context or {}))
        if not is_partial(request):  # polls show no messages
            _warn_of_gone_values(request, response)
        query = _without_wrong(request)
        return response if query is None else _list_under(request, query)

    def _one_address(self, request: HttpRequest) -> QueryDict:
        """Returns the query with the two inputs of a day filter joined to a range, and with one `columns` without
        unknown names."""
        query = request.GET.copy()
        for entry in self.list_filter:
            if not hasattr(entry, "joined"):
                continue
            name = entry.parameter_name
            if len(values := query.getlist(name)) > 1 or values == [""]:
                query[name] = entry.joined(values)
                if not query[name]:
                    del query[name]
        if can_choose(self) and (gone := tidy_columns(self, query)):
            text = _("These columns are not there any more, so they were left out: %(names)s")
            messages.warning(request, text % {"names": _names(gone)})
        return query


def _warn_of_gone_values(request: HttpRequest, response: HttpResponse) -> None:
    """Adds a warning about filters that match nothing, because their value no longer exists or the user may not see
    it."""
    found = (getattr(response, "context_data", None) or {}).get("cl")
    if found and found.model_admin.warns_of_gone_values and (titles := unoffered(found)):
        text = _("These filters have a value that is gone or outside your attributions, so no row fits: %(names)s")
        messages.warning(request, text % {"names": _names(titles)})


def _without_wrong(request: HttpRequest) -> QueryDict | None:
    """Adds a message, and returns the query without its undeclared names or without its invalid parameter. Returns None
    if nothing was removed."""
    query = request.GET.copy()
    if undeclared := getattr(request, "undeclared", None):
        text = _("These are not filters of this list, so they were left out: %(names)s")
        messages.warning(request, text % {"names": _names(sorted(undeclared))})
        for name in undeclared:
            query.pop(name, None)
        return query
    error = getattr(request, "wrong_value", None)
    if parameter := getattr(error, "parameter", ""):
        messages.warning(request, error.words)
        query.pop(parameter, None)
        return query
    if error is not None:
        messages.warning(request, _("The filter had a value that this list does not know, so it was left out."))
    return None


def _names(names) -> str:
    return ", ".join(name[:LONGEST_NAME].replace("\0", "\ufffd") for name in names[:MAX_NAMES])


def _list_under(request: HttpRequest, query: QueryDict) -> HttpResponseRedirect:
    return HttpResponseRedirect(f"{request.path}?{query.urlencode()}" if query else request.path)

"""Guards lists: they accept only their own filters, and tolerate nonsense in their address.

A name in the address that is no filter, search, order or page of the list is left out, with a message. It could be used
to find personal data by its beginning. A value that the database can't take leads back to the list, not to a server
error. What a form without a script sends in several parts is joined, so that each list has one address.
"""

import functools

from django.contrib import messages
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.utils.translation import gettext as _

from orders.db.odd_values import NONSENSE
from orders.lists.change_list import NamedOrder
from orders.lists.columns import can_choose, tidy_columns
from orders.lists.filters import IncorrectLookupParameters
from orders.lists.list_query import COLUMNS, SEARCH_VAR, VIEW, said_as, unoffered
from orders.lists.open_pages import answer_moving, asks_for_a_part
from orders.lists.page_marks import MovesBy, list_marks, row_marks
from orders.lists.read_only import ReadOnlyAdmin

LONGEST_NAME, MAX_NAMES = 40, 5  # bounds on the names in the message


class GuardedList(NamedOrder):
    """The guard in front of a ChangeList. On IncorrectLookupParameters, Django leads back to the list."""

    def get_filters_params(self, params=None):
        """Leaves out which columns a list shows, and from which view they came."""
        found, own = super().get_filters_params(params), (COLUMNS, VIEW) if can_choose(self.model_admin) else ()
        return {name: values for name, values in found.items() if name not in own}

    @property
    def unfiltered(self) -> str:
        return self.get_query_string(dict.fromkeys([*self.get_filters_params(), SEARCH_VAR, PAGE_VAR]))

    def get_filters(self, request):
        """Accepts only names that the list's filters know, and those in its `linked_by`."""
        linked_by = set(getattr(self.model_admin, "linked_by", ()))
        accepted = linked_by | set(map(said_as, self.list_filter))
        given, beginnings = self.get_filters_params(), tuple(f"{one}__" for one in accepted)
        undeclared = {name for name in given if name not in accepted and not name.startswith(beginnings)}
        if not undeclared:
            found = super().get_filters(request)
            undeclared = set(found[2]) - linked_by
        if undeclared:
            request.undeclared = undeclared
            raise IncorrectLookupParameters(f"no filters of this list: {', '.join(sorted(undeclared))}")
        return found

    def get_queryset(self, request, exclude_parameters=None):
        try:
            return super().get_queryset(request, exclude_parameters)
        except NONSENSE as error:
            raise IncorrectLookupParameters(error) from error
        except IncorrectLookupParameters as error:
            request.wrong_value = error
            raise

    def get_results(self, request):
        """Reads the rows here, so that database errors appear before the page is rendered."""
        try:
            super().get_results(request)
            self.result_list = list(self.result_list)
        except NONSENSE as error:
            raise IncorrectLookupParameters(error) from error


@functools.cache
def guarded(found: type[ChangeList]) -> type[ChangeList]:
    return type(found.__name__, (GuardedList, found), {})


class GuardedAdmin:
    """The guard in front of a ModelAdmin: wrong names and values in the address lead to the list without them.

    Lists move (orders/lists/open_pages.py), and pages of rows whose class has `moves_by`.
    """

    def get_changelist(self, request, **kwargs):
        return guarded(super().get_changelist(request, **kwargs))

    def changelist_view(self, request, extra_context=None):
        by = getattr(self, "moves_by", MovesBy())
        read = functools.partial(list_marks, self.model, by, request.user.pk)
        return answer_moving(request, read, lambda: self._guarded_list(request, extra_context))

    def change_view(self, request, object_id, form_url="", extra_context=None):
        show = functools.partial(super().change_view, request, object_id, form_url, extra_context)
        by = getattr(self, "moves_by", None)
        if by is None:
            return show()
        read = functools.partial(row_marks, self.model, by, object_id, request.user.pk)
        return answer_moving(request, read, show)

    def _guarded_list(self, request, extra_context):
        if request.method == "GET" and (query := self._one_address(request)) != request.GET:
            return _list_under(request, query)
        response = super().changelist_view(request, extra_context)
        if not asks_for_a_part(request):  # which shows no messages
            _warn_of_gone_values(request, response)
        query = _without_wrong(request)
        return response if query is None else _list_under(request, query)

    def _one_address(self, request: HttpRequest) -> QueryDict:
        """The list's query with two days as a range, and columns as one list without those that are gone."""
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
    """Says which filter shows nothing since its value is gone, or not for this person."""
    found = (getattr(response, "context_data", None) or {}).get("cl")
    if found and isinstance(found.model_admin, ReadOnlyAdmin) and (titles := unoffered(found)):
        text = _("These filters have a value that is gone or outside your attributions, so no row fits: %(names)s")
        messages.warning(request, text % {"names": _names(titles)})


def _without_wrong(request: HttpRequest) -> QueryDict | None:
    """The query without undeclared names, or without a value of which its filter says why it is wrong (an error with a
    `parameter`). None if there is none of them."""
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

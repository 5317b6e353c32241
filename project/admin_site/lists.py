"""Guards lists: they accept only their own filters, and tolerate nonsense in their address.

A name in the address that is no filter, search, order or page of the list is left out, with a message. It could be used
to find personal data by its beginning. A value that the database can't take leads back to the list, not to a server
error.
"""

import functools

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.filters import SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import FieldError
from django.db import DataError
from django.http import HttpResponseRedirect
from django.utils.translation import gettext as _

# NUL in a text (PostgreSQL), a number too large for a column (SQLite: OverflowError), a day after the last one.
NONSENSE = (DataError, OverflowError, FieldError)
LONGEST_NAME, MOST_NAMES = 40, 5  # bounds on the names in the message


class GuardedList:
    """The guard in front of a ChangeList. On IncorrectLookupParameters, Django leads back to the list."""

    def get_filters(self, request):
        """Accepts only names that the list's filters know, and those in its `linked_by`."""
        linked_by = set(getattr(self.model_admin, "linked_by", ()))
        accepted = linked_by | {_accepted_name(entry) for entry in self.list_filter}
        undeclared = {name for name in self.get_filters_params() if not _is_accepted(accepted, name)}
        if not undeclared:
            found = super().get_filters(request)
            undeclared = set(found[2]) - linked_by
        if undeclared:
            request.undeclared = undeclared
            raise IncorrectLookupParameters(f"no filters of this list: {', '.join(sorted(undeclared))}")
        return found

    def get_ordering_field(self, field_name):
        """Sorts only by columns whose headings sort the list."""
        if self.sortable_by is not None and field_name not in self.sortable_by:
            return None
        return super().get_ordering_field(field_name)

    def get_queryset(self, request, exclude_parameters=None):
        try:
            return super().get_queryset(request, exclude_parameters)
        except NONSENSE as error:
            raise IncorrectLookupParameters(error) from error

    def get_results(self, request):
        """Reads the rows here, so that database errors appear before the page is rendered."""
        try:
            super().get_results(request)
            self.result_list = list(self.result_list)
        except NONSENSE as error:
            raise IncorrectLookupParameters(error) from error


def _accepted_name(entry) -> str:
    """The name that an entry of `list_filter` accepts. It is a whole name or the beginning of several."""
    if isinstance(entry, type) and issubclass(entry, SimpleListFilter):
        return entry.parameter_name
    return entry if isinstance(entry, str) else entry[0]


def _is_accepted(accepted: set[str], name: str) -> bool:
    return any(name == one or name.startswith(f"{one}__") for one in accepted)


@functools.cache
def guarded(found: type[ChangeList]) -> type[ChangeList]:
    """The same list class with the guard."""
    return type(found.__name__, (GuardedList, found), {})


def guard(model_admin: ModelAdmin) -> None:
    """Guards the list of a ModelAdmin. Calling it again does nothing."""
    if "get_changelist" in vars(model_admin):
        return
    own, view = model_admin.get_changelist, model_admin.changelist_view
    model_admin.get_changelist = lambda request, **kwargs: guarded(own(request, **kwargs))
    model_admin.changelist_view = lambda request, extra_context=None: _without_undeclared(
        request, view(request, extra_context)
    )


def _without_undeclared(request, response):
    """The list's response. If the address contains undeclared names, a redirect to the same list without them."""
    undeclared = getattr(request, "undeclared", None)
    if not undeclared:
        return response
    names = ", ".join(name[:LONGEST_NAME] for name in sorted(undeclared)[:MOST_NAMES])
    messages.warning(
        request, _("These are not filters of this list, so they were left out: %(names)s") % {"names": names}
    )
    query = request.GET.copy()
    for name in undeclared:
        query.pop(name, None)
    return HttpResponseRedirect(f"{request.path}?{query.urlencode()}" if query else request.path)

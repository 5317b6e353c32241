"""Lists that are asked for nonsense: a value that no database takes leads back to the list, not to a server error."""

import functools

from django.contrib.admin import ModelAdmin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db import DataError

# NUL in a text (PostgreSQL), a number that no column holds (SQLite: OverflowError), a day after the last one.
NONSENSE = (DataError, OverflowError)
REGEX = ("__regex", "__iregex")


class GuardedList:
    """The part that goes before a ChangeList. Django leads back to the list on IncorrectLookupParameters."""

    def get_queryset(self, request, exclude_parameters=None):
        """No patterns from the address: a wrong one is an error of the database, and a slow one holds it up."""
        if any(name.endswith(REGEX) for name in self.params):
            raise IncorrectLookupParameters("patterns are not looked up")
        try:
            return super().get_queryset(request, exclude_parameters)
        except NONSENSE as error:
            raise IncorrectLookupParameters(error) from error

    def get_results(self, request):
        """Reads the rows here, so that what the database refuses is met before the page is drawn."""
        try:
            super().get_results(request)
            self.result_list = list(self.result_list)
        except NONSENSE as error:
            raise IncorrectLookupParameters(error) from error


@functools.cache
def guarded(found: type[ChangeList]) -> type[ChangeList]:
    """The same list, guarded."""
    return type(found.__name__, (GuardedList, found), {})


def guard(model_admin: ModelAdmin) -> None:
    """Guards the list of a ModelAdmin, once."""
    if "get_changelist" in vars(model_admin):
        return
    own = model_admin.get_changelist
    model_admin.get_changelist = lambda request, **kwargs: guarded(own(request, **kwargs))

"""The list that somebody came from to resend many orders: its filters go on to count, in the address."""

import copy

from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.utils.functional import cached_property

from orders.admin.filters import filters_in_words
from orders.models import Order
from orders.order_page.bulk_resend import ManyFilter

OWN = frozenset(ManyFilter.base_fields)


class Origin:
    """`orders`: those of the list, as far as the person may see them; all where no list filter is in the address."""

    def __init__(self, pages, request: HttpRequest):
        self.pages, self.request = pages, request
        self.params = [(name, value) for name, values in request.GET.lists() if name not in OWN for value in values]

    @cached_property
    def _list(self):
        """The change list with these parameters. A filter that it does not know is no page of ours."""
        request = copy.copy(self.request)
        request.GET = self.request.GET.copy()
        for name in OWN & set(request.GET):
            del request.GET[name]
        try:
            return self.pages.get_changelist_instance(request)
        except IncorrectLookupParameters as error:
            raise Http404 from error

    @cached_property
    def orders(self) -> QuerySet[Order]:
        return self._list.queryset if self.params else self.pages.get_queryset(self.request)

    @cached_property
    def said(self) -> list[tuple]:
        """The list's filters in words: title and value."""
        return filters_in_words(self._list) if self.params else []

    def without(self, chooser: ManyFilter) -> str:
        """The same page for all orders."""
        query = self.request.GET.copy()
        for name in {name for name, _value in self.params}:
            del query[name]
        return f"?{query.urlencode()}"

"""The owner column, the owner filter and the form field for a person, for lists of models with an owner."""

import functools
from typing import Any

from django import forms
from django.contrib.admin import SimpleListFilter
from django.contrib.auth import get_user_model
from django.db.models import Q
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from orders.db.unstorable_values import is_id
from orders.history.actors import name_of, person_words
from orders.history.owners import possible_people
from orders.lists.cells import column
from orders.lists.filter_kinds import IncorrectLookupParameters
from orders.lists.registration import address_of_list
from orders.people.owned_work import is_nobodys, is_of

ME, NOBODY = "me", "nobody"


class OwnerFilter(SimpleListFilter):
    """Filters by owner: mine, nobody's, or a person's unfinished rows. `me` is the current user, even in shared
    views."""

    title, parameter_name = pgettext_lazy("work", "owner"), "owner"

    def lookups(self, request, model_admin):
        """Lists a person only if that person is selected, by a link in the owner column."""
        value = self.value()
        named = [(value, self.word_of(value))] if value and value not in {ME, NOBODY} else []
        return [(ME, _("Mine")), (NOBODY, _("Nobody's")), *named]

    @staticmethod
    def word_of(value: str) -> str:
        found = get_user_model().objects.filter(pk=value).first() if is_id(value) else None
        return name_of(found.username, found.pk) if found else value

    def queryset(self, request, queryset):
        value = self.value()
        if not value:
            return queryset
        if value == NOBODY:
            return queryset.filter(is_nobodys(queryset.model))
        return queryset.filter(self._of(request, value, queryset.model))

    def _of(self, request, value: str, model) -> Q:
        if value == ME:
            return is_of(model, request.user.pk)
        if not is_id(value):
            raise IncorrectLookupParameters(value)
        found = get_user_model().objects.filter(pk=value).first()
        return is_of(model, found.pk) if found else Q(pk__in=[])


def owner_words(row: Any) -> str | None:
    """Returns the owner's name. Lists set the owners of their rows with `set_owners` in `add_facts`."""
    return person_words(row.owned_by, timezone.localdate()) if row.owned_by else None


def owner_anchor(row: Any) -> str | None:
    words = owner_words(row)
    url = f"{address_of_list(type(row))}?{OwnerFilter.parameter_name}={row.owned_by}"
    return words and format_html('<a href="{}">{}</a>', url, words)


owner_column = column(pgettext_lazy("work", "owner"), owner_words, owner_anchor, empty_value="")


class PersonField(forms.ChoiceField):
    """A choice of the new owner: an account's id, or 0 for nobody. Labels show the name and any leave."""

    def __init__(self, *, nobody: bool = True, **more):
        self.nobody = nobody
        super().__init__(label=gettext_lazy("To whom"), **more)
        self.choices = lambda: self.people(None, None)

    def offer(self, people, but: int | None = None) -> None:
        """Limits the choices to these people, without `but`. Forms call it on their own field. The people are queried
        only once, although Django evaluates the choices several times."""
        self.choices = functools.cache(lambda: self.people(people, but))

    def people(self, people, but):
        today = timezone.localdate()
        rows = (possible_people() if people is None else people).values_list("pk")
        named = [(str(pk), person_words(pk, today)) for (pk,) in rows if pk != but]
        return [("", "---------"), *([("0", _("Nobody"))] if self.nobody else []), *named]

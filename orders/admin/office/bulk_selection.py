"""Which rows an act on many means: ticked ones, all under a list's filter, or those that another run left undone."""

import copy
import hashlib
from array import array
from dataclasses import dataclass

from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from orders.admin.filters import filters_in_words
from orders.admin.office.bulk_acts import BulkAct
from orders.models import BulkItem, BulkRun

PICK, EVERY, AGAIN = "pick", "every", "again"
MOST_PICKED = 1000
LARGEST = 2**63  # an id is smaller
JUDGED = 2000  # rows that a dry run judges, and by which two selections are told apart
NOT_OF_THE_FILTER = {"p", "all", "o", "e"}


@dataclass(frozen=True)
class Look:
    """What a page showed of a selection: how many rows, the first of them, the oldest first, and the newest id."""

    count: int
    first: list[int]
    newest: int

    @property
    def name(self) -> str:
        """Tells the first of them from other rows."""
        return hashlib.sha256(",".join(map(str, self.first)).encode()).hexdigest()[:32]

    @property
    def digest(self) -> str:
        """What a form takes along, to be compared when it comes back."""
        return f"{self.name}.{self.count}.{self.newest}"


class Selected:
    """The rows that an address names, as far as the person may see them.

    `params` is the list's filter in the address. `named`: the address says which rows it means.
    """

    def __init__(self, act: BulkAct, request: HttpRequest, runs: QuerySet[BulkRun], asked: dict | None):
        """`runs`: those whose rest the person may try again. `asked`: the chooser's answer; None if it has none."""
        self.act, self.request, self.asked = act, request, asked
        own = {PICK, EVERY, AGAIN, *(act.chooser.base_fields if act.chooser else ())}
        pairs = ((name, value) for name, values in request.GET.lists() for value in values)
        self.params = [(name, value) for name, value in pairs if name not in own]
        self.picked = sorted({int(value) for value in request.GET.getlist(PICK) if is_id(value)})[:MOST_PICKED]
        self.again = self._run_of(request.GET.get(AGAIN, ""), runs)
        self.every = EVERY in request.GET

    def _run_of(self, value: str, runs: QuerySet[BulkRun]) -> BulkRun | None:
        if not value:
            return None
        row = runs.filter(pk=value, act=self.act.key).first() if is_id(value) else None
        if row is None:
            raise Http404
        return row

    @property
    def named(self) -> bool:
        return bool(self.picked or self.again or self.every)

    @cached_property
    def _list(self):
        """The change list with this filter. A filter that it does not know is no page of ours."""
        request = copy.copy(self.request)
        request.GET = self.request.GET.copy()
        for name in set(request.GET) - {name for name, _value in self.params}:
            del request.GET[name]
        try:
            return self.act.model_admin.get_changelist_instance(request)
        except IncorrectLookupParameters as error:
            raise Http404 from error

    @cached_property
    def rows(self) -> QuerySet:
        """The rows, the oldest first."""
        if self.asked is None:
            return self.act.model._base_manager.none()
        rows = self.act.model_admin.get_queryset(self.request)
        if self.picked:
            rows = rows.filter(pk__in=self.picked)
        elif self.again:
            undone = BulkItem.objects.filter(run=self.again, state=BulkItem.State.FAILED)
            rows = rows.filter(pk__in=undone.values("target"))
        elif self.params:
            rows = self._list.queryset
        return self.act.narrow(rows, self.asked).select_related(None).order_by("pk")

    @cached_property
    def words(self) -> list[tuple[str, str]]:
        """The filter in words: title and value."""
        if self.picked:
            number = ngettext("%(n)s row", "%(n)s rows", len(self.picked)) % {"n": len(self.picked)}
            return [(_("ticked"), number)]
        if self.again:
            return [(_("not carried out by"), _("bulk run %(run)s") % {"run": self.again.pk})]
        return [(str(title), str(value)) for title, value in filters_in_words(self._list)] if self.params else []

    @property
    def filter_query(self) -> str:
        """The list's filter as its address has it."""
        query = self.request.GET.copy()
        for name in set(query) - {name for name, _value in self.params if name not in NOT_OF_THE_FILTER}:
            del query[name]
        return query.urlencode()

    @property
    def without(self) -> str:
        """The same page for all rows."""
        query = self.request.GET.copy()
        for name in {PICK, AGAIN, *(name for name, _value in self.params)}:
            query.pop(name, None)
        return f"?{query.urlencode()}"

    def look(self, *, newest: int | None = None) -> Look:
        """What is selected now; with `newest` only rows up to this id."""
        rows = self.rows if newest is None else self.rows.filter(pk__lte=newest)
        first = list(rows.values_list("pk", flat=True)[: JUDGED + 1])
        if len(first) <= JUDGED:
            return Look(len(first), first, first[-1] if first else 0)
        last = rows.order_by("-pk").values_list("pk", flat=True).first()
        return Look(rows.order_by().count(), first[:JUDGED], last)

    def confirm(self, digest: str) -> array | None:
        """The ids of what a page showed with this digest; None if that has changed.

        Of more than JUDGED rows nobody has looked at each: rows that came since are left out, as those that do not fit
        any more, and it has changed only if the first are others, or more than were told.
        """
        name, _dot, rest = digest.partition(".")
        count, _dot, newest = rest.partition(".")
        if not (is_id(count) and is_id(newest)):
            return None
        now = self.look(newest=int(newest) if int(count) > JUDGED else None)
        if not now.count or now.count > int(count) or now.name != name:
            return None
        if now.count <= JUDGED:
            return array("q", now.first)
        rows = self.rows.filter(pk__lte=int(newest)).values_list("pk", flat=True)
        return array("q", rows.iterator(chunk_size=10_000))


def is_id(value: str) -> bool:
    """Whether a row can have this id."""
    return value.isascii() and value.isdigit() and len(value) < 20 and int(value) < LARGEST

"""The selected rows of a bulk action: rows with a tick, all rows of a filtered list, or the failed rows of another
run."""

from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from orders.actions.all_actions import BULK_ACTS
from orders.actions.bulk_action import Bulk
from orders.db.unstorable_values import NONSENSE, is_id
from orders.lists.filter_kinds import IncorrectLookupParameters
from orders.lists.list_query import (
    COLUMNS,
    NOT_OF_THE_FILTER,
    ORDER_VAR,
    query_words,
    read_query,
    unread_list,
)
from orders.office.bulk.acts import acts_on
from orders.office.bulk.models import BulkItem, BulkRun
from orders.texts.errors import ExportError

PICK, EVERY, AGAIN, DRAFT = "pick", "every", "again", "draft"
MAX_PICKED = 1000
MAX_ROWS = 10_000  # per run
JUDGED = 2000  # rows that a preview checks
NOT_OF_THE_ROWS = {*NOT_OF_THE_FILTER, COLUMNS}


class Selected:
    """The rows selected by a URL, limited to the rows that the user may see. `named`: the URL contains a selection."""

    def __init__(self, act: Bulk, request: HttpRequest):
        self.act, self.request, self.admin = act, request, admin.site.get_model_admin(act.model)
        self.chooser = act.chooser(request.GET or None) if act.chooser else None
        own = {PICK, EVERY, AGAIN, DRAFT, *(act.chooser.base_fields if act.chooser else ())}
        pairs = ((name, value) for name, values in request.GET.lists() for value in values)
        self._given = [(name, value) for name, value in pairs if name not in own | NOT_OF_THE_ROWS]
        self.picked = sorted({int(value) for value in request.GET.getlist(PICK) if is_id(value)})[:MAX_PICKED]
        self.again = self._run_of(request.GET.get(AGAIN, ""))
        self.every = EVERY in request.GET

    @cached_property
    def asked(self) -> dict | None:
        """Returns the chooser form's values. They are empty for an action without a chooser form. Returns None if the
        form is not valid yet."""
        if self.chooser is None:
            return {}
        return self.chooser.cleaned_data if self.chooser.is_valid() else None

    def _run_of(self, value: str) -> BulkRun | None:
        if not value:
            return None
        runs = admin.site.get_model_admin(BulkRun).get_queryset(self.request)
        row = runs.filter(pk=value, act=self.act.key).first() if is_id(value) else None
        if row is None:
            raise Http404
        return row

    @property
    def named(self) -> bool:
        return bool(self.picked or self.again or self.every)

    @cached_property
    def params(self) -> list[tuple[str, str]]:
        """Returns the list's filter parameters. Includes the sorting only if it makes the list leave rows out."""
        if self._left_out:
            return self._given
        return [(name, value) for name, value in self._given if name != ORDER_VAR]

    @property
    def _left_out(self) -> str:
        """Returns the list's notice that it leaves rows out because of its sorting. The notice is empty if the list
        leaves no rows out."""
        ordered = any(name == ORDER_VAR for name, _value in self._given)
        return str(getattr(self._list, "notice", "")) if ordered else ""

    @cached_property
    def _list(self):
        """Returns the filtered list. No rows are read yet. Raises Http404 for an unknown filter."""
        try:
            conditions = read_query(self.admin, urlencode(self._given))
            return unread_list(self.admin, conditions, self.request.user)
        except ExportError as error:
            raise Http404 from error

    @cached_property
    def rows(self) -> QuerySet:
        if self.asked is None:
            return self.act.model._base_manager.none()
        rows = self.admin.get_queryset(self.request)
        if PICK in self.request.GET:  # ids without a row select nothing, rather than all rows
            rows = rows.filter(pk__in=self.picked)
        elif self.again:
            undone = BulkItem.objects.filter(run=self.again, state=BulkItem.State.FAILED)
            rows = rows.filter(pk__in=undone.values("target"))
        elif self.params:
            rows = self._list.queryset
        return self.act.narrow(rows, self.asked).select_related(None).order_by("pk")

    @cached_property
    def words(self) -> list[tuple[str, str]]:
        if self.picked:
            number = ngettext("%(n)s row", "%(n)s rows", len(self.picked)) % {"n": len(self.picked)}
            return [(_("ticked"), number)]
        if self.again:
            return [(_("not carried out by"), _("bulk run %(run)s") % {"run": self.again.pk})]
        if not self.params:
            return []
        sorting = [(_("sorting"), self._left_out)] if self._left_out else []
        return [*query_words(self.admin, self.filter_query), *sorting]

    @property
    def filter_query(self) -> str:
        return urlencode(self.params)

    @property
    def without(self) -> str:
        query = self.request.GET.copy()
        for name in {PICK, AGAIN, DRAFT, *(name for name, _value in self.params)}:
            query.pop(name, None)
        return f"?{query.urlencode()}"

    @cached_property
    def ids(self) -> list[int]:
        """Returns the ids of the rows, at most MAX_ROWS + 1. Raises Http404 for a filter value that only the database
        rejects."""
        try:
            return list(self.rows.values_list("pk", flat=True)[: MAX_ROWS + 1])
        except NONSENSE as error:
            raise Http404 from error


class HandledFilter(SimpleListFilter):
    """Keeps the rows of a list that a bulk run carried out. The filter is set only by links."""

    title, parameter_name = gettext_lazy("bulk run"), "run"

    def lookups(self, request, model_admin):
        return [(self.value(), self.word_of(self.value()))] if self.value() else []

    @staticmethod
    def word_of(value: str) -> str:
        run = BulkRun.objects.filter(pk=value).first() if is_id(value) else None
        return f"#{run.pk} {run.get_act_display()}" if run else value

    def queryset(self, request, queryset):
        if not self.value():
            return queryset
        if not is_id(self.value()):
            raise IncorrectLookupParameters(self.value())
        acts = [key for key, act in BULK_ACTS.items() if act.model is queryset.model]
        done = BulkItem.objects.filter(run=self.value(), run__act__in=acts, state=BulkItem.State.DONE)
        return queryset.filter(pk__in=done.values("target"))


class TickedList:
    """Mixin of a ModelAdmin that adds a column of checkboxes in front of the others."""

    def get_list_display(self, request):
        shown = super().get_list_display(request)
        return ["tick", *shown] if acts_on(self.model, request.user) else shown

    def get_list_display_links(self, request, list_display):
        return super().get_list_display_links(request, [name for name in list_display if name != "tick"])

    @admin.display(description=gettext_lazy("rows of this page"))
    def tick(self, obj):
        name = _("Choose %(row)s") % {"row": self.heading(obj)}
        return format_html(
            '<input type="checkbox" name="{}" value="{}" form="bulk" aria-label="{}">', PICK, obj.pk, name
        )

"""The approval history, read-only."""

from django.contrib import admin
from django.template.defaultfilters import linebreaksbr
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from approvals.models import ApprovalRecord
from notifications.masks import mask_text
from orders.history.actors import node_of, operator_of, spoken
from orders.lists.cells import clipped, column, cut_column
from orders.lists.chips import chip_column, parts_of
from orders.lists.filter_kinds import PlacesFilter, day_filter
from orders.lists.personal_data import PersonalData, mask_text_or_json
from orders.lists.read_only import ReadOnlyAdmin
from orders.lists.registration import Section, register_list
from orders.lists.scope import Scoped
from orders.search.list_search import order_field

LATEST = 2000


class SeenLately(admin.SimpleListFilter):
    """Offers the values of `field` in the latest records, as reading all is slow. Omits phones and mail addresses."""

    field = ""
    word_of = staticmethod(str)

    def lookups(self, request, model_admin):
        rows = model_admin.get_queryset(request).order_by("-pk").values_list(self.field, flat=True)[:LATEST]
        values = sorted({*rows, *([self.value()] if self.value() else [])})
        return [(value, self.word_of(value)) for value in values if value and mask_text(value) == value]

    def queryset(self, request, queryset):
        return queryset.filter(**{self.field: self.value()}) if self.value() else queryset


class NodeFilter(SeenLately):
    title, parameter_name, field = _("node"), "node_name", "node_name"


class OperatorFilter(SeenLately):
    title, parameter_name, field = _("operator"), "operator", "operator"
    word_of = staticmethod(spoken)


@register_list(
    ApprovalRecord,
    menu=(Section.DESK, 40),
    empty=_("No approval records yet. They show here as soon as BPM has approved."),
    name="approvals",
    tones={
        "grey": [ApprovalRecord.Result.WAIVE],
        "amber": [ApprovalRecord.Result.RETURN],
        "red": [ApprovalRecord.Result.REJECT],
        "green": [ApprovalRecord.Result.PASS],
    },
)
class ApprovalRecordAdmin(PersonalData, Scoped, ReadOnlyAdmin):
    ordering = ["-pk"]
    list_display = ["time", "order_link", "result_chip", "node_cut", "who", "opinion_cut", "ended", "source"]
    list_display_links = ["time"]
    list_filter = [
        NodeFilter,
        "result",
        OperatorFilter,
        day_filter("time", _("decided at")),
        "source",
        "finished",
        PlacesFilter,
    ]
    personal_columns = {"opinion": mask_text_or_json}
    column_meanings = {
        "time": _("when it was decided"),
        "result_chip": _("what was decided"),
        "node_cut": _("the step of the process at which it was decided"),
        "who": _("who decided"),
        "opinion_cut": _("what they wrote"),
        "opinion": _("what they wrote, whole"),
        "ended": _("whether the process was over with it"),
        "source": _("from BPM, or by staff of the desk"),
    }
    list_select_related = ["order"]
    search_fields = ["order__number__startswith"]
    search_help_text = _("order number: whole, or how it begins")
    fields = [
        "order",
        "result_chip",
        "finished",
        "opinion_text",
        "who",
        "node_words",
        "time",
        "source",
        "record_id",
        "received_at",
    ]

    def heading(self, obj):
        return f"{obj.order.number} · {node_of(obj)}"

    order_link = order_field("order", _("order"), "?tab=approvals")
    result_chip = chip_column(_("result"), lambda obj: parts_of(ApprovalRecord.Result(obj.result)), ordering="result")
    node_cut = cut_column(_("node name"), node_of, clipped)

    @admin.display(description=_("node"))
    def node_words(self, obj):
        return " · ".join(dict.fromkeys(filter(None, [node_of(obj), mask_text(obj.node)])))

    who = column(_("operator"), operator_of)
    ended = column(_("finished"), lambda obj: _("yes") if obj.finished else "")
    opinion_cut = cut_column(_("opinion, masked"), lambda obj: mask_text_or_json(obj.opinion), clipped)

    @admin.display(description=_("opinion"))
    def opinion_text(self, obj):
        """Returns the opinion, masked unless personal data is shown."""
        if not obj.opinion:
            return "-"
        return format_html("{}{}", linebreaksbr(obj.personal.text(obj.opinion)), obj.personal.hint)

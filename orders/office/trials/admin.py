"""The list of uploaded workbooks of trials. Only the maker may see a workbook's content (`pages`)."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from orders.lists.filter_kinds import day_filter
from orders.lists.personal_data import masked_field
from orders.lists.read_only import ReadOnlyAdmin
from orders.lists.registration import Section, register_list
from orders.lists.scope import UnlimitedOnly
from orders.lists.time_cells import ago, ago_field
from orders.office.trials.models import TrialUpload


@register_list(TrialUpload, menu=(Section.TRACE, 80), empty=_("Nobody has uploaded a workbook of trials yet."))
class TrialUploadAdmin(UnlimitedOnly, ReadOnlyAdmin):
    fields = ["file", "trials", "made_by", "made_at", "imported_at"]
    list_display = ["file", "trials", "made_by", "made", "imported"]
    list_filter = [("imported_at", admin.EmptyFieldListFilter), day_filter("made_at", _("made at"), parameter="made")]
    list_select_related = ["made_by"]
    file = masked_field("file_name", _("file name"))

    def get_queryset(self, request):
        return super().get_queryset(request).defer("data", "report")

    made = ago_field("made_at", _("made at"))

    @admin.display(description=_("imported at"), empty_value="-")
    def imported(self, obj):
        return ago(obj.imported_at) if obj.imported_at else None

"""The page that asks how a list is exported, and what happens then: a file at once, or one that a worker writes."""

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.errors import ExportError, OrderError
from orders.lists.list_query import VIEW
from orders.lists.registration import admin_of, exported_lists
from orders.lists.scope import attributions_of
from orders.office.evidence.archive import EVIDENCE, number_in
from orders.office.exports.lists import SEE_PERSONAL_DATA, ExportedList, may_export, title_of_export
from orders.office.exports.models import Export
from orders.office.exports.service import (
    MAX_ROWS_AT_ONCE,
    Table,
    begin_export,
    fail_export,
    file_of,
    note_export_download,
    write_export,
)
from orders.office.jobs import queue
from orders.order_page.page_context import request_actor

# What a list's address holds besides filter, search and order.
NOT_OF_THE_FILTER = ("p", "e", "all", "_popup", "_to_field", "_facets", "_changelist_filters", VIEW)
LONGEST_REASON = 500


class ExportForm(forms.Form):
    """Format, columns, and personal data with the reason for them, where the user may export these."""

    format = forms.ChoiceField(
        label=gettext_lazy("File format"),
        choices=Export.Format.choices,
        widget=forms.RadioSelect,
        initial=Export.Format.XLSX,
    )
    columns = forms.MultipleChoiceField(label=gettext_lazy("Columns"), widget=forms.CheckboxSelectMultiple)
    personal = forms.BooleanField(
        label=gettext_lazy("With people's names, phones and mails unmasked"),
        required=False,
        help_text=gettext_lazy("Auditors see who exported them, and why. If none of their columns is ticked, all are."),
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        required=False,
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("Needed for personal data."),
    )

    def __init__(self, *args, found: ExportedList, **kwargs):
        super().__init__(*args, **kwargs)
        self.found = found
        ticked = found.usual_columns(personal=False)
        names = [*ticked, *(name for name in found.columns if name not in ticked)]
        self.fields["columns"].choices = [(name, found.columns[name].label) for name in names]
        self.fields["columns"].initial = ticked
        if not (found.has_personal and found.user.has_perm(SEE_PERSONAL_DATA)):
            del self.fields["personal"], self.fields["reason"]

    def clean(self):
        given = super().clean()
        if given.get("personal") and not given.get("reason", "").strip():
            self.add_error("reason", _("Say what the personal data are needed for."))
        if given.get("columns"):
            given["columns"] = self.found.chosen_columns(given["columns"], personal=bool(given.get("personal")))
        return given


def answer_new_export(request: HttpRequest, site, name: str) -> HttpResponseBase:
    """GET: the form for the list under the filter in the address. POST: the file, or the page of its export."""
    if name not in exported_lists():
        raise Http404
    if not may_export(request.user, admin_of(name)):
        raise PermissionDenied
    query = request.GET.copy()
    for other in NOT_OF_THE_FILTER:
        query.pop(other, None)
    opts = admin_of(name).opts
    address = reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")
    try:
        found = ExportedList(name, query.urlencode(), request.user)
        form = ExportForm(request.POST if request.method == "POST" else None, found=found)
        if request.method == "POST" and form.is_valid():
            return _export(request, found, **form.cleaned_data)
    except OrderError as error:
        messages.error(request, error.words())
        return redirect(address)
    context = {
        **site.each_context(request),
        "opts": Export._meta,
        "title": _("Export: %(list)s") % {"list": found.title},
        "list": {"title": found.title, "address": f"{address}?{query.urlencode()}"},
        "filters": found.filters,
        "count": found.changelist.result_count,
        "at_once": found.changelist.result_count <= MAX_ROWS_AT_ONCE,
        "form": form,
        "columns": [(box, found.columns[box.data["value"]]) for box in form["columns"]],
    }
    return TemplateResponse(request, "exports/form.html", context)


def _export(
    request: HttpRequest,
    found: ExportedList,
    *,
    format: str,
    columns: list[str],
    personal: bool = False,
    reason: str = "",
) -> HttpResponseBase:
    by, few = request_actor(request), found.count(MAX_ROWS_AT_ONCE + 1) <= MAX_ROWS_AT_ONCE
    table = found.table(columns, personal=personal, by=by) if few else None
    row = begin_export(
        by=by,
        list_name=found.name,
        query=found.query,
        columns=columns,
        format=format,
        personal=personal,
        reason=reason,
        scope=attributions_of(request.user),
        now=timezone.now(),
    )
    if row.state == Export.State.ASKED:
        return redirect("admin:orders_export_change", row.pk)
    if table is None:
        queue(row)
    elif _written(row, table):
        return send_file(row, by=by)
    return redirect("admin:orders_export_change", row.pk)


def _written(row: Export, table: Table) -> bool:
    """Writes the file in the request. Its page says why there is none."""
    try:
        done = write_export(row, table)
    except Exception:
        fail_export(row, ExportError("export_broken"))
        raise
    row.refresh_from_db()
    return done


def send_file(row: Export, *, by: str) -> FileResponse:
    """The file as a download, and counts it. Raises FileNotFoundError."""
    order = f"-{number_in(row.query)}" if row.list_name == EVIDENCE else ""
    name = f"{title_of_export(row.list_name)}{order}-{timezone.localtime(row.created_at):%Y%m%d-%H%M%S}.{row.format}"
    response = FileResponse(file_of(row).open("rb"), as_attachment=True, filename=name)
    note_export_download(row, by=by, now=timezone.now())
    return response

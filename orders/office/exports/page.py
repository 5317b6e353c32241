"""The export page of a list: its form, and its file. The file is written in the request or by a worker."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.history.actors import staff_actor
from orders.lists.list_query import NOT_OF_THE_FILTER
from orders.lists.personal_data import may_open
from orders.lists.reason import reason_field
from orders.lists.registration import address_of_list, admin_of, exported_lists
from orders.lists.scope import attributions_of
from orders.office.evidence.archive import EVIDENCE, number_in
from orders.office.exports.export_jobs import (
    MAX_ROWS_AT_ONCE,
    Table,
    begin_export,
    fail_export,
    file_of,
    note_export_download,
    write_export,
)
from orders.office.exports.lists import ExportedList, may_export, title_of_export
from orders.office.exports.models import Export
from orders.office.jobs import queue
from orders.texts.errors import ExportError, OrderError


class PersonalDataForm(forms.Form):
    """If personal data are `offered`, asks for them and for the reason. `personal_help`: the checkbox's help text."""

    personal = forms.BooleanField(label=gettext_lazy("With people's names, phones and mails unmasked"), required=False)
    reason = reason_field(autofocus=False, rows=2, required=False, help_text=gettext_lazy("Needed for personal data."))
    personal_help: str | Promise = ""

    def __init__(self, *args, offered: bool, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["personal"].help_text = self.personal_help
        if not offered:
            del self.fields["personal"], self.fields["reason"]

    def clean(self):
        given = super().clean()
        if given.get("personal") and not given.get("reason", "").strip():
            self.add_error("reason", _("Say what the personal data are needed for."))
        return given


class ExportForm(PersonalDataForm):
    personal_help = gettext_lazy(
        "Auditors see who exported them, and why. If none of their columns is ticked, all are."
    )
    format = forms.ChoiceField(
        label=gettext_lazy("File format"),
        choices=Export.Format.choices,
        widget=forms.RadioSelect,
        initial=Export.Format.XLSX,
    )
    columns = forms.MultipleChoiceField(label=gettext_lazy("Columns"), widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args, found: ExportedList, **kwargs):
        super().__init__(*args, offered=found.has_personal and may_open(found.user), **kwargs)
        self.found = found
        ticked = found.usual_columns(personal=False)
        names = [*ticked, *(name for name in found.columns if name not in ticked)]
        self.fields["columns"].choices = [(name, found.columns[name].label) for name in names]
        self.fields["columns"].initial = ticked

    def clean(self):
        given = super().clean()
        if given.get("columns"):
            given["columns"] = self.found.chosen_columns(given["columns"], personal=bool(given.get("personal")))
        return given


def answer_new_export(request: HttpRequest, site, name: str) -> HttpResponseBase:
    """GET: the form for the list filtered by the URL. POST: the file, or a redirect to the export's page."""
    if name not in exported_lists():
        raise Http404
    if not may_export(request.user, admin_of(name)):
        raise PermissionDenied
    query = request.GET.copy()
    for other in NOT_OF_THE_FILTER:
        query.pop(other, None)
    address = address_of_list(admin_of(name).model)
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
    request: HttpRequest, found: ExportedList, *, columns: list[str], personal: bool = False, **more: str
) -> HttpResponseBase:
    few = found.changelist.result_count <= MAX_ROWS_AT_ONCE
    table = found.table(columns, personal=personal, by=staff_actor(request.user)) if few else None
    asked = {"list_name": found.name, "query": found.query, "columns": columns, "personal": personal}
    return answer_export(request, (lambda: table) if table else None, **asked, **more)


def answer_export(
    request: HttpRequest, read: Callable[[], Table] | None, *, reason: str = "", **asked: Any
) -> HttpResponseBase:
    """Begins an export with the arguments `asked`. Returns the file, or a redirect to the export's page.

    `read` returns the file's content, which is written in this request. If `read` is None, a worker writes the file.
    The export's page shows who must approve the export, the worker's progress, or the reason for a missing file.
    """
    by = staff_actor(request.user)
    row = begin_export(by=by, scope=attributions_of(request.user), now=timezone.now(), reason=reason, **asked)
    if row.state != Export.State.ASKED:
        if read is None:
            queue(row)
        elif _is_written(row, read):
            return send_file(row, by=by)
    return redirect("admin:orders_export_change", row.pk)


def _is_written(row: Export, read: Callable[[], Table]) -> bool:
    try:
        done = write_export(row, read())
    except OrderError as error:
        fail_export(row, error)
        return False
    except Exception:
        fail_export(row, ExportError("export_broken"))
        raise
    row.refresh_from_db()
    return done


def send_file(row: Export, *, by: str) -> FileResponse:
    """Returns the file as a download, and counts it. Raises FileNotFoundError."""
    order = f"-{number_in(row.query)}" if row.list_name == EVIDENCE else ""
    name = f"{title_of_export(row.list_name)}{order}-{timezone.localtime(row.created_at):%Y%m%d-%H%M%S}.{row.format}"
    response = FileResponse(file_of(row).open("rb"), as_attachment=True, filename=name)
    note_export_download(row, by=by, now=timezone.now())
    return response

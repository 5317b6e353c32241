"""The pages to enter trials: a workbook in two steps (upload, confirm), and a form for a single trial."""

from collections.abc import Callable

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.history.actors import staff_actor
from orders.lists.chips import toned_chip
from orders.lists.scope import attributions_of
from orders.models import Order
from orders.office.trials.annotated import write_annotated, write_template
from orders.office.trials.columns import CUSTOMER, DOMAINS, START, VOLUME, trial_columns
from orders.office.trials.enter_trials import KNOWN, NEW, WRONG, Report, RowResult, import_trials
from orders.office.trials.form import TrialForm, look_up, services_in_words
from orders.office.trials.models import TrialUpload
from orders.office.trials.sheet import DOMAINS_SHOWN, Entry, TrialSheet
from orders.office.trials.uploads import THERE, confirm_upload, correct_upload, keep_upload, sheet_of
from orders.office.trials.workbook import MAX_BYTES, MAX_ROWS
from orders.texts.errors import OrderError

PERMISSION, LOOK_UP_RIGHT = "orders.enter_trial", "orders.view_customer"
LOOK_UP, CONFIRMED, CORRECT, INPUT = "customer", "confirmed", "correct", "cell-"  # names in the forms
MAX_PASTED = 80  # characters of a pasted URL that are shown
MAX_INPUTS = 300  # Django refuses a form with more than a thousand fields
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class UploadForm(forms.Form):
    file = forms.FileField(label=gettext_lazy("workbook"), widget=forms.FileInput(attrs={"accept": ".xlsx"}))

    def clean_file(self):
        file = self.cleaned_data["file"]
        too_large = file.size > MAX_BYTES  # then the file is not read into memory
        return (file.name, file.read(MAX_BYTES + 1 if too_large else file.size))


def trial_pages(orders) -> list[URLPattern]:
    """Returns the URLs below the list of `orders` (its ModelAdmin), for users who may see it and enter trials."""

    def view(answer: Callable) -> Callable:
        def show(request: HttpRequest, **named):
            if not (orders.has_view_permission(request) and request.user.has_perm(PERMISSION)):
                raise PermissionDenied
            return answer(orders, request, **named)

        return orders.admin_site.admin_view(show)

    return [
        path("trials/enter/", view(answer_enter), name="orders_order_enter"),
        path("trials/import/", view(answer_import), name="orders_order_import"),
        path("trials/template/", view(answer_template), name="orders_order_import_template"),
        path("trials/import/<int:pk>/", view(answer_review), name="orders_order_import_review"),
        path("trials/import/<int:pk>/annotated/", view(answer_annotated), name="orders_order_import_annotated"),
    ]


def answer_import(orders, request: HttpRequest):
    """GET: the form. POST: checks and stores the workbook, and redirects to the page with its rows."""
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        name, data = form.cleaned_data["file"]
        about = {"by": staff_actor(request.user), "letters": attributions_of(request.user), "now": timezone.now()}
        try:
            upload = keep_upload(data=data, file_name=name, maker_id=request.user.pk, **about)
        except OrderError as error:
            form.add_error("file", error.words())
        else:
            return redirect("admin:orders_order_import_review", upload.pk)
    return orders.show(
        request,
        "trials/import.html",
        title=_("Import trials"),
        form=form,
        last=TrialUpload.objects.filter(THERE, made_by=request.user).defer("data", "report").first(),
        most=MAX_ROWS,
        megabytes=MAX_BYTES // 1024 // 1024,
    )


def answer_template(orders, request: HttpRequest):
    return _workbook(write_template(attributions_of(request.user), services_in_words()), _("Trials"))


def answer_review(orders, request: HttpRequest, pk: int):
    """GET: the result of each row. POST: checks all rows again, and enters either all or none. POST with `correct`:
    only replaces the wrong cells by the texts of the form."""
    upload = _own_upload(request, pk)
    if request.method == "POST":
        about = {"upload": upload, "by": staff_actor(request.user), "letters": attributions_of(request.user)}
        try:
            if CORRECT in request.POST:
                posted = request.POST.items()
                texts = {name.removeprefix(INPUT): text for name, text in posted if name.startswith(INPUT)}
                correct_upload(texts=texts, **about)
            else:
                confirmed = request.POST.get(CONFIRMED, "")
                _say_result(request, confirm_upload(confirmed=confirmed, now=timezone.now(), **about))
        except OrderError as error:
            messages.warning(request, error.words())
        return redirect("admin:orders_order_import_review", pk)
    report = Report.from_json(upload.report)
    counts = {verdict: report.count(verdict) for verdict in (NEW, KNOWN, WRONG)}
    return orders.show(
        request,
        "trials/review.html",
        title=_("Import trials"),
        upload=upload,
        report=report,
        counts=counts,
        rows=_rows(orders, request, upload, report),
        titles=[trial_columns()[member].title for member in (DOMAINS, START, VOLUME)],
        offered=_offered(report),
    )


def _rows(
    orders, request: HttpRequest, upload: TrialUpload, report: Report
) -> list[tuple[RowResult, str, str, int | None, dict]]:
    """Returns the rows, wrong rows first. Each row has its chip, the reason why it is held, and its content. If the
    order exists and the user may see it, the row also has the order's id. Rows of a report of 1.12.0 have no
    content."""
    rows = sorted(report.rows, key=lambda row: row.verdict != WRONG)
    there = [row.number for row in rows if row.verdict == KNOWN or upload.imported_at]
    found = orders.get_queryset(request).filter(number__in=there).values_list("number", "pk")
    ids = dict(found) if there else {}
    entered = bool(upload.imported_at)
    return [
        (
            row,
            _verdict_chip(row, entered=entered),
            _why_held(row),
            ids.get(row.number),
            report.contents.get(str(row.row), {}),
        )
        for row in rows
    ]


def answer_annotated(orders, request: HttpRequest, pk: int):
    upload = _own_upload(request, pk)
    if upload.imported_at:
        raise Http404
    about = {"letters": attributions_of(request.user), "services": services_in_words()}
    data = write_annotated(sheet_of(upload), Report.from_json(upload.report), **about)
    return _workbook(data, f"{upload.file_name.removesuffix('.xlsx')}-{_('checked')}")


def answer_enter(orders, request: HttpRequest):
    """The form for one trial. Errors are shown next to their fields, warnings to confirm at the top.

    A POST with `customer` enters nothing. It fills in the customer with this id. If the id is empty, it fills in the
    customer that matches the form.
    """
    letters = attributions_of(request.user)
    posted = request.method == "POST"
    if posted and LOOK_UP in request.POST and request.user.has_perm(LOOK_UP_RIGHT):
        typed = {name: request.POST[name] for name in request.POST}
        chosen = request.POST[LOOK_UP]
        found = look_up(request.user, {CUSTOMER: chosen} if chosen else typed)
        return _form_page(orders, request, TrialForm(initial=typed | found.facts, letters=letters), looked_up=found)
    form = TrialForm(request.POST if posted else None, letters=letters)
    report, taken = Report(), ""
    if posted and form.is_valid():
        entry = form.entry()
        taken = _taken(entry)
        about = {"by": staff_actor(request.user), "letters": letters, "now": timezone.now()}
        confirmed = request.POST.get(CONFIRMED, "")
        try:
            report = import_trials(TrialSheet([entry]), confirmed=confirmed, **about)
        except OrderError as error:
            form.add_error(None, error.words())
        else:
            if report.is_right and report.is_confirmed(confirmed):
                if report.rows[0].verdict == KNOWN:
                    text = _("This trial was there already, with the same content. Nothing has changed.")
                    messages.info(request, text)
                else:
                    messages.success(request, _("The trial has been entered."))
                if taken:
                    messages.info(request, taken)
                order = Order.objects.only("pk").get(number=report.rows[0].number)
                return redirect("admin:orders_order_change", order.pk)
            form.take_faults(report)
    return _form_page(orders, request, form, report=report, taken=taken)


def _taken(entry: Entry) -> str:
    """Returns the pasted texts, each with the host that was taken from it. Host names that were typed as such are not
    included."""
    pairs = [f"{text[:MAX_PASTED]} → {host}" for text, host in entry.hosts.items()][:DOMAINS_SHOWN]
    more = len(entry.hosts) - len(pairs)
    rest = [_("%(n)s more") % {"n": more}] if more else []
    return _("Taken as domains: %(pairs)s") % {"pairs": _("; ").join([*pairs, *rest])} if pairs else ""


def _form_page(orders, request: HttpRequest, form: TrialForm, **context) -> HttpResponse:
    context["may_look_up"] = request.user.has_perm(LOOK_UP_RIGHT)
    return orders.show(request, "trials/enter.html", title=_("Enter a trial"), form=form, **context)


def _verdict_chip(row: RowResult, *, entered: bool) -> str:
    if row.verdict == WRONG:
        return toned_chip("red", _("Wrong"))
    if row.verdict == KNOWN:
        return toned_chip("grey", _("Is there already"))
    if row.held:
        return toned_chip("amber", _("Entered, held") if entered else _("Will be held"))
    return toned_chip("green", _("Entered") if entered else _("Right"))


def _why_held(row: RowResult) -> str:
    return str(Order.Held(row.held).label) if row.held else ""


def _offered(report: Report) -> set[str]:
    cells = [fault.cell for row in report.rows for fault in row.faults if fault.is_editable]
    return set(list(dict.fromkeys(cells))[:MAX_INPUTS])


def _own_upload(request: HttpRequest, pk: int) -> TrialUpload:
    """Returns the user's own upload. Raises Http404 if the upload belongs to another user, or a newer upload has
    replaced it."""
    return get_object_or_404(TrialUpload, THERE, pk=pk, made_by=request.user)


def _workbook(data: bytes, name: str) -> HttpResponse:
    response = HttpResponse(data, content_type=XLSX)
    response["Content-Disposition"] = content_disposition_header(True, f"{name}.xlsx")
    return response


def _say_result(request: HttpRequest, upload: TrialUpload) -> None:
    report = Report.from_json(upload.report)
    if report.is_right and not upload.imported_at:
        messages.warning(request, _("Nothing was entered: there is something that you must confirm first."))
    elif not upload.imported_at:
        messages.error(request, _("Something has changed since you looked, so nothing was entered. See the red rows."))
    else:
        messages.success(request, _("%(count)s trials have been entered.") % {"count": report.count(NEW)})

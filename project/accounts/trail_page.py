"""The page 审计 (audit). It shows the audit trail, newest first.

The trail can be filtered by day, person, order, customer and kind, and exported as CSV.
"""

import csv
from collections.abc import Iterator
from types import SimpleNamespace

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from notifications.masks import mask_text
from orders.history.actors import actor_of, names_read_once, staff_actor
from orders.lists.cells import cut
from orders.lists.csv_and_xlsx_cells import csv_cell
from orders.lists.filter_kinds import DaysForm
from orders.lists.list_query import in_a_line
from orders.lists.scope import is_unlimited
from orders.lists.time_cells import clock
from orders.models import Customer, Order, TrailEntry
from orders.office.exports.lists import PERMISSION
from orders.order_words.history import by_day
from project.accounts.login_trail import note_from
from project.trail.trail_query import ACT_KINDS, Act, TrailFilter, TrailPosition, newest_acts, parse_position

PERMISSION_TO_VIEW = "orders.view_trailentry"
SHOWN, READ_AT_ONCE = 100, 1000  # rows on a page; rows that an export reads at a time
COLUMNS = (
    gettext_lazy("at"),
    gettext_lazy("actor"),
    gettext_lazy("from where"),
    pgettext_lazy("trail", "what"),
    pgettext_lazy("trail", "about"),
    gettext_lazy("details"),
)


class TrailForm(DaysForm):
    user = forms.CharField(label=pgettext_lazy("trail", "person"), required=False, max_length=150)
    order = forms.CharField(label=gettext_lazy("Order number"), required=False, max_length=64)
    customer = forms.CharField(label=gettext_lazy("Customer (number or whole name)"), required=False, max_length=255)
    kind = forms.ChoiceField(label=gettext_lazy("Kind"), required=False)
    q = forms.CharField(label=gettext_lazy("About or from where (whole)"), required=False, max_length=200)
    before = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["kind"].choices = [("", _("All")), *((key, kind.label) for key, kind in ACT_KINDS.items())]

    def clean_order(self) -> Order | None:
        number = self.cleaned_data["order"]
        found = Order.objects.filter(number=number).defer("content").first() if number else None
        if number and found is None:
            raise forms.ValidationError(_("There is no order with this number."))
        return found

    def clean_customer(self) -> str:
        given = self.cleaned_data["customer"]
        found = Customer.objects.filter(pk=given).first() or Customer.objects.filter(name=given).first()
        if given and found is None:
            raise forms.ValidationError(_("There is no such customer."))
        return found.pk if given and found else ""

    def clean_before(self) -> TrailPosition | None:
        given = self.cleaned_data["before"]
        if given and parse_position(given) is None:
            raise forms.ValidationError(_("This page of the list is not known."))
        return parse_position(given)

    @property
    def asked(self) -> TrailFilter:
        given = self.cleaned_data
        return TrailFilter(
            **self.bounds,
            user=given["user"],
            order=given["order"],
            customer=given["customer"],
            kind=given["kind"],
            text=given["q"],
        )

    @property
    def filters(self) -> list[tuple[str, str]]:
        """Returns (label, masked text) for each filter that is set."""
        said = {name: self.data.get(name, "") for name in self.fields if name != "before"}
        if kind := ACT_KINDS.get(said["kind"]):
            said["kind"] = str(kind.label)
        return [(str(self.fields[name].label), mask_text(text)) for name, text in said.items() if text]


def may_see_trail(user) -> bool:
    """Returns True if the user may see the audit trail, which covers all attributions. Limited auditors see only the
    events of orders in their attributions."""
    return user.has_perm(PERMISSION_TO_VIEW) and is_unlimited(user)


def trail_page(request: HttpRequest, site) -> HttpResponseBase:
    """GET shows the rows that match the filter in the query string. POST returns all matching rows as a CSV file and
    records the export. For an invalid filter, the response has the reason and status 400."""
    if not may_see_trail(request.user):
        raise PermissionDenied
    form = TrailForm(request.GET)
    valid = form.is_valid()
    if request.method == "POST" and valid:
        return _csv_response(request, form)
    acts = newest_acts(form.asked, before=form.cleaned_data["before"], number=SHOWN + 1) if valid else []
    days = [(day, [[_row(act) for act in group] for group in groups]) for day, groups in by_day(acts[:SHOWN])]
    context = {
        **site.each_context(request),
        "title": pgettext_lazy("menu", "Audit"),
        "form": form,
        "filters": form.filters,
        "columns": COLUMNS,
        "days": days,
        "rows": [row for _day, groups in days for group in groups for row in group],
        "newest": _address(request, None),
        "older": _address(request, acts[SHOWN - 1].position) if len(acts) > SHOWN else "",
        "may_export": request.user.has_perm(PERMISSION),
    }
    return TemplateResponse(request, "admin/trail.html", context, status=200 if valid else 400)


def _address(request: HttpRequest, before: TrailPosition | None) -> str:
    query = request.GET.copy()
    query.pop("before", None)
    for name in [name for name, value in query.items() if not value]:
        del query[name]
    if before:
        query["before"] = str(before)
    return f"?{query.urlencode()}"


def _row(act: Act) -> dict:
    url = reverse("admin:orders_order_change", args=[act.order]) if act.order else ""
    return {"act": act, "moment": clock(act.at), "who": _actor_words(act), "more": cut(act.more), "url": url}


def _actor_words(act: Act) -> str:
    return str(actor_of(act.who, act.account_id, act.at)[0]) or "-"


def _csv_response(request: HttpRequest, form: TrailForm) -> StreamingHttpResponse:
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    now = timezone.now()
    note_from(request, TrailEntry.Code.TRAIL_EXPORT, by=staff_actor(request.user), filter=in_a_line(form.filters))
    name = f"{_('Audit trail')}-{timezone.localtime(now):%Y%m%d-%H%M%S}.csv"
    answer = StreamingHttpResponse(_lines(form.asked, TrailPosition(now, 0, 0)), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = content_disposition_header(True, name)
    return answer


def _lines(asked: TrailFilter, before: TrailPosition) -> Iterator[str]:
    """Yields the file in parts of READ_AT_ONCE rows. Each part has its own query. A single cursor would stay open for
    as long as the browser reads."""
    line = csv.writer(SimpleNamespace(write=lambda text: text)).writerow
    yield "\ufeff" + line([str(column) for column in COLUMNS])
    acts: list[Act] = []
    while acts := newest_acts(asked, before=acts[-1].position if acts else before, number=READ_AT_ONCE):
        with names_read_once():
            lines = [line([csv_cell(value) for value in _cells(act)]) for act in acts]
        yield "".join(lines)


def _cells(act: Act) -> list:
    at = timezone.localtime(act.at).replace(tzinfo=None)
    return [at, _actor_words(act), act.address, act.words, act.about, act.more]

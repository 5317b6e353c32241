"""The page that guides staff after a restore (contract section 5, `restored`).

The page shows the missing orders, differences with the partners, and the steps that would be sent again. At the end
staff release the desk.
"""

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Min, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.history.actors import staff_actor
from orders.lists.reason import WordsField
from orders.lists.scope import is_unlimited, limit
from orders.models import Difference, Timeline
from orders.office.bulk.bulk_runs import stop_runs
from orders.pauses.release_restored import numbers_compared_since, open_restore, release_restored
from orders.restore.restore_preview import LOST_KINDS, SAMPLE, lost_entries, rows_of_kind
from orders.sending.held_processes import hold_processes
from orders.texts.errors import NotAllowedError
from project.dashboard.number_tiles import listing

VIEW_ORDERS, VIEW_TIMELINES, PERMISSION = "orders.view_order", "orders.view_timeline", "orders.release_restored"
SHOWN = 50


class ReleaseForm(forms.Form):
    reason = WordsField(label=gettext_lazy("Reason"), max_length=500, widget=forms.TextInput(attrs={"data-draft": ""}))


def restored_page(request: HttpRequest, site) -> HttpResponse:
    """GET shows the state of the restore to users who may see orders. POST releases the desk. The desk then sends
    again."""
    if not request.user.has_perm(VIEW_ORDERS):
        raise PermissionDenied
    form, may_release = ReleaseForm(request.POST or None), _may_release(request)
    if request.method == "POST":
        if not may_release:
            raise PermissionDenied
        if form.is_valid():
            _release(request, form.cleaned_data["reason"])
            return redirect("admin:restored")
    row = open_restore()
    about = {"row": row, "form": form, "may_release": may_release, **_past_restores(request)}
    if row:
        about |= {"compared": numbers_compared_since(row), **_differences(request), "kinds": _steps_to_send(request)}
        about |= _missing_orders() | _lost_trials() if may_release else {}
    title = _("After a restore")
    return TemplateResponse(request, "admin/restored.html", {**site.each_context(request), "title": title, **about})


def _may_release(request: HttpRequest) -> bool:
    """Returns True if the user may release the desk. Limited users can't release the desk, because they see neither all
    orders nor the missing orders."""
    return request.user.has_perm(PERMISSION) and is_unlimited(request.user)


def _release(request: HttpRequest, reason: str) -> None:
    by, now = staff_actor(request.user), timezone.now()
    try:
        row = release_restored(reason=reason, by=by, now=now, stop_runs=stop_runs)
    except NotAllowedError:
        messages.error(request, _("The database does not count as restored any more."))
        return
    hold_processes(last_order=row.last_order, last_event=row.last_event, now=now, by=by)
    messages.success(request, _("The desk takes in and sends again."))


def _past_restores(request: HttpRequest) -> dict:
    """Returns the previous timelines, latest first, for users who may see their list."""
    sees = request.user.has_perm(VIEW_TIMELINES) and is_unlimited(request.user)
    return {"past": Timeline.objects.exclude(begun_by="").order_by("-pk")[:SHOWN] if sees else []}


def _missing_orders() -> dict:
    rows = Difference.objects.filter(kind=Difference.Kind.UNKNOWN_ORDER, state=Difference.State.OPEN).order_by()
    records = Count("pk", filter=~Q(product_id=""))  # a number without records has a single row without product
    numbers = rows.values("job_id").annotate(records=records, first=Min("pk")).order_by("first")
    return {
        "missing": numbers[:SHOWN],
        "missing_number": rows.values("job_id").distinct().count(),
        "missing_url": listing("orders_difference", state__exact="open", kind__exact="unknown_order"),
    }


def _lost_trials() -> dict:
    """Returns the trials that the database has lost and that staff had entered by hand. No partner sends them again."""
    lost = lost_entries()
    return {"entered": lost.rows[:SHOWN], "entered_number": len(lost.rows), "entered_error": lost.error}


def _differences(request: HttpRequest) -> dict:
    rows = limit(Difference.objects.filter(state=Difference.State.OPEN), request.user).order_by()
    rows = rows.exclude(kind=Difference.Kind.UNKNOWN_ORDER)
    counts = dict(rows.values_list("kind").annotate(number=Count("pk")))
    return {
        "differences": [
            (label, counts[kind], listing("orders_difference", state__exact="open", kind__exact=kind))
            for kind, label in Difference.Kind.choices
            if counts.get(kind)
        ]
    }


def _steps_to_send(request: HttpRequest) -> list[dict]:
    found = []
    for kind in LOST_KINDS:
        rows = limit(rows_of_kind(kind), request.user)
        number = rows.count()
        if number:
            orders = list({row.order_id: row.order for row in rows[: SAMPLE * 3]}.values())[:SAMPLE]
            found.append({"label": kind.label, "will": kind.will, "number": number, "orders": orders})
    return found

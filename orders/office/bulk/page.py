"""Confirmation page of a bulk action: shows the selected rows and a preview, and asks for a reason."""

from functools import partial

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.generic import RedirectView

from notifications.mail_rendering import LANGUAGE
from orders.actions.all_actions import BULK_ACTS
from orders.actions.bulk_action import Bulk, BulkForm
from orders.db.unstorable_values import is_id
from orders.history.actors import staff_actor
from orders.lists.personal_data import mask_text_or_json
from orders.lists.registration import address_of_list
from orders.office.bulk.acts import address_of, count_kinds, label_of
from orders.office.bulk.asked import preview_run
from orders.office.bulk.bulk_runs import begin_draft, confirm_draft, find_draft, is_asked_for
from orders.office.bulk.models import BulkRun
from orders.office.bulk.run_parts import run_part
from orders.office.bulk.selection import DRAFT, JUDGED, MAX_ROWS, Selected
from orders.office.jobs import is_made_by, queue
from orders.texts.errors import OrderError

MAX_ROWS_AT_ONCE = 20  # rows that a request carries out itself
AT_ONCE_SECONDS = 5.0  # then a worker continues
SAMPLE = 10
OLD_RESULT = RedirectView.as_view(pattern_name="admin:orders_orderevent_change")  # results older than bulk runs


def resend_pages(orders) -> list[URLPattern]:
    """Returns the URLs for resending many orders. They are older than the URLs of bulk runs. `orders`: the ModelAdmin
    of orders."""
    wrap, many = orders.admin_site.admin_view, partial(answer_new_run, site=orders.admin_site, key="resend")
    return [
        path("resend/", wrap(many), name="orders_order_resend"),
        path("resend/<int:object_id>/", wrap(OLD_RESULT), name="orders_order_resent"),
    ]


def answer_new_run(request: HttpRequest, site, key: str) -> HttpResponseBase:
    """GET: stores the selected rows as a draft and shows a preview. POST: starts the draft."""
    act = BULK_ACTS.get(key)
    if act is None:
        raise Http404
    if not act.is_allowed(request.user):
        raise PermissionDenied
    selected = Selected(act, request)
    if selected.chooser is None and not selected.named:
        messages.warning(request, _("Tick rows, or choose all that fit."))
        return redirect(f"{address_of_list(act.model)}?{selected.filter_query}")
    form = act.form(request.POST) if request.method == "POST" else None
    if form and form.is_valid():
        try:
            run = _begin(request, act, selected, form)
        except OrderError as error:
            messages.error(request, error.words())
            return redirect(_address(request))
        return redirect("admin:orders_bulkrun_change", run.pk)
    draft = _draft_of(request, act, selected)
    if form is None:
        form = act.form(initial=_initial(request, selected, draft))
    elif draft:
        form.data = form.data.copy()
        form.data[DRAFT] = draft.pk
    context = {
        **site.each_context(request),
        "opts": act.model._meta,
        "title": label_of(act),
        "act": act,
        "chooser": selected.chooser,
        "list": {"title": act.model._meta.verbose_name_plural, "address": address_of_list(act.model)},
        "form": form,
        "carried": [(title, mask_text_or_json(value)) for title, value in selected.words],
        "kept": _kept(request, selected),
        "without": selected.without,
        **(_dry_run(act, draft, selected.asked or {}) if draft else _no_rows(selected)),
    }
    return TemplateResponse(request, "bulk/new.html", context)


def _draft_of(request: HttpRequest, act: Bulk, selected: Selected) -> BulkRun | None:
    """Returns the draft whose id is in the URL or the form, or a new draft. Returns None if no row or too many rows are
    selected."""
    by, now, named = staff_actor(request.user), timezone.now(), request.POST.get(DRAFT) or request.GET.get(DRAFT, "")
    if is_id(named) and (draft := find_draft(int(named), by=by, act=act.key, now=now)):
        return draft
    if not selected.ids or len(selected.ids) > MAX_ROWS:
        return None
    about = {"targets": selected.ids, "query": selected.filter_query, "words": selected.words}
    return begin_draft(by=by, act=act.key, **about, details={}, now=now)


def _no_rows(selected: Selected) -> dict:
    """Returns the page's context without a draft. `too_many`: the number of selected rows, if it exceeds MAX_ROWS."""
    too_many = selected.rows.count() if len(selected.ids) > MAX_ROWS else 0
    return {"count": 0, "acts": False, "too_many": too_many, "most": MAX_ROWS, "narrow": selected.filter_query}


def _address(request: HttpRequest) -> str:
    query = request.GET.copy()
    query.pop(DRAFT, None)
    return f"{request.path}?{query.urlencode()}"


def _initial(request: HttpRequest, selected: Selected, draft: BulkRun | None) -> dict:
    """Returns the form's initial values. If the failed rows of another run are tried again, these are the values of
    that run. Its reason is included only for the user who wrote it."""
    run = selected.again
    before = {"reason": run.reason if is_made_by(run, request.user) else "", **run.details} if run else {}
    return before | {DRAFT: draft.pk if draft else None}


def _kept(request: HttpRequest, selected: Selected) -> list[tuple[str, str]]:
    own = selected.act.chooser.base_fields if selected.act.chooser else ()
    return [(name, value) for name, values in request.GET.lists() if name not in {DRAFT, *own} for value in values]


def _dry_run(act: Bulk, draft: BulkRun, asked: dict) -> dict:
    first = list(draft.items.order_by("target").values_list("target", flat=True)[:JUDGED])
    judged = act.judge_ids(first, asked)
    sample = sorted(judged, key=lambda one: not one.acts)[:SAMPLE]
    estimated = draft.total > len(first)
    return {
        "count": draft.total,
        "estimated": len(first) if estimated else 0,
        "verdicts": count_kinds(judged),
        "acts": estimated or any(row.acts for row in judged),
        "sample": [(address_of(one.row), act.name_of(one.row), one.words) for one in sample],
        "at_once": draft.total <= MAX_ROWS_AT_ONCE,
    }


def _begin(request: HttpRequest, act: Bulk, selected: Selected, form: BulkForm) -> BulkRun:
    """Confirms the draft, and carries out a short run. A second click returns the same run. Raises OrderError."""
    asked = {name: str(value) for name, value in (selected.asked or {}).items() if value}
    given = form.cleaned_data

    def told() -> list[str]:
        with override(LANGUAGE):
            return preview_run(BulkRun.objects.get(pk=given[DRAFT]))

    run = confirm_draft(
        pk=given[DRAFT],
        by=staff_actor(request.user),
        act=act.key,
        details={**asked, **form.details()},
        reason=given["reason"],
        now=timezone.now(),
        right=act.act.permission,
        told=told,
    )
    if is_asked_for(run):
        messages.success(request, _("Nothing was done yet: a second person has to confirm it."))
        return run
    if run.total <= MAX_ROWS_AT_ONCE:
        run_part(run.pk, now=timezone.now(), seconds=AT_ONCE_SECONDS, at_once=True)
        run.refresh_from_db()
    if run.state == BulkRun.State.WAITING:
        queue(run)
    return run

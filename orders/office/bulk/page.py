"""The page that confirms an act on many rows: which they are, what would happen, and the reason."""

import uuid

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from orders.errors import OrderError
from orders.lists.personal import masked_text
from orders.office.bulk.acts import ACTS, BulkAct, ReasonForm, address_of, count_kinds
from orders.office.bulk.models import BulkRun
from orders.office.bulk.run import run_part
from orders.office.bulk.selection import Look, Selected
from orders.office.bulk.service import begin_run, find_run, queue_run
from orders.order_page.page_context import request_actor
from orders.people import is_of

AT_ONCE = 20  # rows on which a request acts itself
AT_ONCE_SECONDS = 5.0  # then a worker goes on
SAMPLE = 10


def answer_new_run(request: HttpRequest, site, key: str) -> HttpResponseBase:
    """GET: which rows, and what would happen. POST: it is begun, if they are still those that were seen."""
    act = ACTS.get(key)
    if act is None:
        raise Http404
    if not act.is_allowed(request.user):
        raise PermissionDenied
    chooser = act.chooser(request.GET or None) if act.chooser else None
    asked = {} if chooser is None else chooser.cleaned_data if chooser.is_valid() else None
    selected = Selected(act, request, site.get_model_admin(BulkRun).get_queryset(request), asked)
    if chooser is None and not selected.named:
        messages.warning(request, _("Tick rows, or choose all that fit."))
        return redirect(f"{_address_of_list(act)}?{selected.filter_query}")
    form = act.form(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            run = _begin(request, act, selected, form)
        except OrderError as error:
            messages.error(request, error.words())
            return redirect(request.get_full_path())
        if run is not None:
            return redirect("admin:orders_bulkrun_change", run.pk)
    look = selected.look()
    if request.method == "POST" and form.is_valid():
        form = _seen_anew(request, act, look)
    elif request.method != "POST":
        form = act.form(initial=_initial(request, selected, look))
    context = {
        **site.each_context(request), "opts": act.model._meta, "title": act.label, "act": act, "chooser": chooser,
        "list": {"title": act.model._meta.verbose_name_plural, "address": _address_of_list(act)},
        "form": form, "carried": [(title, masked_text(value)) for title, value in selected.words],
        "kept": _kept(request, selected), "without": selected.without, **_dry_run(act, look, asked or {}),
    }  # fmt: skip
    return TemplateResponse(request, "bulk/new.html", context)


def is_own(user, run: BulkRun) -> bool:
    """Whether the user began the run."""
    return is_of(user, run.by, run.maker_id, run.created_at)


def _address_of_list(act: BulkAct) -> str:
    return reverse(f"admin:orders_{act.model._meta.model_name}_changelist")


def _initial(request: HttpRequest, selected: Selected, look: Look) -> dict:
    """A new form, with what the run was told whose rest is tried again; with its reason only for who wrote it."""
    run = selected.again
    before = {"reason": run.reason if is_own(request.user, run) else "", **run.details} if run else {}
    return before | {"seen": look.digest, "token": uuid.uuid4()}


def _kept(request: HttpRequest, selected: Selected) -> list[tuple[str, str]]:
    """What of the address the chooser takes along."""
    own = selected.act.chooser.base_fields if selected.act.chooser else ()
    return [(name, value) for name, values in request.GET.lists() if name not in own for value in values]


def _seen_anew(request: HttpRequest, act: BulkAct, look: Look) -> ReasonForm:
    """Nothing was done, and the person is told, also where nothing is left to be chosen: a colleague was quicker."""
    data = request.POST.copy()
    data["seen"] = look.digest
    form, text = act.form(data), _("The selection has changed since you looked. Look at it again, then confirm.")
    form.add_error(None, text)
    if not look.count:
        messages.warning(request, text)
    return form


def _dry_run(act: BulkAct, look: Look, asked: dict) -> dict:
    judged = act.judge(look.first, asked)
    sample = sorted(judged, key=lambda one: not one.acts)[:SAMPLE]
    estimated = look.count > len(look.first)
    return {
        "count": look.count,
        "estimated": len(look.first) if estimated else 0,
        "verdicts": count_kinds(judged),
        "acts": estimated or any(row.acts for row in judged),
        "sample": [(address_of(one.row), act.name_of(one.row), one.words) for one in sample],
        "at_once": look.count <= AT_ONCE,
    }


def _begin(request: HttpRequest, act: BulkAct, selected: Selected, form: ReasonForm) -> BulkRun | None:
    """Begins the run, and carries out a short one. A second click on the same form gives the run of the first.

    None if the selection has changed. Raises OrderError if no run may begin now.
    """
    by, token, now = request_actor(request), form.cleaned_data["token"] or uuid.uuid4(), timezone.now()
    if run := find_run(by=by, token=token, now=now):
        return run
    targets = selected.confirm(form.cleaned_data["seen"])
    if targets is None:
        return None
    asked = {name: str(value) for name, value in (selected.asked or {}).items() if value}
    run = begin_run(
        by=by, act=act.key, targets=targets, query=selected.filter_query, words=selected.words,
        details={**asked, **form.details()}, reason=form.cleaned_data["reason"],
        token=token, now=now,
    )  # fmt: skip
    if len(targets) <= AT_ONCE:
        run_part(run.pk, now=timezone.now(), seconds=AT_ONCE_SECONDS, at_once=True)
        run.refresh_from_db()
    if run.state == BulkRun.State.WAITING:
        queue_run(run)
    return run

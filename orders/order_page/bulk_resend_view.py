"""Resending many orders by a filter: count, dry run, then progress and the honest result."""

import hashlib
from collections import Counter

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.models import OrderEvent
from orders.order_page.bulk_resend import MOST, ManyFilter, choose, results_of
from orders.order_page.bulk_resend_origin import Origin
from orders.order_page.decisions.base import LONGEST_REASON
from orders.order_page.decisions.resend import VERDICTS, say_judgement
from orders.order_page.page_context import request_actor
from orders.people import actor_of
from orders.services.breakers import partners_down
from orders.services.outbox.resend import Selection, judge_selection, resend

PERMISSION = "orders.resend_order"
SAMPLE = 10


class ManyForm(forms.Form):
    """Confirms it. `seen` is a digest of the orders that the dry run was about."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"), max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3, "data-draft": ""}),
    )  # fmt: skip
    seen = forms.CharField(widget=forms.HiddenInput, required=False)


def answer_bulk_resend(pages, request: HttpRequest):
    """GET: the filter, and what would happen. POST: it happens, if the selection is still the one that was seen."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    chooser = ManyFilter(request.GET or None)
    wanted = chooser.cleaned_data if chooser.is_valid() else {}
    origin = Origin(pages, request)
    numbers = choose(origin.orders, wanted) if chooser.is_valid() else []
    digest = digest_of(numbers)
    form = ManyForm(request.POST if request.method == "POST" else None, initial={"seen": digest})
    if request.method == "POST" and form.is_valid():
        if numbers and form.cleaned_data["seen"] == digest:
            return _send(request, selection_of(numbers[:MOST], wanted), form.cleaned_data["reason"])
        form = _seen_anew(request, digest)
    return pages.show(request, "bulk_resend.html", title=_("Resend many"), chooser=chooser, form=form, most=MOST,
                      carried=origin.said, kept=origin.params, without=origin.without(chooser),
                      **_dry_run(numbers, wanted))  # fmt: skip


def _seen_anew(request: HttpRequest, digest: str) -> ManyForm:
    """Nothing was done, and the person is told, also where nothing is left to be chosen: a colleague was quicker."""
    data = request.POST.copy()
    data["seen"] = digest
    form, text = ManyForm(data), _("The selection has changed since you looked. Look at it again, then confirm.")
    form.add_error(None, text)
    if digest == digest_of([]):
        messages.warning(request, text)
    return form


def digest_of(numbers: list[str]) -> str:
    """Tells two selections apart."""
    return hashlib.sha256("\n".join(numbers).encode()).hexdigest()[:32]


def selection_of(numbers: list[str], wanted: dict) -> Selection:
    """The engine's words for the filter."""
    filters = {key: wanted.get(key) or "" for key in ("channel", "partner")}
    return Selection(numbers=tuple(numbers), filtered=True, failed=True, since=wanted.get("since"), **filters)


def _dry_run(numbers: list[str], wanted: dict) -> dict:
    if not numbers:
        return {"count": 0}
    judged = judge_selection(selection_of(numbers[:MOST], wanted), open_partners=partners_down())
    counts = Counter(row.verdict for row in judged)
    return {
        "count": min(len(numbers), MOST),
        "more": len(numbers) > MOST,
        "verdicts": [(VERDICTS[verdict], number) for verdict, number in counts.most_common()],
        "sends": sum(row.sends for row in judged),
        "sample": [(row, say_judgement(row)) for row in judged[:SAMPLE]],
    }


def _send(request: HttpRequest, selection: Selection, reason: str):
    now, by = timezone.now(), request_actor(request)
    resend(selection, by=by, reason=reason, now=now, open_partners=partners_down())
    event = OrderEvent.objects.filter(order=None, kind="resend", actor=by[:160], at=now).latest("pk")
    return redirect("admin:orders_order_resent", event.pk)


def answer_bulk_resend_result(pages, request: HttpRequest, event: int):
    """How a resend is getting on; the page loads itself again while anything is under way."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    row = OrderEvent.objects.filter(pk=event, kind="resend", order=None).first()
    if row is None:
        raise Http404
    results = results_of(row, pages.get_queryset(request))
    who, _person = actor_of(row.actor)
    return pages.show(
        request, "bulk_resend_result.html", title=_("Result of the resend"), event=row, who=who, **results
    )

"""The page of a decision on an order: a preview, the form for the reason, and the result."""

from dataclasses import replace

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from orders.actions.action import Action, ReasonForm
from orders.actions.all_actions import DECISIONS
from orders.actions.run_action import (
    ChangedMeanwhileError,
    PreviewChangedError,
    ask_second,
    carry_out,
    digest_of_warnings,
    needs_second,
)
from orders.attachments.files_hold import look_again
from orders.books.books import BooksSilentError
from orders.history.actors import staff_actor
from orders.incidents.incident_codes import PARTNER_PAUSED
from orders.lists.live_pages import answer_live_page
from orders.lists.neighbours import list_query
from orders.models import Order
from orders.order_page.advice_buttons import Ways
from orders.order_page.page_context import changes_of, shown_facts
from orders.order_page.page_fingerprint import opened_fingerprint
from orders.order_page.panel import panel_of
from orders.order_page.tabs import tabs_of
from orders.order_words.history import describe
from orders.order_words.order_facts import last_event
from orders.outbox.outcome import LOOK_UP
from orders.reconciliation.asking import why_silent
from orders.texts.errors import OrderError
from orders.texts.incident_texts import cause_of


def answer_decision(pages, request: HttpRequest, order: Order, key: str):
    """GET shows the form, POST carries out the decision. Raises PermissionDenied without the permission."""
    decision = DECISIONS.get(key)
    if decision is None:
        raise Http404
    if not request.user.has_perm(decision.permission):
        raise PermissionDenied

    def show():
        return _ask(pages, request, order, decision, decision.form(order=order, initial={"seen": last_event(order)}))

    if request.method != "POST":
        # always busy: a person who is about to act learns quickly that a colleague has acted
        return answer_live_page(
            request, lambda: replace(opened_fingerprint(request, order.pk), busy=True), show, whole_desk=False
        )
    form = decision.form(request.POST, order=order)
    if not form.is_valid():
        return _ask(pages, request, order, decision, form)
    return _carry_out(pages, request, order, decision, form)


def answer_recheck(pages, request: HttpRequest, order: Order):
    """Checks the order's files now instead of in up to five minutes. The check changes nothing else and needs no
    reason."""
    if not request.user.has_perm("orders.resend_order"):
        raise PermissionDenied
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    try:
        look_again(number=order.number, by=staff_actor(request.user), now=timezone.now())
    except OrderError as error:
        messages.warning(request, error.words())
    else:
        messages.success(request, _("The files are looked at now; the result shows here within seconds."))
    return redirect(f"{reverse('admin:orders_order_change', args=[order.pk])}?tab=files#tabs")


def _carry_out(pages, request: HttpRequest, order: Order, decision: Action, form: ReasonForm):
    about = {
        "number": order.number,
        "last_event_id": form.cleaned_data["seen"] or 0,
        "reason": form.cleaned_data["reason"],
    }
    about |= {"by": staff_actor(request.user), "now": timezone.now(), "acknowledged": request.POST.get("told", "")}
    about |= form.more()
    try:
        if needs_second(decision):
            row = ask_second(decision, **about)
            sentence = _("Nothing was done yet: a second person has to confirm it until %(until)s.") % {
                "until": f"{timezone.localtime(row.lapses_at):%m-%d %H:%M}"
            }
        else:
            sentence = carry_out(decision, **about)
    except ChangedMeanwhileError as changed:
        return _ask_again(pages, request, order, decision, changed)
    except PreviewChangedError:
        return _ask(pages, request, order, decision, form, status=409)
    except BooksSilentError as error:
        if error.code == LOOK_UP:
            form.add_error(None, why_silent(error).words())
        else:
            if error.code != PARTNER_PAUSED:
                form.add_error(None, _("Nothing was changed: the big-data side was asked and did not answer."))
            form.add_error(None, cause_of(error.code).what)
        return _ask(pages, request, order, decision, form, status=409)
    except OrderError as error:
        form.add_error(None, error.words())
        return _ask(pages, request, order, decision, form, status=409)
    messages.success(request, sentence)
    if not pages.get_queryset(request).filter(pk=order.pk).exists():  # moved to an attribution that the user lacks
        return redirect(reverse("admin:orders_order_changelist"))
    return redirect(reverse("admin:orders_order_change", args=[order.pk]) + list_query(request.GET))


def _ask_again(pages, request: HttpRequest, order: Order, decision: Action, changed: ChangedMeanwhileError):
    """Shows the form again, with the events since it was opened and the text entered so far."""
    data = request.POST.copy()
    data["seen"] = changed.news[-1].pk
    order = pages.order_or_404(request, order.pk)
    news = [describe(row) for row in changed.news]
    return _ask(pages, request, order, decision, decision.form(data, order=order), news=news, status=409)


def _ask(pages, request: HttpRequest, order: Order, decision: Action, form, *, news=(), status: int = 200):
    facts = shown_facts(request, order)
    asked = form.more() if form.is_bound and form.is_valid() else {}
    why_not, will, warnings, digest = decision.why_not(facts), [], [], ""
    try:
        if not why_not:
            will, warnings = decision.will(facts, **asked), decision.warnings(facts, **asked)
            digest = digest_of_warnings(decision, facts, asked) if warnings else ""
    except OrderError as error:  # errors that do not follow from the order's state alone
        why_not = error
    return pages.show(
        request,
        "admin/orders/order/decide.html",
        status=status,
        title=decision.label,
        order=order,
        decision=decision,
        second=needs_second(decision),
        form=form,
        news=news,
        why_not=why_not and why_not.words(),
        advised=why_not and Ways(request.user, facts).refused(why_not),
        will=[sentence for sentence in will if sentence not in warnings],
        warnings=warnings,
        told=digest,
        preview="" if why_not else decision.preview(facts, by=staff_actor(request.user)),
        panel=panel_of(request, order, pages, facts, acts=False),
        **changes_of(request, order, tabs_of(facts, request.user.has_perms)),
    )

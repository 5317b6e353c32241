"""Taking a decision: what will happen, the reason, and the answer to the person."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from orders.admin.standing import paused_for
from orders.books import BooksSilentError
from orders.error_codes import cause_of
from orders.errors import OrderError, TrialClaimedError
from orders.models import Order
from orders.order_page.decisions.forms import FORMS, ReasonForm
from orders.order_page.decisions.offered import DECISIONS, ChangedMeanwhileError, Decision, decide
from orders.order_page.facts import facts_of, last_event
from orders.order_page.history import tell
from orders.order_page.page import actor
from orders.order_page.refusals import refusal
from orders.queries.doubts import mark
from orders.services.files import look_again
from orders.services.incidents import PARTNER_PAUSED


def answer_decision(pages, request: HttpRequest, order: Order, key: str):
    """GET asks, POST decides. Who may not is refused, whatever they saw before."""
    decision = DECISIONS.get(key)
    if decision is None:
        raise Http404
    if not request.user.has_perm(decision.permission):
        raise PermissionDenied
    if request.method != "POST":
        return _ask(pages, request, order, decision, _form(decision, order, initial={"seen": last_event(order)}))
    form = _form(decision, order, request.POST)
    if not form.is_valid():
        return _ask(pages, request, order, decision, form)
    return _take(pages, request, order, decision, form)


def answer_recheck(pages, request: HttpRequest, order: Order):
    """Has the order's files looked at now instead of in five minutes. It changes nothing else, so it asks no reason."""
    if not request.user.has_perm("orders.resend_order"):
        raise PermissionDenied
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    try:
        look_again(number=order.number, by=actor(request), now=timezone.now())
    except OrderError:
        messages.warning(request, _("Nothing was done: it is not held for its files, or they are looked at now."))
    else:
        messages.success(request, _("The files are looked at now; the result shows here within seconds."))
    return redirect(f"{reverse('admin:orders_order_change', args=[order.pk])}?tab=files#tabs")


def _take(pages, request: HttpRequest, order: Order, decision: Decision, form: ReasonForm):
    try:
        told = decide(
            decision, number=order.number, seen=form.cleaned_data["seen"] or 0, by=actor(request),
            reason=form.cleaned_data["reason"], now=timezone.now(), **form.more(),
        )  # fmt: skip
    except ChangedMeanwhileError as changed:
        return _ask_again(pages, request, order, decision, changed)
    except BooksSilentError as error:
        if error.code != PARTNER_PAUSED:
            form.add_error(None, _("Nothing was changed: the big-data side was asked and did not answer."))
        form.add_error(None, cause_of(error.code).what)
        return _ask(pages, request, order, decision, form, status=409)
    except OrderError as error:
        form.add_error(None, _why(error, order))
        return _ask(pages, request, order, decision, form, status=409)
    messages.success(request, told)
    return redirect("admin:orders_order_change", order.pk)


def _ask_again(pages, request: HttpRequest, order: Order, decision: Decision, changed: ChangedMeanwhileError):
    """The person is told what happened meanwhile, keeps their words, and decides anew."""
    data = request.POST.copy()
    data["seen"] = changed.news[-1].pk
    order = pages.order_or_404(request, order.pk)
    news = [tell(row) for row in changed.news]
    return _ask(pages, request, order, decision, _form(decision, order, data), news=news, status=409)


def _form(decision: Decision, order: Order, *args, **kwargs) -> ReasonForm:
    return FORMS.get(decision.key, ReasonForm)(*args, order=order, **kwargs)


def _ask(pages, request: HttpRequest, order: Order, decision: Decision, form, *, news=(), status: int = 200):
    facts = facts_of(order, now=timezone.now(), paused=paused_for(request))
    mark([order])
    why_not, will = decision.why_not(facts), []
    try:
        will = [] if why_not else decision.will(facts)
    except OrderError as error:  # what the order's state alone does not tell
        why_not = _why(error, order)
    return pages.show(
        request, "decide.html", status=status, title=decision.label, order=order, decision=decision, form=form,
        news=news, why_not=why_not, will=will,
    )  # fmt: skip


def _why(error: OrderError, order: Order) -> str:
    if isinstance(error, TrialClaimedError):
        return _("An activation holds trial %(number)s: that must be withdrawn first.") % {"number": order.number}
    return refusal(str(error)) or str(error)

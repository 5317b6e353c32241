"""Taking a decision: what will happen, the reason, and the answer to the person."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from orders.admin.order_page.forms import FORMS, ReasonForm
from orders.admin.order_page.page import actor
from orders.errors import OrderError, TrialClaimedError
from orders.models import Order
from orders.pages.decisions import DECISIONS, ChangedMeanwhileError, Decision, decide
from orders.pages.facts import facts_of, last_event
from orders.pages.history import tell


def answer_decision(pages, request: HttpRequest, order: Order, key: str):
    """GET asks, POST decides. Who may not is refused, whatever they saw before."""
    decision = DECISIONS.get(key)
    if decision is None:
        raise Http404
    if not request.user.has_perm(decision.permission):
        raise PermissionDenied
    make = FORMS.get(key, ReasonForm)
    if request.method != "POST":
        return _ask(pages, request, order, decision, make(initial={"seen": last_event(order)}))
    form = make(request.POST)
    if not form.is_valid():
        return _ask(pages, request, order, decision, form)
    return _take(pages, request, order, decision, form)


def _take(pages, request: HttpRequest, order: Order, decision: Decision, form: ReasonForm):
    try:
        decide(
            decision, number=order.number, seen=form.cleaned_data["seen"] or 0, by=actor(request),
            reason=form.cleaned_data["reason"], now=timezone.now(), **form.more(),
        )  # fmt: skip
    except ChangedMeanwhileError as changed:
        return _ask_again(pages, request, order, decision, changed)
    except OrderError as error:
        form.add_error(None, _why(error, order))
        return _ask(pages, request, order, decision, form, status=409)
    messages.success(request, str(decision.done))
    return redirect("admin:orders_order_change", order.pk)


def _ask_again(pages, request: HttpRequest, order: Order, decision: Decision, changed: ChangedMeanwhileError):
    """The person is told what happened meanwhile, keeps their words, and decides anew."""
    data = request.POST.copy()
    data["seen"] = changed.news[-1].pk
    order = pages.order_or_404(request, order.pk)
    news = [tell(row) for row in changed.news]
    return _ask(pages, request, order, decision, type(_form(decision))(data), news=news, status=409)


def _form(decision: Decision) -> ReasonForm:
    return FORMS.get(decision.key, ReasonForm)()


def _ask(pages, request: HttpRequest, order: Order, decision: Decision, form, *, news=(), status: int = 200):
    facts = facts_of(order, now=timezone.now())
    why_not = decision.why_not(facts)
    return pages.show(
        request, "decide.html", status=status, title=decision.label, order=order, decision=decision, form=form,
        news=news, why_not=why_not, will=() if why_not else decision.will(facts),
    )  # fmt: skip


def _why(error: OrderError, order: Order) -> str:
    if isinstance(error, TrialClaimedError):
        return _("An activation holds trial %(number)s: that must be withdrawn first.") % {"number": order.number}
    return str(error)

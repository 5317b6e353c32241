"""Taking a decision: what will happen, the reason, and the answer to the person."""

import datetime

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from orders.admin.pauses_in_force import paused_for
from orders.books import BooksSilentError
from orders.errors import OrderError
from orders.incident_causes import cause_of
from orders.models import Order, OrderEvent
from orders.order_page.decisions.base import Decision, ReasonForm
from orders.order_page.decisions.registry import DECISIONS
from orders.order_page.history import describe, news_since
from orders.order_page.ladder.steps import Facts
from orders.order_page.order_facts import facts_of, last_event
from orders.people import staff_actor
from orders.services.files import look_again
from orders.services.incidents import PARTNER_PAUSED
from orders.services.order_writes import lock_order


class ChangedMeanwhileError(Exception):
    """Something happened to the order between the page and the click; `news` are the events."""

    def __init__(self, news: list[OrderEvent]):
        super().__init__("the order changed meanwhile")
        self.news = news


def answer_decision(pages, request: HttpRequest, order: Order, key: str):
    """GET asks, POST decides. Who may not is refused, whatever they saw before."""
    decision = DECISIONS.get(key)
    if decision is None:
        raise Http404
    if not request.user.has_perm(decision.permission):
        raise PermissionDenied
    if request.method != "POST":
        form = decision.form(order=order, initial={"seen": last_event(order)})
        return _ask(pages, request, order, decision, form)
    form = decision.form(request.POST, order=order)
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
        look_again(number=order.number, by=staff_actor(request.user), now=timezone.now())
    except OrderError as error:
        messages.warning(request, error.words())
    else:
        messages.success(request, _("The files are looked at now; the result shows here within seconds."))
    return redirect(f"{reverse('admin:orders_order_change', args=[order.pk])}?tab=files#tabs")


def carry_out(
    decision: Decision, *, number: str, seen: int, by: str, reason: str, now: datetime.datetime, **more: object
) -> str:
    """Takes a decision, judged anew under the order's lock; returns what came of it, in words.

    `seen`: the newest event that the person knew of. `more`: what the form asks besides the reason. Raises
    ChangedMeanwhileError, BooksSilentError and the OrderErrors of guard and service; nothing is changed then.
    """
    if decision.asks:  # the partner is not troubled with what is not allowed anyway
        order = Order.objects.select_related("trial").get(number=number)
        _judge(decision, order, seen=seen, now=now)
        more["held"] = decision.asks(order)  # type: ignore[call-arg]  # a plain function
    with transaction.atomic():
        order = lock_order(number)
        facts = _judge(decision, order, seen=seen, now=now)
        return decision.act(facts, by=by, reason=reason, **more) or str(decision.done)


def _judge(decision: Decision, order: Order, *, seen: int, now: datetime.datetime) -> Facts:
    news = news_since(order, seen) if decision.guarded else []
    if news:
        raise ChangedMeanwhileError(news)
    facts = facts_of(order, now=now)
    if why := decision.why_not(facts):
        raise why
    return facts


def _take(pages, request: HttpRequest, order: Order, decision: Decision, form: ReasonForm):
    try:
        told = carry_out(
            decision,
            number=order.number,
            seen=form.cleaned_data["seen"] or 0,
            by=staff_actor(request.user),
            reason=form.cleaned_data["reason"],
            now=timezone.now(),
            **form.more(),
        )
    except ChangedMeanwhileError as changed:
        return _ask_again(pages, request, order, decision, changed)
    except BooksSilentError as error:
        if error.code != PARTNER_PAUSED:
            form.add_error(None, _("Nothing was changed: the big-data side was asked and did not answer."))
        form.add_error(None, cause_of(error.code).what)
        return _ask(pages, request, order, decision, form, status=409)
    except OrderError as error:
        form.add_error(None, error.words())
        return _ask(pages, request, order, decision, form, status=409)
    messages.success(request, told)
    return redirect("admin:orders_order_change", order.pk)


def _ask_again(pages, request: HttpRequest, order: Order, decision: Decision, changed: ChangedMeanwhileError):
    """The person is told what happened meanwhile, keeps their words, and decides anew."""
    data = request.POST.copy()
    data["seen"] = changed.news[-1].pk
    order = pages.order_or_404(request, order.pk)
    news = [describe(row) for row in changed.news]
    return _ask(pages, request, order, decision, decision.form(data, order=order), news=news, status=409)


def _ask(pages, request: HttpRequest, order: Order, decision: Decision, form, *, news=(), status: int = 200):
    facts = facts_of(order, now=timezone.now(), paused=paused_for(request))
    why_not, will = decision.why_not(facts), []
    try:
        will = [] if why_not else decision.will(facts)
    except OrderError as error:  # what the order's state alone does not tell
        why_not = error
    return pages.show(
        request,
        "admin/orders/order/decide.html",
        status=status,
        title=decision.label,
        order=order,
        decision=decision,
        form=form,
        news=news,
        why_not=why_not and why_not.words(),
        will=will,
    )

"""Resending many orders: which ones a filter means, and what became of them."""

import datetime
from collections import Counter, defaultdict
from dataclasses import dataclass

from django import forms
from django.core.validators import MinValueValidator
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from orders.incident_causes import Cause, cause_of
from orders.local_time import midnight
from orders.models import Dispatch, Order, OrderEvent
from orders.order_page.error_details import of_step
from orders.queries.doubts import mark_orders
from orders.steps import Partner, channels_of

State = Dispatch.State
MOST = 500
SHOWN = 50
BUSY = {State.DUE, State.SENDING, State.RETRYING}
FIRST_DAY = datetime.date(2000, 1, 1)  # nothing is older; the year 1 has no midnight in every time zone


class ManyFilter(forms.Form):
    """Which failed steps are meant: lives in the address, so that a colleague can be sent the same view."""

    partner = forms.ChoiceField(
        label=_("partner"),
        required=False,
        choices=[("", _("all")), *Partner.choices],
    )
    channel = forms.ChoiceField(label=_("channel"), required=False, choices=[("", _("all")), *Dispatch.Channel.choices])
    code = forms.CharField(label=_("error code"), required=False, max_length=32)
    since = forms.DateField(
        label=_("made since"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        validators=[MinValueValidator(FIRST_DAY)],
    )  # fmt: skip


def choose(orders: QuerySet[Order], wanted: dict) -> list[str]:
    """The numbers of the orders, oldest first, that have a failed step which fits; one more than MOST at the most."""
    steps = Dispatch.objects.current().filter(state=State.FAILED)
    if channel := wanted.get("channel"):
        steps = steps.filter(channel=channel)
    if partner := wanted.get("partner"):
        steps = steps.filter(channel__in=channels_of(partner))
    if code := wanted.get("code"):
        steps = steps.filter(error_code=code)
    if since := wanted.get("since"):
        steps = steps.filter(created_at__gte=midnight(since))
    rows = orders.filter(pk__in=steps.values("order_id")).exclude(state=Order.State.WITHDRAWN).order_by("pk")
    return list(rows.values_list("number", flat=True)[: MOST + 1])


@dataclass(frozen=True)
class ResendResult:
    """One order after a resend: `fixed`, `waiting` or `failed`, and then why."""

    order: Order
    word: str
    step: str = ""
    cause: Cause | None = None
    detail: str = ""


def results_of(event: OrderEvent, orders: QuerySet[Order]) -> dict:
    """Counts, and the orders that failed again or are under way; those that the reader may see."""
    sent = OrderEvent.objects.filter(kind="resend", actor=event.actor, at=event.at, order__isnull=False)
    rows = list(orders.filter(pk__in=sent.values("order_id")).select_related(None).order_by("pk"))
    steps = defaultdict(list)
    mine = Dispatch.objects.current().filter(order__in=[row.pk for row in rows]).exclude(state=State.WAITING)
    for step in mine.only("order_id", "step", "state", "error_code", "error", "error_params"):
        steps[step.order_id].append(step)
    results = [_result(order, steps[order.pk]) for order in rows]
    counts = Counter(row.word for row in results)
    open_ones = [row for row in results if row.word != "fixed"]
    mark_orders(row.order for row in open_ones[:SHOWN])
    busy, total = counts["waiting"], len(results)
    return {"counts": counts, "total": total, "done": total - busy, "busy": busy > 0, "results": open_ones[:SHOWN]}


def _result(order: Order, steps: list[Dispatch]) -> ResendResult:
    failed = next((row for row in steps if row.state == State.FAILED), None)
    if failed:
        label = Dispatch.Step(failed.step).label
        return ResendResult(order, "failed", label, cause_of(failed.error_code), of_step(failed))
    return ResendResult(order, "waiting" if any(row.state in BUSY for row in steps) else "fixed")

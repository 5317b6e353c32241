"""The page of a day's calls: calls to each partner by step, and BBOSS's messages by our answer."""

import datetime
from itertools import groupby

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.lists.chips import toned_chip
from orders.lists.scope import is_unlimited
from orders.models import Attempt, InboundMessage
from orders.models.inbound import ACCEPTED
from orders.queries.calls_of_day import DAY, StepCalls, calls_by_step, messages_by_answer
from orders.rules.steps import Partner
from orders.texts.refusal_hints import why_refused
from project.dashboard.number_tiles import listing

VIEW_ATTEMPTS, VIEW_MESSAGES = "orders.view_attempt", "orders.view_inboundmessage"
EARLIEST_DAY = datetime.date(2000, 1, 1)
OUTCOMES = {"refused_url": Attempt.Outcome.REFUSED.value, "failed_url": Attempt.Outcome.RETRY.value}


class DayForm(forms.Form):
    day = forms.DateField(
        label=gettext_lazy("Day"),
        error_messages={"invalid": gettext_lazy("This is no day. Right is 2026-11-25.")},
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )

    def clean_day(self) -> datetime.date:
        day, today = self.cleaned_data["day"], timezone.localdate()
        if not EARLIEST_DAY <= day <= today:
            words = _("A day from %(first)s to today (%(today)s) can be looked at.")
            raise forms.ValidationError(words % {"first": EARLIEST_DAY, "today": today})
        return day


def may_see_calls(user) -> bool:
    """Returns True for users who have the right to this page and no limit. The counts include all attributions."""
    return user.has_perm(VIEW_ATTEMPTS) and is_unlimited(user)


def calls_page(request: HttpRequest, site) -> HttpResponse:
    """Shows the calls of `day` in the query string (2026-11-25). The default is yesterday. For an invalid day, the
    response has the error and status 400."""
    if not may_see_calls(request.user):
        raise PermissionDenied
    asked = {"day": request.GET.get("day") or (timezone.localdate() - DAY).isoformat()}
    form = DayForm(asked)
    about = {"form": form, **(_figures(request, form.cleaned_data["day"]) if form.is_valid() else {})}
    context = {**site.each_context(request), "title": _("Calls of a day"), **about}
    return TemplateResponse(request, "admin/calls.html", context, status=400 if form.errors else 200)


def _figures(request: HttpRequest, day: datetime.date) -> dict:
    today = timezone.localdate()
    found = {
        "day": day,
        "before": day - DAY if day > EARLIEST_DAY else None,
        "after": day + DAY if day < today else None,
    }
    rows = groupby(calls_by_step(day), key=lambda row: row.partner)
    found["partners"] = [(Partner(partner).label, [_row(one, day) for one in steps]) for partner, steps in rows]
    if request.user.has_perm(VIEW_MESSAGES):
        found["answers"] = [_answer(*row) for row in messages_by_answer(day)]
        found["refused_url"] = listing("orders_inboundmessage", received=day, answer="refused")
        found["sees_messages"] = True
    return found


def _row(calls: StepCalls, day: datetime.date) -> dict:
    """Returns the row of a step, with links to the lists of its attempts."""
    here = {"step": calls.step.value, "started": day}
    outcomes = {name: listing("orders_attempt", **here, outcome__exact=outcome) for name, outcome in OUTCOMES.items()}
    return {"calls": calls, "url": listing("orders_attempt", **here), **outcomes}


def _answer(rsp_code: str, biz_code: str, number: int) -> dict:
    chip = toned_chip("green" if rsp_code == ACCEPTED else "red", rsp_code)
    return {"chip": chip, "why": why_refused(InboundMessage(rsp_code=rsp_code, biz_code=biz_code)), "number": number}

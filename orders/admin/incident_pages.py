"""The pages of actions on an incident (`orders/actions/incident_acts.py`), and the context of its change page."""

from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone

from notifications.models import Mail
from orders.actions.action import Action
from orders.actions.all_actions import DECISIONS
from orders.actions.incident_acts import INCIDENT_ACTS, OPEN_INCIDENTS, PARTLY, PERMISSION, IncidentFacts
from orders.history.actors import staff_actor
from orders.incidents.incident_codes import BOOKS_ONLY
from orders.incidents.incident_handling import is_of_mails, parts_but, why_not_theirs
from orders.incidents.order_warnings import mark_orders
from orders.incidents.stopped_orders import still_stopped
from orders.lists.assign_owner import owner_line
from orders.lists.notes import notes_within
from orders.lists.registration import address_of_list
from orders.lists.scope import attributions_of, limit
from orders.models import AffectedOrder, Dispatch, Incident
from orders.order_page.advice_buttons import PLACES, Place, Ways
from orders.rules.steps import OUTSIDE, Partner, channels_of
from orders.texts.error_messages import say
from orders.texts.errors import NotAllowedError
from orders.texts.incident_texts import cause_of, title_of

MAX_ORDERS_SHOWN = 20


def _facts_of(request: HttpRequest, incident: Incident) -> IncidentFacts:
    letters, still = attributions_of(request.user), incident.affected.unresolved()
    whole = letters is None or not still.exclude(order__attribution__in=letters).exists()
    return IncidentFacts(incident, timezone.now(), whole, why_not_theirs(incident, staff_actor(request.user)))


def _has_failed(incident: Incident, rows: QuerySet[AffectedOrder]) -> bool:
    """Returns True if one of these orders has a failed step that can be resent. Incidents about files and decisions
    have no such step."""
    if incident.partner not in Partner.values or incident.code in BOOKS_ONLY:
        return False
    failed = Dispatch.objects.current().filter(repeat=False, state=Dispatch.State.FAILED, error_code=incident.code)
    failed = failed.filter(channel__in=channels_of(incident.partner))
    return failed.filter(order__in=rows.order_by().values("order")).exists()


def stopped_by(request: HttpRequest, incident: Incident) -> dict:
    """Returns the latest MAX_ORDERS_SHOWN stopped orders, and the URL for resending all stopped orders. `failed` is the
    URL if one of the orders has failed. `resend_many` is the URL if, in addition, the user may resend the orders."""
    rows = limit(incident.affected.unresolved(), request.user)
    some = list(rows.select_related("order").order_by("-pk")[: MAX_ORDERS_SHOWN + 1])
    mark_orders(row.order for row in some)
    query = urlencode({"partner": incident.partner, "code": incident.code, "incident": incident.pk})
    many = f"{reverse('admin:orders_order_resend')}?{query}" if some and _has_failed(incident, rows) else ""
    return {
        "stopped": some[:MAX_ORDERS_SHOWN],
        "more_stopped": len(some) > MAX_ORDERS_SHOWN,
        "failed": many,
        "resend_many": many if request.user.has_perms(["orders.resend_order", "orders.view_order"]) else "",
    }


class IncidentWays(Ways):
    """The acts on an incident and on the orders that it stops. For the orders, only a resend is checked. The page of
    any other act says why that act is not possible. `stopped`: the context of `stopped_by`."""

    def __init__(self, user: Any, about: IncidentFacts, stopped: dict):
        super().__init__(user, row=about.incident)
        self.about, self.orders, self.resends = about, [row.order for row in stopped["stopped"]], stopped["failed"]

    def may(self, act: Action | Place) -> bool:
        free = self.about.whole and not self.about.own
        return super().may(act) and (free or act is not PLACES["resolve"])

    def url(self, key: str) -> str:
        if key == "resolve":
            offered = INCIDENT_ACTS[key].offered(self.about)
            return reverse("admin:orders_incident_act", args=[self.row.pk, key]) if offered else ""
        if key not in {*DECISIONS, "upload", "trial"}:
            return super().url(key)
        if key == "resend" and is_of_mails(self.row):
            return f"{address_of_list(Mail)}?state=failed"
        if not self.orders or key == "resend" and not self.resends:
            return ""
        if len(self.orders) > 1:
            return self.resends if key == "resend" else "#stopped-h"
        [order] = self.orders
        return PLACES[key].url(order) if key in PLACES else reverse("admin:orders_order_decide", args=[order.pk, key])


class IncidentPages:
    change_form_template = "admin/orders/incident.html"

    def get_urls(self):
        act = self.admin_site.admin_view(self.act_view)
        return [path("<int:pk>/do/<slug:key>/", act, name="orders_incident_act"), *super().get_urls()]

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        facts, is_open = _facts_of(request, obj), obj.state in OPEN_INCIDENTS
        acts = INCIDENT_ACTS.values() if request.user.has_perm(PERMISSION) else ()
        free = facts.whole and not facts.own  # an action with a form affects every order stopped by the incident
        why = say("incident_by_the_books", {}) if is_open and obj.code in BOOKS_ONLY else ""
        stopped = stopped_by(request, obj)
        advice = cause_of(obj.code).advice if is_open else ()
        obj.advised = partial(IncidentWays(request.user, facts, stopped).advise, advice)
        context.update(
            acts=[act for act in acts if act.offered(facts) and (free or not act.asks)],
            by_the_books=facts.own.words() if is_open and facts.own else why,
            of_partner=obj.partner in OUTSIDE,
            owning=owner_line(request, obj),
            notes=notes_within(obj.notes.all(), obj.letters, others=obj.others),
            **stopped,
        )
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def act_view(self, request, pk: int, key: str):
        """GET shows the action's form, or redirects to the incident if the action has no form. POST runs the action."""
        incident, act = self.get_object(request, str(pk)), INCIDENT_ACTS.get(key)
        if not (incident and act and request.user.has_perm(act.permission)):
            raise PermissionDenied
        facts = _facts_of(request, incident)
        if act.asks and not facts.whole or not self.has_view_permission(request, incident):
            raise PermissionDenied
        if request.method != "POST":
            return self.ask(request, facts, act, act.form()) if act.asks else self.back(incident)
        form = act.form(request.POST)
        if not form.is_valid():
            return self.ask(request, facts, act, form)
        more = form.cleaned_data
        try:
            became = act.act(facts, by=staff_actor(request.user), reason=more.pop("note"), **more)
        except NotAllowedError as error:
            messages.error(request, error.words())
        else:
            tell = messages.warning if became == PARTLY else messages.success
            tell(request, became or act.done)
        return self.back(incident)

    def back(self, incident: Incident):
        return redirect("admin:orders_incident_change", incident.pk)

    def ask(self, request, facts: IncidentFacts, act: Action, form):
        incident, found, why = facts.incident, {}, None
        if act.asks:
            rows = still_stopped(incident)
            standing = rows.count()
            facts = replace(facts, going=parts_but(incident, rows).number, standing=standing)
            why = act.why_not(facts)
            some = list(rows.select_related("order").defer("order__content").order_by("-pk")[:MAX_ORDERS_SHOWN])
            mark_orders(row.order for row in some)
            found = {"will": act.will(facts), "stopped": some, "more_stopped": standing > MAX_ORDERS_SHOWN}
        return self.show(
            request,
            "admin/orders/incident_act.html",
            title=act.label,
            incident=incident,
            cause=title_of(incident.code, incident.words),
            form=form,
            why_not=why and why.words(),
            advised=why and IncidentWays(request.user, facts, stopped_by(request, incident)).refused(why),
            **found,
        )

"""The actions on an incident's page: take up, note, ignore, resolve. Services carry them out and write an event."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from orders.admin.scope import attributions_of, limit
from orders.error_messages import say
from orders.errors import NotAllowedError
from orders.models import AffectedOrder, Dispatch, Incident
from orders.models.querysets import UNRESOLVED
from orders.people import name_of, staff_actor
from orders.queries.doubts import mark_orders
from orders.services.incident_desk import (
    acknowledge_incident,
    ignore_incident,
    note_incident,
    resolve_incident,
)
from orders.services.incidents import BOOKS_ONLY
from orders.steps import Partner, channels_of

State = Incident.State
OPEN = frozenset(UNRESOLVED)
PERMISSION = "orders.change_incident"
SHOWN = 20


@dataclass(frozen=True)
class Act:
    """An action. Incidents in `states` allow it. `for_all`: it affects every order that the incident stops."""

    key: str
    label: str | Promise
    done: str | Promise
    states: frozenset[str]
    for_all: bool = False


ACTS = [
    Act("acknowledge", _("I take it"), _("It is yours now."), OPEN),
    Act("note", _("Add the note"), _("The note is kept."), frozenset(State)),
    Act("resolve", _("Resolved"), _("Resolved; the people concerned are told."), OPEN | {State.IGNORED}, for_all=True),
    Act("ignore", _("Ignore it"), _("Ignored for the orders that it has."), OPEN, for_all=True),
]
SERVICES = {
    "acknowledge": acknowledge_incident,
    "note": note_incident,
    "resolve": resolve_incident,
    "ignore": ignore_incident,
}


class IncidentNoteForm(forms.Form):
    note = forms.CharField(label=_("Note"), required=False, max_length=500)


def sees_all_of(request: HttpRequest, incident: Incident) -> bool:
    """Whether the user may see every order that the incident stops."""
    letters = attributions_of(request.user)
    still = incident.affected.unresolved()
    return letters is None or not still.exclude(order__attribution__in=letters).exists()


def offered_actions(request: HttpRequest, incident: Incident) -> list[Act]:
    """The actions that the user's rights and the incident's state allow."""
    if not request.user.has_perm(PERMISSION):
        return []
    may_end = incident.code not in BOOKS_ONLY and sees_all_of(request, incident)
    return [act for act in ACTS if incident.state in act.states and (may_end or not act.for_all)]


def may(request: HttpRequest, incident: Incident, act: Act) -> bool:
    """Whether the user may do this in some state of the incident."""
    return request.user.has_perm(PERMISSION) and (not act.for_all or sees_all_of(request, incident))


def _has_failed(incident: Incident, rows: QuerySet[AffectedOrder]) -> bool:
    """Whether one of these orders has a failed step that a resend could be about. Files and decisions have none."""
    if incident.partner not in Partner.values or incident.code in BOOKS_ONLY:
        return False
    failed = Dispatch.objects.current().filter(repeat=False, state=Dispatch.State.FAILED, error_code=incident.code)
    failed = failed.filter(channel__in=channels_of(incident.partner))
    return failed.filter(order__in=rows.order_by().values("order")).exists()


def stopped_by(request: HttpRequest, incident: Incident) -> dict:
    """The first few stopped orders, and a link to resend all of them if the user may."""
    rows = limit(incident.affected.unresolved(), request.user)
    some = list(rows.select_related("order").order_by("-pk")[: SHOWN + 1])
    mark_orders(row.order for row in some)
    may = request.user.has_perms(["orders.resend_order", "orders.view_order"])
    query = urlencode({"partner": incident.partner, "code": incident.code, "incident": incident.pk})
    many = f"{reverse('admin:orders_order_resend')}?{query}" if may and some and _has_failed(incident, rows) else ""
    return {"stopped": some[:SHOWN], "more_stopped": len(some) > SHOWN, "resend_many": many}


class IncidentActs:
    """The part of the incidents' ModelAdmin that handles actions."""

    change_form_template = "admin/orders/incident.html"

    def get_urls(self):
        act = self.admin_site.admin_view(self.act_view)
        return [path("<int:pk>/do/<slug:key>/", act, name="orders_incident_act"), *super().get_urls()]

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        books_only = obj and obj.code in BOOKS_ONLY and obj.state in OPEN
        by_the_books = say("incident_by_the_books", {}) if books_only else ""
        context.update(
            acts=offered_actions(request, obj),
            act_form=IncidentNoteForm(),
            by_the_books=by_the_books,
            **stopped_by(request, obj),
        )
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def act_view(self, request, pk: int, key: str):
        """Carries out the action, then leads back to the page. Refuses users without the right, whatever they saw.

        A GET request comes here after a new log-in. It only leads to the page.
        """
        incident = self.get_object(request, str(pk))
        act = incident and next((act for act in ACTS if act.key == key), None)
        if act is None or not may(request, incident, act) or not self.has_view_permission(request, incident):
            raise PermissionDenied
        if request.method == "POST":
            self.answer_act(request, incident, act)
        return redirect("admin:orders_incident_change", pk)

    def answer_act(self, request, incident: Incident, act: Act) -> None:
        """Carries out the action, or says why not. If a colleague was faster, the message says who."""
        form, before = IncidentNoteForm(request.POST), incident.owner
        if not form.is_valid():
            messages.error(request, " ".join(form.errors["note"]))
            return
        try:
            self.carry_out(request, incident, act.key, form.cleaned_data["note"])
        except NotAllowedError as error:
            messages.error(request, error.words())
            return
        messages.success(request, str(act.done))
        if act.key == "acknowledge" and before not in {None, request.user}:
            messages.warning(request, _("%(name)s had taken it before.") % {"name": name_of(before.username)})

    def carry_out(self, request, incident: Incident, key: str, note: str) -> None:
        by = staff_actor(request.user)
        more = {"owner_id": request.user.pk} if key == "acknowledge" else {}
        SERVICES[key](incident_id=incident.pk, by=by, now=timezone.now(), note=note, **more)

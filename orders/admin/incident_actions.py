"""The actions on an incident's page: note, ignore, resolve. Services carry them out and write an event. Whose it is:
owning.py.

Those that end it ask first: they say which orders still stand, and want a reason.
"""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from orders.actions.notes import with_mentions
from orders.history.people import staff_actor
from orders.incidents.doubts import mark_orders
from orders.incidents.incident_desk import (
    ignore_incident,
    is_of_mails,
    note_incident,
    parts_but,
    resolve_incident,
    why_not_end,
    why_not_theirs,
)
from orders.incidents.incidents import BOOKS_ONLY
from orders.incidents.sleeping import put_to_sleep, wake_incident
from orders.incidents.standing import still_standing
from orders.lists.notes import notes_within
from orders.lists.owning import owner_line
from orders.lists.reason import reason_field
from orders.lists.scope import attributions_of, limit
from orders.models import AffectedOrder, Dispatch, Incident
from orders.models.querysets import UNRESOLVED
from orders.rules.steps import OUTSIDE, Partner, channels_of
from orders.texts.error_messages import say
from orders.texts.errors import NotAllowedError
from orders.texts.incident_causes import title_of

State = Incident.State
OPEN = frozenset(UNRESOLVED)
PERMISSION = "orders.change_incident"
SHOWN = 20


def _will_resolve(incident: Incident, going: int, standing: int) -> list[str]:
    if is_of_mails(incident):
        return [gettext("The mails stay unsent, and nobody needs to look at them any more.")]
    sentences = []
    if going:
        words = ngettext(
            "%(n)d order has gone on: the incident is over for it.",
            "%(n)d orders have gone on: the incident is over for them.",
            going,
        )
        sentences.append(words % {"n": going})
    if standing:
        words = ngettext(
            "%(n)d order still stands: for it the incident stays as it is, and nobody is told that it is over.",
            "%(n)d orders still stand: for them the incident stays as it is, and nobody is told that it is over.",
            standing,
        )
        return [*sentences, words % {"n": standing}]
    if incident.state == State.IGNORED:
        return [*sentences, gettext("The incident is over. It was ignored, so nobody is told.")]
    return [*sentences, gettext("The incident is over. Those who had a mail about it get one about its end.")]


def _will_ignore(incident: Incident, going: int, standing: int) -> list[str]:
    sentences = [gettext("Nobody needs to look at it any more, and nobody is told when it is over.")]
    if standing:
        words = ngettext(
            "%(n)d order still stands, and stays as it is.",
            "%(n)d orders still stand, and stay as they are.",
            standing,
        )
        sentences.append(words % {"n": standing})
    return [*sentences, gettext("Another order with this cause opens a new incident.")]


def _will_sleep(_incident: Incident, _going: int, standing: int) -> list[str]:
    sentences = [
        gettext("Nobody is mailed about it until then, whatever orders join it. It wakes by itself."),
        gettext("It counts all the same: what it stops needs somebody, and no order is shown as fine by it."),
    ]
    words = ngettext("%(n)d order still stands.", "%(n)d orders still stand.", standing)
    return [*sentences, words % {"n": standing}] if standing else sentences


@dataclass(frozen=True)
class Act:
    """An action. Incidents in `states` allow it.

    `will` says what will happen, by the numbers of orders that have gone on and that still stand: such an action is
    about every order that the incident stops, so it asks first. `ends`: only the books do that to some incidents.
    """

    key: str
    label: str | Promise
    done: str | Promise
    states: frozenset[str]
    will: Callable[[Incident, int, int], list[str]] | None = None
    ends: bool = False

    @property
    def asks(self) -> bool:
        """Whether it has a page of its own, for templates: they would call `will`."""
        return self.will is not None


ACTS = [
    Act("note", _("Add the note"), _("The note is kept."), frozenset(State)),
    Act("resolve", _("Resolved"), _("The incident is over."), OPEN | {State.IGNORED}, _will_resolve, ends=True),
    Act("ignore", _("Ignore it"), _("Ignored for the orders that it has."), OPEN, _will_ignore, ends=True),
    Act("sleep", _("Let it sleep"), _("It sleeps until then."), OPEN, _will_sleep),
    Act("wake", _("Wake it"), _("It is awake."), OPEN),
]


class IncidentNoteForm(forms.Form):
    note = reason_field(_("Note"), required=False)


class IncidentReasonForm(forms.Form):
    note = reason_field()


class IncidentSleepForm(IncidentReasonForm):
    until = forms.DateTimeField(
        label=_("Sleeps until"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    field_order = ["until", "note"]


def sees_all_of(request: HttpRequest, incident: Incident) -> bool:
    letters = attributions_of(request.user)
    still = incident.affected.unresolved()
    return letters is None or not still.exclude(order__attribution__in=letters).exists()


def offered_actions(request: HttpRequest, incident: Incident) -> list[Act]:
    if not request.user.has_perm(PERMISSION):
        return []
    own = why_not_theirs(incident, staff_actor(request.user))
    all_seen, asleep = sees_all_of(request, incident), incident.is_asleep(timezone.now())
    known = [act for act in ACTS if incident.state in act.states and (all_seen or not act.will)]
    known = [act for act in known if not act.ends or incident.code not in BOOKS_ONLY]
    return [act for act in known if (asleep or act.key != "wake") and not (own and act.will)]


def may(request: HttpRequest, incident: Incident, act: Act) -> bool:
    """Whether the user may do this in some state of the incident."""
    return request.user.has_perm(PERMISSION) and (not act.will or sees_all_of(request, incident))


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
    change_form_template = "admin/orders/incident.html"

    def get_urls(self):
        act = self.admin_site.admin_view(self.act_view)
        return [path("<int:pk>/do/<slug:key>/", act, name="orders_incident_act"), *super().get_urls()]

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        own = obj and obj.state in OPEN and why_not_theirs(obj, staff_actor(request.user))
        books_only = obj and obj.code in BOOKS_ONLY and obj.state in OPEN
        why = own.words() if own else say("incident_by_the_books", {}) if books_only else ""
        context.update(
            acts=offered_actions(request, obj),
            by_the_books=why,
            of_partner=obj and obj.partner in OUTSIDE,
            owning=owner_line(request, obj) if obj else None,
            notes=notes_within(obj.notes.all(), obj.letters, others=obj.others),
            **stopped_by(request, obj),
        )
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def act_view(self, request, pk: int, key: str):
        """Refuses whoever lacks the right. GET asks first where the action does, else leads to the page."""
        incident = self.get_object(request, str(pk))
        act = incident and next((act for act in ACTS if act.key == key), None)
        if act is None or not may(request, incident, act) or not self.has_view_permission(request, incident):
            raise PermissionDenied
        form_of = IncidentReasonForm if act.ends else IncidentSleepForm if act.will else IncidentNoteForm
        if request.method != "POST":
            return self.ask(request, incident, act, form_of()) if act.will else self.back(incident)
        form = form_of(request.POST)
        if not form.is_valid():
            return self.ask(request, incident, act, form)
        try:
            self.carry_out(request, incident, act, **form.cleaned_data)
        except NotAllowedError as error:
            messages.error(request, error.words())
        return self.back(incident)

    def back(self, incident: Incident):
        return redirect("admin:orders_incident_change", incident.pk)

    def ask(self, request, incident: Incident, act: Act, form: forms.Form) -> TemplateResponse:
        found, why = {}, None
        if act.will:
            rows = still_standing(incident)
            standing = rows.count()
            going = parts_but(incident, rows).number
            why = why_not_end(incident, act.states, act.key) if act.ends else None
            why = why or why_not_theirs(incident, staff_actor(request.user))
            if why is None and act.key == "resolve" and standing and not going:
                why = NotAllowedError("incident_stands", incident=incident.pk, number=standing)
            some = list(rows.select_related("order").defer("order__content").order_by("-pk")[:SHOWN])
            mark_orders(row.order for row in some)
            found = {"will": act.will(incident, going, standing), "stopped": some, "more_stopped": standing > SHOWN}
        return self.show(
            request,
            "admin/orders/incident_act.html",
            title=act.label,
            incident=incident,
            cause=title_of(incident.code, incident.words),
            form=form,
            why_not=why and why.words(),
            **found,
        )

    def carry_out(self, request, incident: Incident, act: Act, note: str, **given) -> None:
        about = {"incident_id": incident.pk, "by": staff_actor(request.user), "now": timezone.now()}
        match act.key:
            case "note":
                messages.success(request, with_mentions(act.done, note_incident(**about, note=note)))
                return
            case "sleep":
                put_to_sleep(**about, reason=note, **given)
            case "wake":
                wake_incident(**about)
            case "ignore":
                ignore_incident(**about, reason=note)
            case "resolve":
                if resolve_incident(**about, reason=note).state != State.RESOLVED:
                    sentence = _("It is over for the orders that have gone on, and stays for the others.")
                    messages.warning(request, sentence)
                    return
        messages.success(request, act.done)

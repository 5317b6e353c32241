"""Staff actions on an incident: note, resolve, ignore, let sleep, wake. The actions on its owner are in
assign_owner.py.

The actions that end an incident or put it to sleep require a reason. They first show how many orders the incident still
stops.
"""

import datetime
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from orders.actions.action import Action
from orders.actions.note_acts import with_mentions
from orders.incidents.incident_codes import BOOKS_ONLY
from orders.incidents.incident_handling import (
    ignore_incident,
    is_of_mails,
    note_incident,
    resolve_incident,
    why_not_end,
)
from orders.incidents.sleeping import put_to_sleep, wake_incident
from orders.lists.reason import reason_field
from orders.models import Incident
from orders.models.querysets import UNRESOLVED
from orders.texts.errors import NotAllowedError

OPEN_INCIDENTS = frozenset(UNRESOLVED)
NOT_OVER = OPEN_INCIDENTS | {Incident.State.IGNORED}
PERMISSION = "orders.change_incident"
PARTLY = _("It is over for the orders that have gone on, and stays for the others.")


@dataclass(frozen=True)
class IncidentFacts:
    """The facts that an incident's actions depend on. `whole`: the user may see every order that the incident stops.
    `own`: the error if the incident is about the user's own emergency action, so that the user may not act on it.
    `going`: the number of the incident's orders that have continued. `standing`: the number of orders that the incident
    still stops."""

    incident: Incident
    now: datetime.datetime
    whole: bool
    own: NotAllowedError | None
    going: int = 0
    standing: int = 0


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


def _will_resolve(facts: IncidentFacts) -> list[str]:
    going, standing = facts.going, facts.standing
    if is_of_mails(facts.incident):
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
    if facts.incident.state == Incident.State.IGNORED:
        return [*sentences, gettext("The incident is over. It was ignored, so nobody is told.")]
    return [*sentences, gettext("The incident is over. Those who had a mail about it get one about its end.")]


def _will_ignore(facts: IncidentFacts) -> list[str]:
    sentences = [gettext("Nobody needs to look at it any more, and nobody is told when it is over.")]
    if facts.standing:
        words = ngettext(
            "%(n)d order still stands, and stays as it is.",
            "%(n)d orders still stand, and stay as they are.",
            facts.standing,
        )
        sentences.append(words % {"n": facts.standing})
    return [*sentences, gettext("Another order with this cause opens a new incident.")]


def _will_sleep(facts: IncidentFacts) -> list[str]:
    sentences = [
        gettext("Nobody is mailed about it until then, whatever orders join it. It wakes by itself."),
        gettext("It counts all the same: what it stops needs somebody, and no order is shown as fine by it."),
    ]
    words = ngettext("%(n)d order still stands.", "%(n)d orders still stand.", facts.standing)
    return [*sentences, words % {"n": facts.standing}] if facts.standing else sentences


def _why_not_resolve(facts: IncidentFacts) -> NotAllowedError | None:
    why = why_not_end(facts.incident, NOT_OVER, "resolve") or facts.own
    if why is None and facts.standing and not facts.going:
        return NotAllowedError("incident_stands", incident=facts.incident.pk, number=facts.standing)
    return why


def _act(**row: Any) -> Action:
    return Action(permission=PERMISSION, given=lambda facts: {"incident_id": facts.incident.pk}, **row)


INCIDENT_ACTS: dict[str, Action] = {
    row.key: row
    for row in (
        _act(
            key="note",
            label=_("Add the note"),
            form=IncidentNoteForm,
            service=lambda *, reason, **about: note_incident(note=reason, **about),
            became=lambda facts, found: with_mentions(_("The note is kept."), found),
        ),
        _act(
            key="resolve",
            label=_("Resolved"),
            done=_("The incident is over."),
            form=IncidentReasonForm,
            offered=lambda facts: facts.incident.state in NOT_OVER and facts.incident.code not in BOOKS_ONLY,
            why_not=_why_not_resolve,
            says=_will_resolve,
            service=resolve_incident,
            became=lambda facts, incident: "" if incident.state == Incident.State.RESOLVED else PARTLY,
        ),
        _act(
            key="ignore",
            label=_("Ignore it"),
            done=_("Ignored for the orders that it has."),
            form=IncidentReasonForm,
            offered=lambda facts: facts.incident.state in OPEN_INCIDENTS and facts.incident.code not in BOOKS_ONLY,
            why_not=lambda facts: why_not_end(facts.incident, OPEN_INCIDENTS, "ignore") or facts.own,
            says=_will_ignore,
            service=ignore_incident,
        ),
        _act(
            key="sleep",
            label=_("Let it sleep"),
            done=_("It sleeps until then."),
            form=IncidentSleepForm,
            offered=lambda facts: facts.incident.state in OPEN_INCIDENTS,
            why_not=lambda facts: facts.own,
            says=_will_sleep,
            service=put_to_sleep,
        ),
        _act(
            key="wake",
            label=_("Wake it"),
            done=_("It is awake."),
            form=IncidentNoteForm,
            offered=lambda facts: facts.incident.state in OPEN_INCIDENTS and facts.incident.is_asleep(facts.now),
            service=lambda *, reason, **about: wake_incident(**about),
        ),
    )
}

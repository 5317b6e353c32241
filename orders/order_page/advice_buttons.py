"""The acts of sentences that say what to do. If the user may carry out an act now, the page shows its button. Otherwise
the page names people who may."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db.models import Exists, OuterRef
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.actions.action import Action
from orders.actions.all_actions import DECISIONS
from orders.attachments.files_hold import can_be_cured
from orders.history.actors import person_words
from orders.history.owners import OWN, possible_owners, staff_with
from orders.lists.registration import address_of_list
from orders.lists.scope import is_unlimited
from orders.models import Conflict, Incident, Order, Pause
from orders.order_words.ladder.step_stages import Facts, Stage
from orders.people.ownership import why_not_own
from orders.texts.error_messages import MESSAGES
from orders.texts.errors import OrderError
from orders.texts.incident_texts import WITHOUT_ACT, Advice

UPLOAD, KEEP_CONTACTS = "orders.upload_file", "notifications.change_contact"
INSTEAD = {  # alternatives if a decision is not allowed
    "fix": ("take", "accept"),
    "take": ("resend",),
    "resend": ("give_up",),
    "pass": ("reject",),
}
PEOPLE_NAMED = 3


@dataclass(frozen=True)
class Place:
    """An act on a page of its own. `url` returns the page's URL, or an empty string if the act is not possible now.
    `whole`: the act needs an account without a limit."""

    label: str | Promise
    permission: str
    url: Callable[[Order | None], str]
    whole: bool = False


def _upload_url(order: Order | None) -> str:
    return f"{_page(order)}?tab=files#tabs" if order and can_be_cured(order) else ""


def _page(order: Order) -> str:
    return reverse("admin:orders_order_change", args=[order.pk])


def _trial_url(order: Order | None) -> str:
    return reverse("admin:orders_order_change", args=[order.trial_id]) if order and order.trial_id else ""


PLACES = {
    "upload": Place(gettext_lazy("Upload the files"), UPLOAD, _upload_url),
    "trial": Place(gettext_lazy("The trial"), "orders.view_order", _trial_url),
    "contacts": Place(
        gettext_lazy("Contacts"), KEEP_CONTACTS, lambda order: reverse("admin:notifications_contact_changelist")
    ),
    "resume": Place(gettext_lazy("Resume"), "orders.pause_partner", lambda order: address_of_list(Pause), whole=True),
    "probes": Place(
        gettext_lazy("Test calls"), "integrations.probe_partners", lambda order: reverse("admin:probes"), whole=True
    ),
    "incidents": Place(
        gettext_lazy("Open incidents"), "orders.view_incident", lambda order: f"{address_of_list(Incident)}?open=yes"
    ),
    "conflicts": Place(
        gettext_lazy("Conflicts"), "orders.view_conflict", lambda order: f"{address_of_list(Conflict)}?seen=no"
    ),
    "users": Place(gettext_lazy("Users"), "project.change_user", lambda order: address_of_list(get_user_model())),
    "resolve": Place(gettext_lazy("Resolved"), "orders.change_incident", lambda order: ""),  # on an incident's page
}
"""Acts that advice names besides DECISIONS, by key."""


@dataclass(frozen=True)
class Way:
    """An act that is possible now. `url`: the page of the act, or empty if the user may not carry out the act. In that
    case `roles` says who may, and `people` names some of these people. Each person has the URL of the form that hands
    the row over to that person, or an empty URL."""

    key: str
    label: str | Promise
    url: str = ""
    roles: str = ""
    people: Sequence[tuple[str, str]] = ()

    @property
    def on_order(self) -> bool:
        """Returns True for a decision's page, which keeps the list that the user came from."""
        return bool(self.url) and self.key in DECISIONS


@dataclass(frozen=True)
class Advised:
    """Sentences with their acts. If the act of a sentence is not possible now, the sentence is left out. `refused`: the
    reason why the recommended decision is not possible."""

    lines: Sequence[tuple[str | Promise, Sequence[Way]]] = ()
    refused: str = ""


class Ways:
    """The acts that the pages of one row recommend to one user. `row`: the row that can be handed over. Each decision
    is checked once."""

    def __init__(self, user: Any, facts: Facts | None = None, *, row: Any = None):
        self.user, self.facts, self.row = user, facts, row or facts and facts.order
        self._judged: dict[str, OrderError | None] = {}
        self._people: dict[str, Sequence[tuple[str, str]]] = {}

    def why_not(self, key: str) -> OrderError | None:
        if key not in self._judged:
            self._judged[key] = DECISIONS[key].why_not(self.facts)
        return self._judged[key]

    def offered(self) -> list[Action]:
        return [row for row in DECISIONS.values() if self.user.has_perm(row.permission) and not self.why_not(row.key)]

    def right(self, action: str) -> Action | None:
        """Returns the recommended decision, or an alternative (INSTEAD) that the user may take now."""
        ways = [self.way(key) for key in _with_alternatives(action)]
        return next((DECISIONS[way.key] for way in ways if way and way.url), None)

    def way(self, key: str) -> Way | None:
        """Returns the act, or None if nobody can carry out the act now."""
        act = DECISIONS.get(key) or PLACES[key]
        url = self.url(key)
        if not url:
            return None
        if self.may(act):
            return Way(key, act.label, url)
        return Way(key, act.label, roles=self._say_roles(act), people=self._who_may(act))

    def url(self, key: str) -> str:
        """Returns the URL of the act's page, or an empty string if the act is not possible now."""
        if key in PLACES:
            return PLACES[key].url(self.facts and self.facts.order)
        if self.facts is None or self.why_not(key):
            return ""
        return reverse("admin:orders_order_decide", args=[self.facts.order.pk, key])

    def may(self, act: Action | Place) -> bool:
        return self.user.has_perm(act.permission) and (not _is_whole(act) or is_unlimited(self.user))

    def of_stage(self, stage: Stage) -> Advised:
        """Returns the advice of a stage of the ladder, with its recommended decision."""
        if stage.cause:
            return self.advise(stage.cause.advice, stage.action)
        return Advised([(stage.note, ()), *self.advise((), stage.action).lines])

    def advise(self, advice: Iterable[Advice], action: str = "") -> Advised:
        """Returns the sentences of the advice whose acts are possible now. The recommended decision `action`, or the
        first possible alternative, follows if no sentence names it."""
        lines, named = [], set()
        for words, acts in advice:
            keys = () if acts in WITHOUT_ACT else acts.split()
            ways = [way for key in keys if (way := self.way(key))]
            if ways or not keys:
                lines.append((words, ways))
                named |= {way.key for way in ways}
        possible = [way for key in _with_alternatives(action) if (way := self.way(key))]
        if possible and not named & {way.key for way in possible}:
            lines.append(("", [next((way for way in possible if way.url), possible[0])]))
        why = self.why_not(action) if action and action not in named else None
        return Advised(lines, why.words() if why else "")

    def refused(self, why: OrderError) -> Advised:
        """Returns the acts that the error's sentence advises instead."""
        return self.advise([Advice("", acts)] if (acts := MESSAGES[why.code].acts) else ())

    def _say_roles(self, act: Action | Place) -> str:
        roles = _(", ").join(self._roles.get(act.permission, ()))
        return _("“%(act)s” is for: %(roles)s") % {"act": act.label, "roles": roles}

    @cached_property
    def _roles(self) -> dict[str, list[str]]:
        """The names of the roles with each permission."""
        found: dict[str, list[str]] = {}
        where = "permissions__content_type__app_label", "permissions__codename"
        for name, app, codename in Group.objects.order_by("name").values_list("name", *where):
            found.setdefault(f"{app}.{codename}", []).append(name)
        return found

    def _who_may(self, act: Action | Place) -> Sequence[tuple[str, str]]:
        """Returns the first people who may carry out the act on the row. A second call for the same permission returns
        nobody. Superusers are left out, since they are for emergencies. Makes one query per permission."""
        if self.row is None or act.permission in self._people:
            return ()
        right, today = act.permission, timezone.localdate()
        people = possible_owners(self.row, right).filter(
            is_superuser=False, **({"limited": False} if _is_whole(act) else {})
        )
        owns = Exists(staff_with(OWN).filter(pk=OuterRef("pk")))
        rows = people.exclude(pk=self.user.pk).annotate(owns=owns).values_list("pk", "owns")[:PEOPLE_NAMED]
        self._people[right] = [
            (person_words(pk, today), f"{self._hand_over}?to={pk}" if owns and self._hand_over else "")
            for pk, owns in rows
        ]
        return self._people[right]

    @cached_property
    def _hand_over(self) -> str:
        """The URL of the form that hands the row over, or an empty string if the user can't hand over the row."""
        if not self.user.has_perm(OWN) or why_not_own(self.row):
            return ""
        return reverse(f"admin:orders_{self.row._meta.model_name}_own", args=[self.row.pk])


def _with_alternatives(action: str) -> list[str]:
    return [action, *INSTEAD.get(action, ())] if action else []


def _is_whole(act: Action | Place) -> bool:
    return isinstance(act, Place) and act.whole

"""Changes of owners of orders, incidents and differences (contract section 5, `own`).

An owner does not affect processing: nothing waits for the owner, and other people may act too.
"""

import datetime
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Model, Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from orders.history.actors import account_id_of, actor_of, name_of, staff_actor
from orders.history.order_locks_and_events import add_event, lock_orders
from orders.history.owners import OWN, counts, sees_it
from orders.incidents.incident_handling import keep_note, lock_incident, why_not_theirs
from orders.incidents.incidents import reference_of
from orders.mails.inbox import MANY, send_message
from orders.mails.notices import notify_staff
from orders.models import Difference, Incident, Message, Order, OrderEvent
from orders.people.owned_work import may_have_owner
from orders.texts.errors import NotAllowedError
from orders.texts.incident_texts import title_of

ROWS_AT_ONCE = 200
DONE_AFTER = datetime.timedelta(days=1)
"""How long a finished order keeps its owner: if it fails again meanwhile, it still belongs to that person."""
ANY = -1
"""Value of `shown_owner`: any owner."""


class OwnerChangedError(NotAllowedError):
    """The owner is not the one that the page showed."""


@dataclass(frozen=True)
class Kind:
    """A kind of object that may have an owner. `lock` returns the locked row, or None. `events`: event kinds by change.

    `about`: the object's name in a mail's subject, without text written by others (contract 3.12).
    """

    key: str
    model: type[Model]
    lock: Callable[[int], Any]
    events: dict[str, str]
    order_of: Callable[[Any], Order | None]
    reference: Callable[[Any], dict]
    title: Callable[[Any], str]
    about: Callable[[Any], str]

    def page(self, row) -> str:
        return reverse(f"admin:orders_{self.model._meta.model_name}_change", args=[row.pk])


def _lock_difference(pk: int) -> Difference | None:
    rows = Difference.objects.select_for_update(no_key=True, of=("self",)).select_related("order")
    return rows.filter(pk=pk).first()


def _events(prefix: str) -> dict[str, str]:
    return {what: f"{prefix}_{what}" for what in ("taken", "given", "back", "lost", "done")}


OWNED_KINDS = {
    kind.key: kind
    for kind in (
        Kind(
            "order",
            Order,
            lambda pk: lock_orders([pk]).get(pk),
            _events("owner"),
            lambda row: row,
            lambda row: {},
            lambda row: f"{row.number} {row.enterprise_name}".strip(),
            lambda row: row.number,
        ),
        Kind(
            "incident",
            Incident,
            lambda pk: lock_incident(pk, Incident.State.values, "owned"),
            _events("incident") | {"taken": "incident_acknowledged", "given": "incident_handed_over"},
            lambda row: None,
            reference_of,
            lambda row: str(title_of(row.code, row.words)),
            lambda row: f"#{row.pk} {title_of(row.code, '')}".rstrip("。. "),
        ),
        Kind(
            "difference",
            Difference,
            _lock_difference,
            _events("difference"),
            lambda row: row.order,
            lambda row: {"difference": row.pk, "number": row.job_id, "domain": row.domain},
            lambda row: f"{row.job_id} {row.get_kind_display()}",
            lambda row: row.job_id,
        ),
    )
}


def kind_of(row: Model) -> Kind:
    return next(kind for kind in OWNED_KINDS.values() if isinstance(row, kind.model))


def set_owner(
    *,
    kind: str,
    pk: int,
    to,
    by: str,
    now: datetime.datetime,
    reason: str = "",
    shown_owner: int = ANY,
    tell: bool = True,
) -> bool:
    """Sets the owner to the account `to`, or to nobody (None). Returns False if the row already had this owner.

    `shown_owner`: the owner shown on the page, as an account id, or 0 for nobody. The new owner is notified by mail.
    The previous owner is notified too, if that account may still see the row. The actor is never notified, and without
    `tell` nobody is. An incident with an owner becomes acknowledged. Raises OwnerChangedError (the owner is not the
    shown owner) and NotAllowedError (the row is unknown or no longer needs an owner, or the account can't own the row).
    """
    what = OWNED_KINDS[kind]
    with transaction.atomic():
        row = what.lock(pk)
        if row is None:
            raise NotAllowedError("owned_unknown", kind=kind, pk=pk)
        before = get_user_model().objects.filter(pk=row.owner_id).first() if row.owner_id else None
        if why := why_not_hands(row, by):
            raise why
        if shown_owner not in (ANY, row.owner_id or 0):
            raise _changed(row, before)
        if (to.pk if to else None) == row.owner_id and (to is None or _has_owner(what, row)):
            return False
        if to is not None and (why := why_not_own(row) or why_not_owner(row, to)):
            raise why
        own = to is not None and to.pk == account_id_of(by)
        happened = "back" if to is None else "taken" if own else "given"
        event = _write(what, row, to, happened, before=before, by=by, now=now, reason=reason)
        if tell:
            tell_inboxes(what, [event], by=by, now=now)
            _tell(what, row, to, before, by=by, now=now, reason=reason)
    return True


def _changed(row: Any, before) -> OwnerChangedError:
    if before is None:
        return OwnerChangedError("owner_gone")
    since = f"{timezone.localtime(row.owner_since):%Y-%m-%d %H:%M}" if row.owner_since else "?"
    return OwnerChangedError("owner_changed", name=name_of(before.username, before.pk), since=since)


def why_not_own(row: Any) -> NotAllowedError | None:
    """Returns the error if the row can't have an owner, or None if it can."""
    wanted = type(row).objects.filter(may_have_owner(type(row)), pk=row.pk)  # type: ignore[attr-defined]
    return None if wanted.exists() else NotAllowedError("owned_over")


def why_not_owner(row: Any, user) -> NotAllowedError | None:
    """Returns the error if this account can't own the row, or None if it can."""
    if why := why_owns_nothing(user):
        return why
    if not sees_it(row, user):
        return NotAllowedError("owner_blind", name=name_of(user.username, user.pk))
    return why_not_hands(row, staff_actor(user))


def why_not_hands(row: Any, by: str) -> NotAllowedError | None:
    """Returns the error for an incident about the actor's own emergency action, or None if the actor may change the
    incident's owner."""
    return why_not_theirs(row, by) if isinstance(row, Incident) else None


def why_owns_nothing(user) -> NotAllowedError | None:
    """Returns the error if this account can't own anything, or None if it can."""
    about = {"name": name_of(user.username, user.pk)}
    if not (user.is_active and user.is_staff):
        return NotAllowedError("owner_disabled", **about)
    return None if user.has_perm(OWN) else NotAllowedError("owner_no_right", **about)


def _has_owner(what: Kind, row: Any) -> bool:
    return what.model._base_manager.filter(counts(what.model), pk=row.pk).exists()


def _write(
    what: Kind, row: Any, to, happened: str, *, before, by: str, now: datetime.datetime, reason: str = ""
) -> OrderEvent:
    change: dict = {"owner": to, "owner_since": now if to else None}
    if isinstance(row, Incident):
        reason = keep_note(row, reason, by=by, now=now)
        moved = {(Incident.State.OPEN, True): Incident.State.ACKNOWLEDGED, (Incident.State.ACKNOWLEDGED, False): "open"}
        change["state"] = moved.get((Incident.State(row.state), to is not None), row.state)
    for name, value in change.items():
        setattr(row, name, value)
    row.save(update_fields=list(change))
    facts = {"owner": to.username, "owner_id": to.pk} if to else {}
    facts |= {"before": before.username, "before_id": before.pk} if before else {}
    facts |= {"reason": reason.strip()} if reason.strip() else {}
    return add_event(what.order_of(row), what.events[happened], by=by, now=now, **what.reference(row), **facts)


def tell_inboxes(what: Kind, events: Iterable[OrderEvent], *, by: str, now: datetime.datetime, **about: object) -> None:
    """Sends one message to each new and each previous owner, except the actor. A message about one row refers to the
    row's own event. A message about several rows refers to an event that counts the rows (contract 3.13). `about`:
    facts of that event, such as the reason."""
    people: dict[tuple[int, str], list[OrderEvent]] = defaultdict(list)
    for event in events:
        for role in ("owner", "before"):
            if f"{role}_id" in event.data:
                people[event.data[f"{role}_id"], role].append(event)
    users = get_user_model().objects.filter(is_active=True).exclude(pk=account_id_of(by))
    users = users.in_bulk({pk for pk, _role in people})
    for (pk, role), theirs in people.items():
        if pk not in users:
            continue
        event = theirs[0]
        row = event.data.get(what.key, event.order_id)
        if len(theirs) > 1:
            facts = {name: event.data[name] for name in ("owner", "owner_id") if name in event.data}
            facts |= {"before": users[pk].username, "before_id": pk} if role == "before" else {}
            kind = "owners_gone" if role == "before" else "owners_given"
            event, row = add_event(None, kind, by=by, now=now, of=what.key, count=len(theirs), **facts, **about), MANY
        send_message(Message.Kind.OWNER, event, what.model(pk=row), [pk], at=now)


def _tell(what: Kind, row: Any, to, before, *, by: str, now: datetime.datetime, reason: str) -> None:
    doer = account_id_of(by)
    facts = {"what": what.title(row), "about": what.about(row), "who": actor_of(by)[0], "reason": reason}
    facts["kind"] = what.key
    if to is not None and to.pk != doer:
        notify_staff([to], "notice_owner", facts=facts, path=what.page(row), now=now)
    if before is not None and before.pk != doer and before != to and sees_it(row, before):
        facts["owner"] = name_of(to.username, to.pk) if to else ""
        notify_staff([before], "notice_owner_gone", facts=facts, path=what.page(row), now=now)


@dataclass(frozen=True)
class HandedOver:
    """The result of handing over all rows of an owner.

    `left`: rows that the new owner can't have, and that have no owner now.
    """

    given: int
    left: list[Model]


def owned_rows(kind: Kind, user) -> QuerySet:
    return kind.model._base_manager.filter(may_have_owner(kind.model), owner=user.pk).order_by("pk")


def hand_over_all(*, user, to, by: str, now: datetime.datetime, reason: str = "") -> HandedOver:
    """Gives all rows of an account to another account. Rows that the other account can't have lose their owner. Sends
    one mail.

    Raises NotAllowedError if the other account can't own anything.
    """
    if to.pk == user.pk:
        raise NotAllowedError("owner_self")
    if why := why_owns_nothing(to):
        raise why
    given, left = 0, list[Model]()
    with transaction.atomic():
        for kind in OWNED_KINDS.values():
            events = []
            for pk in list(owned_rows(kind, user).values_list("pk", flat=True)):
                row = kind.lock(pk)
                if row is None or row.owner_id != user.pk:
                    continue
                fits = why_not_owner(row, to) is None
                target, happened = (to, "given") if fits else (None, "back")
                events.append(_write(kind, row, target, happened, before=user, by=by, now=now, reason=reason))
                given += fits
                if not fits:
                    left.append(row)
            tell_inboxes(kind, events, by=by, now=now, **({"reason": reason} if reason else {}))
        if given and to.pk != account_id_of(by):
            facts = {"who": actor_of(by)[0], "from": name_of(user.username, user.pk), "count": given, "reason": reason}
            notify_staff([to], "notice_owner_all", facts=facts, path=reverse("admin:index"), now=now)
    return HandedOver(given, left)


def let_go_owners(*, now: datetime.datetime) -> int:
    """Removes owners that no longer count, and owners of finished orders. Returns the number of rows. Called by the
    sweep.

    Removes at most ROWS_AT_ONCE owners per kind. The next sweep continues.
    """
    found = 0
    for kind in OWNED_KINDS.values():
        owned = kind.model._base_manager.filter(owner__isnull=False)
        lost = owned.filter(may_have_owner(kind.model)).exclude(counts(kind.model))
        found += _let_go(kind, lost, "lost", now=now)
    over = Order.objects.filter(owner__isnull=False).exclude(may_have_owner(Order))
    old = Q(state_since=None) | Q(state_since__lt=now - DONE_AFTER)
    over = over.filter(old, owner_since__lt=now - DONE_AFTER)
    return found + _let_go(OWNED_KINDS["order"], over, "done", now=now)


def _let_go(kind: Kind, rows: QuerySet, happened: str, *, now: datetime.datetime) -> int:
    ids = list(rows.order_by("pk").values_list("pk", flat=True)[:ROWS_AT_ONCE])
    for pk in ids:
        with transaction.atomic():
            row = kind.lock(pk)
            if row is not None and rows.filter(pk=pk).exists():
                before = get_user_model().objects.filter(pk=row.owner_id).first()
                _write(kind, row, None, happened, before=before, by="sweep", now=now)
    return len(ids)

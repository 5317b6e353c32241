"""Actions that a second person must confirm: requested, confirmed, called off, lapsed (contract 3.11).

The caller of `confirm` executes the action in the same transaction, in the name of the requester. So the action is
executed at most once, and never without a confirmation.
"""

import datetime
from collections.abc import Callable, Mapping, Sequence

from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override

from notifications.mail_rendering import LANGUAGE
from notifications.masks import mask_text
from orders.history.actors import ACCOUNTS, Actor, account_id_of, account_of, actor_kept, actor_of, name_of, staff_actor
from orders.history.log_facts import note
from orders.history.order_locks_and_events import add_event
from orders.incidents.desk_incidents import open_desk_incident
from orders.limits.late_orders import working_days
from orders.mails.inbox import send_message
from orders.mails.notices import notify_staff
from orders.models import AskedAct, Message, Order
from orders.people.second_person import givers_of_all, one_person_until, why_not_second
from orders.rules.four_eyes_acts import ACTS, EXPORT
from orders.rules.local_time import SHANGHAI
from orders.texts.errors import NotAllowedError, check_reason

CONFIRM, JUDGE_EXPORT = "orders.confirm_act", "orders.judge_export"
LAPSES_AT = datetime.time(18)
EMERGENCY_ACT = "emergency_act"


@transaction.atomic
def ask(
    *,
    act: str,
    right: str,
    order: Order | None,
    by: Actor,
    reason: str,
    now: datetime.datetime,
    decision: str = "",
    target: int | None = None,
    arguments: Mapping[str, object] | None = None,
    told: Sequence[str] = (),
    via: str = "",
) -> AskedAct:
    """Stores the request of `by`, and mails all who may confirm it. `right`: the permission that the action requires.

    The caller must have checked the action and hold the order's lock. Raises NotAllowedError if there is no reason, or
    if the same action already waits.
    """
    check_reason(reason, "an act for a second person")
    row = AskedAct(
        act=act,
        decision=decision,
        right=right,
        order=order,
        target=order.pk if order is not None else target,
        arguments=dict(arguments or {}),
        reason=reason.strip(),
        told=list(told),
        by=by[:160],
        asker_id=by.account_id,
        via=via[:200],
        asked_at=now,
        lapses_at=lapses_at(now),
    )
    _save(row)
    until = f"{timezone.localtime(row.lapses_at):%Y-%m-%d %H:%M}"
    event = add_event(order, "act_asked", by=by, now=now, **_about(row), until=until, reason=row.reason, via=row.via)
    people = confirmers(row, now=now)
    send_message(Message.Kind.ASKED, event, row, [one.pk for one in people], at=now)
    notify_staff(people, "notice_act_asked", facts={**_facts(row), "until": until}, path=address(row), now=now)
    return row


def _save(row: AskedAct) -> None:
    """Saves the request. Raises NotAllowedError if the same action already waits (unique constraint)."""
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        same = open_acts().filter(act=row.act, target=row.target).first()
        if same is None:  # the other request has ended at this moment
            raise NotAllowedError("ask_over") from error
        who = name_of(same.by.partition(":")[2], same.asker_id)
        raise NotAllowedError("ask_waits_already", who=who) from error


def address(row: AskedAct) -> str:
    """Returns the URL of the confirmation page."""
    return reverse("admin:orders_askedact_change", args=[row.pk])


def lapses_at(now: datetime.datetime) -> datetime.datetime:
    """Returns 18:00 of the next working day."""
    day = working_days().next_working_day(timezone.localdate(now, SHANGHAI))
    return datetime.datetime.combine(day, LAPSES_AT, SHANGHAI)


def open_acts() -> QuerySet[AskedAct]:
    return AskedAct.objects.filter(state=AskedAct.State.OPEN)


def waiting_for(user, *, now: datetime.datetime) -> QuerySet[AskedAct]:
    """Returns the requests that the user may confirm. Permission and attributions must allow the confirmation, and the
    user must be another person than the requester."""
    rows = open_acts().filter(lapses_at__gt=now).exclude(asker_id=user.pk)
    able = Q() if user.has_perm(CONFIRM) else Q(right__in=user.get_all_permissions())
    exports = Q(act=EXPORT)
    rows = rows.filter(able & ~exports | exports if user.has_perm(JUDGE_EXPORT) else able & ~exports)
    rows = rows.filter(order__attribution__in=user.attributions.values("pk")) if user.limited else rows
    askers = set(rows.values_list("asker_id", flat=True))
    given = givers_of_all(now=now) if askers else {}
    return rows.filter(asker_id__in=[one for one in askers if one and not one_person_until(one, user.pk, given)])


def may_confirm(user, row: AskedAct) -> bool:
    """Returns True if the user's permissions and attributions allow the confirmation.

    `why_not_confirm` checks that the user is a second person.
    """
    return any(map(user.has_perm, _rights_to_confirm(row))) and _sees(user, row)


def _rights_to_confirm(row: AskedAct) -> list[str]:
    """Returns the permissions that allow a confirmation. One of these permissions is enough.

    The permission to export personal data is not enough to confirm such an export for colleagues.
    """
    return [JUDGE_EXPORT] if row.act == EXPORT else [CONFIRM, row.right]


def _sees(user, row: AskedAct) -> bool:
    if not user.limited:
        return True
    return row.order is not None and user.attributions.filter(pk=row.order.attribution_id).exists()


def confirmers(row: AskedAct, *, now: datetime.datetime) -> list:
    """Returns the accounts that may confirm the request now."""
    asker, given = account_of(row.by, row.asker_id, row.asked_at), givers_of_all(now=now)
    return [one for one in _able(row) if why_not_second(asker, one, now=now, given=given) is None]


def _able(row: AskedAct) -> list:
    """Returns the accounts whose permissions and attributions allow them to confirm the request."""
    people = get_user_model().objects
    able = Q()
    for right in _rights_to_confirm(row):
        able |= Q(pk__in=people.with_perm(right, backend=ACCOUNTS).values("pk"))
    found = people.filter(able, is_active=True, is_staff=True).order_by("pk")
    return [one for one in found if _sees(one, row)]


def _about(row: AskedAct) -> dict[str, object]:
    return {"asked": row.pk, "act": row.act}


def _facts(row: AskedAct) -> dict[str, object]:
    """Returns the facts of the request's mails, in the language of mails."""
    with override(LANGUAGE):
        return {
            "act": str(ACTS[row.act]),
            "subject": row.order.number if row.order is not None else f"#{row.target}",
            "asker": str(actor_of(row.by, row.asker_id)[0]),
            "reason": mask_text(row.reason),
        }


def why_not_confirm(row: AskedAct, judge, *, now: datetime.datetime) -> NotAllowedError | None:
    """Returns the reason why an account that has the permission can't confirm the request, or None if the account can.

    A bulk run or an export uses the requester's limits when it is executed, so no attribution is checked here.
    """
    if row.state != AskedAct.State.OPEN or now >= row.lapses_at:
        return NotAllowedError("ask_over")
    asker = account_of(row.by, row.asker_id, row.asked_at)
    if why := why_not_second(asker, judge, now=now):
        return why
    if not asker.has_perm(row.right) or (row.order is not None and not _sees(asker, row)):
        return NotAllowedError("ask_lost_right")
    return None


@transaction.atomic
def confirm(row: AskedAct, *, judge, now: datetime.datetime) -> str:
    """Marks the request as confirmed, and returns the actor in whose name it is executed: the requester.

    Must be called in the transaction that executes the action, under the order's lock. Then the action is executed
    once, or the request stays open. Raises NotAllowedError.
    """
    if why := why_not_confirm(row, judge, now=now):
        raise why
    by = staff_actor(judge)
    _end(row, AskedAct.State.CONFIRMED, by=by, ender_id=judge.pk, now=now)
    add_event(row.order, "act_confirmed", by=by, now=now, **_about(row), asker=row.by)
    note(asker=row.by)  # the audit entries that follow belong to the requester, not to this client
    return actor_kept(row.by, row.asker_id)


@transaction.atomic
def call_off(row: AskedAct, *, user, now: datetime.datetime) -> None:
    """Ends a request without confirmation. The consequences are in `orders/office/asked_ends.py`.

    Raises NotAllowedError if the request has ended.
    """
    by = staff_actor(user)
    _end(row, AskedAct.State.CALLED_OFF, by=by, ender_id=user.pk, now=now)
    add_event(row.order, "act_called_off", by=by, now=now, **_about(row))


def lapse(*, now: datetime.datetime, follow: Callable[[AskedAct, datetime.datetime], None]) -> int:
    """Ends requests that were not confirmed in time, with `follow` in the same transaction. Returns the number of ended
    requests."""
    late = list(open_acts().filter(lapses_at__lte=now).order_by("pk"))
    for row in late:
        with transaction.atomic():
            if _ended(row, AskedAct.State.LAPSED, by="sweep", ender_id=None, now=now):
                add_event(row.order, "act_lapsed", by="sweep", now=now, **_about(row))
                follow(row, now)
    return len(late)


def _end(row: AskedAct, state: str, **how) -> None:
    if not _ended(row, state, **how):
        raise NotAllowedError("ask_over")


def _ended(row: AskedAct, state: str, *, by: str, ender_id: int | None, now: datetime.datetime) -> bool:
    rows = open_acts().filter(pk=row.pk)
    rows = rows if state == AskedAct.State.LAPSED else rows.filter(lapses_at__gt=now)
    return bool(rows.update(state=state, ended_by=by[:160], ender_id=ender_id, ended_at=now))


@transaction.atomic
def carried_out_in_emergency(
    *, act: str, right: str, order: Order | None, subject: str, by: str, reason: str, now: datetime.datetime
) -> None:
    """Records an action without a second person: an event, the incident `emergency_act`, and a mail to all who may
    confirm.

    Called in the transaction of the action. `subject`: the order's number, or another object.
    """
    row = AskedAct(act=act, right=right, order=order, by=by, asked_at=now, reason=reason)
    add_event(order, "act_in_emergency", by=by, now=now, act=act, subject=subject, reason=reason)
    who = str(actor_of(by, account_id_of(by))[0])
    open_desk_incident(EMERGENCY_ACT, params={"act": act, "subject": subject, "who": who}, now=now)
    path = reverse("admin:orders_order_change", args=[order.pk]) if order is not None else reverse("admin:index")
    facts = _facts(row) | {"subject": subject}
    notify_staff(_able(row), "notice_emergency_act", facts=facts, path=path, now=now)

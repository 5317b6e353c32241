"""Ends the sessions of an account before they expire.

Django finds sessions by key alone, so a row of AccountSession stores the user of each session. All other data are in
the session itself. The row is added at the log-in or, for a session of an older version or with a new key, at the next
page.

If an account loses a right, its sessions end at once. This applies if it is disabled, gets a new password, or loses a
role, permission or attribution. If the permissions of a role change, no session ends, because each page reads them
again.
"""

import datetime
from collections.abc import Iterable

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import Group
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef, Q
from django.db.models.signals import m2m_changed, pre_delete, pre_save
from django.dispatch import receiver
from django.http import HttpRequest

from project.accounts.login_throttle import address_of
from project.models import AccountSession, User

ENTERED = "desk_entered"  # session key of a dict: the session's key at the log-in, the client's address, the browser
LONGEST_AGENT = 300
FLAGS = {"is_active", "is_staff", "is_superuser"}
WATCHED = {*FLAGS, "password", "limited"}


@receiver(user_logged_in)
def add_session_row(request: HttpRequest, user: User, **signal) -> None:
    """Adds the row of the request's session.

    If the log-in removed a role, the session was deleted in the database. Then the session gets a new key first.
    """
    session = request.session
    if not session.exists(session.session_key):
        session.cycle_key()
    row = AccountSession(session_id=session.session_key, user=user)
    AccountSession.objects.bulk_create([row], update_conflicts=True, unique_fields=["session"], update_fields=["user"])
    agent = request.META.get("HTTP_USER_AGENT", "")[:LONGEST_AGENT]
    session[ENTERED] = {"key": session.session_key, "address": address_of(request) or "", "agent": agent}


def add_missing_session_row(request: HttpRequest) -> None:
    """Adds the session's row if the user is logged in and the row is missing."""
    known = request.session.get(ENTERED, {}).get("key") == request.session.session_key
    if not known and request.user.is_authenticated:
        add_session_row(request, request.user)


def end_revoked_session(request: HttpRequest) -> None:
    """Empties the request's session if the request has deleted it. Otherwise Django could not save it and would return
    status 400."""
    session = request.session
    if (
        request.method == "POST"
        and SESSION_KEY in session
        and session.modified
        and not session.exists(session.session_key)
    ):
        session.flush()


def end_sessions(users: Iterable[int], which: Q | None = None) -> int:
    """Ends sessions of these accounts, for all web processes at once. Returns their number."""
    return Session.objects.filter(which or Q(), of__user__in=users).delete()[1].get(Session._meta.label, 0)


def forget_sessions(*, now: datetime.datetime) -> None:
    """Deletes expired sessions, and rows of sessions that no longer exist."""
    Session.objects.filter(expire_date__lt=now).delete()
    AccountSession.objects.filter(~Exists(Session.objects.filter(pk=OuterRef("session_id")))).delete()


@receiver(pre_save, sender=User)
def end_with_a_lost_flag(instance: User, update_fields: Iterable[str] | None, **signal) -> None:
    watched = WATCHED if update_fields is None else WATCHED.intersection(update_fields)
    before = User.objects.filter(pk=instance.pk).values(*watched).first() if watched and instance.pk else None
    if before and any(_is_lost(name, before[name], getattr(instance, name)) for name in watched):
        end_sessions([instance.pk])


def _is_lost(name: str, before: object, after: object) -> bool:
    return before != after and (name == "password" or bool(before) == (name in FLAGS))


@receiver(m2m_changed, sender=User.groups.through)
@receiver(m2m_changed, sender=User.user_permissions.through)
@receiver(m2m_changed, sender=User.attributions.through)
def end_with_a_lost_row(sender, instance, action: str, reverse: bool, pk_set: set[int] | None, **signal) -> None:
    """Ends an account's sessions after the removal of a role, permission or attribution. The removal of an attribution
    counts only for a limited account."""
    if action not in {"post_remove", "pre_clear"}:
        return
    if reverse:
        end_sessions(pk_set or instance.user_set.values_list("pk", flat=True))
    elif instance.limited or sender is not User.attributions.through:
        end_sessions([instance.pk])


@receiver(pre_delete, sender=Group)
def end_with_a_deleted_role(instance: Group, **signal) -> None:
    end_sessions(instance.user_set.values_list("pk", flat=True))

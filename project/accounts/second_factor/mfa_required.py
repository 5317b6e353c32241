"""Decides which accounts need a second factor (contract 4, MFA_REQUIRED)."""

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from orders.history.actors import ACCOUNTS
from project.accounts.roles import MANAGE_ACCOUNTS
from project.models import AuthenticatorApp, User

NOBODY, ADMINISTRATORS, EVERYBODY = "nobody", "administrators", "everybody"


def needs_factor(user: User) -> bool:
    """Returns True if this account's password log-in requires a second factor.

    `administrators` means all accounts that may manage accounts, whatever their role. `with_managers` computes this
    right for many accounts in one query.
    """
    if settings.MFA_REQUIRED == NOBODY or not user.has_usable_password():
        return False
    if settings.MFA_REQUIRED == EVERYBODY:
        return True
    return user.manages if hasattr(user, "manages") else any(user.has_perm(right) for right in MANAGE_ACCOUNTS)


def may_have_factor(user: User) -> bool:
    """Returns True if the account can set up a second factor: it has a password, and MFA_KEY is set."""
    return bool(settings.MFA_KEY) and user.has_usable_password()


def requires_code(user: User) -> bool:
    """Returns True if a log-in by password requires a code. It does if a second factor is required, or if the account
    has an app."""
    return needs_factor(user) or (may_have_factor(user) and AuthenticatorApp.objects.filter(user=user).exists())


def with_managers(users: QuerySet) -> QuerySet:
    """Annotates the accounts with `manages`, which is True for accounts that may manage accounts. If MFA_REQUIRED does
    not depend on this right, returns the accounts unchanged."""
    if settings.MFA_REQUIRED != ADMINISTRATORS:
        return users
    able = (User.objects.with_perm(right, backend=ACCOUNTS).filter(pk=OuterRef("pk")) for right in MANAGE_ACCOUNTS)
    return users.annotate(manages=Q.create([Exists(rows) for rows in able], connector=Q.OR))

"""Ensures that at least one account can manage accounts (contract 3.11)."""

from django.db import transaction
from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from orders.history.actors import ACCOUNTS
from project.models import User

STANDING = frozenset({"is_active", "is_staff", "is_superuser", "limited", "attributions", "groups", "user_permissions"})
"""Fields that determine an account's rights. Nobody changes their own."""


def administrators() -> QuerySet[User]:
    # `with_perm` excludes inactive accounts
    return User.objects.with_perm("project.change_user", backend=ACCOUNTS).filter(is_staff=True, limited=False)


@transaction.atomic
def why_not_lowered(user: User) -> str | Promise | None:
    """Returns the reason why the account must not be disabled or lose rights: it is the last that can manage accounts.
    None if another one can.

    The user who changes a colleague's account is an administrator too, unless that colleague has just removed this
    right. So all administrators are locked until the caller's transaction ends.
    """
    list(User.objects.select_for_update(no_key=True).filter(pk__in=administrators().values("pk")).order_by("pk"))
    if {one.pk for one in administrators()} != {user.pk}:
        return None
    return _("Nobody else can manage accounts: give somebody else the role first.")

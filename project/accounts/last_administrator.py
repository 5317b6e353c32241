"""Ensures that at least one account can manage accounts (contract 3.11)."""

from django.db import transaction
from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from orders.history.actors import ACCOUNTS
from project.models import User

RIGHTS_FIELDS = frozenset(
    {"is_active", "is_staff", "is_superuser", "limited", "attributions", "groups", "user_permissions"}
)
"""Fields that determine an account's rights. Nobody changes their own."""


def administrators() -> QuerySet[User]:
    # `with_perm` excludes inactive accounts
    return User.objects.with_perm("project.change_user", backend=ACCOUNTS).filter(is_staff=True, limited=False)


@transaction.atomic
def why_last_administrator(user: User) -> str | Promise | None:
    """Returns an error text if this account is the only account that can manage accounts. Otherwise returns None.

    Locks all administrators until the caller's transaction ends. Otherwise two administrators could remove each other's
    rights at the same time.
    """
    list(User.objects.select_for_update(no_key=True).filter(pk__in=administrators().values("pk")).order_by("pk"))
    if {one.pk for one in administrators()} != {user.pk}:
        return None
    return _("Nobody else can manage accounts: give somebody else the role first.")

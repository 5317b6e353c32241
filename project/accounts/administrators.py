"""Who manages accounts (contract 3.11): the desk always has somebody."""

from django.db import transaction
from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from orders.history.actors import ACCOUNTS
from project.models import User

STANDING = frozenset({"is_active", "is_staff", "is_superuser", "limited", "attributions", "groups", "user_permissions"})
"""What an account may do at all. Nobody changes their own."""


def administrators() -> QuerySet[User]:
    able = User.objects.with_perm("project.change_user", backend=ACCOUNTS)  # also says that they are active
    return able.filter(is_staff=True, limited=False)


@transaction.atomic
def why_not_lowered(user: User) -> str | Promise | None:
    """Why nobody may disable the account or take its rights: nobody else manages accounts. None if somebody may.

    Whoever acts on a colleague manages accounts too, unless that one has just done it to them. So it locks all who do,
    until the caller's transaction ends.
    """
    list(User.objects.select_for_update(no_key=True).filter(pk__in=administrators().values("pk")).order_by("pk"))
    if {one.pk for one in administrators()} != {user.pk}:
        return None
    return _("Nobody else can manage accounts: give somebody else the role first.")

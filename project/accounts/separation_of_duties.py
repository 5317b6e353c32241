"""Forbidden combinations of rights (三员分立): who manages accounts acts on no order, and who audits only reads.

Rights are looked at, not names of roles, so that a site's own roles count too. Superusers hold everything.
"""

from collections.abc import Iterable, Set

from django.contrib.auth.models import Group, Permission
from django.db.models import prefetch_related_objects
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from project.accounts.roles import APPROVER, BUSINESS, DECIDE, MANAGE_ACCOUNTS, REPAIR

MANAGES = frozenset({*MANAGE_ACCOUNTS, "integrations.add_apitoken", "integrations.revoke_apitoken"})
DECIDES = frozenset({*BUSINESS, *REPAIR, *DECIDE, *APPROVER})
"""To act on orders and their money, to see people's data, and to judge what colleagues ask for."""
JUDGES = frozenset({"orders.judge_export", "orders.withdraw_order", "orders.confirm_act"})
"""A role with one of these makes a second person of somebody. No administrator gives it."""
READS_TRAIL, EXPORTS = "orders.view_trailentry", "orders.export_list"
FORBIDDEN_TOGETHER = {
    "manages": _("Who manages accounts or tokens may not act on orders as well. Give the roles to two people."),
    "audits": _("Who audits may only read: give no other role and no right to change anything beside it."),
}


def rights_of(groups: Iterable[Group], permissions: Iterable[Permission] = ()) -> list[frozenset[str]]:
    """The rights of each role as `app.codename`, and at last those that an account has one by one."""
    groups, single = list(groups), list(permissions)
    prefetch_related_objects(groups, "permissions__content_type")
    prefetch_related_objects(single, "content_type")
    parts = [*(group.permissions.all() for group in groups), single]
    return [frozenset(f"{row.content_type.app_label}.{row.codename}" for row in part) for part in parts]


def why_not_together(parts: Iterable[Set[str]]) -> str | None:
    """Returns the key of FORBIDDEN_TOGETHER by which nobody may hold these rights at once; None if one may. A part is a
    role's."""
    parts = list(parts)
    held = frozenset[str]().union(*parts)
    if held & MANAGES and held & DECIDES:
        return "manages"
    audits = any(READS_TRAIL in part and not changing(part) for part in parts)
    return "audits" if audits and changing(held) else None


def changing(rights: Iterable[str]) -> set[str]:
    """The rights that do more than read."""
    return {right for right in rights if not right.partition(".")[2].startswith("view_") and right != EXPORTS}


def why_not_to_hold(groups: Iterable[Group], permissions: Iterable[Permission] = ()) -> str | Promise | None:
    """The same in words, for an account with these roles and single rights."""
    found = why_not_together(rights_of(groups, permissions))
    return found and FORBIDDEN_TOGETHER[found]

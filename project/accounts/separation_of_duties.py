"""Forbidden combinations of rights (三员分立): account managers don't act on orders, and auditors only read.

The rules compare rights, not names of roles, so that they also apply to a site's own roles. Superusers have all rights.
"""

from collections.abc import Iterable, Set

from django.contrib.auth.models import Group, Permission
from django.db.models import prefetch_related_objects
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from project.accounts.roles import APPROVER, BUSINESS, DECIDE, MANAGE_ACCOUNTS, REPAIR

MANAGES = frozenset({*MANAGE_ACCOUNTS, "integrations.add_apitoken", "integrations.revoke_apitoken"})
DECIDES = frozenset({*BUSINESS, *REPAIR, *DECIDE, *APPROVER})
"""Rights to act on orders and their money, to see personal data, and to decide on colleagues' requests."""
JUDGES = frozenset({"orders.judge_export", "orders.withdraw_order", "orders.confirm_act"})
"""Rights to approve colleagues' requests. Only superusers give roles with one of these."""
READS_TRAIL, EXPORTS = "orders.view_trailentry", "orders.export_list"
FORBIDDEN_TOGETHER = {
    "manages": _("Who manages accounts or tokens may not act on orders as well. Give the roles to two people."),
    "audits": _("Who audits may only read: give no other role and no right to change anything beside it."),
}


def rights_of(groups: Iterable[Group], permissions: Iterable[Permission] = ()) -> list[frozenset[str]]:
    """Returns the rights of each role as `app.codename`, followed by the account's single permissions."""
    groups, single = list(groups), list(permissions)
    prefetch_related_objects(groups, "permissions__content_type")
    prefetch_related_objects(single, "content_type")
    parts = [*(group.permissions.all() for group in groups), single]
    return [frozenset(f"{row.content_type.app_label}.{row.codename}" for row in part) for part in parts]


def why_not_together(parts: Iterable[Set[str]]) -> str | None:
    """Returns the key of FORBIDDEN_TOGETHER if nobody may hold these rights together, otherwise None.

    Each part is the set of rights of one role.
    """
    parts = list(parts)
    held = frozenset[str]().union(*parts)
    if held & MANAGES and held & DECIDES:
        return "manages"
    audits = any(READS_TRAIL in part and not changing(part) for part in parts)
    return "audits" if audits and changing(held) else None


def changing(rights: Iterable[str]) -> set[str]:
    """Returns the rights that allow more than reading and exporting."""
    return {right for right in rights if not right.partition(".")[2].startswith("view_") and right != EXPORTS}


def why_not_to_hold(groups: Iterable[Group], permissions: Iterable[Permission] = ()) -> str | Promise | None:
    """Returns an error text if no account may have these roles and permissions together. Otherwise returns None."""
    found = why_not_together(rights_of(groups, permissions))
    return found and FORBIDDEN_TOGETHER[found]

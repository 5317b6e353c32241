"""Limits all pages to rows of orders in the user's attributions (provinces).

The account (`project.models.User`) stores whether it is limited, and to which attributions.

All parts of the admin use `get_queryset`: lists, pages, search, counts, autocomplete and direct URLs. So limiting
`get_queryset` limits them all. Only users without a limit see orders without an attribution.
"""

from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from orders.models import Order


def attributions_of(user) -> frozenset[str] | None:
    """Returns the letters of the attributions that the user may see, or None if the user may see all. Cached per
    request."""
    if not hasattr(user, "desk_attributions"):
        user.desk_attributions = frozenset(row.letters for row in user.attributions.all()) if user.limited else None
    return user.desk_attributions


BLIND = _(
    "Your account sees no order: it is limited to attributions and has none. An administrator (role 管理员) can give it"
    " some, under Users."
)


def why_blind(user) -> str | Promise:
    """Returns a message for a limited user without attributions, who sees no orders. Returns an empty text for other
    users."""
    return BLIND if user.is_staff and attributions_of(user) == frozenset() else ""


def is_unlimited(user) -> bool:
    """Returns True if the user sees all attributions. Actions on all orders require this in addition to the
    permission."""
    return attributions_of(user) is None


def sees_all(user, permission: str) -> bool:
    """Returns True if the user sees the rows of all users. These rows may name any order, so limited users never see
    them."""
    return bool(permission) and user.has_perm(permission) and is_unlimited(user)


def limit(rows: QuerySet, user, path: str = "order__attribution") -> QuerySet:
    letters = attributions_of(user)
    return rows if letters is None else rows.filter(**{f"{path}__in": letters})


def sees(user, order: Order) -> bool:
    letters = attributions_of(user)
    return letters is None or order.attribution_id in letters


def visible_orders(user) -> QuerySet[Order] | None:
    """Returns the orders that a limited user may see, or None if the user may see all orders."""
    return None if is_unlimited(user) else limit(Order.objects.all(), user, "attribution")


def by_number(rows: QuerySet, user) -> QuerySet:
    letters = attributions_of(user)
    if letters is None:
        return rows
    return rows.filter(Exists(Order.objects.filter(number=OuterRef("order_number"), attribution__in=letters)))


class Scoped:
    """Limits rows by the attribution at `attribution_path`."""

    attribution_path = "order__attribution"

    def get_queryset(self, request):
        return limit(super().get_queryset(request), request.user, self.attribution_path)


class ScopedByNumber:
    """Limits rows that have only an order's number. Only users without a limit see rows of unknown orders."""

    def get_queryset(self, request):
        return by_number(super().get_queryset(request), request.user)


class RefusedFirst:
    """Refuses history pages to users without the view permission. For lists that show each user different rows."""

    def history_view(self, request, object_id, extra_context=None):
        if not self.has_view_permission(request):
            raise PermissionDenied
        return super().history_view(request, object_id, extra_context)


class OwnRows(RefusedFirst):
    """Limits users to their own rows (`own_rows`). Users with the permission `right_to_all` may see all rows
    (`sees_all`)."""

    right_to_all = ""

    def own_rows(self, user, rows: QuerySet) -> QuerySet:
        raise NotImplementedError

    def get_queryset(self, request):
        rows = super().get_queryset(request)
        return rows if sees_all(request.user, self.right_to_all) else self.own_rows(request.user, rows)


class UnlimitedOnly(RefusedFirst):
    """For rows without an attribution. Only users without a limit see these rows."""

    def get_queryset(self, request):
        rows = super().get_queryset(request)
        return rows if is_unlimited(request.user) else rows.none()


class UnlimitedWrites:
    """For rows that apply to all attributions. Everybody may view these rows, but only users without a limit may edit
    them."""

    def has_add_permission(self, request):
        return super().has_add_permission(request) and is_unlimited(request.user)

    def has_change_permission(self, request, obj=None):
        return super().has_change_permission(request, obj) and is_unlimited(request.user)

    def has_delete_permission(self, request, obj=None):
        return super().has_delete_permission(request, obj) and is_unlimited(request.user)

"""Which rows a member of staff may see: those of orders of their attributions (`StaffScope`), everywhere alike.

Everything in the admin starts at `get_queryset`: lists, pages, search, counts, autocomplete, direct addresses. Limiting
that limits them all. An order without attribution is seen only by those who are not limited.
"""

from django.db.models import Exists, OuterRef, QuerySet

from orders.models import AffectedOrder, Order, StaffScope


def attributions_of(user) -> frozenset[str] | None:
    """The letters of the attributions that the person may see; None: all. Asked for once in a request."""
    if not hasattr(user, "desk_attributions"):
        rows = list(StaffScope.objects.filter(user_id=user.pk).values_list("attributions", flat=True))
        user.desk_attributions = frozenset(filter(None, rows)) if rows else None
    return user.desk_attributions


def limit(rows: QuerySet, user, path: str = "order__attribution") -> QuerySet:
    """The rows that the person may see; `path` leads from a row to an attribution."""
    letters = attributions_of(user)
    return rows if letters is None else rows.filter(**{f"{path}__in": letters})


def by_number(rows: QuerySet, user) -> QuerySet:
    """The same for rows that name an order by its number only."""
    letters = attributions_of(user)
    if letters is None:
        return rows
    return rows.filter(Exists(Order.objects.filter(number=OuterRef("order_number"), attribution__in=letters)))


class Scoped:
    """A ModelAdmin whose rows belong to an attribution by `attribution_path`."""

    attribution_path = "order__attribution"

    def get_queryset(self, request):
        return limit(super().get_queryset(request), request.user, self.attribution_path)


class ScopedByNumber:
    """Rows that name an order by its number only. Those of no order we know are for the unlimited."""

    def get_queryset(self, request):
        return by_number(super().get_queryset(request), request.user)


class ScopedByAffected:
    """Incidents: those that stopped an order of the person's attributions."""

    def get_queryset(self, request):
        rows, letters = super().get_queryset(request), attributions_of(request.user)
        if letters is None:
            return rows
        return rows.filter(
            Exists(AffectedOrder.objects.filter(incident=OuterRef("pk"), order__attribution__in=letters))
        )


class UnlimitedOnly:
    """What can't be told apart by attribution is for those who see all."""

    def get_queryset(self, request):
        rows = super().get_queryset(request)
        return rows if attributions_of(request.user) is None else rows.none()

"""Owners of orders, incidents and differences, and the accounts that may become owners (contract 5).

An owner counts only while the account is active staff, has the right `own_order` and may see the row. Otherwise the row
has no owner for all callers of this module. The sweep records this later (`orders/people/ownership.py`).
"""

import datetime
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Exists, Model, OuterRef, Q, QuerySet

from orders.history.actors import ACCOUNTS
from orders.models import Difference, Incident, Order

OWN = "orders.own_order"
ATTRIBUTION = {Order: "attribution", Difference: "order__attribution", Incident: "affected__order__attribution"}


def staff_with(right: str) -> QuerySet:
    """Returns the accounts that may log in and have this right."""
    return get_user_model().objects.with_perm(right, backend=ACCOUNTS).filter(is_staff=True)


def possible_people() -> QuerySet:
    """Returns the accounts that may own some row, by name. A limited account without attributions is left out, since it
    sees no row."""
    some = Q(limited=False) | Q(attributions__isnull=False)
    return staff_with(OWN).filter(some).order_by("display_name", "username").distinct()


def seen_by(model: type[Model], user) -> Q:
    """Returns the condition for the rows within the user's attributions, as in lists (`orders/lists/scope.py`)."""
    if not user.limited:
        return Q()
    letters = user.attributions.order_by().values("pk")
    if model is Incident:
        return Q(pk__in=Incident.objects.filter(affected__order__attribution__in=letters).values("pk"))
    return Q(**{f"{ATTRIBUTION[model]}__in": letters})


def sees_it(row: Any, user) -> bool:
    """Returns True if the row is within the user's attributions."""
    return not user.limited or type(row).objects.filter(seen_by(type(row), user), pk=row.pk).exists()


def counts(model: type[Model]) -> Q:
    """Returns the condition for rows with an owner who counts."""
    limits = get_user_model()._meta.get_field("attributions").remote_field.through.objects.filter(user=OuterRef("pk"))
    if model is Incident:
        sees = limits.filter(province__order__troubles__incident=OuterRef(OuterRef("pk")))
    else:
        sees = limits.filter(province=OuterRef(OuterRef(ATTRIBUTION[model])))
    owners = staff_with(OWN).filter(Q(limited=False) | Exists(sees), pk=OuterRef("owner"))
    return Q(owner__isnull=False) & Exists(owners)


@dataclass(frozen=True)
class Absent:
    """The accounts that are away on a day and have no deputy, or a deputy with a limit.

    `alone`: accounts without a deputy who can act. `limited`: pairs of an account and its deputy, who is limited to
    some attributions.
    """

    alone: list[int]
    limited: list[tuple[int, Any]]

    def alone_with(self, model: type[Model]) -> Q:
        """Returns the condition for rows that belong to these accounts and have no deputy who can act on them."""
        found = Q(owner__in=self.alone)
        for owner, deputy in self.limited:
            found |= Q(owner=owner) & ~seen_by(model, deputy)
        return found

    def without(self, owner: int) -> "Absent":
        """Returns a copy without this account. So owners get no warning about their own rows."""
        return Absent([pk for pk in self.alone if pk != owner], [pair for pair in self.limited if pair[0] != owner])


def absent_on(day: datetime.date) -> Absent:
    """Returns the accounts that are away on that day. Makes two queries.

    A deputy can act if the account may log in, may own rows and is not away.
    """
    away = get_user_model().objects.filter(Q(away_from=None) | Q(away_from__lte=day), away_until__gte=day)
    deputy_of = dict(away.order_by("pk").values_list("pk", "deputy"))
    able = staff_with(OWN).filter(pk__in={pk for pk in deputy_of.values() if pk and pk not in deputy_of})
    deputies = {row.pk: row for row in able}
    found = [(pk, deputies.get(deputy)) for pk, deputy in deputy_of.items()]
    return Absent(
        alone=[pk for pk, deputy in found if deputy is None],
        limited=[(pk, deputy) for pk, deputy in found if deputy is not None and deputy.limited],
    )


def possible_owners(row: Any, right: str = OWN) -> QuerySet:
    """Returns the accounts that may see this order, incident or difference and have `right`. By default these are its
    possible owners."""
    people = staff_with(right).order_by("display_name", "username")
    if isinstance(row, Incident):
        sees = Q(attributions__order__troubles__incident=row.pk)
        return people.filter(Q(limited=False) | Q(pk__in=people.filter(sees).order_by().values("pk")))
    order = row.order if isinstance(row, Difference) else row
    letters = order.attribution_id if order else None
    return people.filter(Q(limited=False) | Q(pk__in=people.filter(attributions=letters).order_by().values("pk")))

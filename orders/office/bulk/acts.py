"""Bulk actions for lists and bulk runs, from `orders.actions.all_actions`."""

from collections import Counter
from collections.abc import Iterable

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise

from orders.actions.all_actions import BULK_ACTS
from orders.actions.bulk_action import Bulk, Judged
from orders.office.bulk.models import BulkRun


def acts_on(model: type[Model], user) -> list[tuple[str, str | Promise]]:
    """Returns key and label of each bulk action that the user may run on the list."""
    return [(key, label_of(act)) for key, act in BULK_ACTS.items() if act.model is model and act.is_allowed(user)]


def label_of(act: Bulk) -> str | Promise:
    return dict(BulkRun.Act.choices).get(act.key, act.act.label)


def rows_for(act: Bulk, user) -> QuerySet:
    request = HttpRequest()
    request.user = user
    return admin.site.get_model_admin(act.model).get_queryset(request).defer(*act.large)


def address_of(row: Model) -> str:
    return reverse(f"admin:orders_{row._meta.model_name}_change", args=[row.pk])


def count_kinds(judged: Iterable[Judged]) -> list[tuple[str | Promise, int]]:
    return Counter(row.kind for row in judged).most_common()

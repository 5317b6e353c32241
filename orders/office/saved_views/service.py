"""Services of saved views: save, change, rename, share and delete. Only a view's owner may do so.

The caller must have checked that filter and columns exist in the list. If the filter or columns of a view are removed
later, the view is kept unchanged.
"""

import contextlib
import datetime
from collections.abc import Iterator, Sequence
from typing import Any

from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction

from notifications.masks import mask_text
from orders.history.order_locks_and_events import add_event
from orders.office.saved_views.models import SavedView
from orders.texts.errors import NotAllowedError
from orders.texts.name_rules import why_not_a_name

LONGEST_NAME = SavedView._meta.get_field("name").max_length or 0
LONGEST_QUERY = 2000  # so that every browser and proxy accepts a view's URL
MAX_COLUMNS = 60
MAX_VIEWS = 30  # per person and list


def save_view(
    *, owner, list_name: str, name: str, query: str, columns: Sequence[str], by: str, now: datetime.datetime
) -> SavedView:
    name = _good_name(name)
    _check_size(query, columns)
    with transaction.atomic():
        if SavedView.objects.filter(owner=owner, list_name=list_name).count() >= MAX_VIEWS:
            raise NotAllowedError("view_too_many", most=MAX_VIEWS)
        with _unique(name):
            view = SavedView.objects.create(
                owner=owner, list_name=list_name, name=name, query=query, columns=list(columns), created_at=now
            )
        _note_view("view_saved", view, by=by, now=now)
    return view


def change_view(*, view: SavedView, query: str, columns: Sequence[str], by: str, now: datetime.datetime) -> None:
    _check_size(query, columns)
    view.query, view.columns = query, list(columns)
    _keep("view_changed", view, "query", "columns", by=by, now=now)


def rename_view(*, view: SavedView, name: str, by: str, now: datetime.datetime) -> None:
    view.name = _good_name(name)
    with _unique(view.name):
        _keep("view_renamed", view, "name", by=by, now=now)


def share_view(*, view: SavedView, role: Group | None, by: str, now: datetime.datetime) -> None:
    """Shares a view with a role that its owner has. With None, stops sharing. Raises NotAllowedError."""
    if role and not view.owner.groups.filter(pk=role.pk).exists():
        raise NotAllowedError("view_not_your_role")
    view.role = role
    kind = "view_shared" if role else "view_unshared"
    _keep(kind, view, "role", by=by, now=now, role=role.name if role else "")


def delete_view(*, view: SavedView, by: str, now: datetime.datetime) -> None:
    """Deletes a view. Pages on which the view is open keep working. Raises NotAllowedError if the view was already
    deleted."""
    with transaction.atomic():
        if not SavedView.objects.filter(pk=view.pk).delete()[0]:
            raise NotAllowedError("view_gone")
        _note_view("view_deleted", view, by=by, now=now)


def _good_name(name: str) -> str:
    name = " ".join(name.replace("\0", " ").split())
    if not name:
        raise NotAllowedError("view_name_blank")
    if error := why_not_a_name(name):
        raise error
    if len(name) > LONGEST_NAME:
        raise NotAllowedError("view_name_long", most=LONGEST_NAME)
    return name


def _check_size(query: str, columns: Sequence[str]) -> None:
    if len(query) > LONGEST_QUERY or len(columns) > MAX_COLUMNS or "\0" in query:
        raise NotAllowedError("view_too_large")


@contextlib.contextmanager
def _unique(name: str) -> Iterator[None]:
    """Raises NotAllowedError if the database rejects a duplicate name."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        raise NotAllowedError("view_exists", name=name) from error


def _keep(kind: str, view: SavedView, *names: str, **about: Any) -> None:
    """Saves these fields of a view and adds an event. Raises NotAllowedError if the view was deleted."""
    values = {name: getattr(view, name) for name in names}
    with transaction.atomic():
        if not SavedView.objects.filter(pk=view.pk).update(**values):
            raise NotAllowedError("view_gone")
        _note_view(kind, view, **about)


def _note_view(kind: str, view: SavedView, *, by: str, now: datetime.datetime, **more: str) -> None:
    add_event(None, kind, by=by, now=now, view=view.pk, list=view.list_name, name=mask_text(view.name), **more)

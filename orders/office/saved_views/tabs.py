"""The saved views (filter and columns) of a list that a user may open, their URLs, and their row counts.

Rows are counted in a separate request (`count_views`), so that a slow view never slows the list. Counts are cached for
a minute.
"""

import hashlib
import time
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from django.contrib.admin.options import ModelAdmin
from django.contrib.admin.views.main import ChangeList
from django.core.cache import cache
from django.db import DatabaseError
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from orders.db.query_time_limit import bounded_time
from orders.db.unstorable_values import NONSENSE
from orders.lists.chosen_columns import choices_of, chosen
from orders.lists.list_query import ALL_VAR, COLUMNS, ORDER_VAR, SEARCH_VAR, VIEW, names_in, read_query, unread_list
from orders.lists.registration import admin_of, exported_lists, list_of, right_to_view
from orders.lists.scope import attributions_of
from orders.office.saved_views.models import SavedView
from orders.office.saved_views.ready_views import READY
from orders.texts.errors import OrderError

SEE, SHARE = "orders.view_savedview", "orders.share_view"
MAX_DRAWN = 12  # tabs; the others are in a menu, without counts
MAX_COUNTED = 999
KEPT_SECONDS = 60
SECONDS_OF_A_COUNT, SECONDS_OF_ALL = 2, 5


@dataclass(frozen=True)
class Tab:
    """A view as a tab of its list. `row`: the SavedView, or None for a built-in view (READY)."""

    key: str
    name: str
    query: str
    columns: tuple[str, ...] = ()
    row: SavedView | None = None
    shared_by: str = ""

    @property
    def address(self) -> str:
        return "?" + "&".join(filter(None, [self.query, urlencode(self._rest)]))

    @property
    def _rest(self) -> dict[str, str]:
        return ({COLUMNS: ",".join(self.columns)} if self.columns else {}) | {VIEW: self.key}


@dataclass(frozen=True)
class ShownTab:
    """A tab with its state on the page. `count` is empty until the rows have been counted."""

    tab: Tab
    active: bool
    count: str


def seen_views(user) -> QuerySet[SavedView]:
    """Returns the user's own views and the views shared with the user's roles, for lists that the user may see."""
    lists = [name for name in exported_lists() if may_see(user, admin_of(name))]
    shared = Q(role__in=user.groups.order_by().values("pk"))
    return SavedView.objects.filter(Q(owner=user) | shared, list_name__in=lists)


def may_see(user, model_admin: ModelAdmin) -> bool:
    return user.has_perm(right_to_view(model_admin.model))


def ready_tabs(name: str) -> list[Tab]:
    return [Tab(view.key, str(view.name), view.query, view.columns) for view in READY.get(name, [])]


def tabs_of(name: str, user) -> list[Tab]:
    """Returns the views of a list: first the built-in views, then the user's own, then those that colleagues share.
    Makes one query."""
    ready = ready_tabs(name)
    if not user.has_perm(SEE):
        return ready
    rows = seen_views(user).filter(list_name=name).select_related("owner", "role").order_by("pk")
    own = [row for row in rows if row.owner_id == user.pk]
    others = [row for row in rows if row.owner_id != user.pk]
    return [*ready, *map(tab_of, own), *(tab_of(row, shared_by=str(row.owner)) for row in others)]


def tab_of(row: SavedView, shared_by: str = "") -> Tab:
    columns = tuple(str(name) for name in row.columns) if isinstance(row.columns, list) else ()
    return Tab(str(row.pk), str(row), row.query, columns, row, shared_by)


def views_over(request: HttpRequest, changelist: ChangeList) -> dict | None:
    """Returns the context of the tabs on the list's page. Returns None for a popup or a list without views."""
    name = list_of(changelist.model)
    if name is None or changelist.is_popup:
        return None
    user, tabs = request.user, tabs_of(name, request.user)
    query, columns = query_and_columns(changelist)
    here = _sorted_pairs(query), tuple(columns)
    named = next((tab for tab in tabs if tab.key == changelist.params.get(VIEW)), None)
    same = [tab for tab in tabs if (_sorted_pairs(tab.query), tab.columns) == here]
    active = named if named and (named in same or named.row) else next(iter(same), None)
    drawn, keys = tabs[:MAX_DRAWN], _keys(user, name, tabs[:MAX_DRAWN])
    counts = cache.get_many(keys.values())
    shown = [ShownTab(tab, tab is active, counts.get(keys.get(tab.key), "")) for tab in tabs]
    return {
        "list_name": name,
        "tabs": [one for one in shown if one.tab in drawn or one.active],
        "more": [one for one in shown if one.tab not in drawn and not one.active],
        "uncounted": any(key not in counts for key in keys.values()),
        "all_active": active is None and here == ([], ()),
        "changed": active if active and active not in same else None,
        "own": active is not None and active.row is not None and not active.shared_by,
        "may_save": user.has_perm(SEE),
        "whole": "&".join(filter(None, [query, urlencode({COLUMNS: ",".join(columns)} if columns else {})])),
        "columns": choices_of(changelist.model_admin, columns),
        "chosen": columns,
        "kept": [
            (one, value)
            for one, values in changelist.filter_params.items()
            if one not in (COLUMNS, ALL_VAR)
            for value in values
        ],
        "notice": getattr(changelist, "notice", ""),
        "usual": changelist.get_query_string({COLUMNS: None}),
    }


def query_and_columns(changelist: ChangeList) -> tuple[str, list[str]]:
    """Returns the query (filter, search, order) and the chosen columns, as a view would store them."""
    found = {name: values for name, values in changelist.get_filters_params().items() if any(values)}
    if changelist.query:
        found[SEARCH_VAR] = [changelist.query]
    if order := changelist.named_order():
        found[ORDER_VAR] = [order]
    named = names_in(changelist.params.get(COLUMNS, ""))
    return urlencode(sorted(found.items()), doseq=True), chosen(changelist.model_admin, named)


def count_views(name: str, user) -> dict[str, str]:
    """Returns {key: number of rows} for the first MAX_DRAWN views. Above MAX_COUNTED, the number is "999+". Slow views
    have no count."""
    began, found = time.monotonic(), {}
    tabs = tabs_of(name, user)[:MAX_DRAWN]
    keys = _keys(user, name, tabs)
    for tab in tabs:
        if (count := cache.get(key := keys[tab.key])) is None:
            if time.monotonic() - began > SECONDS_OF_ALL:
                break
            count = _count(name, tab, user)
            cache.set(key, count, KEPT_SECONDS)
        found[tab.key] = count
    return found


def _count(name: str, tab: Tab, user) -> str:
    model_admin = admin_of(name)
    try:
        with bounded_time(SECONDS_OF_A_COUNT):
            rows = unread_list(model_admin, read_query(model_admin, tab.query), user).queryset
            count = len(rows.order_by().values_list("pk")[: MAX_COUNTED + 1])
    except (OrderError, DatabaseError, *NONSENSE):
        return ""
    return f"{MAX_COUNTED}+" if count > MAX_COUNTED else str(count)


def _keys(user, name: str, tabs: list[Tab]) -> dict[str, str]:
    """Returns {key of a view: cache key of its count}. The cache key depends on the rows that the user may see."""
    letters = attributions_of(user)
    seen = "all" if letters is None else ",".join(sorted(letters))
    digests = {tab.key: hashlib.sha256(f"{seen}?{tab.query}".encode()).hexdigest() for tab in tabs}
    return {key: f"view-count:{user.pk}:{name}:{one}" for key, one in digests.items()}


def _sorted_pairs(query: str) -> list[tuple[str, str]]:
    return sorted(parse_qsl(query, keep_blank_values=True))

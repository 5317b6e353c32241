"""The menu. It has the pages that the user's roles need. The home page lists all pages that the user may open."""

import functools
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass
from operator import itemgetter
from urllib.parse import parse_qsl

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.urls import get_script_prefix, reverse
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from orders.lists.registration import EVERYBODY, LISTS, READS_ORDERS, Role, Section

RIGHTS_OF_ROLES = {
    Role.ADMINISTRATOR: ["project.change_user"],
    Role.AUDITOR: ["orders.view_trailentry"],
    Role.ENGINEER: ["orders.take_books", "orders.give_up_step"],
    Role.APPROVER: ["orders.withdraw_order", "orders.judge_export"],
    Role.BUSINESS: ["orders.enter_trial", "orders.upload_file", "orders.choose_attribution", "orders.name_domains"],
}
"""The rights that identify each role here. Names of roles do not, because a site may have its own roles."""


@dataclass(frozen=True)
class MenuPage:
    """A page without a model in the menu. `place` is its sort key among the entries of its section. `may` returns True
    if a user may open the page."""

    section: Section
    place: int
    title: str | Promise
    name: str
    may: Callable
    page: Callable
    needed_by: Set[Role]

    def address(self, site: str) -> str:
        return _address(self.name, site)


@dataclass(frozen=True)
class MenuLink:
    """An additional menu entry for a page that has an entry or link already, such as a filtered list or the home
    page."""

    place: int
    title: str | Promise
    name: str
    view: str
    right: str = ""
    query: str = ""
    needed_by: Set[Role] = EVERYBODY
    section: Section = Section.DESK

    def may(self, user) -> bool:
        return not self.right or user.has_perm(self.right)

    def address(self, site: str) -> str:
        return _address(self.view, site) + (f"?{self.query}" if self.query else "")


LINKS = [
    MenuLink(0, _("Home"), "home", "index"),
    MenuLink(
        25,
        _("To do"),
        "todo",
        "orders_order_changelist",
        "orders.view_order",
        "needs=somebody&o=since",
        needed_by=READS_ORDERS - {Role.AUDITOR},
    ),
]


def roles_of(user) -> Set[Role]:
    """Derives the user's roles from the user's rights. Returns all roles for a superuser, or if no role matches."""
    if user.is_superuser:
        return EVERYBODY
    found = frozenset(role for role, rights in RIGHTS_OF_ROLES.items() if any(map(user.has_perm, rights)))
    return found - {Role.AUDITOR} if Role.ADMINISTRATOR in found else found or EVERYBODY


def short_menu(site: AdminSite, request: HttpRequest, pages: Iterable[MenuPage]) -> list[dict]:
    """Returns the sections with the entries that the user's roles need. The current page's entry has `current`."""
    roles = roles_of(request.user)
    found = [entry for entry in _entries(site, request, pages) if entry["needed_by"] & roles]
    _mark_current(found, request)
    return _by_section(found)


def whole_menu(site: AdminSite, request: HttpRequest, pages: Iterable[MenuPage]) -> list[dict]:
    """Returns the sections with all lists and pages that the user may read."""
    return _by_section(entry for entry in _entries(site, request, pages) if entry["object_name"] != "home")


def _entries(site: AdminSite, request: HttpRequest, pages: Iterable[MenuPage]) -> list[dict]:
    """Returns the entries that the user may open, sorted by `place`.

    Each page builds some fifty entries. To save time, the loops call no function of ours for each entry.
    """
    found, prefix = [], get_script_prefix()
    for model, listed in LISTS.items():
        model_admin, meta = site.get_model_admin(model), model._meta
        if model_admin.has_module_permission(request) and model_admin.has_view_or_change_permission(request):
            found.append(
                {
                    "name": capfirst(meta.verbose_name_plural),
                    "object_name": meta.object_name,
                    "admin_url": _cached_url(f"{meta.app_label}_{meta.model_name}_changelist", site.name, prefix),
                    "model": model,
                    "section": listed.section,
                    "place": listed.place,
                    "needed_by": listed.needed_by,
                }
            )
    for page in (*LINKS, *pages):
        if page.may(request.user):
            found.append(
                {
                    "name": page.title,
                    "object_name": page.name,
                    "admin_url": page.address(site.name),
                    "section": page.section,
                    "place": page.place,
                    "needed_by": page.needed_by,
                }
            )
    return sorted(found, key=itemgetter("place"))


def _address(view: str, site: str) -> str:
    return _cached_url(view, site, get_script_prefix())


@functools.cache
def _cached_url(view: str, site: str, prefix: str) -> str:
    """Returns a URL from a cache. Without the cache, `reverse` would take a twentieth of a page's time for its 40
    entries.

    `prefix` is only part of the cache's key, because `reverse` reads the script prefix from the thread.
    """
    return reverse(f"admin:{view}", current_app=site)


def _mark_current(entries: list[dict], request: HttpRequest) -> None:
    """Sets `current` in the best entry: to `page` if the entry is the page itself, or to `true` if the page belongs to
    the entry's list.

    The best entry is the one with the longest matching URL.
    """
    asked = set(request.GET.items())
    best: tuple[int, dict, str] = (0, {}, "")
    for entry in entries:
        path, _mark, query = entry["admin_url"].partition("?")
        parts = set(parse_qsl(query)) if query else set()
        here = path == request.path
        if here and parts <= asked or not query and path != entries[0]["admin_url"] and request.path.startswith(path):
            best = max(best, (len(entry["admin_url"]), entry, "page" if here else "true"), key=lambda one: one[0])
    if best[0]:
        best[1]["current"] = best[2]


def _by_section(entries: Iterable[dict]) -> list[dict]:
    found: dict[Section, list[dict]] = {section: [] for section in Section}
    for entry in entries:
        found[entry["section"]].append(entry)
    return [{"name": one.label, "app_label": one.value, "models": rows} for one, rows in found.items() if rows]

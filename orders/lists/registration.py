"""Registers lists. Menu, roles, exports, saved views, chips and tests use the arguments of `register_list`."""

import enum
import functools
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from typing import TypeVar

from django.contrib import admin
from django.contrib.admin.options import ModelAdmin
from django.db.models import Model, TextChoices
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from orders.lists.chips import Tones, add_tones
from orders.texts.state_meanings import Meanings, add_meanings


class Section(TextChoices):
    """The sections of the menu, by subject instead of by app."""

    DESK = "desk", pgettext_lazy("app", "Orders")
    SENT = "sent", _("Sent out")
    MONEY = "money", _("Billing and reconciliation")
    TRACE = "trace", _("Traces")
    SETUP = "setup", _("Settings")
    ENGINE = "engine", _("Engine room")


class Role(enum.StrEnum):
    """The roles of each site (project/accounts/roles.py). Their names are Chinese because staff see them."""

    BUSINESS = "业务人员"
    ENGINEER = "工程师"
    AUDITOR = "审计员"
    ADMINISTRATOR = "管理员"
    APPROVER = "审批主管"


EVERYBODY = frozenset(Role)
ENGINE_ROOM = frozenset({Role.ENGINEER, Role.AUDITOR, Role.ADMINISTRATOR})
AUDITORS = frozenset({Role.AUDITOR, Role.ADMINISTRATOR})
OFFICE = frozenset({Role.BUSINESS, Role.APPROVER})
READS_ORDERS = EVERYBODY - {Role.ADMINISTRATOR}
TRACES = frozenset({Role.ENGINEER, Role.AUDITOR})
NEEDED_BY: dict[Section, Set[Role]] = {
    Section.DESK: READS_ORDERS,
    Section.SENT: TRACES,
    Section.MONEY: TRACES,
    Section.TRACE: TRACES,
    Section.SETUP: frozenset({Role.ADMINISTRATOR}),
    Section.ENGINE: frozenset({Role.ENGINEER, Role.ADMINISTRATOR}),
}
"""The roles whose menu has the lists of a section, unless a list sets its own. Other users reach the lists from the end
of the home page, by links and by the search. This keeps the menu short."""


@dataclass(frozen=True)
class DeskList:
    """The declaration of a list.

    `empty`: the text of the empty list. `readers`: the roles with the permission to view it. `name`: the list's name in
    exports and saved views, or empty if the list has no such name. `same_for_all`: users limited to attributions see
    the same rows as users without a limit. `needed_by`: the roles whose menu has the list.
    """

    section: Section
    place: int
    empty: str | Promise
    readers: Set[Role]
    name: str
    same_for_all: bool
    needed_by: Set[Role]


LISTS: dict[type[Model], DeskList] = {}
Admin = TypeVar("Admin", bound=type[ModelAdmin])


def register_list(
    model: type[Model],
    *,
    menu: tuple[Section, int],
    empty: str | Promise = "",
    readers: Set[Role] = EVERYBODY,
    name: str = "",
    same_for_all: bool = False,
    needed_by: Set[Role] | None = None,
    tones: Mapping[str, Tones] | None = None,
    meanings: Meanings | None = None,
) -> Callable[[Admin], Admin]:
    """Returns a class decorator that registers a ModelAdmin.

    `menu`: section and position. `tones` and `meanings` describe the chips of the list. The other arguments are the
    same as for DeskList. `needed_by` defaults to the roles of the section.
    """

    def register(admin_class: Admin) -> Admin:
        admin.site.register(model, admin_class)
        needed = NEEDED_BY[menu[0]] if needed_by is None else needed_by
        LISTS[model] = DeskList(*menu, empty, readers, name, same_for_all, needed)
        add_tones(tones or {})
        add_meanings(meanings or {})
        exported_lists.cache_clear()
        return admin_class

    return register


def lists_in_order() -> dict[type[Model], DeskList]:
    sections = list(Section)
    return dict(sorted(LISTS.items(), key=lambda item: (sections.index(item[1].section), item[1].place)))


@functools.cache
def exported_lists() -> dict[str, ModelAdmin]:
    """Returns the ModelAdmins of the lists with exports and saved views, by name, in the order of the menu."""
    return {one.name: admin.site.get_model_admin(model) for model, one in lists_in_order().items() if one.name}


def admin_of(name: str) -> ModelAdmin:
    return exported_lists()[name]


def title_of(name: str) -> str:
    """Returns the title of a list, or its name if the list no longer exists."""
    listed = exported_lists().get(name)
    return str(capfirst(listed.opts.verbose_name_plural)) if listed else name


def right_to_view(model: type[Model]) -> str:
    return f"{model._meta.app_label}.view_{model._meta.model_name}"


def list_of(model: type[Model]) -> str | None:
    return (LISTS[model].name or None) if model in LISTS else None


def address_of_list(model: type[Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")

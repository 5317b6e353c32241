"""A list of the desk is one `register_list`: menu, roles, exports, views, chips and tests read what it says."""

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
    """The menu's sections. It is arranged by what people look for, not by the app that holds a table."""

    DESK = "desk", pgettext_lazy("app", "Orders")
    SENT = "sent", _("Sent out")
    MONEY = "money", _("Billing and reconciliation")
    TRACE = "trace", _("Traces")
    SETUP = "setup", _("Settings")
    ENGINE = "engine", _("Engine room")


class Role(enum.StrEnum):
    """The roles that each site has (project/accounts/roles.py). Their names are Chinese: staff read them as data."""

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
"""In whose menu the lists of a section stand, unless a list says it of itself. Other readers find them below the home
page, by links and by the search: a menu with everything would be read by nobody."""


@dataclass(frozen=True)
class DeskList:
    """The declaration of a list.

    `empty`: when its first row will come. `readers`: the roles with the right to view it. `name`: under which it is
    exported and has views, if it does. `same_for_all`: users limited to attributions see the same rows.
    `needed_by`: the roles in whose menu it stands.
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
    """Registers a ModelAdmin as the list. `menu`: section and place; `tones` and `meanings`: of its chips. The rest as
    in DeskList; `needed_by` is the section's unless given."""

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
    """The admins of the lists that are exported and have views, by the list's name, in the order of the menu."""
    return {one.name: admin.site.get_model_admin(model) for model, one in lists_in_order().items() if one.name}


def admin_of(name: str) -> ModelAdmin:
    return exported_lists()[name]


def title_of(name: str) -> str:
    """Returns the title of a list on pages. Of one that is gone: its name."""
    listed = exported_lists().get(name)
    return str(capfirst(listed.opts.verbose_name_plural)) if listed else name


def right_to_view(model: type[Model]) -> str:
    return f"{model._meta.app_label}.view_{model._meta.model_name}"


def list_of(model: type[Model]) -> str | None:
    return (LISTS[model].name or None) if model in LISTS else None


def address_of_list(model: type[Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")

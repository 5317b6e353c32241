"""Which lists are exported and have views: those whose admin gives them a `list_name`, by which commands and addresses
know them."""

from django.contrib import admin
from django.contrib.admin.options import ModelAdmin
from django.db.models import Model
from django.utils.text import capfirst


def exported_lists() -> dict[str, ModelAdmin]:
    """By its name the admin of each, which says what the list shows."""
    admins = admin.site._registry.values()
    return {name: model_admin for model_admin in admins if (name := getattr(model_admin, "list_name", ""))}


def admin_of(name: str) -> ModelAdmin:
    """The admin of an exported list. Raises KeyError if there is none of this name."""
    return exported_lists()[name]


def title_of(name: str) -> str:
    """What pages call a list. Of one that is gone: its name."""
    listed = exported_lists().get(name)
    return str(capfirst(listed.opts.verbose_name_plural)) if listed else name


def list_of(model: type[Model]) -> str | None:
    """The name under which a model's list is exported."""
    return getattr(admin.site._registry.get(model), "list_name", None) or None

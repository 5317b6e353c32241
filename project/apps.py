"""The project's own app (checks, commands, templates), and its admin site in place of Django's."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.utils.translation import gettext_lazy as _


class ProjectConfig(AppConfig):
    """Registers the start-up checks, and runs the first one."""

    name = "project"
    verbose_name = _("Accounts")
    default = True

    def ready(self):
        from project import checks, deployment  # noqa: F401  registers them; their models need the apps to be ready

        checks.require_database_directory()


class DeskAdminConfig(admin_apps.AdminConfig):
    """django.contrib.admin with our site."""

    default = False
    default_site = "project.admin_site.site.DeskAdminSite"

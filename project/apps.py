"""The app of the project (accounts, checks, commands, templates), and the app config of its admin site."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class ProjectConfig(AppConfig):
    name = "project"
    verbose_name = _("Accounts")
    default = True

    def ready(self):
        from notifications.mail_rendering import ENDINGS
        from orders.office.digest.service import DIGEST, RED, nothing_more
        from project import checks, deploy_checks  # noqa: F401  registers the checks
        from project.accounts import login_trail  # noqa: F401  connects its signals
        from project.accounts.passwords.links import VALID, link_ending

        checks.require_database_directory()
        # Functions of higher layers that run when a mail is sent: they add the link with its secret, and check the
        # recipient of a digest. Neither the secret nor the result may be stored in the mail's row.
        ENDINGS.update(dict.fromkeys(VALID, link_ending) | dict.fromkeys((DIGEST, RED), nothing_more))


class DeskAdminConfig(admin_apps.AdminConfig):
    default = False
    default_site = "project.admin_site.site.DeskAdminSite"

    def ready(self):
        super().ready()  # registers all ModelAdmins
        from django.contrib.admin import site

        from orders.lists.registration import AUDITORS, ENGINE_ROOM, TRACES, Section
        from project.accounts.trail_page import may_see_trail, trail_page
        from project.admin_site.menu import MenuPage
        from project.admin_site.site import Parts
        from project.dashboard.calls_page import calls_page, may_see_calls
        from project.dashboard.dashboard_problems import dashboard, dashboard_fingerprint
        from project.dashboard.partners_page import may_see_partners, partners_page
        from project.dashboard.probes_page import may_probe, probes_page
        from project.dashboard.restored_page import restored_page

        pages = [
            MenuPage(Section.SENT, 70, _("Calls of a day"), "calls", may_see_calls, calls_page, TRACES),
            MenuPage(
                *(Section.ENGINE, 95, _("Partner connections"), "partners", may_see_partners, partners_page),
                ENGINE_ROOM,
            ),
            MenuPage(Section.ENGINE, 100, _("Test calls"), "probes", may_probe, probes_page, ENGINE_ROOM),
            MenuPage(Section.TRACE, 25, pgettext_lazy("menu", "Audit"), "trail", may_see_trail, trail_page, AUDITORS),
        ]
        # These modules import ModelAdmins, and registering a ModelAdmin needs the site, so they are imported only now.
        site.parts = Parts(dashboard, dashboard_fingerprint, restored_page, pages)

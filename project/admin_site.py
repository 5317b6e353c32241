"""The staff's site (contract section 6, `/admin/`)."""

from django.contrib.admin import AdminSite
from django.utils.translation import gettext_lazy as _


class DeskAdminSite(AdminSite):
    """Django's admin under the desk's name."""

    site_header = _("IBS Order Desk")
    site_title = _("IBS Order Desk")
    index_title = _("What needs me today?")

"""Admin pages of failed log-ins: the locked-out users, and an action that unlocks them."""

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.models import DELETION, LogEntry
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.lists.cells import clipped
from orders.lists.chips import toned_chip
from orders.lists.read_only import ReadOnlyAdmin
from orders.lists.registration import AUDITORS, Section, register_list
from orders.lists.scope import is_unlimited
from orders.lists.time_cells import ago_field
from project.accounts.login_throttle import forget_failures, guessing_addresses
from project.models import FailedLogin


@register_list(
    FailedLogin,
    menu=(Section.SETUP, 60),
    needed_by=AUDITORS,
    empty=gettext_lazy("Nobody has failed to log in lately."),
    readers=AUDITORS,
    same_for_all=True,
)
class FailedLoginAdmin(ReadOnlyAdmin):
    """The list of failed log-ins.

    Unlocking deletes all rows of the account and IP address, so that failures are counted from zero again. It also ends
    the lock of the address for all users, and no longer slows down the account's log-ins.
    """

    list_per_page = 100
    ordering = ["-attempt_time", "-pk"]
    list_display = ["username", "ip_address", "locked", "failures_since_start", "last", "browser"]
    fields = ["username", "ip_address", "failures_since_start", "attempt_time", "user_agent"]
    search_fields = ["username__startswith", "ip_address__exact"]
    search_help_text = gettext_lazy("user name or address: how it begins, or whole")
    actions = ["unlock"]

    def get_queryset(self, request):
        locked = guessing_addresses(timezone.now()).filter(ip_address=OuterRef("ip_address"))
        return super().get_queryset(request).annotate(address_locked=Exists(locked))

    def has_unlock_permission(self, request) -> bool:
        """Returns True if the user may delete these rows and sees all attributions. The rows are about all accounts."""
        return request.user.has_perm("project.delete_failedlogin") and is_unlimited(request.user)

    @admin.action(description=gettext_lazy("Let them log in again"), permissions=["unlock"])
    def unlock(self, request, queryset):
        rows = list(queryset)
        with transaction.atomic():
            LogEntry.objects.log_actions(request.user.pk, rows, DELETION, _("log-in unlocked"))
            for row in rows:  # also rows of other browsers, because failures of all browsers are counted together
                forget_failures(row.username, row.ip_address)
                FailedLogin.objects.filter(username=row.username, ip_address=row.ip_address).delete()
        messages.success(request, _("Can log in again: %(names)s") % {"names": ", ".join(map(str, rows))})

    @admin.display(description=gettext_lazy("locked out"), empty_value="")
    def locked(self, row):
        if row.address_locked:
            return toned_chip("red", _("address locked out"))
        if row.failures_since_start < settings.AXES_FAILURE_LIMIT:
            return None
        return toned_chip("red", _("locked out"))

    last = ago_field("attempt_time", gettext_lazy("last failure"))

    @admin.display(description=gettext_lazy("browser"))
    def browser(self, row):
        return clipped(row.user_agent)

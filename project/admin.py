"""Read-only pages of django-q2's queue.

A schedule or task can have any dotted path as `func`. So a user who writes or runs a schedule or task can execute any
code on the worker's machine. Nobody can write or run one here, not even superusers.
"""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from django_q.admin import FailAdmin, QueueAdmin, ScheduleAdmin, TaskAdmin
from django_q.models import Failure, OrmQ, Schedule, Success

from orders.lists.model_admin import DeskAdmin
from orders.lists.registration import ENGINE_ROOM, Section, register_list
from orders.lists.scope import UnlimitedOnly
from project.accounts import account_admin, lockout_pages
from project.admin_site import admin_log

__all__ = ["account_admin", "admin_log", "lockout_pages"]  # importing them registers the accounts' pages


class ReadOnlyQueue(UnlimitedOnly, DeskAdmin):
    """Read-only, for users with the view permission. Limited users can't see these pages, because names and arguments
    contain order numbers."""

    actions = None  # django-q2's own action runs tasks again

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


admin.site.unregister([Schedule, Success, Failure, OrmQ])


@register_list(
    Schedule,
    menu=(Section.ENGINE, 50),
    empty=_("No schedule yet; set them up with manage.py setup_schedules."),
    readers=ENGINE_ROOM,
)
class DeskScheduleAdmin(ReadOnlyQueue, ScheduleAdmin):
    search_help_text = _("name or function: any part")


@register_list(Success, menu=(Section.ENGINE, 70), empty=_("No task has run yet."), readers=ENGINE_ROOM)
class DeskSuccessAdmin(ReadOnlyQueue, TaskAdmin):
    search_help_text = _("name, function or group: any part")


@register_list(Failure, menu=(Section.ENGINE, 80), empty=_("No task has failed."), readers=ENGINE_ROOM)
class DeskFailureAdmin(ReadOnlyQueue, FailAdmin):
    search_help_text = _("name, function or group: any part")


@register_list(OrmQ, menu=(Section.ENGINE, 60), empty=_("Nothing waits in the queue."), readers=ENGINE_ROOM)
class DeskQueueAdmin(ReadOnlyQueue, QueueAdmin):
    def has_delete_permission(self, request, obj=None):
        """Returns True for superusers. Deleting a queued task runs nothing, and the sweep queues due work again."""
        return request.user.is_superuser

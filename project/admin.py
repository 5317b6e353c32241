"""The queue's pages. A schedule or task can name any dotted path as `func`, so only superusers may write or run one."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from django_q.admin import FailAdmin, QueueAdmin, ScheduleAdmin, TaskAdmin
from django_q.models import Failure, OrmQ, Schedule, Success

from orders.lists.registration import ENGINE_ROOM, Section, register_list
from orders.lists.scope import UnlimitedOnly
from project.accounts import failed_logins, staff
from project.admin_site import journal

__all__ = ["failed_logins", "journal", "staff"]  # importing them registers the accounts' pages


class SuperuserWrites(UnlimitedOnly):
    """Lets users with the right to view look, unless they are limited: names and arguments contain order numbers."""

    def has_add_permission(self, request):
        return request.user.is_superuser and super().has_add_permission(request)

    def has_change_permission(self, request, obj=None):
        return request.user.is_superuser

    def has_delete_permission(self, request, obj=None):
        return request.user.is_superuser

    def get_actions(self, request):
        return super().get_actions(request) if request.user.is_superuser else {}


admin.site.unregister([Schedule, Success, Failure, OrmQ])


@register_list(
    Schedule,
    menu=(Section.ENGINE, 50),
    empty=_("No schedule yet; set them up with manage.py setup_schedules."),
    readers=ENGINE_ROOM,
)
class DeskScheduleAdmin(SuperuserWrites, ScheduleAdmin):
    search_help_text = _("name or function: any part")


@register_list(Success, menu=(Section.ENGINE, 70), empty=_("No task has run yet."), readers=ENGINE_ROOM)
class DeskSuccessAdmin(SuperuserWrites, TaskAdmin):
    search_help_text = _("name, function or group: any part")


@register_list(Failure, menu=(Section.ENGINE, 80), empty=_("No task has failed."), readers=ENGINE_ROOM)
class DeskFailureAdmin(SuperuserWrites, FailAdmin):
    search_help_text = _("name, function or group: any part")


@register_list(OrmQ, menu=(Section.ENGINE, 60), empty=_("Nothing waits in the queue."), readers=ENGINE_ROOM)
class DeskQueueAdmin(SuperuserWrites, QueueAdmin):
    pass

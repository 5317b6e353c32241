"""What makes a page or an inline read-only: only services write status and history."""

from django.contrib import admin


class ReadOnlyAdmin:
    """Nobody adds, changes or deletes here, a superuser neither. Lists count their rows once, not twice."""

    show_full_result_count = False

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


class ReadOnlyInline(ReadOnlyAdmin, admin.TabularInline):
    """A table of rows that belong to the object of the page."""

    extra = 0
    show_change_link = True

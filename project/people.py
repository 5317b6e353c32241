"""Staff accounts. Who may keep them must not thereby become a superuser, nor touch one, nor get past a limit."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User

from orders.admin.scope import attributions_of

GIVES_ALL = ["is_superuser", "user_permissions"]


class DeskUserAdmin(UserAdmin):
    """Others than superusers give roles (groups), and leave superusers alone.

    A person limited to attributions keeps no accounts: they could make one without a limit, or log in as somebody else.
    """

    list_display = ["username", "last_name", "first_name", "is_staff", "is_active", "is_superuser"]
    list_filter = ["is_staff", "is_active", "groups"]

    def has_add_permission(self, request):
        return super().has_add_permission(request) and attributions_of(request.user) is None

    def has_change_permission(self, request, obj=None):
        allowed = super().has_change_permission(request, obj) and attributions_of(request.user) is None
        return allowed and (request.user.is_superuser or obj is None or not obj.is_superuser)

    def has_delete_permission(self, request, obj=None):
        return request.user.is_superuser and super().has_delete_permission(request, obj)

    def get_readonly_fields(self, request, obj=None):
        fixed = super().get_readonly_fields(request, obj)
        return fixed if request.user.is_superuser else [*fixed, *GIVES_ALL]


class DeskGroupAdmin(GroupAdmin):
    """What a role may do is a superuser's decision."""

    def has_add_permission(self, request):
        return request.user.is_superuser

    def has_change_permission(self, request, obj=None):
        return request.user.is_superuser

    def has_delete_permission(self, request, obj=None):
        return request.user.is_superuser


admin.site.unregister([User, Group])
admin.site.register(User, DeskUserAdmin)
admin.site.register(Group, DeskGroupAdmin)

"""Which attributions a member of staff may see."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from orders.models import StaffScope


@admin.register(StaffScope)
class StaffScopeAdmin(admin.ModelAdmin):
    list_display = ["user", "letters"]
    list_select_related = ["user"]
    autocomplete_fields = ["user"]
    filter_horizontal = ["attributions"]
    search_fields = ["user__username__startswith"]
    search_help_text = _("how the user name begins")

    def get_queryset(self, request):
        return super().get_queryset(request).prefetch_related("attributions")

    def has_change_permission(self, request, obj=None):
        """Nobody lifts their own limit."""
        return super().has_change_permission(request, obj) and not self.is_own(request, obj)

    def has_delete_permission(self, request, obj=None):
        return super().has_delete_permission(request, obj) and not self.is_own(request, obj)

    def is_own(self, request, obj) -> bool:
        return obj is not None and obj.user_id == request.user.pk and not request.user.is_superuser

    @admin.display(description=_("attributions"))
    def letters(self, scope):
        return ", ".join(row.letters for row in scope.attributions.all()) or _("none: sees nothing")

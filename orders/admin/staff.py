"""Which attributions a member of staff may see."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from orders.admin.scope import attributions_of
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

    def has_add_permission(self, request):
        return super().has_add_permission(request) and attributions_of(request.user) is None

    def has_change_permission(self, request, obj=None):
        """Nobody who is limited lifts a limit: neither their own nor a colleague's who would do it for them."""
        return super().has_change_permission(request, obj) and attributions_of(request.user) is None

    def has_delete_permission(self, request, obj=None):
        return super().has_delete_permission(request, obj) and attributions_of(request.user) is None

    @admin.display(description=_("attributions"))
    def letters(self, scope):
        return ", ".join(row.letters for row in scope.attributions.all()) or _("none: sees nothing")

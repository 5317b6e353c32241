"""Which attributions a user may see."""

from django import forms
from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from orders.admin.scope import attributions_of
from orders.models import StaffScope


@admin.register(StaffScope)
class StaffScopeAdmin(admin.ModelAdmin):
    list_display = ["user", "letters"]
    list_select_related = ["user"]
    autocomplete_fields = ["user"]
    search_fields = ["user__username__startswith"]
    search_help_text = _("how the user name begins")

    def formfield_for_manytomany(self, db_field, request, **kwargs):
        return super().formfield_for_manytomany(db_field, request, widget=forms.CheckboxSelectMultiple, **kwargs)

    def get_deleted_objects(self, objs, request):
        """Names only the limit that is deleted. The rows that join it to attributions mean nothing to staff."""
        found, counts, lacking, protected = super().get_deleted_objects(objs, request)
        return [row for row in found if isinstance(row, str)], counts, lacking, protected

    def get_queryset(self, request):
        return super().get_queryset(request).prefetch_related("attributions")

    def has_add_permission(self, request):
        return super().has_add_permission(request) and attributions_of(request.user) is None

    def has_change_permission(self, request, obj=None):
        """Limited users may lift no limit: neither their own nor that of a colleague who could then lift theirs."""
        return super().has_change_permission(request, obj) and attributions_of(request.user) is None

    def has_delete_permission(self, request, obj=None):
        return super().has_delete_permission(request, obj) and attributions_of(request.user) is None

    @admin.display(description=_("attributions"))
    def letters(self, scope):
        return ", ".join(str(row) for row in scope.attributions.all()) or _("none: sees nothing")

"""Contacts, which staff keep, and the mails that went out, which nobody changes."""

from django.contrib import admin
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from notifications.models import Contact, Mail


@admin.register(Contact)
class ContactAdmin(admin.ModelAdmin):
    list_display = ["name", "attribution", "role", "mail", "tel", "active"]
    list_filter = ["role", "active", "attribution"]
    list_select_related = ["attribution"]
    search_fields = ["name__exact", "mail__exact"]
    search_help_text = _("the whole name or mail address")


@admin.register(Mail)
class MailAdmin(admin.ModelAdmin):
    list_display = ["subject", "order", "kind", "written_at"]
    list_filter = ["kind"]
    list_select_related = ["order"]
    search_fields = ["order__number__exact", "message_id__exact"]
    search_help_text = _("the whole order number or Message-ID")
    show_full_result_count = False
    readonly_fields = ["body_block"]
    fields = ["order", "dispatch", "kind", "message_id", "recipients", "subject", "body_block", "written_at"]

    @admin.display(description=_("text"))
    def body_block(self, obj):
        return format_html('<pre class="payload">{}</pre>', obj.body)

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False

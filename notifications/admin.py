"""Contacts, which staff keep, and the mails that went out, which nobody changes.

Phones, mails and names are masked for those without `orders.see_personal_data`; on a page, opening them is logged.
"""

from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from notifications.models import Contact, Mail
from notifications.personal import mask_mail, mask_name, mask_phone, mask_text

PERMISSION = "orders.see_personal_data"
MASKED = _("Phones, mails and names of people are masked.")


def may_see(request) -> bool:
    """Whether the person may read people's data."""
    return request.user.has_perm(PERMISSION)


def log_opened(request, obj) -> None:
    """Notes in the object's history that its people's data were opened."""
    LogEntry.objects.log_actions(request.user.pk, [obj], CHANGE, "personal data shown", single_object=True)


def limited(rows, request, path: str):
    """A person limited to attributions sees what belongs to them."""
    scope = getattr(request.user, "scope", None)
    return rows if scope is None else rows.filter(**{f"{path}__in": scope.attributions.all()})


@admin.register(Contact)
class ContactAdmin(admin.ModelAdmin):
    list_display = ["name_masked", "attribution", "role", "mail_masked", "tel_masked", "active"]
    list_filter = ["role", "active", "attribution"]
    list_select_related = ["attribution"]
    search_fields = ["name__exact", "mail__exact"]
    search_help_text = _("the whole name or mail address")
    masked_fields = ["name_masked", "mail_masked", "tel_masked", "role", "attribution", "active"]

    def get_queryset(self, request):
        return limited(super().get_queryset(request), request, "attribution")

    def has_add_permission(self, request):
        return super().has_add_permission(request) and may_see(request)

    def has_change_permission(self, request, obj=None):
        return super().has_change_permission(request, obj) and may_see(request)

    def has_delete_permission(self, request, obj=None):
        return super().has_delete_permission(request, obj) and may_see(request)

    def get_fields(self, request, obj=None):
        return super().get_fields(request, obj) if may_see(request) else self.masked_fields

    def get_readonly_fields(self, request, obj=None):
        return [] if may_see(request) else self.masked_fields

    def formfield_for_foreignkey(self, db_field, request, **kwargs):
        """A limited person keeps contacts of their own attributions only."""
        scope = getattr(request.user, "scope", None)
        if db_field.name == "attribution" and scope is not None:
            kwargs["queryset"] = scope.attributions.all()
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        if obj is not None and may_see(request):
            log_opened(request, obj)
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    @admin.display(description=_("name"))
    def name_masked(self, obj):
        return mask_name(obj.name)

    @admin.display(description=_("mail"))
    def mail_masked(self, obj):
        return mask_mail(obj.mail)

    @admin.display(description=_("phone"))
    def tel_masked(self, obj):
        return mask_phone(obj.tel)


@admin.register(Mail)
class MailAdmin(admin.ModelAdmin):
    list_display = ["subject", "order", "kind", "written_at"]
    list_filter = ["kind"]
    list_select_related = ["order"]
    list_per_page = 50
    sortable_by = []
    search_fields = ["order__number__startswith", "message_id__exact"]
    search_help_text = _("order number: whole, or how it begins; or the whole Message-ID")
    show_full_result_count = False
    readonly_fields = ["body_block", "to"]
    fields = ["order", "dispatch", "kind", "message_id", "to", "subject", "body_block", "written_at"]

    def get_queryset(self, request):
        return limited(super().get_queryset(request), request, "order__attribution")

    def get_object(self, request, object_id, from_field=None):
        """Its page tells whether this request opens people's data, and may."""
        obj = super().get_object(request, object_id, from_field)
        if obj is not None:
            obj.personal_allowed = may_see(request)
            obj.personal_shown = obj.personal_allowed and "personal" in request.GET
        return obj

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        if obj is not None and obj.personal_shown:
            log_opened(request, obj)
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    @admin.display(description=_("text"))
    def body_block(self, obj):
        if getattr(obj, "personal_shown", False):
            return format_html('<pre class="payload">{}</pre>', obj.body)
        link = format_html(' <a href="?personal=1">{}</a>', _("Show them (it is noted)"))
        hint = format_html("{}{}", MASKED, link if getattr(obj, "personal_allowed", False) else "")
        return format_html('<pre class="payload">{}</pre><p class="quiet">{}</p>', mask_text(obj.body), hint)

    @admin.display(description=_("recipients"))
    def to(self, obj):
        shown = getattr(obj, "personal_shown", False)
        return ", ".join(mail if shown else mask_mail(mail) for mail in obj.recipients)

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False

"""Contacts, which staff maintain, and mails, which nobody changes.

Phones, mail addresses and names are masked for users without `orders.see_personal_data`. Opening them on a page is
logged.
"""

from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from notifications.mail_texts import recipients_in_words
from notifications.masks import mask_mail, mask_name, mask_phone, mask_text
from notifications.models import Contact, Mail
from orders.admin.journal_values import NotesValues
from orders.admin.names import NamesForm
from orders.lists.chips import chip_of
from orders.lists.filters import PlacesFilter, day_filter
from orders.lists.personal import PERMISSION
from orders.lists.read_only import ReadOnlyAdmin
from orders.lists.registration import Section, register_list
from orders.lists.scope import Scoped, limit
from orders.local_time import midnight
from orders.models import Dispatch, Province

MASKED = _("Phones, mails and names of people are masked.")


def may_see(request) -> bool:
    return request.user.has_perm(PERMISSION)


def log_opened(request, obj) -> None:
    """Notes in the object's history that its personal data were opened, once for each user, object and day."""
    today = midnight(timezone.localdate())
    kind, message = ContentType.objects.get_for_model(obj), gettext("personal data shown")
    seen = LogEntry.objects.filter(user=request.user, content_type=kind, object_id=obj.pk, action_time__gte=today)
    if not seen.filter(change_message=message).exists():
        LogEntry.objects.log_actions(request.user.pk, [obj], CHANGE, message, single_object=True)


@register_list(Contact, menu=(Section.SETUP, 10), empty=_("No contacts yet: all mail goes to the default contact."))
class ContactAdmin(NotesValues, Scoped, admin.ModelAdmin):
    form = NamesForm
    attribution_path = "attribution"
    list_display = ["name_masked", "attribution", "role", "mail_masked", "tel_masked", "active"]
    list_filter = ["role", "active", "attribution"]
    list_select_related = ["attribution"]
    search_fields = ["name__exact", "mail__exact"]
    search_help_text = _("the whole name or mail address")
    masked_fields = ["name_masked", "mail_masked", "tel_masked", "role", "attribution", "active"]

    def get_search_fields(self, request):
        """Searches only in fields that the user may read."""
        return self.search_fields if may_see(request) else []

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
        """Offers users with limited scope only their own attributions."""
        if db_field.name == "attribution":
            kwargs["queryset"] = limit(Province.objects.all(), request.user, "letters")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        if obj is not None and may_see(request):
            log_opened(request, obj)
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    @admin.display(description=pgettext_lazy("person", "name"))
    def name_masked(self, obj):
        return mask_name(obj.name)

    @admin.display(description=_("mail"))
    def mail_masked(self, obj):
        return mask_mail(obj.mail)

    @admin.display(description=_("phone"))
    def tel_masked(self, obj):
        return mask_phone(obj.tel)


class KindFilter(admin.SimpleListFilter):
    title, parameter_name = _("kind"), "kind"

    def lookups(self, request, model_admin):
        return [(step.value, step.label) for step in Dispatch.Step if step.value.startswith("mail")]

    def queryset(self, request, queryset):
        return queryset.filter(kind=self.value()) if self.value() else queryset


class SubjectCut:
    """A `subject_cut` column, masked as `str` of a mail is."""

    @admin.display(description=_("subject"))
    def subject_cut(self, obj):
        return format_html('<span class="cut" title="{0}">{0}</span>', obj)


@register_list(
    Mail,
    menu=(Section.SENT, 30),
    empty=_("No mail yet. One is written when an order is sent to BPM, held, rejected or stopped."),
    name="mails",
)
class MailAdmin(Scoped, SubjectCut, ReadOnlyAdmin, admin.ModelAdmin):
    list_display = ["subject_cut", "state_chip", "order_link", "kind_word", "written_at"]
    list_filter = [KindFilter, day_filter("written_at", _("written at"), parameter="written"), PlacesFilter]
    personal_columns = {"recipients": mask_mail, "body": mask_text}
    list_select_related = ["order", "dispatch"]
    list_per_page = 50
    sortable_by = []
    search_fields = ["order__number__startswith", "message_id__exact"]
    search_help_text = _("order number: whole, or how it begins; or the whole Message-ID")
    readonly_fields = ["subject_cut", "body_block", "to", "kind_word", "state_chip"]
    fields = ["order", "kind_word", "state_chip", "to", "subject_cut", "body_block", "written_at", "message_id"]

    def get_object(self, request, object_id, from_field=None):
        """Notes on the mail whether this request opens personal data and may do so."""
        obj = super().get_object(request, object_id, from_field)
        if obj is not None:
            obj.personal_allowed = may_see(request)
            obj.personal_shown = obj.personal_allowed and "personal" in request.GET
        return obj

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        if obj is not None and obj.personal_shown:
            log_opened(request, obj)
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    @admin.display(description=_("order"), empty_value="-")
    def order_link(self, obj):
        if obj.order is None:
            return None
        url = reverse("admin:orders_order_change", args=[obj.order_id]) + "?tab=mails"
        return format_html('<a class="mono cut" title="{1}" href="{0}">{1}</a>', url, obj.order.number)

    @admin.display(description=_("kind"))
    def kind_word(self, obj):
        return obj.dispatch.get_step_display()

    @admin.display(description=_("state"))
    def state_chip(self, obj):
        return chip_of(obj.dispatch)

    @admin.display(description=_("text"))
    def body_block(self, obj):
        if getattr(obj, "personal_shown", False):
            return format_html('<pre class="payload">{}</pre>', obj.body)
        link = format_html(' <a href="?personal=1">{}</a>', _("Show them (it is noted)"))
        hint = format_html("{}{}", MASKED, link if getattr(obj, "personal_allowed", False) else "")
        return format_html('<pre class="payload">{}</pre><p class="quiet">{}</p>', mask_text(obj.body), hint)

    @admin.display(description=_("recipients"))
    def to(self, obj):
        return ", ".join(recipients_in_words(obj, str if getattr(obj, "personal_shown", False) else mask_mail))

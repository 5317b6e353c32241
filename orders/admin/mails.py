"""Contacts, which staff maintain, and mails, which nobody changes.

Phones, mail addresses and names are masked for users without `orders.see_personal_data`. Opening them is noted.
"""

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from notifications.mail_texts import recipients_in_words
from notifications.masks import mask_mail, mask_name, mask_phone, mask_text
from notifications.models import Contact, Mail
from orders.admin.journal_values import NotesValues
from orders.admin.names import NamesForm
from orders.lists.cells import column
from orders.lists.chips import chip_of
from orders.lists.filters import PlacesFilter, day_filter
from orders.lists.personal_data import PersonalData, may_open, note_seen
from orders.lists.read_only import ReadOnlyAdmin
from orders.lists.registration import Section, register_list
from orders.lists.scope import Scoped, limit
from orders.models import Dispatch, Province


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
        return self.search_fields if may_open(request.user) else []

    def has_add_permission(self, request):
        return super().has_add_permission(request) and may_open(request.user)

    def has_change_permission(self, request, obj=None):
        return super().has_change_permission(request, obj) and may_open(request.user)

    def has_delete_permission(self, request, obj=None):
        return super().has_delete_permission(request, obj) and may_open(request.user)

    def get_fields(self, request, obj=None):
        return super().get_fields(request, obj) if may_open(request.user) else self.masked_fields

    def get_readonly_fields(self, request, obj=None):
        return [] if may_open(request.user) else self.masked_fields

    def formfield_for_foreignkey(self, db_field, request, **kwargs):
        if db_field.name == "attribution":
            kwargs["queryset"] = limit(Province.objects.all(), request.user, "letters")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        if obj is not None and may_open(request.user):
            note_seen(request, None, f"contact {obj.pk}")
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    name_masked = column(pgettext_lazy("person", "name"), lambda obj: mask_name(obj.name))
    mail_masked = column(_("mail"), lambda obj: mask_mail(obj.mail))
    tel_masked = column(_("phone"), lambda obj: mask_phone(obj.tel))


class KindFilter(admin.SimpleListFilter):
    title, parameter_name = _("kind"), "kind"

    def lookups(self, request, model_admin):
        return [(step.value, step.label) for step in Dispatch.Step if step.value.startswith("mail")]

    def queryset(self, request, queryset):
        return queryset.filter(kind=self.value()) if self.value() else queryset


class SubjectCut:
    subject_cut = column(_("subject"), lambda obj: format_html('<span class="cut" title="{0}">{0}</span>', obj))


@register_list(
    Mail,
    menu=(Section.SENT, 30),
    empty=_("No mail yet. One is written when an order is sent to BPM, held, rejected or stopped."),
    name="mails",
)
class MailAdmin(PersonalData, Scoped, SubjectCut, ReadOnlyAdmin, admin.ModelAdmin):
    list_display = ["subject_cut", "state_chip", "order_link", "kind_word", "written_at"]
    list_filter = [KindFilter, day_filter("written_at", _("written at"), parameter="written"), PlacesFilter]
    personal_columns = {"recipients": mask_mail, "body": mask_text}
    list_select_related = ["order", "dispatch"]
    search_fields = ["order__number__startswith", "message_id__exact"]
    search_help_text = _("order number: whole, or how it begins; or the whole Message-ID")
    fields = ["order", "kind_word", "state_chip", "to", "subject_cut", "body_block", "written_at", "message_id"]

    @admin.display(description=_("order"), empty_value="-")
    def order_link(self, obj):
        if obj.order is None:
            return None
        url = reverse("admin:orders_order_change", args=[obj.order_id]) + "?tab=mails"
        return format_html('<a class="mono cut" title="{1}" href="{0}">{1}</a>', url, obj.order.number)

    kind_word = column(_("kind"), lambda obj: obj.dispatch.get_step_display())
    state_chip = column(_("state"), lambda obj: chip_of(obj.dispatch))

    @admin.display(description=_("text"))
    def body_block(self, obj):
        return format_html('<pre class="payload">{}</pre>{}', obj.personal.text(obj.body), obj.personal.hint)

    @admin.display(description=_("recipients"))
    def to(self, obj):
        return ", ".join(recipients_in_words(obj, str if obj.personal.shown else mask_mail))

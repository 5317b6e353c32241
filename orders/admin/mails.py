"""Contacts, which staff edit, and mails, which are read-only. A mail that was not sent can be sent at once.

Phones, mail addresses and names are masked for users without `orders.see_personal_data`. Users who may change contacts
also see the data of contacts, who are colleagues. Each view of unmasked data is recorded.
"""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from django.views.decorators.http import require_POST

from notifications.masks import mask_mail, mask_name, mask_phone, mask_text
from notifications.models import HAS_FAILED, Contact, Mail
from orders.admin.cause_cells import CauseCells
from orders.admin.journal_values import NotesValues
from orders.admin.names import NamesForm
from orders.history.actors import staff_actor
from orders.lists.cells import clipped, column
from orders.lists.chips import chip_column, chip_parts
from orders.lists.filter_kinds import PlacesFilter, day_filter, word_filter
from orders.lists.model_admin import DeskAdmin
from orders.lists.personal_data import PersonalData, mask_text_or_json, may_open, note_seen
from orders.lists.read_only import ReadOnlyAdmin
from orders.lists.registration import OFFICE, Role, Section, register_list
from orders.lists.scope import Scoped, attributions_of, is_unlimited, limit
from orders.mails.mail_reasons import reasons_of
from orders.mails.mail_resend import RESENDABLE, is_written_anew, resend_mail
from orders.mails.places_without_sa import places_without_sa
from orders.models import Dispatch, Province
from orders.order_page.advice_buttons import Ways
from orders.order_page.tabs import shown_reasons
from orders.order_words.error_details import machine_text
from orders.search.list_search import order_field
from orders.texts.errors import OrderError


@register_list(
    Contact,
    menu=(Section.DESK, 90),
    needed_by=OFFICE | {Role.ADMINISTRATOR},
    empty=_("No contacts yet: all mail goes to the default contact."),
)
class ContactAdmin(NotesValues, Scoped, DeskAdmin):
    form = NamesForm
    attribution_path = "attribution"
    change_list_template = "admin/notifications/contact_list.html"
    list_display = ["name_masked", "attribution", "role", "mail_masked", "tel_masked", "active"]
    list_filter = ["role", "active", "attribution"]
    list_select_related = ["attribution"]
    search_fields = ["name__exact", "mail__exact"]
    search_help_text = _("the whole name or mail address")
    masked_fields = ["name_masked", "mail_masked", "tel_masked", "role", "attribution", "active"]

    def may_read(self, request) -> bool:
        """Returns True if the user sees contacts unmasked. `?personal=1` is not needed, because a form must show the
        values that it saves. Each view is recorded."""
        return may_open(request.user) or self.has_change_permission(request) or self.has_add_permission(request)

    def get_search_fields(self, request):
        return self.search_fields if self.may_read(request) else []

    def get_fields(self, request, obj=None):
        return super().get_fields(request, obj) if self.may_read(request) else self.masked_fields

    def get_readonly_fields(self, request, obj=None):
        return [] if self.may_read(request) else self.masked_fields

    def formfield_for_foreignkey(self, db_field, request, **kwargs):
        if db_field.name == "attribution":
            kwargs["queryset"] = limit(Province.objects.all(), request.user, "letters")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        if obj is not None and self.may_read(request):
            note_seen(request, None, f"contact {obj.pk}")
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def list_context(self, request):
        may = self.has_view_permission(request)
        return {"without_sa": places_without_sa(attributions_of(request.user)) if may else []}

    name_masked = column(pgettext_lazy("person", "name"), lambda obj: mask_name(obj.name))
    mail_masked = column(_("mail"), lambda obj: mask_mail(obj.mail))
    tel_masked = column(_("phone"), lambda obj: mask_phone(obj.tel))


TO_STAFF, RESEND = "staff", "orders.resend_order"


MailStateFilter = word_filter(
    "state",
    _("state"),
    {
        "open": (_("To be sent or retried"), Q(next_try_at__isnull=False)),
        "failed": (_("Failed"), Q(HAS_FAILED)),
    },
)


def kind_of(kind: str) -> str | Promise:
    """Returns the label of a mail's kind. All mails to staff share one label, since their subjects are more precise."""
    return Dispatch.Step(kind).label if kind in Dispatch.Step.values else _("Mail to staff")


class KindFilter(admin.SimpleListFilter):
    title, parameter_name = _("kind"), "kind"

    def lookups(self, request, model_admin):
        kinds = [(step.value, step.label) for step in Dispatch.Step if step.value.startswith("mail")]
        return [*kinds, (TO_STAFF, _("Mail to staff"))]

    def queryset(self, request, queryset):
        if self.value() == TO_STAFF:
            return queryset.exclude(kind__in=Dispatch.Step.values)
        return queryset.filter(kind=self.value()) if self.value() else queryset


class MailWays(Ways):
    def __init__(self, user, mail: Mail):
        super().__init__(user, row=mail.order)
        self.mail = mail

    def url(self, key):
        """Returns the place of the page's own button for sending the mail again."""
        if key == "resend":
            return "#resend" if self.mail.state in RESENDABLE else ""
        return super().url(key)


@register_list(
    Mail,
    menu=(Section.SENT, 30),
    empty=_("No mail yet. One is written when an order is sent to BPM, held, rejected or stopped."),
    name="mails",
)
class MailAdmin(PersonalData, Scoped, CauseCells, ReadOnlyAdmin):
    list_display = ["subject_cut", "state_chip", "order_link", "kind_word", "written_at"]
    ordering = ["-written_at", "-pk"]  # mails from before 1.8.0 were added to the table later
    list_filter = [
        MailStateFilter,
        KindFilter,
        day_filter("written_at", _("written at"), parameter="written"),
        PlacesFilter,
    ]
    personal_columns = {"recipients": mask_mail, "body": mask_text}
    column_meanings = {
        "subject_cut": _("subject"),
        "state_chip": _("whether it was sent"),
        "kind_word": _("what the mail is about"),
        "written_at": _("when it was written"),
        "recipients": _("to whom it goes"),
        "body": _("text of the mail"),
    }
    list_select_related = ["order"]
    search_fields = ["order__number__startswith", "message_id__exact"]
    search_help_text = _("order number: whole, or how it begins; or the whole Message-ID")
    change_form_template = "admin/notifications/mail.html"
    fields = (
        *("order", "kind_word", "state_chip", "cause", "what_to_do", "problem", "attempts", "next_try_at", "sent_at"),
        *("to", "subject_cut", "body_block", "written_at", "message_id"),
    )

    subject_cut = column(_("subject"), str, clipped)

    @admin.display(description=_("error as logged"))
    def problem(self, obj):
        return mask_text_or_json(machine_text(obj.error, obj.error_params)) or "-"

    def ways(self, request, obj):
        return MailWays(request.user, obj)

    def may_resend(self, request) -> bool:
        return self.has_view_permission(request) and request.user.has_perm(RESEND)

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        if obj is not None:
            context |= {
                "resend": reverse("admin:notifications_mail_resend", args=[obj.pk]),
                "resendable": obj.state in RESENDABLE and self.may_resend(request),
                "given_up": obj.state == Mail.State.FAILED,
                "written_anew": is_written_anew(obj),
            }
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def get_urls(self):
        resend = self.admin_site.admin_view(require_POST(self.resend_view))
        return [path("<int:pk>/resend/", resend, name="notifications_mail_resend"), *super().get_urls()]

    def resend_view(self, request, pk: int):
        if not self.may_resend(request):
            raise PermissionDenied
        row = get_object_or_404(self.get_queryset(request), pk=pk)
        try:
            resend_mail(pk=row.pk, by=staff_actor(request.user), now=timezone.now())
        except OrderError as error:
            messages.warning(request, error.words())
        else:
            messages.success(request, _("It is sent again."))
        return redirect("admin:notifications_mail_change", row.pk)

    def get_queryset(self, request):
        """Shows mails without an order only to users who have no limit and may view notices, since such mails may
        mention any order or account."""
        rows = super().get_queryset(request)
        may = request.user.has_perm("notifications.view_notice") and is_unlimited(request.user)
        return rows if may else rows.exclude(order=None)

    order_link = order_field("order", _("order"), "?tab=mails", empty_value="-")
    kind_word = column(_("kind"), lambda obj: kind_of(obj.kind))
    state_chip = chip_column(_("state"), chip_parts)

    @admin.display(description=_("text"))
    def body_block(self, obj):
        return format_html('<pre class="payload">{}</pre>{}', obj.personal.text(obj.body), obj.personal.hint)

    @admin.display(description=_("recipients"))
    def to(self, obj):
        shown = shown_reasons(reasons_of(obj), obj.personal)
        return render_to_string("includes/order/recipients.html", {"reasons": shown})

"""Admin pages of notices to staff: text, recipients and state. An unsent notice can be sent at once."""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.shortcuts import get_object_or_404, redirect
from django.urls import path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from notifications.masks import mask_mail, mask_text
from notifications.models import Notice
from orders.admin.mails import SubjectCut
from orders.errors import OrderError
from orders.lists.cells import CauseCells, column
from orders.lists.chips import StateChip
from orders.lists.filters import day_filter
from orders.lists.personal_data import mask_text_or_json
from orders.lists.read_only import ReadOnlyAdmin
from orders.lists.registration import ENGINE_ROOM, Section, register_list
from orders.lists.scope import UnlimitedOnly, is_unlimited
from orders.lists.times import ago_field, ahead
from orders.order_page.error_details import machine_text
from orders.people import staff_actor
from orders.services.notices import RESENDABLE, resend_notice

RESEND = "orders.resend_order"


@register_list(
    Notice,
    menu=(Section.SENT, 40),
    empty=_("No notice yet. One is written when a scheduled export is ready, or is switched off."),
    readers=ENGINE_ROOM,
    tones={
        "blue": [Notice.State.DUE, Notice.State.SENDING],
        "amber": [Notice.State.RETRYING],
        "red": [Notice.State.FAILED],
        "green": [Notice.State.SENT],
    },
)
class NoticeAdmin(UnlimitedOnly, SubjectCut, CauseCells, StateChip, ReadOnlyAdmin, admin.ModelAdmin):
    list_display = ["subject_cut", "state_chip", "attempts", "next_try", "written"]
    list_filter = ["state", day_filter("written_at", _("written at"), parameter="at")]
    search_fields = ["message_id__exact"]
    search_help_text = _("the whole Message-ID")
    change_form_template = "admin/notifications/notice.html"
    fields = [
        "state_chip",
        "cause",
        "what_to_do",
        "problem",
        "attempts",
        "next_try_at",
        "sent_at",
        "to",
        "subject_cut",
        "body_block",
        "written_at",
        "message_id",
    ]

    def may_resend(self, request) -> bool:
        """The user needs the right to resend steps and sees all attributions, since a notice belongs to none."""
        return self.has_view_permission(request) and request.user.has_perm(RESEND) and is_unlimited(request.user)

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        if obj is not None:
            context |= {
                "resendable": obj.state in RESENDABLE and self.may_resend(request),
                "given_up": obj.state == Notice.State.FAILED,
            }
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    to = column(_("recipients"), lambda obj: ", ".join(mask_mail(mail) for mail in obj.recipients) or "-")

    @admin.display(description=_("error as logged"))
    def problem(self, obj):
        return mask_text_or_json(machine_text(obj.error, obj.error_params)) or "-"

    @admin.display(description=_("text"))
    def body_block(self, obj):
        return format_html('<pre class="payload">{}</pre>', mask_text(obj.body))

    next_try = column(_("next try"), lambda obj: ahead(obj.next_try_at))
    written = ago_field("written_at", _("written at"))

    # --- sending again

    def get_urls(self):
        resend = self.admin_site.admin_view(require_POST(self.resend_view))
        return [path("<int:pk>/resend/", resend, name="notifications_notice_resend"), *super().get_urls()]

    def resend_view(self, request, pk: int):
        if not self.may_resend(request):
            raise PermissionDenied
        row = get_object_or_404(Notice, pk=pk)
        try:
            resend_notice(pk=row.pk, by=staff_actor(request.user), now=timezone.now())
        except OrderError as error:
            messages.warning(request, error.words())
        else:
            messages.success(request, _("It is sent again."))
        return redirect("admin:notifications_notice_change", row.pk)

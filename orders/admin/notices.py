"""Admin pages of staff's mails of before 1.8.0: text, recipients and state. An unsent one can be sent at once.

They go with 1.9.0. Those of today stand among the mails (mails.py).
"""

from django.contrib import admin
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from notifications.masks import mask_mail, mask_text
from notifications.models import Notice
from orders.admin.mails import SentAgain
from orders.lists.cells import CauseCells, column
from orders.lists.chips import StateChip
from orders.lists.filters import day_filter
from orders.lists.read_only import ReadOnlyAdmin
from orders.lists.registration import ENGINE_ROOM, Section, register_list
from orders.lists.scope import UnlimitedOnly, is_unlimited
from orders.lists.times import ago_field, ahead
from orders.services.notices import RESENDABLE, resend_notice


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
class NoticeAdmin(UnlimitedOnly, SentAgain, CauseCells, StateChip, ReadOnlyAdmin, admin.ModelAdmin):
    list_display = ["subject_cut", "state_chip", "attempts", "next_try", "written"]
    list_filter = ["state", day_filter("written_at", _("written at"), parameter="at")]
    search_fields = ["message_id__exact"]
    search_help_text = _("the whole Message-ID")
    resendable, send_again = RESENDABLE, staticmethod(resend_notice)

    def may_resend(self, request) -> bool:
        """A notice belongs to no attribution: who sends it again sees all of them."""
        return super().may_resend(request) and is_unlimited(request.user)

    to = column(_("recipients"), lambda obj: ", ".join(mask_mail(mail) for mail in obj.recipients) or "-")

    @admin.display(description=_("text"))
    def body_block(self, obj):
        return format_html('<pre class="payload">{}</pre>', mask_text(obj.body))

    next_try = column(_("next try"), lambda obj: ahead(obj.next_try_at))
    written = ago_field("written_at", _("written at"))

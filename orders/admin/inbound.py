"""Messages from BBOSS, accepted or refused, with the reason."""

from operator import attrgetter
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Q
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from orders.admin.cause_cells import AdvisedPage, advised_cell
from orders.lists.cells import column, cut_column
from orders.lists.chips import chip_column
from orders.lists.filter_kinds import PlacesFilter, day_filter, word_filter
from orders.lists.personal_data import PersonalData, mask_text_or_json, raw_field
from orders.lists.read_only import ReadOnlyAdmin
from orders.lists.registration import Role, Section, register_list
from orders.lists.scope import Scoped, ScopedByNumber
from orders.lists.time_cells import ago_field
from orders.models import AcceptedCall, InboundMessage, Order
from orders.models.inbound import ACCEPTED
from orders.order_page.advice_buttons import Ways
from orders.search.list_search import OrderSearch, order_anchor
from orders.texts.refusal_hints import why_refused

AnswerFilter = word_filter(
    "answer",
    _("answer"),
    {
        "accepted": (_("Accepted"), Q(rsp_code=ACCEPTED)),
        "refused": (_("Refused"), ~Q(rsp_code=ACCEPTED)),
        "signature": (_("Wrong signature"), Q(rsp_code="20208")),
        "token": (_("Token unknown or expired"), Q(rsp_code__in=["20305", "20311"])),
        "clock": (_("Time too far off"), Q(rsp_code__in=["20209", "20210"])),
        "content": (_("Bad content"), Q(rsp_code="20505")),
        "business": (_("Business failure"), Q(rsp_code="30000")),
    },
)


def tone(rsp_code: str) -> str:
    return "green" if rsp_code == ACCEPTED else "red"


def order_named(message: InboundMessage) -> Order | None:
    return Order.objects.filter(number=message.order_number).first() if message.order_number else None


def _number_link(message: InboundMessage) -> str | None:
    """Returns a link to a search in the order list, since the order may not exist."""
    if not message.order_number:
        return None
    url = f"{reverse('admin:orders_order_changelist')}?{urlencode({'q': message.order_number})}"
    return format_html('<a class="mono cut" title="{1}" href="{0}">{1}</a>', url, message.order_number)


class InboundList:
    search_fields = ["order_number__startswith", "trans_ido__startswith"]
    search_help_text = _("order number or transaction number: whole, or how it begins")

    def order_of(self, obj):
        return order_named(obj)

    def heading(self, obj):
        return obj.order_number or obj.trans_ido

    number_link = column(_("order number"), attrgetter("order_number"), _number_link, empty_value="-")
    answer_chip = chip_column(_("answer code"), lambda obj: (tone(obj.rsp_code), obj.rsp_code, ""))
    answer_text = cut_column(_("outcome"), lambda obj: why_refused(obj).what)
    received = ago_field("received_at", _("received at"))
    body_block = column(_("message"), lambda obj: obj.personal.block(obj.body))


@register_list(InboundMessage, menu=(Section.TRACE, 10), empty=_("BBOSS has sent nothing yet."), name="inbound")
class InboundMessageAdmin(InboundList, PersonalData, ScopedByNumber, AdvisedPage, ReadOnlyAdmin):
    list_display = ["trans_ido", "answer_chip", "answer_text", "number_link", "biz_code", "remote_address", "received"]
    list_filter = [AnswerFilter, day_filter("received_at", _("received"), parameter="received"), PlacesFilter]
    personal_columns = {"rsp_desc": mask_text_or_json}
    column_meanings = {
        "trans_ido": _("BBOSS's number of the message"),
        "answer_chip": _("code of our answer"),
        "answer_text": _("what our answer means"),
        "biz_code": _("code of the business in our answer"),
        "remote_address": _("the address from which it came"),
        "rsp_desc": _("text of our answer"),
    }
    description = raw_field("rsp_desc", _("answer as sent"))
    fieldsets = [
        (None, {"fields": ["why", "next_step", "hint_block", "answer_chip", "description"]}),
        (_("Call"), {"fields": [
            "order_link", "received_at", "remote_address", "trans_ido", "trans_idh", "http_status", "biz_code",
            "signed", "length", "sha256",
        ]}),
        (_("Message"), {"fields": ["body_block"]}),
    ]  # fmt: skip

    order_link = column(_("order number"), lambda obj: order_anchor(order_named(obj)) or obj.order_number or "-")
    why = column(_("why"), lambda obj: why_refused(obj).what)
    next_step = column(_("what to do"), lambda obj: why_refused(obj).next, advised_cell)

    def advise(self, request, obj):
        return Ways(request.user).advise(why_refused(obj).advice)

    @admin.display(description=_("what was wrong"))
    def hint_block(self, obj):
        """Returns the hint, masked by default. For a wrong signature it contains the signed text with all content."""
        return obj.personal.block(obj.hint)


@register_list(
    AcceptedCall, menu=(Section.ENGINE, 140), needed_by={Role.ENGINEER}, empty=_("No request has been accepted yet.")
)
class AcceptedCallAdmin(Scoped, OrderSearch, ReadOnlyAdmin):
    list_per_page = 100
    list_display = ["trans_ido", "order_link", "content_hash"]
    list_select_related = ["order"]

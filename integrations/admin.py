"""Admin pages for heartbeats, lease locks, BPM's callbacks, breakers and tokens (integrations/api/token_pages.py)."""

from django.contrib import admin
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from integrations.api.token_pages import ApiTokenAdmin
from integrations.bpm.kept_callbacks import without_operators
from integrations.models import HEARTBEAT_LIMIT, ApiToken, BpmCallback, Breaker, Heartbeat, LeaseLock
from notifications.masks import mask_text
from orders.admin.cause_cells import AdvisedPage, advised_cell
from orders.admin.inbound import InboundList, order_named
from orders.incidents.incident_codes import BREAKER_OPEN
from orders.lists.cells import column, cut
from orders.lists.chips import toned_chip
from orders.lists.filter_kinds import PlacesFilter, day_filter, word_filter
from orders.lists.personal_data import PersonalData, raw_field
from orders.lists.read_only import ReadOnlyAdmin
from orders.lists.registration import ENGINE_ROOM, Role, Section, register_list
from orders.lists.scope import ScopedByNumber
from orders.lists.time_cells import ago_field
from orders.order_page.advice_buttons import Ways
from orders.order_words.error_details import code_of
from orders.order_words.history import PARTNER_NAMES
from orders.search.list_search import order_anchor
from orders.texts.incident_texts import cause_of

CallbackFilter = word_filter(
    "answer",
    _("answer"),
    {
        "waiting": (_("Waits for its process"), Q(record__isnull=False)),
        "applied": (_("Applied later"), Q(applied_at__isnull=False)),
        "refused": (_("Refused"), ~Q(http_status=200)),
        "caller": (_("Caller not recognised"), Q(http_status=401)),
    },
)
OUTCOMES = {
    400: _("It can't be read: a member is wrong."),
    401: _("Its sender is not recognised: signature, token or address."),
    404: _("We have no such order."),
    409: _("This record came before with another body."),
    413: _("It is too large."),
}
LEASES = {
    "linger": _("waiting for new work"),
    "search": _("the search's index"),
    "probes": _("test calls"),
}


@register_list(
    Heartbeat,
    menu=(Section.ENGINE, 10),
    empty=_("No worker is running; start it with manage.py worker."),
    same_for_all=True,
)
class HeartbeatAdmin(ReadOnlyAdmin):
    sortable_by = None
    list_per_page = 100
    list_display = fields = ["cluster", "alive", "seen", "started_at", "replaced"]
    readonly_fields = ["alive", "seen"]

    @admin.display(description=_("state"))
    def alive(self, obj):
        fresh = abs(timezone.now() - obj.seen_at) < HEARTBEAT_LIMIT
        tone, word = ("green", _("Worker alive")) if fresh else ("red", _("Worker silent"))
        if not fresh and obj.has_ended:
            tone, word = "grey", _("Worker stopped")
        return toned_chip(tone, word)

    seen = ago_field("seen_at", _("last sign of life"), ordering="seen_at")


@register_list(
    LeaseLock,
    menu=(Section.ENGINE, 40),
    empty=_("No worker has taken a lease lock yet."),
    readers=ENGINE_ROOM,
    same_for_all=True,
)
class LeaseLockAdmin(ReadOnlyAdmin):
    sortable_by = None
    list_per_page = 100
    list_display = fields = readonly_fields = ["what", "holder_of_it", "until_when"]

    def heading(self, obj):
        return self.what(obj)

    @admin.display(description=_("work that one worker does at a time"))
    def what(self, obj):
        return LEASES.get(obj.name, obj.name)

    @admin.display(description=_("held by"), empty_value="-")
    def holder_of_it(self, obj):
        return obj.holder or "-"

    until_when = ago_field("until", _("until"), empty_value="-")


@register_list(
    BpmCallback,
    menu=(Section.TRACE, 15),
    empty=_("No callback of BPM has been refused, and none waits for its process."),
)
class BpmCallbackAdmin(InboundList, PersonalData, ScopedByNumber, ReadOnlyAdmin):
    list_display = ["received", "answer_chip", "outcome", "reason", "number_link", "process", "remote_address"]
    list_display_links = ["received"]
    list_filter = [CallbackFilter, day_filter("received_at", _("received"), parameter="received"), PlacesFilter]
    search_fields = ["order_number__startswith", "process__startswith"]
    search_help_text = _("order number or process: whole, or how it begins")
    fieldsets = [
        (None, {"fields": ["answer_chip", "outcome", "reason_block", "applied_at"]}),
        (_("Call"), {"fields": [
            "order_link", "process", "received_at", "remote_address", "signed", "length", "sha256",
        ]}),
        (_("Message"), {"fields": ["body_block"]}),
    ]  # fmt: skip
    reason = column(_("why"), lambda obj: cut(mask_text(obj.why)))
    reason_block = raw_field("why", _("why"))
    order_link = column(_("order number"), lambda obj: order_anchor(order_named(obj)) or obj.order_number or "-")

    def heading(self, obj):
        return obj.order_number or obj.process or str(obj.http_status)

    @admin.display(description=_("outcome"))
    def outcome(self, obj):
        if obj.http_status == 200:
            return _("Waits for its process") if obj.record else _("Applied later")
        return OUTCOMES.get(obj.http_status, "-")

    @admin.display(description=_("answer code"))
    def answer_chip(self, obj):
        tone = "amber" if obj.record else "green" if obj.http_status == 200 else "red"
        return toned_chip(tone, str(obj.http_status))

    @admin.display(description=_("message"))
    def body_block(self, obj):
        """Returns the body as HTML. Also masks operators' names, whether the member has our name or BPM's."""
        return obj.personal.block(obj.body if obj.personal.shown else without_operators(obj.body))


@register_list(Breaker, menu=(Section.ENGINE, 20), empty=_("No partner has been called yet."), same_for_all=True)
class BreakerAdmin(AdvisedPage, ReadOnlyAdmin):
    sortable_by = None
    list_per_page = 100
    list_display = ["partner_name", "breaker_chip", "why", "failures", "opened", "probe"]
    readonly_fields = ["partner_name", "breaker_chip", "why", "what_to_do", "opened", "probe", "problem"]
    fields = ["partner_name", "breaker_chip", "why", "what_to_do", "failures", "opened", "probe", "problem"]
    problem = raw_field("last_error", _("last error"))

    def heading(self, obj):
        return self.partner_name(obj)

    @admin.display(description=_("partner"))
    def partner_name(self, obj):
        return PARTNER_NAMES.get(obj.partner, obj.partner)

    @admin.display(description=_("breaker"))
    def breaker_chip(self, obj):
        tone, word = ("red", _("Open: calls wait")) if obj.opened_at else ("green", _("Closed: calls go out"))
        return toned_chip(tone, word)

    @admin.display(description=_("cause"))
    def why(self, obj):
        return cause_of(code_of(obj.last_code, obj.last_error)).what if obj.last_error else "-"

    def advise(self, request, obj):
        return Ways(request.user).advise(cause_of(BREAKER_OPEN).advice if obj.opened_at else ())

    what_to_do = column(
        _("what to do"), lambda obj: cause_of(BREAKER_OPEN).next if obj.opened_at else "-", advised_cell
    )

    opened = ago_field("opened_at", _("open since"))

    probe = ago_field("probe_at", _("next probe"))


register_list(
    ApiToken,
    menu=(Section.SETUP, 70),
    needed_by={Role.ADMINISTRATOR, Role.APPROVER},
    empty=_("No system may read orders yet. Make a token for one that should."),
    readers={Role.ADMINISTRATOR, Role.APPROVER},
)(ApiTokenAdmin)

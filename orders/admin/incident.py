"""Incidents and the orders that they stopped."""

from django.contrib import admin
from django.db.models import Count, Q
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from orders.admin.chips import StateChip
from orders.admin.filters import day_filter, word_filter
from orders.admin.incident_acts import IncidentActs
from orders.admin.moments import ago
from orders.admin.read_only import ReadOnlyAdmin, ReadOnlyInline
from orders.admin.scope import Scoped, ScopedByAffected, attributions_of, limit
from orders.admin.search import OrderSearch
from orders.causes import cause_of
from orders.models import AffectedOrder, Dispatch, Incident

State = Incident.State
PARTNERS = {"bigdata": _("Big data"), "bpm": _("BPM"), "mail": _("Mail"), "files": _("Files"), "order": _("The order")}
STEPS = dict(Dispatch.Step.choices)

OpenFilter = word_filter("open", _("open"), {
    "yes": (_("Not over yet"), Q(state__in=[State.OPEN, State.ACKNOWLEDGED])),
    "no": (_("Over"), Q(state__in=[State.RESOLVED, State.IGNORED])),
})  # fmt: skip
PartnerFilter = word_filter(
    "partner", _("partner"), {word: (label, Q(partner=word)) for word, label in PARTNERS.items()}
)
StoppedFilter = word_filter("stopped", _("stopped"), {
    "yes": (_("Still stopped"), Q(closed_at=None)),
    "no": (_("Went on"), Q(closed_at__isnull=False)),
})  # fmt: skip


class AffectedOrderInline(ReadOnlyInline):
    model = AffectedOrder
    fields = ["order", "detail", "since", "closed_at"]

    def get_queryset(self, request):
        return limit(super().get_queryset(request), request.user).select_related("order")


@admin.register(Incident)
class IncidentAdmin(IncidentActs, ScopedByAffected, StateChip, ReadOnlyAdmin, admin.ModelAdmin):
    list_display = ["cause", "partner_name", "step_name", "state_chip", "orders_stopped", "owner", "first", "last"]
    list_display_links = ["cause"]
    list_filter = [OpenFilter, "state", PartnerFilter, day_filter("first_at", _("first at"), parameter="first")]
    list_select_related = ["owner"]
    list_per_page = 50
    sortable_by = []
    search_fields = ["code__startswith", "step__startswith"]
    search_help_text = _("error code or step: whole, or how it begins")
    inlines = [AffectedOrderInline]
    readonly_fields = ["cause", "what_to_do", "state_chip"]
    fields = [
        "cause", "what_to_do", "partner", "step", "code", "state_chip", "owner", "detail", "note", "count",
        "first_at", "last_at",
    ]  # fmt: skip

    def get_queryset(self, request):
        """With the number of orders that the person may see and that are still stopped."""
        still, letters = Q(affected__closed_at=None), attributions_of(request.user)
        if letters is not None:
            still &= Q(affected__order__attribution__in=letters)
        return super().get_queryset(request).annotate(still=Count("affected", filter=still))

    @admin.display(description=_("cause"))
    def cause(self, incident):
        return format_html("{} <code>{}</code>", cause_of(incident.code).what, incident.code)

    @admin.display(description=_("what to do"))
    def what_to_do(self, incident):
        return cause_of(incident.code).next

    @admin.display(description=_("partner"))
    def partner_name(self, incident):
        return PARTNERS.get(incident.partner, incident.partner)

    @admin.display(description=_("step"), empty_value="-")
    def step_name(self, incident):
        return STEPS.get(incident.step, incident.step) or None

    @admin.display(description=_("orders stopped"))
    def orders_stopped(self, incident):
        if not incident.still:
            return "0"
        url = reverse("admin:orders_affectedorder_changelist")
        return format_html('<a href="{}?incident={}&amp;stopped=yes">{}</a>', url, incident.pk, incident.still)

    @admin.display(description=_("first at"))
    def first(self, incident):
        return ago(incident.first_at)

    @admin.display(description=_("last at"))
    def last(self, incident):
        return ago(incident.last_at)


@admin.register(AffectedOrder)
class AffectedOrderAdmin(OrderSearch, Scoped, ReadOnlyAdmin, admin.ModelAdmin):
    list_display = ["order", "incident", "since", "closed_at", "detail"]
    list_filter = [StoppedFilter, day_filter("since", _("since"))]
    list_select_related = ["order", "incident"]
    search_help_text = _("order number: whole, or how it begins")
    sortable_by = []

    def lookup_allowed(self, lookup, value, request):
        return lookup == "incident" or super().lookup_allowed(lookup, value, request)

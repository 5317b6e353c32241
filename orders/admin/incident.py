"""Incidents and the orders stopped by them."""

from operator import attrgetter

from django.contrib import admin
from django.db.models import Case, Count, Exists, OuterRef, Q, When
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from orders.admin.cause_cells import advised_cell
from orders.admin.incident_pages import IncidentPages
from orders.incidents.incident_codes import BREAKER_OPEN
from orders.incidents.incidents import shared_by
from orders.lists.assign_owner import owned_pages
from orders.lists.cells import actor_field, column, cut, row_link
from orders.lists.chips import chip, toned_chip
from orders.lists.filter_kinds import PlacesFilter, day_filter, word_filter
from orders.lists.owner_column import OwnerFilter, owner_column
from orders.lists.page_fingerprint import ChangeFields
from orders.lists.personal_data import mask_text_or_json, masked_field, raw_field
from orders.lists.read_only import ReadOnlyAdmin
from orders.lists.registration import EVERYBODY, TRACES, Section, register_list
from orders.lists.scope import Scoped, attributions_of
from orders.lists.time_cells import ago_field, short_moment
from orders.models import AffectedOrder, Dispatch, Incident, Order
from orders.models.querysets import UNRESOLVED
from orders.office.bulk.selection import HandledFilter, TickedList
from orders.order_words.error_details import of_trouble
from orders.order_words.history import PARTNER_NAMES as PARTNERS
from orders.order_words.pause_words import backlog_words
from orders.pauses.backlog import backlog_of
from orders.people.owned_work import set_owners
from orders.rules.steps import STEPS as KINDS
from orders.search.list_search import OrderSearch
from orders.texts.incident_texts import cause_of, title_of

STEPS = dict(Dispatch.Step.choices) | {"approval": _("Approval")}

OpenFilter = word_filter(
    "open",
    _("over or not"),
    {
        "yes": (_("Not over yet"), Q(state__in=[Incident.State.OPEN, Incident.State.ACKNOWLEDGED])),
        "no": (_("Over or ignored"), Q(state__in=[Incident.State.RESOLVED, Incident.State.IGNORED])),
    },
)
PartnerFilter = word_filter(
    "partner", _("partner"), {word: (label, Q(partner=word)) for word, label in PARTNERS.items()}
)
StoppedFilter = word_filter(
    "stopped",
    _("stopped"),
    {
        "yes": (_("Still stopped"), Q(closed_at=None)),
        "no": (_("Not stopped by it any more"), Q(closed_at__isnull=False)),
    },
)


def sleeps(incident: Incident) -> bool:
    return incident.state in UNRESOLVED and incident.is_asleep(timezone.now())


def step_words(incident: Incident) -> str:
    """Returns the name of the incident's step, or of the channel if steps of several kinds share the incident."""
    if len(shared_by(incident.step, incident.code)) > 1:
        return Dispatch.Channel(KINDS[incident.step].channel).label
    return STEPS.get(incident.step, incident.step)


def asleep_words(incident: Incident) -> str:
    return gettext("sleeps until %(until)s") % {"until": short_moment(incident.asleep_until)}


def _stopped_link(incident: Incident) -> str:
    if not incident.still:
        return "0"
    url = reverse("admin:orders_affectedorder_changelist")
    return format_html('<a href="{}?incident={}&amp;stopped=yes">{}</a>', url, incident.pk, incident.still)


class ScopedByAffected:
    """Shows only incidents that stopped at least one order that the user may see."""

    def get_queryset(self, request):
        rows, letters = super().get_queryset(request), attributions_of(request.user)
        if letters is None:
            return rows
        return rows.filter(
            Exists(AffectedOrder.objects.filter(incident=OuterRef("pk"), order__attribution__in=letters))
        )


@register_list(
    Incident,
    menu=(Section.DESK, 50),
    needed_by=EVERYBODY,
    empty=_("No incident yet. One opens when a partner refuses, retries are used up or an order is held."),
    name="incidents",
    tones={
        "grey": [Incident.State.IGNORED],
        "violet": [Incident.State.ACKNOWLEDGED],
        "red": [Incident.State.OPEN],
        "green": [Incident.State.RESOLVED],
    },
)
class IncidentAdmin(TickedList, IncidentPages, ScopedByAffected, ReadOnlyAdmin):
    pages = [owned_pages]
    list_display = [
        "cause",
        "state_chip",
        "orders_stopped",
        "partner_name",
        "step_name",
        "owner_name",
        "first",
        "last",
        "asleep",
    ]
    list_display_links = ["cause"]
    change_fields = ChangeFields(["owner", "last_at", "count"])
    column_meanings = {
        "cause": _("what happened"),
        "state_chip": _("whether somebody sees to it"),
        "orders_stopped": _("how many orders it still stops"),
        "partner_name": _("whom it is about"),
        "step_name": _("which step failed"),
        "first": _("when it happened first"),
        "asleep": _("until when nobody is mailed about it"),
        "last": _("when it happened last"),
    }
    list_filter = [
        OpenFilter,
        OwnerFilter,
        "state",
        PartnerFilter,
        day_filter("first_at", _("first at"), parameter="first"),
        PlacesFilter,
        HandledFilter,
    ]
    add_facts = staticmethod(set_owners)
    ordering = ["-pk"]  # Django ignores the model's ordering in grouped queries
    search_fields = ["code__startswith", "step__startswith"]
    search_help_text = _("error code or step: whole, or how it begins")
    raw_code = raw_field("code", _("error code"))
    fieldsets = [
        (None, {"fields": ["what_to_do", "state_chip", "asleep", "orders_stopped", "backlog"]}),
        (
            _("Details"),
            {"fields": ["partner_name", "step_name", "last_detail", "raw_code", "count", "first_at", "last_at"]},
        ),
    ]

    def heading(self, obj):
        return title_of(obj.code, obj.words)

    def get_object(self, request, object_id, from_field=None):
        """Sets `letters`, the user's attributions, and `others`, which is true if the incident also stopped orders
        outside them."""
        obj = super().get_object(request, object_id, from_field)
        if obj is not None:
            letters = attributions_of(request.user)
            obj.others = letters is not None and obj.affected.exclude(order__attribution__in=letters).exists()
            obj.letters = letters
        return obj

    def get_fieldsets(self, request, obj=None):
        """Hides `count` and the last detail if the incident also stopped orders that the user may not see, and the
        waiting calls unless it is an open breaker."""
        hidden = {"count", "last_detail"} if obj and obj.others else set()
        if not obj or obj.code != BREAKER_OPEN or obj.state not in UNRESOLVED:
            hidden.add("backlog")
        return [
            (title, more | {"fields": [name for name in more["fields"] if name not in hidden]})
            for title, more in super().get_fieldsets(request, obj)
        ]

    def get_ordering(self, request):
        """Sorts sleeping incidents last."""
        asleep = Q(asleep_until__gt=timezone.now(), state__in=UNRESOLVED)
        return [Case(When(asleep, then=1), default=0), *super().get_ordering(request)]

    def get_queryset(self, request):
        still, letters = Q(affected__closed_at=None), attributions_of(request.user)
        if letters is not None:
            still &= Q(affected__order__attribution__in=letters)
        return super().get_queryset(request).annotate(still=Count("affected", filter=still))

    cause = column(_("cause"), lambda incident: title_of(incident.code, incident.words))
    last_detail = column(_("last detail"), lambda incident: mask_text_or_json(of_trouble(incident)) or "-")
    what_to_do = column(_("what to do"), lambda incident: cause_of(incident.code).next, advised_cell)
    partner_name = column(
        _("partner"), lambda row: "-" if row.partner == "order" else PARTNERS.get(row.partner, row.partner)
    )
    step_name = column(_("step"), lambda incident: step_words(incident) or "-", empty_value="-")

    backlog = column(
        _("waiting calls"),
        lambda row: backlog_words(backlog_of(row.partner, since=row.first_at, now=timezone.now())),
    )
    orders_stopped = column(_("orders stopped"), attrgetter("still"), _stopped_link)
    asleep = column(
        _("sleeps until"),
        lambda row: asleep_words(row) if sleeps(row) else "-",
        lambda row: toned_chip("grey", asleep_words(row)) if sleeps(row) else "-",
    )
    owner_name = owner_column
    first = ago_field("first_at", _("first at"))
    last = ago_field("last_at", _("last at"))


@register_list(AffectedOrder, menu=(Section.DESK, 55), needed_by=TRACES, empty=_("No order has been stopped yet."))
class AffectedOrderAdmin(OrderSearch, Scoped, ReadOnlyAdmin):
    who_accepted = actor_field("accepted_by", _("accepted by"))
    list_display = ["cause", "order_link", "order_chip", "what", "since_when", "went_on"]
    list_filter = [StoppedFilter, day_filter("since", _("since"))]
    linked_by = ["incident"]
    list_select_related = ["order", "incident"]
    why = masked_field("reason", _("reason of accepting"))
    fields = ["order", "order_chip", "incident_link", "what", "since", "closed_at", "who_accepted", "why"]

    def heading(self, obj):
        return f"{obj.order.number} · {title_of(obj.incident.code, obj.incident.words)}"

    order_chip = column(_("order's state"), lambda obj: chip(Order.State(obj.order.state)))
    cause = column(_("cause"), lambda obj: cut(title_of(obj.incident.code, obj.incident.words)))

    @admin.display(description=_("incident"))
    def incident_link(self, obj):
        return row_link("orders_incident", obj.incident_id, title_of(obj.incident.code, obj.incident.words))

    what = column(_("detail"), lambda obj: cut(mask_text_or_json(of_trouble(obj))))
    since_when = ago_field("since", _("since"))
    went_on = ago_field("closed_at", _("over since"))

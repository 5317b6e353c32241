"""The outbox: its steps and their attempts."""

from django.contrib import admin
from django.db.models import Q
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from notifications.models import Mail
from orders.admin.cause_cells import CauseCells
from orders.lists.cells import column, cut_column, row_link
from orders.lists.chips import ChipParts, chip, chip_column, parts_of, undoubted_parts
from orders.lists.filter_kinds import PlacesFilter, day_filter, word_filter
from orders.lists.personal_data import PersonalData, mask_text_or_json, raw_field
from orders.lists.read_only import ReadOnlyAdmin
from orders.lists.registration import Role, Section, register_list
from orders.lists.scope import Scoped
from orders.lists.time_cells import ago_field, ahead, took
from orders.models import Attempt, BillingDispatch, BpmDispatch, Dispatch, Order
from orders.models.dispatch import OPEN_STATES
from orders.order_words.error_details import of_attempt, of_step
from orders.rules.steps import Partner, channels_of
from orders.search.list_search import OrderSearch, order_field
from orders.texts.incident_texts import cause_of

FEW = 10
BacklogFilter = word_filter(
    "backlog",
    _("backlog"),
    {
        "yes": (_("To be sent or retried"), Q(state__in=OPEN_STATES)),
        "failed": (_("Failed, not replaced"), Q(state=Dispatch.State.FAILED, superseded=False)),
    },
)
PartnerFilter = word_filter(
    "partner",
    _("partner"),
    {partner.value: (partner.label, Q(channel__in=channels_of(partner))) for partner in Partner},
)

StepFilter = word_filter(
    "step", _("step"), {step.value: (step.label, Q(dispatch__step=step)) for step in Dispatch.Step}
)


@undoubted_parts.register
def _parts(row: Dispatch) -> ChipParts:
    """Uses other labels for two kinds of steps: a mail that was sent, and a check that waits for missing files."""
    state = row.State(row.state)
    if row.channel == Dispatch.Channel.MAIL and state == Dispatch.State.DONE:
        return parts_of(Mail.State.DONE)
    if row.channel == Dispatch.Channel.FILES and state == Dispatch.State.RETRYING:
        return "amber", _("To be completed"), ""
    return parts_of(state)


@register_list(
    Dispatch,
    menu=(Section.ENGINE, 110),
    needed_by={Role.ENGINEER},
    empty=_("Nothing is to be sent yet. Steps are laid out when an order is planned."),
    tones={
        "grey": [Dispatch.State.WAITING, Dispatch.State.CLOSED, Dispatch.State.UNDONE, Dispatch.State.GIVEN_UP],
        "blue": [Dispatch.State.DUE, Dispatch.State.SENDING],
        "amber": [Dispatch.State.RETRYING],
        "red": [Dispatch.State.FAILED],
        "green": [Dispatch.State.DONE],
    },
)
class DispatchAdmin(PersonalData, OrderSearch, Scoped, CauseCells, ReadOnlyAdmin):
    ordering = ["-pk"]
    list_display = ["step", "order_link", "state_chip", "channel", "attempts", "next_try", "why", "created"]
    list_filter = [BacklogFilter, "state", PartnerFilter, "step"]
    list_select_related = ["order"]
    code = raw_field("error_code", _("error code"))
    problem = raw_field("error", _("error as logged"))
    fieldsets = [
        (None, {"fields": [
            "order", "step", "channel", "state_chip", "cause", "what_to_do", "problem", "code", "definite",
        ]}),
        (_("Attempts"), {"fields": ["latest_attempts"]}),
        (_("Times"), {"fields": ["created_at", "not_before", "next_try_at", "frozen_at", "done_at"]}),
        (
            _("Plan"),
            {"fields": ["position", "blocking", "gate", "lane", "undo", "attempts", "tries_left", "superseded"]},
        ),
        (_("Message"), {"fields": ["key", "records", "about_block", "payload_block"]}),
    ]  # fmt: skip

    def heading(self, obj):
        return f"{obj.order.number} · {obj.get_step_display()}"

    @admin.display(description=_("latest attempts"))
    def latest_attempts(self, obj):
        """Shows the latest FEW attempts. A step may have thousands of attempts, which have a list of their own."""
        rows = list(obj.tries.order_by("-pk")[:FEW])
        return render_to_string("includes/attempts.html", {"rows": rows, "dispatch": obj, "more": obj.attempts > FEW})

    payload_block = column(_("payload"), lambda obj: obj.personal.block(obj.payload))
    about_block = column(_("what it is about"), lambda obj: obj.personal.block(obj.about))

    def get_queryset(self, request):
        return super().get_queryset(request).defer("payload")

    next_try = column(_("next try"), lambda obj: ahead(obj.next_try_at))
    created = ago_field("created_at", _("created at"))

    @admin.display(description=_("error"), empty_value="")
    def why(self, obj):
        """Returns the reason of the failure. For a code of the partner (`code_...`) it shows the partner's text, which
        is more precise."""
        if not obj.error_code:
            return None
        what = cause_of(obj.error_code).what
        own = mask_text_or_json(of_step(obj)) if obj.error_code.startswith("code_") else ""
        return format_html('<span class="cut" title="{}">{}</span>', f"{what} {own}".strip(), own or what)


class ChannelDispatchAdmin(DispatchAdmin):
    """The outbox of one partner. The list also shows the state of each step's order."""

    list_display = ["step", "order_link", "state_chip", "attempts", "next_try", "why", "order_chip", "created", "ended"]
    list_filter = [BacklogFilter, "state", day_filter("created_at", _("created at"), parameter="created")]

    ended = ago_field("done_at", _("done at"))
    order_chip = column(_("order's state"), lambda obj: chip(Order.State(obj.order.state)))


register_list(BillingDispatch, menu=(Section.SENT, 10), empty=_("Nothing has been sent to the big-data side yet."))(
    ChannelDispatchAdmin
)
register_list(BpmDispatch, menu=(Section.SENT, 20), empty=_("Nothing has been sent to BPM yet."))(ChannelDispatchAdmin)


@register_list(
    Attempt,
    menu=(Section.ENGINE, 120),
    needed_by={Role.ENGINEER},
    empty=_("No call has been made yet."),
    name="attempts",
    tones={
        "grey": [Attempt.Outcome.HANDED_BACK, Attempt.Outcome.LATE],
        "blue": [Attempt.Outcome.OPEN],
        "amber": [Attempt.Outcome.RETRY, Attempt.Outcome.ACTED_BEFORE, Attempt.Outcome.LOST, Attempt.Outcome.HELD],
        "red": [Attempt.Outcome.REFUSED, Attempt.Outcome.NOT_UNDERSTOOD],
        "green": [Attempt.Outcome.OK],
    },
)
class AttemptAdmin(PersonalData, OrderSearch, Scoped, ReadOnlyAdmin):
    outcome_chip = chip_column(_("outcome"), lambda obj: parts_of(Attempt.Outcome(obj.outcome)), ordering="outcome")
    list_per_page = 100
    attribution_path = "dispatch__order__attribution"
    search_path = "dispatch__order"
    ordering = ["-pk"]
    order_link = order_field("dispatch.order", _("order"))
    list_display = ["step_name", "order_link", "outcome_chip", "number", "what", "http_status", "began", "took_time"]
    list_filter = ["outcome", StepFilter, day_filter("started_at", _("started at"), parameter="started"), PlacesFilter]
    linked_by = ["dispatch"]
    personal_columns = {"error": mask_text_or_json}
    column_meanings = {
        "step_name": _("what was sent"),
        "outcome_chip": _("what came of it"),
        "number": _("which attempt of the step it was"),
        "what": _("the cause, where it failed"),
        "http_status": _("HTTP status of the answer; empty: no answer"),
        "began": _("when it was sent"),
        "took_time": _("how long the answer took"),
        "error": _("the error as it was logged"),
    }
    list_select_related = ["dispatch__order"]
    problem = raw_field("error", _("error as logged"))
    fields = [
        "step_link",
        "number",
        "outcome_chip",
        "what",
        "http_status",
        "answer_block",
        "started_at",
        "finished_at",
        "problem",
        "request_id",
        "worker",
    ]

    def heading(self, obj):
        words = {"order": obj.dispatch.order.number, "step": obj.dispatch.get_step_display(), "n": obj.number}
        return _("%(order)s · %(step)s, attempt %(n)d") % words

    step_name = column(_("step"), lambda obj: obj.dispatch.get_step_display())

    @admin.display(description=_("step"))
    def step_link(self, obj):
        return row_link("orders_dispatch", obj.dispatch_id, self.heading(obj))

    what = cut_column(_("cause"), lambda obj: mask_text_or_json(of_attempt(obj)))
    began = ago_field("started_at", _("started at"))
    took_time = column(_("took"), lambda obj: took(obj) or None, empty_value="-")
    answer_block = column(_("answer"), lambda obj: obj.personal.block(obj.answer))

    def order_of(self, obj):
        return obj.dispatch.order

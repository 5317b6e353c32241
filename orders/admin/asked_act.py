"""Actions that need the approval of a second person (待复核): the list, and the page that confirms or cancels an
action."""

from collections.abc import Callable

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from orders.actions.all_actions import label_of
from orders.actions.asked_decision import AskedDecision
from orders.actions.run_action import ChangedMeanwhileError, PreviewChangedError
from orders.books.books import BooksSilentError
from orders.db.unstorable_values import is_id
from orders.lists.cells import actor_field, column, cut
from orders.lists.filter_kinds import day_filter
from orders.lists.personal_data import mask_text_or_json
from orders.lists.read_only import ReadOnlyAdmin
from orders.lists.registration import Role, Section, register_list
from orders.lists.scope import RefusedFirst, attributions_of
from orders.lists.time_cells import ago_field
from orders.models import AskedAct, Order
from orders.office.asked_ends import call_off
from orders.office.bulk.asked import AskedRun
from orders.office.exports.asked import AskedExport
from orders.order_page.panel import panel_of_id
from orders.people.asked_acts import may_confirm, waiting_for, why_not_confirm
from orders.rules.four_eyes_acts import BULK, EXPORT
from orders.texts.errors import OrderError
from orders.texts.incident_texts import cause_of

PAGES_OF_ACTS: dict[str, Callable] = {BULK: AskedRun, EXPORT: AskedExport}
"""The page classes of actions that are not decisions on an order, by action."""


class ForMeFilter(admin.SimpleListFilter):
    title, parameter_name = gettext_lazy("for me"), "mine"

    def lookups(self, request, model_admin):
        return [("confirm", _("I may confirm it")), ("asked", _("I asked for it"))]

    def queryset(self, request, queryset):
        if self.value() == "confirm":
            return queryset.filter(pk__in=waiting_for(request.user, now=timezone.now()).values("pk"))
        return queryset.filter(asker_id=request.user.pk) if self.value() == "asked" else queryset


@register_list(
    AskedAct,
    menu=(Section.DESK, 27),
    needed_by=frozenset({Role.APPROVER, Role.AUDITOR}),
    empty=gettext_lazy(
        "Nothing has been asked for yet. What needs a second person waits here until somebody confirms it."
    ),
    tones={
        "violet": [AskedAct.State.OPEN],
        "green": [AskedAct.State.CONFIRMED],
        "grey": [AskedAct.State.CALLED_OFF, AskedAct.State.LAPSED],
    },
)
class AskedActAdmin(RefusedFirst, ReadOnlyAdmin):
    who = actor_field("by", gettext_lazy("asked by"), account="asker_id", at="asked_at")
    second = actor_field("ended_by", gettext_lazy("second person"), account="ender_id", at="ended_at")
    list_display = ["what", "of_order", "state_chip", "who", "asked", "lapses_at", "second", "why"]
    list_display_links = ["what"]
    list_filter = ["state", ForMeFilter, "act", day_filter("asked_at", gettext_lazy("Asked at"), parameter="at")]
    list_select_related = ["order"]
    search_fields = ["order__number__exact"]
    search_help_text = gettext_lazy("the whole order number")
    fields = ["what", "of_order", "state_chip", "who", "asked_at", "lapses_at", "second", "ended_at", "why"]

    def heading(self, obj):
        about = f" · {obj.order.number}" if obj.order else ""
        return f"{label_of(obj)}{about}"

    def get_queryset(self, request):
        """Limits users with attributions to requests about their orders and to their own requests."""
        rows, letters = super().get_queryset(request), attributions_of(request.user)
        if letters is None:
            return rows
        return rows.filter(Q(order__attribution__in=letters) | Q(asker_id=request.user.pk))

    what = column(gettext_lazy("act"), label_of)
    of_order = column(gettext_lazy("order"), lambda obj: obj.order.number if obj.order else f"#{obj.target}")
    asked = ago_field("asked_at", gettext_lazy("Asked at"))
    why = column(gettext_lazy("reason"), lambda obj: cut(mask_text_or_json(obj.reason)))

    # --- confirming and cancelling

    def get_urls(self):
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/confirm/", wrap(require_POST(self.confirm_view)), name="orders_askedact_confirm"),
            path("<int:pk>/call-off/", wrap(require_POST(self.call_off_view)), name="orders_askedact_call_off"),
            *super().get_urls(),
        ]

    def change_view(self, request, object_id, form_url="", extra_context=None):
        if request.method not in {"GET", "HEAD"} or not self.has_view_permission(request):
            raise PermissionDenied
        return self.show_act(request, self.row_or_404(request, object_id))

    def row_or_404(self, request, pk: str | int) -> AskedAct:
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = self.get_queryset(request).select_related("order", "order__trial", "order__attribution")
        row = rows.filter(pk=pk).first() if is_id(str(pk)) else None
        if row is None:
            raise Http404
        return row

    def show_act(self, request, row: AskedAct, *, why_not: str = "", again: bool = False, status: int = 200):
        """Returns the page with the request, its author and a preview. `again`: the preview has changed since it was
        shown."""
        now, user = timezone.now(), request.user
        about = PAGES_OF_ACTS.get(row.act, AskedDecision)(row)
        may = may_confirm(user, row)
        refusal = why_not_confirm(row, user, now=now) if may else None
        is_open = row.state == AskedAct.State.OPEN and now < row.lapses_at
        preview = about.preview_effects(now=now) if is_open else None
        own = row.asker_id == user.pk
        return self.show(
            request,
            "admin/orders/asked_act.html",
            status=status,
            title=self.heading(row),
            row=row,
            about=about,
            who=self.who(row),
            second=self.second(row),
            reason=mask_text_or_json(row.reason),
            is_open=is_open,
            own=own,
            preview=preview,
            again=again,
            why_not=why_not,
            refusal=refusal.words() if refusal and not own and is_open else "",
            confirmable=is_open and may and refusal is None and preview is not None and not preview.why_not,
            stoppable=is_open and (own or may),
            panel=panel_of_id(admin.site.get_model_admin(Order), request, row.order_id, acts=False),
        )

    def confirm_view(self, request, pk: int):
        row = self.row_or_404(request, pk)
        if not may_confirm(request.user, row):
            raise PermissionDenied
        digest, last_event_id = request.POST.get("told", ""), request.POST.get("seen", "")
        last_event_id = int(last_event_id) if is_id(last_event_id) else 0
        try:
            done = PAGES_OF_ACTS.get(row.act, AskedDecision)(row).confirm(
                judge=request.user, last_event_id=last_event_id, told=digest, now=timezone.now()
            )
        except (ChangedMeanwhileError, PreviewChangedError):
            return self.show_act(request, self.row_or_404(request, pk), again=True, status=409)
        except BooksSilentError as error:
            return self.show_act(request, self.row_or_404(request, pk), why_not=cause_of(error.code).what, status=409)
        except OrderError as error:
            return self.show_act(request, self.row_or_404(request, pk), why_not=error.words(), status=409)
        messages.success(request, _("Confirmed. %(what)s") % {"what": done})
        return _back(row)

    def call_off_view(self, request, pk: int):
        row = self.row_or_404(request, pk)
        if row.asker_id != request.user.pk and not may_confirm(request.user, row):
            raise PermissionDenied
        try:
            call_off(row, user=request.user, now=timezone.now())
        except OrderError as error:
            messages.warning(request, error.words())
        else:
            messages.success(request, _("Called off. Nothing was done."))
        return _back(row)


def _back(row: AskedAct) -> HttpResponse:
    """Redirects to the order's page, or to the request's page if it has no order."""
    if row.order_id:
        return redirect("admin:orders_order_change", row.order_id)
    return redirect("admin:orders_askedact_change", row.pk)

"""Admin pages of bulk runs: their progress, refused rows with reasons, and buttons that stop or continue a run."""

from functools import partial
from urllib.parse import unquote_plus, urlencode

from django.contrib import admin, messages
from django.contrib.admin import SimpleListFilter
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Q
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from orders.actions.all_actions import BULK_ACTS
from orders.db.unstorable_values import is_id
from orders.history.actors import rows_of, staff_actor
from orders.lists.cells import actor_field, column, cut, cut_column, row_link
from orders.lists.chips import ChipParts, chip_column, parts_of, undoubted_parts
from orders.lists.filter_kinds import IncorrectLookupParameters, PlacesFilter, day_filter, word_filter
from orders.lists.page_fingerprint import ChangeFields
from orders.lists.personal_data import mask_text_or_json
from orders.lists.read_only import ReadOnlyAdmin
from orders.lists.registration import Role, Section, address_of_list, register_list
from orders.lists.scope import OwnRows, RefusedFirst, is_unlimited
from orders.lists.time_cells import ago_field
from orders.models import AskedAct
from orders.office.bulk.acts import address_of, rows_for
from orders.office.bulk.bulk_runs import go_on, is_asked_for, may_go_on
from orders.office.bulk.meanings import MEANINGS
from orders.office.bulk.models import BulkItem, BulkRun
from orders.office.bulk.outcome import outcome_of_resend
from orders.office.bulk.page import answer_new_run
from orders.office.bulk.run_parts import stop
from orders.office.bulk.selection import AGAIN
from orders.office.jobs import is_made_by
from orders.rules.four_eyes_acts import BULK
from orders.texts.error_messages import say_why
from orders.texts.errors import OrderError

STOP = "orders.stop_bulkrun"
BUSY = BulkRun.UNFINISHED
REFUSED_SHOWN = 50
FailedFilter = word_filter(
    "undone",
    _("not carried out"),
    {
        "yes": (_("Some were not"), Q(failed__gt=0)),
        "no": (_("None"), Q(failed=0)),
    },
)


class SeenByActors(RefusedFirst):
    def has_view_permission(self, request, obj=None):
        return super().has_view_permission(request, obj) or any(
            act.is_allowed(request.user) for act in BULK_ACTS.values()
        )


@register_list(
    BulkRun,
    menu=(Section.TRACE, 60),
    empty=_("Nothing has been done to many rows at once yet. Each such run leaves a row here."),
    tones={
        "grey": [BulkRun.State.WAITING],
        "blue": [BulkRun.State.DRAFT, BulkRun.State.RUNNING],
        "amber": [BulkRun.State.STOPPED],
        "green": [BulkRun.State.DONE],
    },
    meanings=MEANINGS,
)
class BulkRunAdmin(SeenByActors, OwnRows, ReadOnlyAdmin):
    who = actor_field("by", _("begun by"), account="maker_id", at="created_at")
    list_display = ["what", "moment", "state_chip", "progress", "undone", "who", "why", "filter_words"]
    list_display_links = ["what"]
    list_filter = ["act", "state", FailedFilter, day_filter("created_at", _("begun at"), parameter="at")]
    right_to_all = "orders.view_bulkrun"
    change_fields = ChangeFields(["done", "failed", "total"], under_way=BUSY)
    change_form_template = "bulk/run.html"
    fields = ["what", "filter_link", "detail_words", "why", "who", "created_at", "finished_at"]

    def heading(self, obj):
        return f"{obj.get_act_display()} · {timezone.localtime(obj.created_at):%Y-%m-%d %H:%M}"

    def get_queryset(self, request):
        """Excludes drafts. Only the confirmation page shows them."""
        return super().get_queryset(request).exclude(state=BulkRun.State.DRAFT)

    def own_rows(self, user, rows):
        with_id, without = rows_of(user, actor="by", account_id="maker_id", at="created_at")
        return rows.filter(with_id | without)  # few enough that no index is needed

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        if obj is not None:
            may = request.user.has_perm(STOP) or is_made_by(obj, request.user)
            has_outcome = obj.act == BulkRun.Act.RESEND and obj.done and BULK_ACTS[obj.act].may_see(request.user)
            resent = outcome_of_resend(obj, request.user) if has_outcome else None
            items = reverse("admin:orders_bulkitem_changelist")
            context |= {
                "run": obj,
                "busy": obj.state in BUSY or (resent is not None and resent.waiting > 0),
                "under_way": obj.state in BUSY,
                "worked_off": obj.done + obj.failed,
                "left": obj.total - obj.done - obj.failed,
                "stoppable": may and obj.state in {BulkRun.State.WAITING, BulkRun.State.RUNNING},
                "resumable": may and may_go_on(obj),
                "asked": _ask_of(obj) if is_asked_for(obj) else None,
                "error": say_why(obj.error),
                "refused": refused_rows(obj, request.user),
                "resent": resent,
                "again": self.address_again(obj, request.user),
                "all_items": f"{items}?run={obj.pk}",
            }
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def address_again(self, obj, user) -> str:
        if not (obj.failed and obj.items_kept and obj.state not in BUSY and BULK_ACTS[obj.act].is_allowed(user)):
            return ""
        chooser = BULK_ACTS[obj.act].chooser
        asked = {name: obj.details[name] for name in (chooser.base_fields if chooser else ()) if name in obj.details}
        return f"{reverse('admin:orders_bulkrun_new', args=[obj.act])}?{urlencode({AGAIN: obj.pk, **asked})}"

    what = column(_("act"), lambda obj: obj.get_act_display())
    moment = ago_field("created_at", _("begun at"))
    progress = column(_("progress"), lambda obj: f"{obj.done + obj.failed:,} / {obj.total:,}")
    undone = column(_("not carried out"), lambda obj: f"{obj.failed:,}")
    why = column(_("reason"), lambda obj: cut(mask_text_or_json(obj.reason)) or "-")
    filter_words = column(_("filter"), lambda obj: cut(mask_text_or_json(said(obj))))

    @admin.display(description=_("filter"))
    def filter_link(self, obj):
        """Links the filter to the present list. A filter with personal data is masked and not linked."""
        words, query = said(obj), unquote_plus(obj.query)
        if mask_text_or_json(words) != words or mask_text_or_json(query) != query:
            return self.filter_words(obj)
        url = address_of_list(BULK_ACTS[obj.act].model)
        return format_html('<a href="{}?{}" title="{}">{}</a>', url, obj.query, _("The list as it is now"), words)

    @admin.display(description=_("details"))
    def detail_words(self, obj):
        words = BULK_ACTS[obj.act].details_of(obj)
        return " · ".join(f"{title} {mask_text_or_json(value)}" for title, value in words) or "-"

    # --- beginning, stopping, going on

    def get_urls(self):
        wrap = self.admin_site.admin_view
        return [
            path("new/<slug:key>/", wrap(partial(answer_new_run, site=self.admin_site)), name="orders_bulkrun_new"),
            path("<int:pk>/stop/", wrap(require_POST(self.stop_view)), name="orders_bulkrun_stop"),
            path("<int:pk>/go-on/", wrap(require_POST(self.go_on_view)), name="orders_bulkrun_go_on"),
            *super().get_urls(),
        ]

    def stop_view(self, request, pk: int):
        return self.steer(request, pk, stop)

    def go_on_view(self, request, pk: int):
        return self.steer(request, pk, go_on)

    def steer(self, request, pk: int, service):
        """Calls a service on a run. Allowed for the run's maker and for users who may stop a colleague's run."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        run, by = get_object_or_404(self.get_queryset(request), pk=pk), staff_actor(request.user)
        if not is_made_by(run, request.user) and not request.user.has_perm(STOP):
            raise PermissionDenied
        try:
            service(pk=pk, by=by, now=timezone.now())
        except OrderError as error:
            messages.warning(request, error.words())
        return redirect("admin:orders_bulkrun_change", pk)


@undoubted_parts.register
def _parts(row: BulkRun) -> ChipParts:
    """Returns the label of a run's state.

    A run that waits for a second person is shown as not begun. A run between two parts is shown as running.
    """
    if is_asked_for(row):
        return parts_of(AskedAct.State.OPEN)
    between_turns = row.state == BulkRun.State.WAITING and row.done + row.failed > 0
    return parts_of(BulkRun.State.RUNNING if between_turns else BulkRun.State(row.state))


def _ask_of(run: BulkRun) -> AskedAct | None:
    return AskedAct.objects.filter(act=BULK, target=run.pk, state=AskedAct.State.OPEN).first()


def said(run: BulkRun) -> str:
    return " · ".join(f"{title} {value}" for title, value in run.words) or str(_("everything"))


def refused_rows(run: BulkRun, user) -> list[tuple[str, str, str]]:
    items = list(run.items.filter(state=BulkItem.State.FAILED).order_by("target")[:REFUSED_SHOWN])
    act = BULK_ACTS[run.act]
    found = rows_for(act, user).in_bulk([item.target for item in items]) if items and act.may_see(user) else {}
    return [
        (
            act.name_of(found[item.target]) if item.target in found else f"#{item.target}",
            address_of(found[item.target]) if item.target in found else "",
            act.say_why(item.why),
        )
        for item in items
    ]


class RunFilter(SimpleListFilter):
    title, parameter_name = _("bulk run"), "run"

    def lookups(self, request, model_admin):
        return [(self.value(), f"#{self.value()[:20]}")] if self.value() else []

    def queryset(self, request, queryset):
        if not self.value():
            return queryset
        if not is_id(self.value()):
            raise IncorrectLookupParameters(self.value())
        return queryset.filter(run=self.value())


def run_words(item: BulkItem) -> str:
    return f"#{item.run_id} {item.run.get_act_display()}"


def subject_words(item: BulkItem) -> str:
    act = BULK_ACTS[item.run.act]
    if not hasattr(item, "subject"):
        item.subject = act.model._base_manager.defer(*act.large).filter(pk=item.target).first()
    return act.name_of(item.subject) if item.subject else f"#{item.target}"


def subject_anchor(item: BulkItem) -> str:
    name = subject_words(item)
    if not item.subject:
        return name
    return format_html('<a class="cut" href="{}" title="{}">{}</a>', address_of(item.subject), name, name)


@register_list(
    BulkItem,
    menu=(Section.ENGINE, 150),
    needed_by={Role.ENGINEER},
    empty=_("Nothing has been done to many rows at once yet."),
    name="bulk",
    tones={"grey": [BulkItem.State.WAITING], "red": [BulkItem.State.FAILED], "green": [BulkItem.State.DONE]},
)
class BulkItemAdmin(SeenByActors, ReadOnlyAdmin):
    list_display = ["row", "outcome", "reason", "of_run"]
    list_display_links = None
    column_meanings = {
        "row": _("the order or incident that was acted on"),
        "outcome": _("what came of it"),
        "reason": _("why it was not done"),
        "of_run": _("the run, and what it did"),
    }
    list_filter = ["state", RunFilter, PlacesFilter]
    list_select_related = ["run"]
    fields = ["row", "outcome", "reason", "of_run"]

    def add_facts(self, rows):
        for act in BULK_ACTS.values():
            items = [item for item in rows if item.run.act == act.key]
            found = act.read([item.target for item in items]) if items else {}
            for item in items:
                item.subject = found.get(item.target)

    def heading(self, obj):
        return f"{obj.run.get_act_display()} · #{obj.target}"

    def get_queryset(self, request):
        """Returns the items with rows that the user may see, from the runs of all users. Excludes the items of
        drafts."""
        rows, user = super().get_queryset(request).exclude(run__state=BulkRun.State.DRAFT), request.user
        kinds = [act for act in BULK_ACTS.values() if act.may_see(user)]
        if is_unlimited(user):
            return rows if len(kinds) == len(BULK_ACTS) else rows.filter(run__act__in=[act.key for act in kinds])
        seen = Q(pk__in=[])
        for act in kinds:
            seen |= Q(Exists(rows_for(act, user).filter(pk=OuterRef("target"))), run__act=act.key)
        return rows.filter(seen)

    row = column(_("row"), subject_words, subject_anchor)

    outcome = chip_column(_("outcome"), lambda obj: parts_of(BulkItem.State(obj.state)))
    reason = cut_column(_("reason"), lambda obj: BULK_ACTS[obj.run.act].say_why(obj.why))
    of_run = column(_("bulk run"), run_words, lambda obj: row_link("orders_bulkrun", obj.run_id, run_words(obj)))

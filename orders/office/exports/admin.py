"""Admin pages of exports. Auditors see all exports. Other users see only exports that they made or received."""

from functools import partial

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from orders.history.actors import COMMAND, STAFF, name_of, staff_actor
from orders.lists.cells import actor_field, column, cut
from orders.lists.chips import personal_chip
from orders.lists.chosen_columns import columns_of
from orders.lists.filter_kinds import day_filter, word_filter
from orders.lists.filter_link import FilterChangeList, ListFilter, filter_link, filter_words
from orders.lists.page_fingerprint import ChangeFields
from orders.lists.personal_data import mask_text_or_json
from orders.lists.read_only import ReadOnlyAdmin
from orders.lists.reason import LONGEST_REASON
from orders.lists.registration import AUDITORS, Role, Section, admin_of, exported_lists, register_list
from orders.lists.scope import OwnRows, sees_all
from orders.lists.time_cells import ago_field
from orders.office.exports.export_jobs import judge_export, stop_export, waiting_before, why_not_judge
from orders.office.exports.lists import PERMISSION, title_of_export
from orders.office.exports.meanings import MEANINGS
from orders.office.exports.models import Export
from orders.office.exports.page import answer_new_export, send_file
from orders.office.exports.rights import (
    JUDGE,
    SEE_EXPORTS,
    SEE_SCHEDULES,
    lacking,
    may_download,
    may_read,
    own_or_received,
)
from orders.office.exports.schedule_results import advice
from orders.office.jobs import is_made_by
from orders.texts.error_messages import say_why
from orders.texts.errors import OrderError
from orders.texts.secrets_in_text import without_named_secrets

BUSY = [Export.State.WAITING, Export.State.RUNNING]
PersonalFilter = word_filter(
    "personal",
    _("personal data"),
    {
        "yes": (_("Unmasked"), Q(personal=True)),
        "no": (_("Masked"), Q(personal=False)),
    },
)

BegunFilter = word_filter(
    "begun",
    _("begun"),
    {
        "schedule": (_("By itself"), Q(slot__isnull=False)),
        "hand": (_("By hand"), Q(slot__isnull=True)),
    },
)


@register_list(
    Export,
    menu=(Section.TRACE, 40),
    needed_by=AUDITORS | {Role.APPROVER},
    empty=_("No list has been exported yet. Each export leaves a row here."),
    readers=AUDITORS | {Role.APPROVER},
    same_for_all=True,
    tones={
        "grey": [Export.State.WAITING],
        "blue": [Export.State.RUNNING],
        "violet": [Export.State.ASKED],
        "red": [Export.State.FAILED],
        "green": [Export.State.DONE],
    },
    meanings=MEANINGS,
)
class ExportAdmin(OwnRows, ReadOnlyAdmin):
    changelist = FilterChangeList
    who = actor_field("by", _("exported by"), account="maker_id", at="created_at")
    judge = actor_field("judged_by", _("second person"), account="judge_id", at="judged_at")
    list_display = ["what", "moment", "state_chip", "rows", "who", "personal_data", "why", "filter_words"]
    list_display_links = ["what"]
    list_filter = [
        ListFilter,
        PersonalFilter,
        "state",
        BegunFilter,
        day_filter("created_at", _("exported at"), parameter="at"),
    ]
    search_fields = ["by"]  # shows the search box; get_search_results does the search
    search_help_text = _("the whole user name of who exported")
    linked_by = ["schedule"]
    right_to_all = SEE_EXPORTS
    change_fields = ChangeFields(["written", "total", "file"], under_way=BUSY)
    change_form_template = "exports/export.html"
    fields = [
        "what", "state_chip", "rows", "personal_data", "why", "filter_link", "column_words", "who", "created_at",
        "judge", "judged_at", "finished_at", "expires_at", "downloads",
    ]  # fmt: skip

    def heading(self, obj):
        return f"{self.what(obj)} · {timezone.localtime(obj.created_at):%Y-%m-%d %H:%M}"

    def has_view_permission(self, request, obj=None):
        return super().has_view_permission(request, obj) or request.user.has_perm(PERMISSION)

    def own_rows(self, user, rows):
        return own_or_received(user, rows)

    def get_fields(self, request, obj=None):
        return [*self.fields, *(["schedule_link", "slot"] if obj and obj.schedule else [])]

    def get_object(self, request, object_id, from_field=None):
        """Sets `readable` (the user may see the filter) and `schedule_open` (the user may open the schedule that
        created it)."""
        obj = super().get_object(request, object_id, from_field)
        if obj is not None:
            obj.readable = may_read(request.user, obj)
        if obj is not None and obj.schedule:
            obj.schedule_open = obj.schedule.owner_id == request.user.pk or sees_all(request.user, SEE_SCHEDULES)
        return obj

    def get_changelist_instance(self, request):
        found = super().get_changelist_instance(request)
        for row in found.result_list:
            row.readable = may_read(request.user, row)
        return found

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        if obj is not None:
            own, received, short = is_made_by(obj, request.user), False, []
            if obj.schedule:
                people = obj.schedule.recipients.order_by("pk")
                received = any(person.pk == request.user.pk for person in people)
                short = lacking(people, obj) if obj.file and obj.schedule_open else []
            context |= {
                "export": obj,
                "busy": obj.state in BUSY,
                "before": waiting_before(obj) if obj.state == Export.State.WAITING else 0,
                "own": own,
                "asked": obj.state == Export.State.ASKED,
                "judges": request.user.has_perm(JUDGE) and not why_not_judge(obj, request.user, now=timezone.now()),
                "received": received,
                "downloadable": (own or received) and bool(obj.file) and may_download(request.user, obj),
                "lacking": [name_of(person.username) for person in short],
                "advice": advice(obj.error["code"]) if obj.schedule and "code" in obj.error else "",
                "error": say_why(obj.error),
            }
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def get_search_results(self, request, queryset, search_term):
        account = search_term.strip()
        return queryset.filter(by__in=[f"{STAFF}:{account}", f"{COMMAND}:{account}"]) if account else queryset, False

    what = column(_("list"), lambda obj: title_of_export(obj.list_name) or "-")

    @admin.display(description=_("scheduled export"))
    def schedule_link(self, obj):
        url = reverse("admin:orders_scheduledexport_change", args=[obj.schedule_id])
        return format_html('<a href="{}">{}</a>', url, obj.schedule) if obj.schedule_open else str(obj.schedule)

    @admin.display(description=_("rows"))
    def rows(self, obj):
        if obj.state == Export.State.DONE:
            return f"{obj.written:,}"
        return "-" if obj.total is None else f"{obj.written:,} / {obj.total:,}"

    personal_data = column(_("personal data"), lambda obj: personal_chip(obj.personal))
    why = column(_("reason"), lambda obj: cut(mask_text_or_json(obj.reason)))

    @admin.display(description=_("filter"))
    def filter_words(self, obj):
        return filter_words(obj.list_name, obj.query, getattr(obj, "filter_rows", None)) if obj.readable else "-"

    @admin.display(description=_("filter"))
    def filter_link(self, obj):
        return filter_link(obj.list_name, obj.query) if obj.readable else "-"

    @admin.display(description=_("columns"))
    def column_words(self, obj):
        if not obj.readable:
            return "-"
        columns = columns_of(admin_of(obj.list_name)) if obj.list_name in exported_lists() else {}
        names = ((columns[name].label if name in columns else name,) for name in obj.columns)
        return format_html_join(", ", "{}", names)

    moment = ago_field("created_at", _("exported at"))

    # --- making and fetching

    def get_urls(self):
        wrap = self.admin_site.admin_view
        return [
            path("new/<slug:name>/", wrap(partial(answer_new_export, site=self.admin_site)), name="orders_export_new"),
            path("<int:pk>/stop/", wrap(require_POST(self.stop_view)), name="orders_export_stop"),
            path("<int:pk>/judge/", wrap(require_POST(self.judge_view)), name="orders_export_judge"),
            path("<int:pk>/download/", wrap(require_safe(self.download_view)), name="orders_export_download"),
            *super().get_urls(),
        ]

    def stop_view(self, request, pk: int):
        if not self.has_view_permission(request):
            raise PermissionDenied
        get_object_or_404(self.get_queryset(request), pk=pk)
        try:
            stop_export(pk=pk, maker=request.user, now=timezone.now())
        except OrderError as error:
            messages.warning(request, error.words())
        return redirect("admin:orders_export_change", pk)

    def judge_view(self, request, pk: int):
        """Records a second person's decision. This is an approval if `agree` is posted, otherwise a refusal with its
        `reason`."""
        if not (self.has_view_permission(request) and request.user.has_perm(JUDGE)):
            raise PermissionDenied
        get_object_or_404(self.get_queryset(request), pk=pk)
        agree, reason = "agree" in request.POST, request.POST.get("reason", "")[:LONGEST_REASON].replace("\0", "")
        reason = without_named_secrets(reason)
        try:
            judge_export(pk=pk, agree=agree, reason=reason, judge=request.user, now=timezone.now())
        except OrderError as error:
            messages.error(request, error.words() if error.code != "no_reason" else _("Say why you refuse."))
        return redirect("admin:orders_export_change", pk)

    def download_view(self, request, pk: int):
        """Sends the file to the maker or a recipient of the schedule, while the file is kept and the person's
        permissions cover it."""
        row = own_or_received(request.user, Export.objects.filter(pk=pk)).first()
        if row is None or not row.file:
            raise Http404
        if not may_download(request.user, row):
            raise PermissionDenied
        try:
            return send_file(row, by=staff_actor(request.user))
        except FileNotFoundError as error:  # EXPORT_DIR was emptied, or is not shared
            raise Http404 from error

"""Admin pages of scheduled exports. Owners change, run and delete their exports, auditors read them, and administrators
switch them off."""

from collections.abc import Callable
from functools import partial

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.shortcuts import get_object_or_404, redirect
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from orders.history.actors import name_of, staff_actor
from orders.lists.cells import column
from orders.lists.chips import personal_chip, toned_chip
from orders.lists.filter_link import filter_link
from orders.lists.personal_data import mask_text_or_json, masked_field
from orders.lists.read_only import ReadOnlyAdmin
from orders.lists.registration import AUDITORS, Section, register_list, title_of
from orders.lists.scope import OwnRows, sees_all
from orders.lists.time_cells import ago_field, short_moment
from orders.office.exports.lists import PERMISSION
from orders.office.exports.models import Export, ScheduledExport
from orders.office.exports.rights import SEE_SCHEDULES, STOP_SCHEDULES
from orders.office.exports.schedule_form import DAYS, WORKDAYS, answer_schedule_form, who_gets_nothing
from orders.office.exports.schedule_results import advice
from orders.office.exports.schedules import delete_schedule, run_schedule, switch_schedule
from orders.texts.error_messages import say_why
from orders.texts.errors import NotAllowedError, OrderError

EXPORTS_SHOWN = 20


@register_list(
    ScheduledExport,
    menu=(Section.TRACE, 50),
    needed_by=AUDITORS,
    empty=_("No scheduled export yet. One exports a saved view by itself, at the times that you choose."),
    readers=AUDITORS,
    same_for_all=True,
)
class ScheduledExportAdmin(OwnRows, ReadOnlyAdmin):
    list_display = ["title", "state_chip", "next_run", "times", "what", "who", "last_run"]
    list_display_links = ["title"]
    title = masked_field("name", _("name"))
    right_to_all = SEE_SCHEDULES
    list_select_related = ["owner", "view"]
    actions = None
    change_list_template = "exports/schedule_list.html"
    change_form_template = "exports/schedule.html"
    delete_confirmation_template = "exports/schedule_delete.html"
    fields = [
        "state_chip",
        "times",
        "what",
        "filter_link",
        "format",
        "people",
        "personal_data",
        "why",
        "who",
        "created_at",
    ]

    def has_module_permission(self, request):
        """Returns True for auditors and for users who may export. Their menu has the page."""
        return super().has_view_permission(request) or request.user.has_perm(PERMISSION)

    def has_view_permission(self, request, obj=None):
        """Also returns True for owners who may no longer export. Mails link to this page, and such owners may still
        switch the schedule off or delete it."""
        if self.has_module_permission(request):
            return True
        return self._is_own(request, obj) if obj else ScheduledExport.objects.filter(owner=request.user).exists()

    def has_delete_permission(self, request, obj=None):
        return obj is not None and self._is_own(request, obj)

    def may_stop(self, request, obj) -> bool:
        """Returns True if the user may switch the schedule off. This is the owner, or a user who may see and switch off
        all schedules."""
        others = request.user.has_perm(STOP_SCHEDULES) and sees_all(request.user, SEE_SCHEDULES)
        return self._is_own(request, obj) or others

    def _is_own(self, request, obj) -> bool:
        return obj.owner_id == request.user.pk

    def own_rows(self, user, rows):
        return rows.filter(owner=user)

    def delete_view(self, request, object_id, extra_context=None):
        try:
            return super().delete_view(request, object_id, extra_context)
        except NotAllowedError as error:
            messages.warning(request, error.words())
            return redirect("admin:orders_scheduledexport_changelist")

    def delete_model(self, request, obj):
        delete_schedule(pk=obj.pk, owner=request.user, by=staff_actor(request.user), now=timezone.now())

    def response_delete(self, request, obj_display, obj_id):
        messages.success(request, _("The scheduled export is deleted."))
        return redirect("admin:orders_scheduledexport_changelist")

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        if obj is not None:
            runs = [(row, say_why(row.error)) for row in obj.exports.order_by("-pk")[:EXPORTS_SHOWN]]
            last = runs[0][0] if runs else None
            failed = (obj.off_why or (last.error if last and last.state == Export.State.FAILED else {})).get("code", "")
            people = obj.recipients.order_by("pk")
            context |= {
                "schedule": obj,
                "own": self._is_own(request, obj),
                "runs_it": self._is_own(request, obj) and request.user.has_perm(PERMISSION),
                "stops_it": obj.is_on and self.may_stop(request, obj),
                "next_run": self.next_run(obj),
                "off_since": short_moment(obj.off_at) if obj.off_at else "",
                "off_why": say_why(obj.off_why),
                "last_error": say_why(last.error) if last and failed else "",
                "advice": advice(failed) if failed else "",
                **who_gets_nothing(people, obj.view, obj.owner, personal=obj.personal),
                "runs": runs,
            }
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    @admin.display(description=_("state"))
    def state_chip(self, obj):
        tone, word = "green", _("Switched on")
        if not obj.is_on:
            tone, word = ("red", _("Switched off after failures")) if obj.off_why else ("grey", _("Switched off"))
        elif obj.failures:
            word = ngettext("Failed %(n)d time", "Failed %(n)d times in a row", obj.failures) % {"n": obj.failures}
            tone = "amber"
        return toned_chip(tone, word)

    @admin.display(description=_("next run"))
    def next_run(self, obj):
        return short_moment(obj.next_run_at) if obj.next_run_at else "-"

    times = column(_("when"), lambda obj: f"{days_in_words(obj.weekdays)} {obj.at:%H:%M}")

    @admin.display(description=_("what"))
    def what(self, obj):
        if obj.view is None:
            return _("The saved view is gone.")
        return f"{title_of(obj.view.list_name)} · {obj.view}"

    @admin.display(description=_("filter"))
    def filter_link(self, obj):
        return filter_link(obj.view.list_name, obj.view.query) if obj.view else "-"

    who = column(_("owner"), lambda obj: name_of(obj.owner.get_username()))

    @admin.display(description=_("recipients"))
    def people(self, obj):
        accounts = obj.recipients.order_by("pk").values_list("username", flat=True)
        return ", ".join(name_of(account) for account in accounts) or "-"

    personal_data = column(_("personal data"), lambda obj: personal_chip(obj.personal))
    why = column(_("reason"), lambda obj: mask_text_or_json(obj.reason) or "-")
    last_run = ago_field("last_run_at", _("last run"))

    # --- making, changing, switching, running

    def get_urls(self):
        wrap = self.admin_site.admin_view
        return [
            path("new/", wrap(self.new_view), name="orders_scheduledexport_new"),
            path("<int:pk>/edit/", wrap(self.edit_view), name="orders_scheduledexport_edit"),
            path("<int:pk>/switch/", wrap(require_POST(self.switch_view)), name="orders_scheduledexport_switch"),
            path("<int:pk>/run/", wrap(require_POST(self.run_view)), name="orders_scheduledexport_run"),
            *super().get_urls(),
        ]

    def new_view(self, request):
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        return answer_schedule_form(request, self.admin_site, None)

    def edit_view(self, request, pk: int):
        return answer_schedule_form(request, self.admin_site, self._own(request, pk))

    def switch_view(self, request, pk: int):
        """POST. With `on=1`, the owner switches the schedule on. With `on=0`, everybody with `may_stop` switches the
        schedule off."""
        on = request.POST.get("on") == "1"
        row = self._own(request, pk) if on else get_object_or_404(self.get_queryset(request), pk=pk)
        if not (on or self.may_stop(request, row)):
            raise PermissionDenied
        return self._done(request, row, partial(switch_schedule, on=on))

    def run_view(self, request, pk: int):
        return self._done(request, self._own(request, pk), run_schedule)

    def _own(self, request, pk: int) -> ScheduledExport:
        row = get_object_or_404(ScheduledExport, pk=pk, owner=request.user)
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        return row

    def _done(self, request, row: ScheduledExport, act: Callable):
        try:
            if begun := act(pk=row.pk, owner=row.owner, by=staff_actor(request.user), now=timezone.now()):
                return redirect("admin:orders_export_change", begun.pk)
        except OrderError as error:
            messages.warning(request, error.words())
        return redirect("admin:orders_scheduledexport_change", row.pk)


def days_in_words(weekdays: str) -> str:
    """Returns `Every day`, `Monday to Friday`, or the names of the days."""
    if weekdays == "".join(DAYS):
        return str(_("Every day"))
    if weekdays == WORKDAYS:
        return str(_("Monday to Friday"))
    return str(_(", ")).join(str(DAYS[day]) for day in weekdays if day in DAYS)

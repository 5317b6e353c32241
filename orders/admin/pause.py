"""The history of pauses, and the pages for pausing and resuming a partner."""

import hashlib

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from orders.db.unstorable_values import is_id
from orders.history.actors import staff_actor
from orders.lists.cells import actor_field, column
from orders.lists.chips import toned_chip
from orders.lists.pauses_in_force import may_pause, paused_for, pauses_for, slept_through_for
from orders.lists.personal_data import masked_field
from orders.lists.read_only import ReadOnlyAdmin
from orders.lists.reason import reason_field
from orders.lists.registration import Section, register_list
from orders.lists.time_cells import ago_field
from orders.models import Pause
from orders.order_words.history import PARTNER_NAMES
from orders.order_words.pause_words import backlog_words, slept_words, will_end_hold, will_pause, will_resume
from orders.pauses.backlog import backlog_of
from orders.pauses.pause_and_resume import pause_partner
from orders.pauses.paused_steps import count_waiting, holds_in_force
from orders.pauses.planned import call_off_planned, plan_pause, planned_pauses
from orders.rules.steps import OUTSIDE
from orders.sending.reread_answers import resume_partner
from orders.texts.errors import NotAllowedError


def _moment_field(label: Promise, help_text: Promise) -> forms.DateTimeField:
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    return forms.DateTimeField(label=label, required=False, help_text=help_text, widget=widget)


class PauseForm(forms.Form):
    """The reason and the end of a pause, and the begin of a planned pause.

    `known`: the version of the pause when the page was opened.
    """

    reason = reason_field(help_text=_("Everybody reads it on every page while the pause stands."))
    begins = _moment_field(_("Begins at"), _("Empty: now. A planned pause begins by itself, and needs an end."))
    until = _moment_field(_("Goes on by itself at"), _("Empty: until somebody resumes it."))
    weekly = forms.BooleanField(label=_("Each week again"), required=False)
    known = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, data=None, *, stands: Pause | None):
        self.version = version_of(stands)
        shown = {"reason": stands.reason, "until": stands.until} if stands else {}
        super().__init__(data, initial=shown | {"known": self.version})

    def clean(self):
        """Refuses a weekly pause without a begin. Raises ValidationError if the pause has changed since the page was
        opened."""
        if self.cleaned_data.get("weekly") and "begins" not in self.errors and not self.cleaned_data["begins"]:
            self.add_error("begins", NotAllowedError("weekly_unplanned").words())
        if self.cleaned_data.get("known", "") != self.version:
            self.data = self.data.copy()
            self.data["known"] = self.version
            raise forms.ValidationError(
                _("Nothing was done: a colleague changed the pause since you opened the page. It stands above.")
            )


def _work_off(row: Pause, waiting: int | None = None) -> str:
    return backlog_words(backlog_of(row.partner, since=row.since, now=timezone.now(), waiting=waiting))


@register_list(Pause, menu=(Section.ENGINE, 30), empty=_("No partner has been paused yet."), same_for_all=True)
class PauseAdmin(ReadOnlyAdmin):
    who = actor_field("paused_by", _("paused by"), at="since")
    who_resumed = actor_field("resumed_by", _("resumed by"), at="resumed_at")
    list_display = ["partner", "pause_chip", "why", "who", "since_when", "until_when", "went_on", "who_resumed"]
    fields = ["partner", "pause_chip", "why", "who", "since", "until", "resumed_at", "who_resumed"]
    backlog = column(_("waiting calls"), _work_off)
    why = masked_field("reason", _("reason"))

    def get_fields(self, request, obj=None):
        stands = obj is not None and obj.stands(timezone.now())
        return ["backlog", *self.fields] if stands else self.fields

    def heading(self, obj):
        return f"{obj.get_partner_display()} · {timezone.localtime(obj.since):%Y-%m-%d %H:%M}"

    @admin.display(description=_("state"))
    def pause_chip(self, obj):
        if obj.stands(timezone.now()):
            meaning = _("Nothing is sent to the partner until the pause's end, or until somebody resumes it.")
            return toned_chip("amber", _("Paused"), meaning)
        return toned_chip("grey", _("Over"), _("The partner is called again. Nothing to do."))

    since_when = ago_field("since", _("since"))
    until_when = ago_field("until", _("until"))
    went_on = ago_field("resumed_at", _("went on at"))

    # --- pausing and resuming

    def get_urls(self):
        pause, resume = self.admin_site.admin_view(self.pause_view), self.admin_site.admin_view(self.resume_view)
        return [
            path("<slug:partner>/pause/", pause, name="orders_pause_partner"),
            path("<slug:partner>/resume/", resume, name="orders_resume_partner"),
            *super().get_urls(),
        ]

    def pause_view(self, request, partner: str):
        """GET shows a preview, POST pauses the partner, or changes the reason and end of its pause."""
        check_permission(request, partner)
        stands = paused_for(request).get(partner)
        about = {"partner": partner, "by": staff_actor(request.user), "now": timezone.now()}
        if is_id(off := request.POST.get("off", "")):
            return self._call_off(request, pk=int(off), **about)
        form = PauseForm(request.POST or None, stands=stands)
        if request.method == "POST" and form.is_valid():
            begins, weekly = form.cleaned_data["begins"], form.cleaned_data["weekly"]
            about |= {name: form.cleaned_data[name] for name in ("reason", "until")}
            try:
                if begins:
                    plan_pause(begins=begins, weekly=weekly, **about)
                else:
                    pause_partner(**about)
            except NotAllowedError as error:  # a time has passed, or the plan has no end
                form.add_error("begins" if begins else "until", error.words())
            else:
                if begins:
                    messages.success(request, _("The pause is planned."))
                    return redirect("admin:orders_pause_partner", partner)
                messages.success(request, _("Calls to %(partner)s are paused.") % {"partner": PARTNER_NAMES[partner]})
                return redirect("admin:index")
        steps = count_waiting(now=timezone.now(), partner=partner)
        title = _("Change the pause of %(partner)s") if stands else _("Pause %(partner)s")
        planned = planned_pauses().filter(partner=partner)
        will = will_pause(partner, steps)
        will += [_work_off(stands, steps)] if stands and steps else []
        return self.ask(request, partner, title, form=form, will=will, planned=planned)

    def _call_off(self, request, *, partner: str, **about):
        try:
            call_off_planned(partner=partner, **about)
        except NotAllowedError as error:  # a colleague was quicker, or its time is over
            messages.warning(request, error.words())
        else:
            messages.success(request, _("The planned pause is called off."))
        return redirect("admin:orders_pause_partner", partner)

    def resume_view(self, request, partner: str):
        check_permission(request, partner)
        if request.method == "POST":
            return self.resume(request, partner)
        stands = next((row for row in pauses_for(request) if row.pause.partner == partner), None)
        slept = slept_through_for(request.user, stands.pause, now=timezone.now()) if stands else []
        held = [row for row in holds_in_force() if row.partner == partner]
        why_not = "" if stands or held else _("It is not paused any more.")
        will = [*will_resume(stands, slept), _work_off(stands.pause, stands.waiting)] if stands else []
        will += [will_end_hold(row) for row in held]
        return self.ask(request, partner, _("Resume %(partner)s"), form=forms.Form(), will=will, why_not=why_not)

    def resume(self, request, partner: str):
        try:
            found = resume_partner(partner=partner, by=staff_actor(request.user), now=timezone.now())
        except NotAllowedError as error:
            messages.warning(request, error.words())
            return redirect("admin:index")
        messages.success(request, _("Calls to %(partner)s go out again.") % {"partner": PARTNER_NAMES[partner]})
        if found.slept:
            messages.warning(request, slept_words(found.slept))
        return redirect("admin:index")

    def ask(self, request, partner: str, title: str, **context) -> TemplateResponse:
        title = title % {"partner": PARTNER_NAMES[partner]}
        return self.show(request, "admin/orders/pause.html", title=title, **context)


def version_of(stands: Pause | None) -> str:
    """Returns a hash of the pause, its end and its reason. Without a pause, returns an empty string."""
    text = f"{stands.pk} {stands.until} {stands.reason}" if stands else ""
    return hashlib.sha256(text.encode()).hexdigest()[:16] if text else ""


def check_permission(request: HttpRequest, partner: str) -> None:
    if not may_pause(request.user):
        raise PermissionDenied
    if partner not in OUTSIDE:
        raise Http404

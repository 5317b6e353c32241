"""Enables and disables accounts after a confirmation page, and records this in the admin log.

Also shows whether an account can log in.
"""

import datetime

from axes.models import AccessAttempt
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from orders.lists.chips import toned_chip
from project.accounts.emergency_accounts import is_last_login
from project.accounts.last_administrator import why_last_administrator
from project.models import AccountSession, User


def with_lock(users: QuerySet, *, now: datetime.datetime) -> QuerySet:
    """Annotates the accounts with `locked`. It is True if django-axes has locked the user name for an address."""
    failed = AccessAttempt.objects.filter(
        username=OuterRef("username"),
        failures_since_start__gte=settings.AXES_FAILURE_LIMIT,
        attempt_time__gt=now - settings.AXES_COOLOFF_TIME,
    )
    return users.annotate(locked=Exists(failed))


def log_in_chip(user: User) -> str:
    """Returns the status chip of an account annotated by `with_lock`."""
    today = timezone.localdate()
    if not user.is_active:
        return toned_chip("grey", _("Disabled"), _("Nobody can log in with it until a colleague enables it again."))
    if not user.is_staff:
        return toned_chip("grey", _("May not log in"), _("The desk is not open to it until a colleague allows it."))
    if getattr(user, "locked", False):
        why = _("The password was wrong too often. It opens by itself after a while.")
        return toned_chip("red", _("Log-in locked"), why)
    if user.away_until and user.away_until >= today and (user.away_from is None or user.away_from <= today):
        word = _("Away until %(day)s") % {"day": f"{user.away_until:%m-%d}"}
        return toned_chip("amber", word, _("On leave: a deputy, if there is one, is offered what falls due meanwhile."))
    return toned_chip("green", _("May log in"), _("The person can work with it. Nothing to do."))


def may_act_on(request: HttpRequest, user: User | None, model_admin: ModelAdmin) -> bool:
    """Returns True if the user may change the account and the account is not the user's own."""
    return user is not None and user.pk != request.user.pk and model_admin.has_change_permission(request, user)


def colleague(request: HttpRequest, pk: str, model_admin: ModelAdmin) -> User:
    """Returns the account. If the user may not act on the account, raises PermissionDenied. If it does not exist and
    the user may view accounts, raises Http404."""
    user = model_admin.get_object(request, pk)
    if not may_act_on(request, user, model_admin):
        raise PermissionDenied if user or not model_admin.has_view_permission(request) else Http404
    return user


def why_not_disabled(user: User, *, now: datetime.datetime) -> str | Promise | None:
    if user.is_active and hasattr(user, "emergency") and is_last_login(user, now=now):
        return gettext_lazy("This is the last account for an emergency that can log in: mark another first.")
    return None


class DisplayedStateForm(forms.Form):
    """The state that the page displayed. If the present state differs, another person has changed it since."""

    active = forms.BooleanField(required=False, widget=forms.HiddenInput)


def enabling_page(request: HttpRequest, pk: str, model_admin: ModelAdmin) -> HttpResponse:
    """GET shows the effect. POST disables the account, or enables a disabled account. If it can't be disabled, the
    status is 409."""
    user, now = colleague(request, pk, model_admin), timezone.now()
    why_not = why_not_disabled(user, now=now)
    form = DisplayedStateForm(request.POST if request.method == "POST" else None, initial={"active": user.is_active})
    if form.is_bound and form.is_valid() and not why_not:
        if form.cleaned_data["active"] != user.is_active:
            messages.warning(request, _("Nothing was done: a colleague was faster."))
        else:
            _set_active(request, user, model_admin, now=now)
        return redirect("admin:project_user_change", user.pk)
    title = _("Disable the account of %(name)s") if user.is_active else _("Enable the account of %(name)s")
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": title % {"name": user},
        "account": user,
        "form": form,
        "why_not": why_not,
        "will": _effects(user, now),
    }
    return TemplateResponse(request, "admin/project/user/enabling.html", context, status=409 if form.is_bound else 200)


def _set_active(request: HttpRequest, user: User, model_admin: ModelAdmin, *, now: datetime.datetime) -> None:
    """Enables or disables the account, and writes the change to the admin log, like a form. Disabling an account ends
    its sessions (session_revocation.py). For the last administrator, adds an error message."""
    before = user.is_active
    values = [{"field": "is_active", "old": before, "new": not before}]
    with transaction.atomic():
        if before and (why := why_last_administrator(user)):
            return messages.error(request, why)
        user.is_active = not before
        user.save(update_fields=["is_active"])
        model_admin.log_change(request, user, [{"changed": {"fields": ["Active"], "values": values}}])
        user.note_given(request.user, now=now)
    done = _("The account of %(name)s is enabled.") if user.is_active else _("The account of %(name)s is disabled.")
    messages.success(request, done % {"name": user})


def _effects(user: User, now: datetime.datetime) -> list[str]:
    if not user.is_active:
        return [_("The person may log in again, with the same roles and attributions.")]
    number = AccountSession.objects.filter(user=user, session__expire_date__gt=now).count()
    ends = ngettext("%(n)d open session ends at once.", "%(n)d open sessions end at once.", number) % {"n": number}
    return [
        _("The person can't log in any more."),
        *([ends] if number else []),
        _("Nothing is deleted: the name stays in the history, and the account can be enabled again."),
    ]

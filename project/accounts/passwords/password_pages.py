"""The pages that request a link for a forgotten password, and that set a password through a link."""

from axes.handlers.proxy import AxesProxyHandler
from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.forms import SetPasswordForm
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache

from orders.history.actors import staff_actor
from orders.models import TrailEntry
from project.accounts.login_throttle import address_of
from project.accounts.login_trail import note_from
from project.accounts.passwords.links import HOUR, send_reset_link, user_of_link
from project.base.logs import one_line
from project.models import User

KEY = "password_key"
SENT, SET = "sent", "password_set"


class NameForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("user name"), max_length=150, widget=forms.TextInput(attrs={"autocomplete": "username"})
    )


def _page(request: HttpRequest, title: str, *, status: int = 200, **more) -> HttpResponse:
    context = admin.site.each_context(request) | {"title": title} | more
    return render(request, "admin/door.html", context, status=status)


@never_cache
def request_link(request: HttpRequest) -> HttpResponse:
    """POST sends a link. The response is the same for every name, so it does not reveal which accounts exist or have a
    password or mail address. After too many requests the status is 429."""
    title = _("Password forgotten")
    if SENT in request.GET:
        text = _(
            "If an account of this name has a password and a mail address, a mail is on its way with a link that is "
            "valid for 30 minutes. If none comes, ask an administrator for an invitation."
        )
        return _page(request, title, text=text)
    form = NameForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        name, address = one_line(form.cleaned_data["name"])[:150], address_of(request) or ""
        if send_reset_link(name, address=address, now=timezone.now()):
            return redirect(f"{reverse('admin_password_reset')}?{SENT}=1")
        text = _("Too many links were asked for this name or from here. Try again in an hour, or ask an administrator.")
        answer = _page(request, title, text=text, status=429)
        answer["Retry-After"] = str(int(HOUR.total_seconds()))
        return answer
    text = _("Enter your user name. A link to set a new password is sent to the mail address of your account.")
    return _page(request, title, text=text, form=form, button=_("Send the link"))


@never_cache
def set_by_link(request: HttpRequest) -> HttpResponse:
    """Sets a password through a link, once. If the link is not valid, the status is 403.

    A URL with the key is redirected to a URL without the key. No log contains the query string. Until the password is
    set, the key is in a cookie, because sessions are stored in the database and its backups.
    """
    here = reverse("password_link")
    if "key" in request.GET:
        answer = redirect(here)
        if user_of_link(request.GET["key"]):
            answer.set_cookie(
                KEY, request.GET["key"], path=here, secure=settings.HTTPS_ONLY, httponly=True, samesite="Lax"
            )
        else:
            answer.delete_cookie(KEY, path=here)
        return answer
    key = request.COOKIES.get(KEY, "")
    found = user_of_link(key)
    if found is None:
        text = _("This link was used, is over, or is not whole. Ask for a new one, or ask an administrator.")
        return _page(request, _("Link not valid"), text=text, ask_anew=True, status=403)
    user, kind = found
    form = SetPasswordForm(user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            User.objects.select_for_update(no_key=True).get(pk=user.pk)
            if user_of_link(key) is None:  # checked again under the lock: another request may have used the link
                return redirect(here)
            form.save()
            note_from(request, TrailEntry.Code.PASSWORD_SET, by=staff_actor(user), about=user.username, way=kind)
        AxesProxyHandler.reset_attempts(username=user.username, ip_address=address_of(request))
        answer = redirect(f"{reverse('admin:login')}?{SET}=1")
        answer.delete_cookie(KEY, path=here)
        return answer
    more = {"form": form, "button": _("Set the password"), "text": user.get_username()}
    return _page(request, _("Set the password"), **more)

"""The page 待办邮件, which switches the user's mails about pending work on or off."""

from django.contrib import messages
from django.contrib.auth import get_user_model
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from orders.office.digest.service import readers

CHOICES = {"on": True, "off": False}


def digest_page(request: HttpRequest, site) -> HttpResponse:
    """GET: shows whether the user gets the mails. POST: switches them `on` or `off`."""
    if request.method == "POST":
        chosen = request.POST.get("mails", "")
        if chosen not in CHOICES:
            raise BadRequest("mails")
        get_user_model().objects.filter(pk=request.user.pk).update(digest=CHOICES[chosen])
        messages.success(request, _("You get these mails.") if CHOICES[chosen] else _("You get these mails no more."))
        return redirect("admin:digest")
    about = {"title": _("Mail of what waits"), "gets": readers().filter(pk=request.user.pk).exists()}
    return TemplateResponse(request, "digest/page.html", site.each_context(request) | about)

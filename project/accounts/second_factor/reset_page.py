"""Page on which an administrator resets a colleague's second factor. The colleague's next log-in sets it up again."""

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from orders.history.actors import staff_actor
from project.accounts.enable_account import colleague
from project.accounts.second_factor.codes import reset_second_factor


def reset_page(request: HttpRequest, pk: str, model_admin: ModelAdmin) -> HttpResponse:
    """GET shows a confirmation form. POST resets the second factor.

    The administrator becomes a giver of the account (contract 3.11) and can't approve its requests for a while. Users
    can't reset their own second factor here. Their own page requires a code.
    """
    user = colleague(request, pk, model_admin)
    if request.method == "POST":
        now = timezone.now()
        with transaction.atomic():
            if reset_second_factor(user, by=staff_actor(request.user), now=now):
                user.note_given(request.user, now=now)
        messages.success(request, _("The next log-in of %(name)s sets up a second factor.") % {"name": user})
        return redirect("admin:project_user_change", user.pk)
    title = _("Reset the second factor of %(name)s") % {"name": user}
    context = model_admin.admin_site.each_context(request)
    context |= {"opts": model_admin.opts, "title": title, "account": user}
    return TemplateResponse(request, "admin/second_factor/reset.html", context)

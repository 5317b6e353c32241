"""Claiming, assigning and releasing an order, an incident or a difference: the context of its page, and the form."""

from functools import partial
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from orders.history.actors import person_words, staff_actor
from orders.history.owners import OWN, possible_owners
from orders.lists.owner_column import PersonField
from orders.lists.reason import reason_field
from orders.people.owned_work import set_owners
from orders.people.ownership import OwnerChangedError, kind_of, set_owner, why_not_hands, why_not_own
from orders.texts.errors import NotAllowedError

CLAIM, GIVE, BACK = "take", "give", "back"


class OwnerForm(forms.Form):
    """The new owner and the reason. `seen`: the id of the owner that the page showed, or 0 for nobody."""

    to = PersonField(nobody=False)
    reason = reason_field(
        autofocus=False, required=False, help_text=_("It goes to the new owner by mail, and into the history.")
    )
    seen = forms.IntegerField(widget=forms.HiddenInput, min_value=0)

    def __init__(self, *args, row: Any, act: str, **kwargs):
        super().__init__(*args, **kwargs)
        if act != GIVE:
            del self.fields["to"]
            self.fields["reason"].help_text = ""
        else:
            self.fields["to"].offer(possible_owners(row), but=row.owner_id)
            self.fields["to"].widget.attrs["autofocus"] = True


def owner_line(request: HttpRequest, row: Any) -> dict:
    """Returns the page's context variable `owning`: the owner, and whether the user may change the owner."""
    set_owners([row])
    may = request.user.has_perm(OWN) and not (why_not_own(row) or why_not_hands(row, staff_actor(request.user)))
    if row.owned_by is None and not may:
        return {}
    return {
        "name": person_words(row.owned_by, timezone.localdate()) if row.owned_by else "",
        "since": row.owner_since if row.owned_by else None,
        "mine": row.owned_by == request.user.pk,
        "seen": row.owner_id or 0,
        "may": may,
        "url": reverse(f"admin:orders_{row._meta.model_name}_own", args=[row.pk]),
    }


def owned_pages(owned: Any) -> list[URLPattern]:
    """Returns the URL pattern for changing the owner of a row of `owned`, a ModelAdmin."""
    view = owned.admin_site.admin_view(partial(answer_own, owned))
    return [path("<int:pk>/own/", view, name=f"orders_{owned.opts.model_name}_own")]


def answer_own(owned: Any, request: HttpRequest, pk: int):
    """GET shows the form, with the person `to` chosen. POST changes the owner by `act`. If the owner has changed
    meanwhile, POST shows the form again."""
    row = owned.get_object(request, str(pk))
    if not request.user.has_perm(OWN) or not owned.has_view_permission(request, row):
        raise PermissionDenied
    if row is None:
        raise Http404
    act = request.POST.get("act", GIVE)
    if act not in (CLAIM, GIVE, BACK):
        raise Http404
    if request.method != "POST":
        return _ask_owner(
            owned,
            request,
            row,
            act,
            OwnerForm(row=row, act=act, initial={"seen": row.owner_id or 0, "to": request.GET.get("to")}),
        )
    form = OwnerForm(request.POST, row=row, act=act)
    if not form.is_valid():
        return _ask_owner(owned, request, row, act, form)
    return _own(owned, request, row, act, form)


def _own(owned: Any, request: HttpRequest, row: Any, act: str, form: OwnerForm):
    given = form.cleaned_data
    to = {CLAIM: request.user, BACK: None}.get(act) if act != GIVE else possible_owners(row).get(pk=given["to"])
    about = {"kind": kind_of(row).key, "pk": row.pk, "by": staff_actor(request.user), "now": timezone.now()}
    try:
        set_owner(**about, to=to, reason=given["reason"], shown_owner=given["seen"])
    except OwnerChangedError as error:
        return _ask_anew(owned, request, row, act, error)
    except NotAllowedError as error:
        form.add_error(None, error.words())
        return _ask_owner(owned, request, row, act, form, status=409)
    sentences = {CLAIM: _("It is yours now."), BACK: _("It is nobody's now.")}
    name = person_words(to.pk, timezone.localdate()) if to else ""
    messages.success(request, sentences.get(act) or _("It is with %(name)s now.") % {"name": name})
    return redirect(f"admin:orders_{owned.opts.model_name}_change", row.pk)


def _ask_anew(owned: Any, request: HttpRequest, row: Any, act: str, error: OwnerChangedError):
    row.refresh_from_db(fields=["owner", "owner_since"])
    data = request.POST.copy()
    data["seen"] = row.owner_id or 0
    anew = OwnerForm(data, row=row, act=act)
    anew.is_valid()
    anew.add_error(None, error.words())
    return _ask_owner(owned, request, row, act, anew, status=409)


def _ask_owner(owned: Any, request: HttpRequest, row: Any, act: str, form: OwnerForm, *, status: int = 200):
    set_owners([row])
    why = why_not_own(row) if act != BACK else None
    return owned.show(
        request,
        "admin/orders/own.html",
        status=status,
        title={CLAIM: _("Take it"), GIVE: _("Hand over"), BACK: _("Hand back")}[act],
        heading=owned.heading(row),
        act=act,
        form=form,
        why_not=why and why.words(),
        has=person_words(row.owned_by, timezone.localdate()) if row.owned_by else "",
        since=row.owner_since,
        page=reverse(f"admin:orders_{owned.opts.model_name}_change", args=[row.pk]),
    )

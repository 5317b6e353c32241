"""The page 离岗. It shows the user's own leave. To users who may change accounts it also shows a colleague's leave.

It also hands over all work of a person who leaves permanently.
"""

import itertools

from django import forms
from django.contrib import messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from orders.history.actors import name_of, person_words, staff_actor
from orders.history.owners import possible_people, sees_it
from orders.lists.owner_column import PersonField
from orders.lists.reason import LONGEST_REASON, WordsField
from orders.lists.registration import right_to_view
from orders.lists.scope import attributions_of
from orders.models import Province
from orders.people.ownership import OWNED_KINDS, hand_over_all, kind_of, owned_rows
from orders.texts.errors import NotAllowedError
from project.accounts.leave import end_leave, enter_leave
from project.models import User

ENTER, END, ALL = "enter", "end", "all"
SHOWN = 10
DAY = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class LeaveForm(forms.Form):
    first = forms.DateField(label=gettext_lazy("away from"), widget=DAY)
    last = forms.DateField(
        label=gettext_lazy("away until"), widget=DAY, help_text=gettext_lazy("This day is included.")
    )
    deputy = PersonField(nobody=True)

    def __init__(self, *args, user: User, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["first"].widget.attrs["autofocus"] = True
        self.fields["deputy"].label = gettext_lazy("deputy")
        self.fields["deputy"].offer(possible_people(), but=user.pk)


class HandOverForm(forms.Form):
    to = PersonField(nobody=False)
    reason = WordsField(label=gettext_lazy("Reason"), required=False, max_length=LONGEST_REASON)

    def __init__(self, *args, user: User, **kwargs):
        super().__init__(*args, prefix="all", **kwargs)
        self.fields["to"].offer(possible_people(), but=user.pk)


def leave_page(request: HttpRequest, site, person: User | None = None) -> HttpResponse:
    """GET shows the account's leave and a form. POST does what `act` says: it stores a leave, ends a leave or hands
    over all work. The response to an invalid form has status 409."""
    person = User.objects.get(pk=(person or request.user).pk)
    act, today = request.POST.get("act", ""), timezone.localdate()
    given = {"first": person.away_from or today, "last": person.away_until, "deputy": person.deputy_id or ""}
    leave = LeaveForm(request.POST if act == ENTER else None, user=person, initial=given)
    over = HandOverForm(request.POST if act == ALL else None, user=person)
    if request.method == "POST" and _do_action(request, person, act, leave, over):
        return redirect(request.path)
    own = person.pk == request.user.pk
    name = name_of(person.username, person.pk)
    begins = person.away_from if person.away_from and person.away_from > today else None
    about = {
        "title": _("Leave") if own else _("Leave of %(name)s") % {"name": name},
        "own": own,
        "person": person,
        "away": person_words(person.pk, begins or today) if person.away_until and person.away_until >= today else "",
        "begins": begins,
        "leave": leave,
        "over": over,
        "count": sum(owned_rows(kind, person).count() for kind in OWNED_KINDS.values()),
    }
    status = 200 if request.method != "POST" else 409
    return TemplateResponse(request, "admin/leave.html", site.each_context(request) | about, status=status)


def _do_action(request: HttpRequest, person: User, act: str, leave: LeaveForm, over: HandOverForm) -> bool:
    """Does the action. Returns True if it succeeded. Otherwise adds the errors to the form of the action."""
    by, now = staff_actor(request.user), timezone.now()
    form = leave if act == ENTER else over
    try:
        if act == END:
            end_leave(user=person, by=by, now=now)
            messages.success(request, _("The leave has ended."))
            return True
        if act not in (ENTER, ALL) or not form.is_valid():
            return False
        if act == ALL:
            _hand_over(request, person, form, by, now)
        else:
            _enter(request, person, form, by, now)
    except NotAllowedError as error:
        form.add_error(None, error.words())
        return False
    return True


def _enter(request: HttpRequest, person: User, form: forms.Form, by: str, now) -> None:
    given = form.cleaned_data
    deputy = possible_people().filter(pk=given["deputy"]).first()
    left = enter_leave(user=person, first=given["first"], last=given["last"], deputy=deputy, by=by, now=now)
    messages.success(request, _("The leave is entered."))
    if left:
        words = _("Left to the team, since no deputy sees it: %(what)s")
        messages.warning(request, words % {"what": _summary(left, request.user)})
    elif deputy is not None and (sees := why_not_all(person, deputy)):
        messages.warning(request, sees)


def why_not_all(person: User, deputy: User) -> str:
    """Returns a warning if the deputy can't see all attributions of the person. Otherwise returns an empty text."""
    theirs, own = attributions_of(deputy), attributions_of(person)
    if theirs is None or own is not None and own <= theirs:
        return ""
    names = Province.objects.filter(pk__in=theirs).order_by("code").values_list("name", flat=True)
    words = _("%(name)s sees %(places)s only; what else comes to you meanwhile is left to the team.")
    return words % {"name": name_of(deputy.username, deputy.pk), "places": _(", ").join(names)}


def _hand_over(request: HttpRequest, person: User, form: forms.Form, by: str, now) -> None:
    to = possible_people().get(pk=form.cleaned_data["to"])
    done = hand_over_all(user=person, to=to, by=by, now=now, reason=form.cleaned_data["reason"])
    sentence = ngettext("%(n)d thing is with %(name)s now.", "%(n)d things are with %(name)s now.", done.given)
    messages.success(request, sentence % {"n": done.given, "name": name_of(to.username, to.pk)})
    if done.left:
        words = _("Nobody's now, since %(name)s can't see it: %(what)s")
        messages.warning(
            request, words % {"name": name_of(to.username, to.pk), "what": _summary(done.left, request.user)}
        )


def _summary(rows: list[Model], reader: User) -> str:
    """Returns the titles of at most SHOWN rows that the reader may see, and the number of the other rows."""
    seen = (row for row in rows if reader.has_perm(right_to_view(type(row))) and sees_it(row, reader))
    titles = [kind_of(row).title(row) for row in itertools.islice(seen, SHOWN)]
    more = len(rows) - len(titles)
    return _("; ").join(titles) + (f" …(+{more})" if more else "")

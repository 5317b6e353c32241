"""The page 消息: the user's messages, newest first, and their reminders to come (contract 3.13)."""

from collections import defaultdict
from collections.abc import Iterable
from urllib.parse import urlencode

from django.apps import apps
from django.contrib import messages
from django.core.exceptions import BadRequest
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from orders.db.unstorable_values import is_id
from orders.history.actors import staff_actor
from orders.lists.owner_column import ME, NOBODY
from orders.mails.inbox import MANY, messages_of, reminders_ahead, take_back
from orders.models import Message
from orders.order_words.history import describe, things_words

PER_PAGE = 50


def inbox_page(request: HttpRequest, site) -> HttpResponse:
    """GET shows the messages; with `part=all` the read ones too. POST marks those up to the id `read` as read, or takes
    back the reminder `back`."""
    now = timezone.now()
    if request.method == "POST":
        return _act(request, now)
    rows = messages_of(request.user, now=now).select_related("event").order_by("-at", "-pk")
    every = request.GET.get("part") == "all"
    page = Paginator(rows if every else rows.filter(read_at=None), PER_PAGE).get_page(request.GET.get("page"))
    ahead = list(reminders_ahead(request.user, now=now).select_related("event"))
    about = {"title": _("Inbox"), "page": page, "ahead": ahead, "every": every}
    about["newest"] = max((row.pk for row in page), default=0)
    _describe([*page, *ahead], request, site)
    return TemplateResponse(request, "inbox/page.html", site.each_context(request) | about)


def _act(request: HttpRequest, now) -> HttpResponse:
    read, back = request.POST.get("read", ""), request.POST.get("back", "")
    if is_id(read):
        messages_of(request.user, now=now).filter(read_at=None, pk__lte=read).update(read_at=now)
    elif is_id(back):
        with transaction.atomic():
            row = reminders_ahead(request.user, now=now).select_related("event__order").filter(pk=back).first()
            if row and take_back(row, by=staff_actor(request.user), now=now):
                messages.success(request, _("The reminder is taken back."))
    else:
        raise BadRequest("read")
    return redirect("admin:inbox")


def open_message(request: HttpRequest, pk: int) -> HttpResponse:
    """Marks the message as read, and leads to the page of its row, which answers as to everybody."""
    row = get_object_or_404(messages_of(request.user, now=timezone.now()), pk=pk)
    if request.method == "GET":
        Message.objects.filter(pk=row.pk, read_at=None).update(read_at=timezone.now())
    if row.row == MANY:
        url = reverse(f"admin:orders_{row.model}_changelist")
        return redirect(f"{url}?{_query_of_many(row.event.data, request.user)}")
    return redirect(reverse(f"admin:orders_{row.model}_change", args=[row.row]))


def _query_of_many(data: dict, reader) -> str:
    """Returns the list's filter for the rows that an event counts: of its bulk run, or else the new owner's."""
    owner = data.get("owner_id", NOBODY)
    return urlencode({"run": data["run"]} if "run" in data else {"owner": ME if owner == reader.pk else owner})


def _describe(rows: Iterable[Message], request: HttpRequest, site) -> None:
    """Sets `about`, the name of the row, and `told`, the event in words; both empty where the user may not see the
    row. One query for each model."""
    ids = defaultdict(set)
    for row in rows:
        ids[row.model].add(row.row)
    names = {}
    for name, found in ids.items():
        model_admin = site.get_model_admin(apps.get_model("orders", name))
        if model_admin.has_view_permission(request):
            for one in model_admin.get_queryset(request).filter(pk__in=found):
                names[name, one.pk] = model_admin.heading(one)
            names[name, MANY] = None
    for row in rows:
        key = row.model, row.row
        row.about = things_words(row.event.data) if row.row == MANY and key in names else names.get(key, "")
        row.told = describe(row.event) if row.about else None

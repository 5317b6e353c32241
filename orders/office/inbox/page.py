"""The page 消息: the user's messages, newest first, and their reminders to come (contract 3.13)."""

from collections import defaultdict
from collections.abc import Iterable
from urllib.parse import urlencode

from django.apps import apps
from django.contrib import messages
from django.core.exceptions import BadRequest, PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from orders.db.unstorable_values import is_id
from orders.history.actors import staff_actor
from orders.lists.owner_column import ME, NOBODY
from orders.mails.inbox import MANY, messages_of, reminders_ahead, take_back, unwatch, watch
from orders.models import Message, Watch
from orders.order_words.history import describe, things_words
from orders.search.list_search import customer_address

PER_PAGE, WATCHES_SHOWN = 50, 200


def inbox_page(request: HttpRequest, site) -> HttpResponse:
    """GET shows the unread messages. With `part=all` it also shows the read messages. POST marks the messages up to the
    id `read` as read, cancels the reminder `back`, or begins or ends watching."""
    now = timezone.now()
    if request.method == "POST":
        return _act(request, site, now)
    rows = messages_of(request.user, now=now).select_related("event").order_by("-at", "-pk")
    every = request.GET.get("part") == "all"
    page = Paginator(rows if every else rows.filter(read_at=None), PER_PAGE).get_page(request.GET.get("page"))
    ahead = list(reminders_ahead(request.user, now=now).select_related("event"))
    about = {"title": _("Inbox"), "page": page, "ahead": ahead, "every": every}
    about["watches"] = _watches(request, site)
    about["newest"] = max((row.pk for row in page), default=0)
    _describe([*page, *ahead], request, site)
    return TemplateResponse(request, "inbox/page.html", site.each_context(request) | about)


def _watches(request: HttpRequest, site) -> list[dict]:
    """Returns the orders and customers that the user watches, newest first. Each has the address of its page, and its
    name if the user may see it."""
    rows = Watch.objects.filter(account=request.user).order_by("-pk")[:WATCHES_SHOWN]
    kept = [(row.pk, *(("order", row.order_id) if row.order_id else ("customer", row.enterprise_id))) for row in rows]
    names = _names(((model, pk) for _watch, model, pk in kept), request, site)
    return [{"pk": watch, "name": names.get((model, pk), ""), "url": _address(model, pk)} for watch, model, pk in kept]


def _address(model: str, pk) -> str:
    return customer_address(pk) if model == "customer" else reverse("admin:orders_order_change", args=[pk])


def _watch(request: HttpRequest, site, asked: str) -> HttpResponse:
    """Begins or ends watching the order or customer of `asked` (`order:PK`, `customer:ID`). Redirects to the page of
    that order or customer."""
    name, _colon, pk = asked.partition(":")
    if name not in {"order", "customer"} or not pk or (name == "order" and not is_id(pk)):
        raise Http404
    model_admin = site.get_model_admin(apps.get_model("orders", name))
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    row = model_admin.get_object(request, pk)
    if row is None:
        raise Http404
    if request.POST.get("act") == "unwatch":
        unwatch(request.user, row)
        messages.success(request, _("You don't watch it any more."))
    else:
        watch(request.user, row, now=timezone.now())
        messages.success(request, _("You watch it: its changes come into your inbox."))
    return redirect(_address(name, row.pk))


def _act(request: HttpRequest, site, now) -> HttpResponse:
    read, back = request.POST.get("read", ""), request.POST.get("back", "")
    if asked := request.POST.get("watch"):
        return _watch(request, site, asked)
    if is_id(over := request.POST.get("unwatch", "")):
        Watch.objects.filter(account=request.user, pk=over).delete()
        return redirect("admin:inbox")
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
    """Marks the message as read, and redirects to the page of its row. That page checks permissions as for every
    user."""
    row = get_object_or_404(messages_of(request.user, now=timezone.now()), pk=pk)
    if request.method == "GET":
        Message.objects.filter(pk=row.pk, read_at=None).update(read_at=timezone.now())
    if row.row == MANY:
        url = reverse(f"admin:orders_{row.model}_changelist")
        return redirect(f"{url}?{_query_of_many(row.event.data, request.user)}")
    return redirect(reverse(f"admin:orders_{row.model}_change", args=[row.row]))


def _query_of_many(data: dict, reader) -> str:
    """Returns the list's filter for the rows that an event counts: the rows of its bulk run or, without a bulk run, the
    rows of the new owner."""
    owner = data.get("owner_id", NOBODY)
    return urlencode({"run": data["run"]} if "run" in data else {"owner": ME if owner == reader.pk else owner})


def _describe(rows: Iterable[Message], request: HttpRequest, site) -> None:
    """Sets `about`, the name of the row, and `told`, the event in words. If the user may not see the row, both are
    empty."""
    names = _names(((row.model, row.row) for row in rows), request, site)
    for row in rows:
        key = row.model, row.row
        row.about = things_words(row.event.data) if row.row == MANY and key in names else names.get(key, "")
        row.told = describe(row.event) if row.about else None


def _names(keys: Iterable[tuple[str, object]], request: HttpRequest, site) -> dict[tuple[str, object], str]:
    """Returns the names of the rows that the user may see, by model and id. The key MANY of a visible model has an
    empty name. Makes one query for each model."""
    ids, names = defaultdict(set), {}
    for model, pk in keys:
        ids[model].add(pk)
    for model, found in ids.items():
        model_admin = site.get_model_admin(apps.get_model("orders", model))
        if model_admin.has_view_permission(request):
            names[model, MANY] = ""
            seen = model_admin.get_queryset(request).filter(pk__in=found)
            names |= {(model, one.pk): model_admin.heading(one) for one in seen}
    return names

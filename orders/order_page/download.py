"""Hands out an info-security file that an order names; each download enters the order's history."""

import os

from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest
from django.utils import timezone
from django.views.decorators.http import require_safe

from orders.attachments.preview import open_attachment, own_name
from orders.lists.personal import may_open
from orders.models import Order
from orders.order_page.page_context import request_actor
from orders.services.audit import note_download

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@require_safe
def answer_file(request: HttpRequest, order: Order, field: str) -> FileResponse:
    """`field` is one of the three that name files; only a file named as the order's own is handed out. It may hold
    people's data, so it asks their permission."""
    if not may_open(request.user):
        raise PermissionDenied
    try:
        name = own_name(order, field)
        handle = open_attachment(name)
    except OSError as error:
        raise Http404 from error
    if request.method == "GET":
        note_download(order, file=name, by=request_actor(request), now=timezone.now())
    return FileResponse(os.fdopen(handle, "rb"), as_attachment=True, filename=name, content_type=XLSX)

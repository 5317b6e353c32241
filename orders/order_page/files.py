"""Downloads and uploads of the info-security files of an order (contract 3.7)."""

import os

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from orders.attachments.check import FILE_TYPES
from orders.attachments.files_hold import take_upload
from orders.attachments.preview import open_attachment, own_name
from orders.history.actors import staff_actor
from orders.lists.personal_data import may_open
from orders.models import Order
from orders.order_page.page_context import UPLOAD
from orders.people.staff_events import note_download
from orders.texts.errors import OrderError

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def answer_file(pages, request: HttpRequest, order: Order, field: str) -> FileResponse | HttpResponseNotAllowed:
    """Downloads the file named in `field`, one of the order's three file fields. Only files with the order's own name
    are allowed. Files may contain personal data, so the permission for personal data is needed."""
    if request.method not in {"GET", "HEAD"}:
        return HttpResponseNotAllowed(["GET", "HEAD"])
    if not may_open(request.user):
        raise PermissionDenied
    try:
        name = own_name(order, field)
        handle = open_attachment(name)
    except OSError as error:
        raise Http404 from error
    if request.method == "GET":
        note_download(order, file=name, by=staff_actor(request.user), now=timezone.now())
    return FileResponse(os.fdopen(handle, "rb"), as_attachment=True, filename=name, content_type=XLSX)


def answer_upload(pages, request: HttpRequest, order: Order, field: str):
    """Stores an upload for `field`, one of the order's three file fields. Redirects to the tab with a message."""
    if not request.user.has_perm(UPLOAD):
        raise PermissionDenied
    if field not in FILE_TYPES:
        raise Http404
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    title = Order._meta.get_field(field).verbose_name
    file = request.FILES.get("file")
    about = {"by": staff_actor(request.user), "now": timezone.now()}
    try:
        if file is None:
            messages.error(request, f"{title}{_(': ')}{_('Choose a file first.')}")
        else:
            take_upload(number=order.number, field=field, chunks=file.chunks(), **about)
            done = _("The file is in its place and is looked at now; the result shows here within seconds.")
            messages.success(request, f"{title}{_(': ')}{done}")
    except OrderError as error:
        messages.error(request, f"{title}{_(': ')}{error.words()}")
    return redirect(f"{reverse('admin:orders_order_change', args=[order.pk])}?tab=files")

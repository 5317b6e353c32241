"""Takes an info-security file that staff upload for a held order (contract 3.7)."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from orders.attachments.check import KINDS
from orders.errors import OrderError
from orders.models import Order
from orders.order_page.page_context import UPLOAD, request_actor
from orders.services.files import take_upload


def answer_upload(request: HttpRequest, order: Order, field: str):
    """`field` is one of the three that name files. Leads back to the tab, which says what became of it."""
    if not request.user.has_perm(UPLOAD):
        raise PermissionDenied
    if field not in KINDS:
        raise Http404
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    title = Order._meta.get_field(field).verbose_name
    file = request.FILES.get("file")
    about = {"by": request_actor(request), "now": timezone.now()}
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

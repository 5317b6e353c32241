"""Error views: for a bad request such as a wrong Host header, an unknown URL, and an internal error."""

import sys
import uuid

from django.http import HttpResponse, HttpResponseServerError, JsonResponse
from django.template.loader import render_to_string
from django.utils import timezone
from django.views import defaults

from integrations.api.errors_and_etags import AWAY
from integrations.base.database_deadline import is_away
from integrations.bboss.reply_codes import Code, InboundCall, reply
from project.base.logs import current_request_id

READ_API = ("/api/orders/", "/api/customers/")
LATER = {"Retry-After": "10"}


def bad_request(request, exception):
    """Returns status 400 in the format of the URL: BBOSS's envelope (contract 2.3), BPM's code (3.6), JSON, or a
    page."""
    if request.path == "/api/bboss/orders":
        call = InboundCall(now=timezone.now(), address="", trans_idh=uuid.uuid4().hex)
        return JsonResponse(reply(call, Code.UNREADABLE).body, status=400)
    if request.path.startswith(READ_API):
        return JsonResponse({"error": "bad request"}, status=400)
    if request.path.startswith("/api/"):
        return JsonResponse({"code": 400, "message": "bad request"}, status=400)
    return defaults.bad_request(request, exception)


def not_found(request, exception):
    """Returns status 404. For URLs of the read API the response is JSON. For other URLs it is Django's page."""
    if request.path.startswith(READ_API):
        return JsonResponse({"error": "no such address"}, status=404)
    return defaults.page_not_found(request, exception)


def server_error(request):
    """Returns status 500 with the id of the log records. If the database is unavailable, returns 503. Uses no
    database."""
    if is_away(sys.exception()):
        if request.path.startswith(READ_API):
            return JsonResponse({"error": AWAY}, status=503, headers=LATER)
        return HttpResponse(render_to_string("503.html"), status=503, headers=LATER)
    if request.path.startswith(READ_API):
        return JsonResponse({"error": f"our fault; our log has it under {current_request_id()}"}, status=500)
    return HttpResponseServerError(render_to_string("500.html", {"number": current_request_id().strip("-")}))

"""What Django refuses before a view is asked (a Host header that is not ours), in the form that the address speaks."""

import uuid

from django.http import JsonResponse
from django.utils import timezone
from django.views import defaults

from integrations.bboss.codes import Code
from integrations.bboss.reply import Call, reply


def bad_request(request, exception):
    """HTTP 400: BBOSS's envelope (contract 2.3), BPM's code (3.6), or Django's page."""
    if request.path == "/api/bboss/orders":
        call = Call(now=timezone.now(), address="", trans_idh=uuid.uuid4().hex)
        return JsonResponse(reply(call, Code.UNREADABLE).body, status=400)
    if request.path.startswith("/api/"):
        return JsonResponse({"code": 400, "message": "bad request"}, status=400)
    return defaults.bad_request(request, exception)

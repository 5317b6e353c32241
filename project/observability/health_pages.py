"""Pages for machines: /livez, /readyz, /metrics (contract section 6)."""

import logging

from django.conf import settings
from django.http import HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from integrations.base.database_deadline import Outage, error_line
from project import __version__
from project.base.ip_addresses import is_allowed
from project.observability.gauges import exposition
from project.observability.readiness import readiness, why_unknown

log = logging.getLogger(__name__)
outage = Outage(log, "/readyz")
INTAKE = "intake"


@never_cache
@require_safe
def livez(request):
    """Returns `ok`, with the version in a header. Uses only this process."""
    return HttpResponse("ok", content_type="text/plain", headers={"X-Version": __version__})


@never_cache
@require_safe
def readyz(request):
    """Returns 200 if all is well, otherwise 503 with the reasons. Never 500.

    With `?for=intake`, for a load balancer, checks only whether BBOSS's calls can be accepted. That needs no worker.
    """
    try:
        state = readiness(timezone.now(), intake=request.GET.get("for") == INTAKE)
        outage.over()
    except Exception as error:
        state = {"database": "away", "error": error_line(error), "reasons": [why_unknown(error)]}
        outage.began(error)
    ready = not state["reasons"]
    return JsonResponse({"status": "ready" if ready else "not ready", **state}, status=200 if ready else 503)


@never_cache
@require_safe
def metrics(request):
    """Returns Prometheus text to METRICS_ALLOWED_IPS. The peer's address is checked, because a header can be forged."""
    if not is_allowed(request.META.get("REMOTE_ADDR", ""), settings.METRICS_ALLOWED_IPS):
        return HttpResponse("not for this address", status=403, content_type="text/plain")
    return HttpResponse(exposition(), content_type=CONTENT_TYPE_LATEST)

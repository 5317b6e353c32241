"""The pauses that stand, which each page of staff's names."""

import datetime

from django.http import HttpRequest
from django.utils import timezone

from orders.admin.scope import limit
from orders.models import Pause
from orders.queries.pausing import Standing, slept_through, standing_pauses


def standing_for(request: HttpRequest) -> list[Standing]:
    """With how many steps wait; read once for each request. Nothing for strangers."""
    if not hasattr(request, "standing_pauses"):
        staff = request.user.is_authenticated and request.user.is_staff
        request.standing_pauses = standing_pauses(now=timezone.now()) if staff else []
    return request.standing_pauses


def paused_for(request: HttpRequest) -> dict[str, Pause]:
    """The same by partner."""
    return {row.pause.partner: row.pause for row in standing_for(request)}


def slept_through_for(user, pause: Pause, *, now: datetime.datetime) -> list[str]:
    """The numbers of activations whose start day came during a pause that stands, and that wait for its end; of those
    that the person may see."""
    return list(limit(slept_through(pause, now=now), user, "attribution").values_list("number", flat=True))

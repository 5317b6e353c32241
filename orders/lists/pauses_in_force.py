"""Pauses in force, which every admin page shows."""

import datetime

from django.http import HttpRequest
from django.utils import timezone

from orders.lists.scope import is_unlimited, limit
from orders.models import Pause
from orders.pauses.paused_steps import PauseInForce, pauses_in_force, slept_through

PERMISSION = "orders.pause_partner"


def may_pause(user) -> bool:
    """Returns True if the user may pause and resume partners. This affects the orders of all attributions."""
    return user.has_perm(PERMISSION) and is_unlimited(user)


def pauses_for(request: HttpRequest) -> list[PauseInForce]:
    """Returns the pauses in force, with the number of waiting steps. The result is cached per request. It is empty for
    users who are not staff."""
    if not hasattr(request, "pauses_in_force"):
        staff = request.user.is_authenticated and request.user.is_staff
        request.pauses_in_force = pauses_in_force(now=timezone.now()) if staff else []
    return request.pauses_in_force


def paused_for(request: HttpRequest) -> dict[str, Pause]:
    return {row.pause.partner: row.pause for row in pauses_for(request)}


def slept_through_for(user, pause: Pause, *, now: datetime.datetime) -> list[str]:
    """Returns the numbers of activations in the user's attributions that should have started during the pause and wait
    for its end."""
    return list(limit(slept_through(pause, now=now), user, "attribution").values_list("number", flat=True))

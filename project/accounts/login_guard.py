"""Guessing passwords at /admin/ is slowed down: django-axes counts, this says who is asking and what they are told."""

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from integrations.bboss.rate_limit import caller_address

LONGEST_NAME = 255  # django-axes' column


def address_of(request: HttpRequest) -> str | None:
    """The person's address, by the same rule as BBOSS's (TRUSTED_PROXY_COUNT); None if there is none."""
    return caller_address(request.META) or None


def name_of(request: HttpRequest, credentials: dict | None) -> str:
    """The name they gave, as long as it can be kept: no account's is longer, but what somebody types may be."""
    return str((credentials or request.POST).get("username", ""))[:LONGEST_NAME]


def answer_locked(request: HttpRequest, response: HttpResponse, credentials: dict | None) -> HttpResponse:
    """429 in words. It says the same of accounts that don't exist, so nobody learns here which ones do."""
    minutes = settings.AXES_COOLOFF_TIME.total_seconds() // 60
    context = {**admin.site.each_context(request), "minutes": int(minutes)}
    answer = render(request, "admin/login_locked.html", context, status=settings.AXES_HTTP_RESPONSE_CODE)
    answer["Retry-After"] = str(int(settings.AXES_COOLOFF_TIME.total_seconds()))
    return answer

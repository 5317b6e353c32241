"""Slows down password guessing at /admin/.

django-axes counts the failures. This module tells it who is calling, and answers callers who are locked out.
"""

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from integrations.bboss.rate_limit import caller_address

LONGEST_NAME = 255  # django-axes' column


def address_of(request: HttpRequest) -> str | None:
    """The caller's address, by the same rule as BBOSS's (TRUSTED_PROXY_COUNT). None if there is none."""
    return caller_address(request.META) or None


def login_name(request: HttpRequest, credentials: dict | None) -> str:
    """The name that was typed, cut to the column's length. No account's name is longer, but typed names may be."""
    return str((credentials or request.POST).get("username", ""))[:LONGEST_NAME]


def answer_locked(request: HttpRequest, response: HttpResponse, credentials: dict | None) -> HttpResponse:
    """Answers 429 in words, the same for unknown accounts, so that nobody learns which exist."""
    minutes = settings.AXES_COOLOFF_TIME.total_seconds() // 60
    context = {**admin.site.each_context(request), "minutes": int(minutes)}
    answer = render(request, "admin/login_locked.html", context, status=settings.AXES_HTTP_RESPONSE_CODE)
    answer["Retry-After"] = str(int(settings.AXES_COOLOFF_TIME.total_seconds()))
    return answer

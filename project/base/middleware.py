"""Middleware: partners' alternative paths, the database deadline, the Host header, partner calls, sizes of uploads,
names of accounts, and the content security policy."""

from django.conf import settings
from django.middleware.common import CommonMiddleware
from django.shortcuts import render
from django.urls import resolve

from integrations.base.database_deadline import (
    CHECK_SECONDS,
    INTAKE_SECONDS,
    INTAKE_STATEMENT,
    PAGE_SECONDS,
    database_deadline,
)
from integrations.base.strict_json import MAX_BODY_BYTES
from orders.history.actors import names_read_once

BYTES_A_SECOND = 32 * 1024  # extra time for an order's body; several times what a slow disk needs
BBOSS, BPM = "/api/bboss/orders", "/api/bpm/approvals"
PARTNERS = ("/api/bboss/", "/api/bpm/")
PROBES = {"/livez", "/readyz"}


class Middleware:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)


class PartnerPathMiddleware(Middleware):
    """Maps a partner's alternative paths (`paths` of the profile) to ours."""

    def __call__(self, request):
        for path, others in ((BBOSS, settings.PARTNERS.bboss.paths), (BPM, settings.PARTNERS.bpm.callback.paths)):
            if request.path_info in others:
                request.path_info = request.path = path
        return self.get_response(request)


class DatabaseDeadlineMiddleware(Middleware):
    """Sets the deadline of a request's database work, including connecting. Large orders get more time."""

    def __call__(self, request):
        if request.path.startswith(PARTNERS):
            bound = database_deadline(
                INTAKE_SECONDS + _body_size(request.META) / BYTES_A_SECOND, statement=INTAKE_STATEMENT
            )
        else:
            bound = database_deadline(CHECK_SECONDS if request.path == "/readyz" else PAGE_SECONDS)
        with bound:
            return self.get_response(request)


def _body_size(meta: dict) -> int:
    """Returns the Content-Length, at most MAX_BODY_BYTES. If it is missing or invalid, returns MAX_BODY_BYTES."""
    length = _content_length(meta)
    return MAX_BODY_BYTES if length is None else min(length, MAX_BODY_BYTES)


def _content_length(meta: dict) -> int | None:
    """Returns the Content-Length, or None if it is missing or invalid."""
    given = str(meta.get("CONTENT_LENGTH") or "")
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 12 else None


class HostMiddleware(CommonMiddleware):
    """Rejects a Host header that is not in ALLOWED_HOSTS, as Django does, except for probes.

    Probes use a container's address, which is not known in advance. The responses to probes contain no links.
    """

    def process_request(self, request):
        return None if request.path in PROBES else super().process_request(request)


class PartnerCallMiddleware(Middleware):
    """Calls the view of a partner's request directly. Later middleware is skipped, because the view needs no session or
    account."""

    def __call__(self, request):
        if not request.path.startswith(PARTNERS):
            return self.get_response(request)
        request.resolver_match = resolve(request.path_info)
        view, args, kwargs = request.resolver_match
        response = view(request, *args, **kwargs)
        return response.render() if hasattr(response, "render") else response


class UploadSizeMiddleware(Middleware):
    """Returns status 413 if the body of a page's request is too large, before the body is read. Django does not limit
    uploaded files.

    The limits are those of deploy/nginx.conf. The general limit is 16 MiB. For an info-security file of up to 20 MiB
    with its form, the limit is 21 MiB.
    """

    def process_view(self, request, view, args, kwargs):
        match = request.resolver_match
        megabytes, around = (20, 1) if match.view_name == "admin:orders_order_upload" else (16, 0)
        if match.app_name == "admin" and (_content_length(request.META) or 0) > (megabytes + around) * 1024 * 1024:
            return render(request, "413.html", {"megabytes": megabytes}, status=413)
        return None


class AccountNamesMiddleware(Middleware):
    """Caches the names of accounts during a request."""

    def __call__(self, request):
        with names_read_once():
            return self.get_response(request)


class ContentSecurityPolicyMiddleware(Middleware):
    """Sets a Content-Security-Policy that allows only files of this site. It allows no inline code and no other
    origins."""

    POLICY = (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'self'; "
        "frame-ancestors 'none'; form-action 'self'"
    )

    def __call__(self, request):
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", self.POLICY)
        return response

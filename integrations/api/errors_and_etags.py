"""Base view of the read API: JSON errors, parameters and ETags.

The body of an error is `{"error": the fault, "field": the parameter}`. If no parameter is wrong, `field` is missing.
"""

import hashlib
import logging

from django.core.exceptions import SuspiciousOperation
from django.http import Http404
from django.utils.cache import get_conditional_response
from drf_spectacular.utils import OpenApiParameter
from rest_framework import exceptions
from rest_framework.generics import GenericAPIView
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from integrations.api.authentication import BearerAuthentication, TokenThrottle
from integrations.base.database_deadline import is_away

logger = logging.getLogger(__name__)
LONGEST_NAMED = 80  # characters of a parameter's name or value that an error quotes
SAFE = ["get", "head"]
TWICE = "is given more than once"
UNKNOWN = "no parameter of this address; there are: {names}"
AWAY = "the database is away; try again later"
WORDS = {
    405: "only GET and HEAD are possible here",
    429: "the token calls too often; Retry-After says when to come back",
}
"""Error texts by HTTP status. They replace DRF's, which are in the language of the staff pages."""


class BadParameterError(exceptions.APIException):
    """A query parameter is wrong. The error gives its name and the valid values."""

    status_code = 400

    def __init__(self, field: str, detail: str):
        super().__init__(detail)
        self.field = field


class PersonalResponse(Response):
    """A response with personal data. `masked` is the same response with the data masked."""

    def __init__(self, data: dict, masked: dict):
        super().__init__(data)
        self.masked = masked


class ReadView(GenericAPIView):
    """A view for GET and HEAD with a token. Responses have a weak ETag. A request with a matching If-None-Match gets
    304.

    The ETag of a response with personal data is computed from the masked response, so that nobody can guess the data
    from the ETag. Such an ETag does not change when the personal data change. So the response is never 304 and must not
    be cached.
    """

    http_method_names = SAFE
    authentication_classes = [BearerAuthentication]
    throttle_classes = [TokenThrottle]
    parameters: list[str] | None = None  # the accepted parameters; None: the view's filters check the parameters

    @staticmethod
    def documented() -> list[OpenApiParameter]:
        """Returns the view's parameters for /api/schema, without the parameters of pagination."""
        return []

    def perform_content_negotiation(self, request, force=False):
        """Selects JSON, whatever the Accept header says."""
        return JSONRenderer(), JSONRenderer.media_type

    def initial(self, request, *args, **kwargs):
        """Checks the method before authentication, and the names of parameters after it."""
        if request.method.lower() not in SAFE:
            self.http_method_not_allowed(request)
        super().initial(request, *args, **kwargs)
        for name, values in request.GET.lists():
            if len(values) > 1:  # the view would use only one of the values
                raise BadParameterError(name[:LONGEST_NAMED], TWICE)
            if self.parameters is not None and name not in self.parameters:
                raise BadParameterError(name[:LONGEST_NAMED], UNKNOWN.format(names=", ".join(self.parameters)))
        if self.paginator:
            self.paginator.read(request, self.ordering)

    def handle_exception(self, exc):
        if isinstance(exc, exceptions.APIException):
            return self._refusal(exc)
        if isinstance(exc, Http404):
            return Response({"error": str(exc)}, status=404)
        if isinstance(exc, SuspiciousOperation):
            return Response({"error": "the address can't be read"}, status=400)
        if is_away(exc):
            logger.error("the read API does not answer", exc_info=exc)
            return Response({"error": AWAY}, status=503, headers={"Retry-After": "10"})
        raise exc

    def _refusal(self, exc: exceptions.APIException) -> Response:
        headers, body = {}, {"error": WORDS.get(exc.status_code) or str(exc.detail)}
        if exc.status_code == 401:
            headers["WWW-Authenticate"] = self.get_authenticate_header(self.request)
        if isinstance(exc, exceptions.Throttled):
            headers["Retry-After"] = str(int(exc.wait or 1))
        if isinstance(exc, BadParameterError):
            body["field"] = exc.field
        return Response(body, status=exc.status_code, headers=headers)

    def finalize_response(self, request, response, *args, **kwargs):
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers["Cache-Control"] = "private, no-cache"
        response.headers["Vary"] = "Authorization"
        if response.status_code != 200:
            return response
        if isinstance(response, PersonalResponse):
            response.headers["Cache-Control"] = "private, no-store"
            response.headers["ETag"] = _etag(JSONRenderer().render(response.masked))
            return response
        etag = response.headers["ETag"] = _etag(response.render().content)
        found = get_conditional_response(self.request, etag=etag, response=response)
        return response if found.status_code == 412 else found  # If-Match is for writes


def _etag(body: bytes) -> str:
    return f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'

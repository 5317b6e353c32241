"""`POST /api/bboss/orders` (contract section 2). HTTP only; the way of a call is in `intake`."""

import logging

from rest_framework.exceptions import MethodNotAllowed
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import JSONParser
from rest_framework.response import Response
from rest_framework.views import APIView

from integrations.bboss.codes import Code
from integrations.bboss.handler import answer, refuse
from integrations.bboss.responses import Reply
from integrations.bboss.schema import documented

logger = logging.getLogger(__name__)


class AlwaysJson(BaseContentNegotiation):
    """JSON whatever the caller says it accepts: the gateway must be able to read every answer."""

    def select_parser(self, request, parsers):
        return parsers[0]

    def select_renderer(self, request, renderers, format_suffix=None):
        return renderers[0], renderers[0].media_type


class OrdersView(APIView):
    """Takes BBOSS's orders. Every answer has the envelope's form, whatever happens."""

    http_method_names = ["post"]  # not even OPTIONS: the table says 405 for all others
    content_negotiation_class = AlwaysJson
    parser_classes = [JSONParser]  # for the schema: the body is read by `transport`

    @documented
    def post(self, request):
        """An order: trial, trial change, activation, or the withdrawal of one (contract section 2)."""
        return _response(answer(request))

    def handle_exception(self, exc):
        """In place of DRF's own error bodies."""
        if isinstance(exc, MethodNotAllowed):
            return _response(refuse(Code.NOT_POST, self.request.META))
        logger.error("a call failed before it was looked at", exc_info=exc)
        return _response(refuse(Code.OUR_FAULT, self.request.META))


def _response(reply: Reply) -> Response:
    response = Response(reply.body, status=reply.status)
    if reply.retry_after is not None:
        response["Retry-After"] = str(reply.retry_after)
    return response

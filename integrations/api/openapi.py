"""The parameters and errors in /api/schema and /api/docs, which are not derived from the read API's serializers."""

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from integrations.api.errors_and_etags import AWAY, WORDS
from integrations.api.pagination import CURSOR, LIMIT, MAX, USUAL
from integrations.api.serializers import ErrorSerializer

ERRORS = {
    400: ("a parameter is wrong; `field` names it", {"error": f"must be a number from 1 to {MAX}", "field": LIMIT}),
    401: ("no token, or one that is not in force", {"error": "the token is unknown"}),
    404: ("no such order or customer, or none that the token may see", {"error": "no order of this number"}),
    **{status: (words, {"error": words}) for status, words in WORDS.items()},
    503: (AWAY, {"error": AWAY}),
}
PAGING = [
    OpenApiParameter(
        LIMIT, {"type": "integer", "minimum": 1, "maximum": MAX, "default": USUAL}, description="rows of a page"
    ),
    OpenApiParameter(CURSOR, str, description="as in the `next` of the page before"),
]
SAME = OpenApiParameter(
    "If-None-Match", str, OpenApiParameter.HEADER, description="an ETag; 304 where nothing has changed"
)


class BearerScheme(OpenApiAuthenticationExtension):
    """The security scheme of the read API's tokens."""

    target_class = "integrations.api.authentication.BearerAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema) -> dict:
        return {"type": "http", "scheme": "bearer", "description": "A token that an administrator of the desk made."}


class ReadSchema(AutoSchema):
    """Adds the parameters and errors that all views share to a view's schema."""

    def get_operation_id(self) -> str:
        return self.view.operation_id

    def get_summary(self) -> str:
        return self.get_description().removesuffix(".")

    def get_tags(self) -> list[str]:
        return ["read"]

    def get_override_parameters(self) -> list[OpenApiParameter]:
        return [*self.view.documented(), *(PAGING if self.view.pagination_class else []), SAME]

    def get_response_serializers(self) -> dict:
        errors = {
            status: OpenApiResponse(ErrorSerializer, said, [OpenApiExample(str(status), body, response_only=True)])
            for status, (said, body) in ERRORS.items()
            if status != 404 or "{" in self.path
        }
        return {200: self.view.serializer_class, 304: OpenApiResponse(description="as the caller has it"), **errors}

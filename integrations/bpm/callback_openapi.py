"""The answers of BPM's address, and its description in /api/schema and /api/docs (contract 3.6)."""

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from integrations.bpm.callback_fields import AnswerSerializer, ApprovalSerializer

RECEIVED = "成功"
STATUS_MEANINGS = {
    200: "received, or received before",
    400: "the body is bad; the message names the member",
    401: "wrong signature",
    404: "unknown order",
    405: "request method must be POST",
    409: "this recordId was received with another body",
    413: "larger than 2 MiB",
    503: "our fault; nothing was stored, send again",
}
EXAMPLE_RECORD = {
    "recordId": "bpm-1-1",
    "code": "100A230920170126001",
    "node": "sa-review",
    "nodeName": "政企SA审批",
    "result": "pass",
    "operator": "zhangsan",
    "opinion": "同意",
    "time": "2023-09-20 19:19:10",
    "finished": False,
}
SIGNATURE = OpenApiParameter(
    "X-Signature", str, OpenApiParameter.HEADER, required=True, description="HMAC-SHA256 of the raw body, hex"
)


def _example(status: int) -> OpenApiExample:
    body = {"code": status, "message": RECEIVED if status == 200 else STATUS_MEANINGS[status]}
    return OpenApiExample(
        f"{status} {STATUS_MEANINGS[status]}", value=body, response_only=True, status_codes=[str(status)]
    )


documented = extend_schema(
    operation_id="bpm_approvals",
    summary="BPM posts an approval record",
    tags=["bpm"],
    auth=[],
    parameters=[SIGNATURE],
    request=ApprovalSerializer,
    responses={status: OpenApiResponse(AnswerSerializer, text) for status, text in STATUS_MEANINGS.items()},
    examples=[
        OpenApiExample("approval", value=EXAMPLE_RECORD, request_only=True),
        *[_example(status) for status in STATUS_MEANINGS],
    ],
)

"""The description of BBOSS's address in /api/schema and /api/docs. These classes validate nothing."""

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers

from integrations.bboss.reply_codes import BizCode, Code, result_of


class EnvelopeSerializer(serializers.Serializer):
    """The envelope (contract 2.1)."""

    accessToken = serializers.CharField()
    busType = serializers.CharField(required=False)
    content = serializers.JSONField(help_text="The order: an object, or a JSON string that holds one (contract 2.4)")
    cutOffDay = serializers.CharField(required=False)
    domain = serializers.CharField()
    envFlag = serializers.CharField()
    routeType = serializers.CharField()
    routeValue = serializers.CharField()
    sessionID = serializers.CharField(required=False)
    sign = serializers.CharField()
    signMethod = serializers.CharField()
    timeStamp = serializers.CharField(help_text="YYYYMMDDHHMMSS, Asia/Shanghai")
    transIDO = serializers.CharField()
    userPartyID = serializers.CharField()
    version = serializers.CharField(required=False)


class ResponseSerializer(serializers.Serializer):
    """rspCode and rspDesc (contract 2.3)."""

    rspCode = serializers.CharField()
    rspDesc = serializers.CharField()


class ReplySerializer(serializers.Serializer):
    """The answer (contract 2.3)."""

    transIDO = serializers.CharField(allow_blank=True)
    transIDH = serializers.CharField()
    transIDHTime = serializers.CharField()
    cutOffDay = serializers.CharField(allow_blank=True)
    providePartyID = serializers.CharField()
    response = ResponseSerializer()
    result = serializers.CharField(allow_blank=True, help_text="A JSON string: OrderNum, BizCode, BizDesc; or empty")


EXAMPLE_CONTENT = {
    "OrderNum": "100A230920170126001",
    "BizRequest": "100A230920170122001",
    "BizStart": "20230920",
    "ProdType": "1",
    "ProductID": "61000616304",
    "BusinessType": "1",
    "BillingMethod": "1",
    "DataFlow": "1",
    "BackFlag": "0",
}
EXAMPLE_ENVELOPE = {
    "accessToken": "20991231235959" + "0" * 32 + "-0000-1700000000",
    "busType": "BBSS",
    "content": EXAMPLE_CONTENT,
    "cutOffDay": "20230920",
    "domain": "CDNP",
    "envFlag": "0",
    "routeType": "00",
    "routeValue": "995",
    "sessionID": "675cf2df623c47e69e523c0fd2b6f7b9",
    "sign": "DE132BD55A30C04864CFA3D445BD0209",
    "signMethod": "md5",
    "timeStamp": "20230920185339",
    "transIDO": "675cf2df623c47e69e523c0fd2b6f7b9",
    "userPartyID": "BBSS9980",
    "version": "1.0.0",
}


def _example(code: Code) -> OpenApiExample:
    row = code.value
    biz = {Code.SUCCESS: BizCode.DONE, Code.BUSINESS: BizCode.CONFLICT}.get(code)
    known = row.http == Code.SUCCESS.value.http
    body = {
        "transIDO": EXAMPLE_ENVELOPE["transIDO"] if known else "",
        "transIDH": "0b6a5d6a0c3f4f6f8f0e4f1f2a3b4c5d",
        "transIDHTime": "20230920185340",
        "cutOffDay": EXAMPLE_ENVELOPE["cutOffDay"] if known else "",
        "providePartyID": "CDNP9950",
        "response": {"rspCode": row.number, "rspDesc": row.desc},
        "result": result_of(EXAMPLE_CONTENT["OrderNum"], biz) if biz else "",
    }
    return OpenApiExample(f"{row.number} {row.desc}", value=body, response_only=True, status_codes=[str(row.http)])


def _response(status: int) -> OpenApiResponse:
    rows = [code.value for code in Code if code.value.http == status]
    return OpenApiResponse(ReplySerializer, description="; ".join(f"{row.number} {row.desc.strip()}" for row in rows))


documented = extend_schema(
    operation_id="bboss_orders",
    summary="BBOSS posts an order",
    tags=["bboss"],
    auth=[],
    request=EnvelopeSerializer,
    responses={status: _response(status) for status in sorted({code.value.http for code in Code})},
    examples=[
        OpenApiExample("activation", value=EXAMPLE_ENVELOPE, request_only=True),
        *[_example(code) for code in Code],
    ],
)

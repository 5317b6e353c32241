"""The view: validates a form of two levels, inserts four rows, and responds."""

from django.db import transaction
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from bench.bare.models import Event, Message, Order, Step


class ContentSerializer(serializers.Serializer):
    """The order."""

    OrderNum = serializers.CharField(source="number", max_length=64)
    BizRequest = serializers.CharField(source="trial_number", max_length=64)
    BizStart = serializers.CharField(source="biz_start", max_length=8)
    ProdType = serializers.CharField(source="prod_type", max_length=32)
    ProductID = serializers.CharField(source="product_id", max_length=64)
    BusinessType = serializers.CharField(source="business_type", max_length=8)
    BillingMethod = serializers.CharField(source="billing_method", max_length=32)
    DataFlow = serializers.CharField(source="data_flow", max_length=64)


class EnvelopeSerializer(serializers.Serializer):
    """The envelope around an order."""

    transIDO = serializers.CharField(max_length=64)
    content = ContentSerializer()


class OrdersView(APIView):
    """Inserts four rows in one transaction."""

    def post(self, request):
        form = EnvelopeSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        with transaction.atomic():
            message = Message.objects.create(trans_ido=form.validated_data["transIDO"], body=request.data)
            order = Order.objects.create(message=message, **form.validated_data["content"])
            Step.objects.create(order=order, name="create_billing")
            Event.objects.create(order=order, kind="received", data={"transIDO": message.trans_ido})
        return Response({"transIDO": message.trans_ido, "response": {"rspCode": "00000", "rspDesc": "Success"}})

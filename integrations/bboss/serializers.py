"""The three kinds of content, member by member (contract 2.4). Source names are those of `OrderContent`."""

from rest_framework import serializers

from integrations.bboss.fields import DayField, DomainListField, FileNameField, NumberField, StringField
from orders.models import Order, ServiceType


def text(source: str, *, required: bool = False, field=StringField):
    """A string member, as long as the order's column of this name."""
    return field(source=source, required=required, most=Order._meta.get_field(source).max_length)


def service_type(*, required: bool):
    """BusinessType; whether the type is known is looked up later, once for the whole content."""
    return StringField(source="service_type", required=required, most=ServiceType._meta.pk.max_length)


class TrialSerializer(serializers.Serializer):
    """A trial order (OrderType 1)."""

    OrderNum = NumberField(source="number")
    EnterpriseID = text("enterprise_id", required=True)
    EnterpriseName = text("enterprise_name", required=True)
    ProdType = text("prod_type", required=True)
    BusinessType = service_type(required=True)
    BillingMethod = text("billing_method", required=True)
    DataFlow = text("data_flow", required=True)
    BizStart = DayField(source="biz_start")
    ProvContent = DomainListField(source="domains")
    BizEnd = DayField(source="biz_end", required=False)
    CpID = text("cp_id")
    UserID = text("user_id")
    OperUser = text("oper_user")
    OperTel = text("oper_tel")
    OperMail = text("oper_mail")
    Attribution = StringField(source="attribution", required=False)

    def validate(self, attrs: dict) -> dict:
        end = attrs.get("biz_end")
        if end and end < attrs["biz_start"]:
            raise serializers.ValidationError({"BizEnd": "is before BizStart"})
        return attrs


class ChangeSerializer(serializers.Serializer):
    """A change of a trial (OrderType 2): at least one thing to change."""

    OrderNum = NumberField(source="number")
    BizRequest = text("trial_number", required=True)
    ProvContent = DomainListField(source="domains", required=False)
    BusinessType = service_type(required=False)
    DataFlow = text("data_flow")
    BizEnd = DayField(source="biz_end", required=False)

    def validate(self, attrs: dict) -> dict:
        if not any(attrs.get(name) for name in ("domains", "service_type", "data_flow", "biz_end")):
            why = "is missing, and so are BusinessType, DataFlow and BizEnd: nothing would change"
            raise serializers.ValidationError({"ProvContent": why})
        return attrs


class ActivationSerializer(serializers.Serializer):
    """An activation (OrderType 3 or none)."""

    OrderNum = NumberField(source="number")
    BizRequest = text("trial_number", required=True)
    BizStart = DayField(source="biz_start")
    ProdType = text("prod_type", required=True)
    ProductID = text("product_id", required=True)
    BusinessType = service_type(required=True)
    BillingMethod = text("billing_method", required=True)
    DataFlow = text("data_flow")
    InfoSecurity = text("info_security", field=FileNameField)
    InfoSecurityTable = text("info_security_table", field=FileNameField)
    BusiInfo = text("busi_info", field=FileNameField)
    ProvContent = DomainListField(source="domains", required=False, may_be_empty=True)


class WithdrawalSerializer(serializers.Serializer):
    """BackFlag 1: the order of this number is taken back; no other member is looked at."""

    OrderNum = NumberField(source="number")

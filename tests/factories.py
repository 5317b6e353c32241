"""Rows for tests: plain values and sequences, nothing random. Provinces and service types come with the migrations."""

import datetime

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from approvals.models import ApprovalRecord
from notifications.models import Mail
from orders.content import domain_key
from orders.models import (
    AcceptedCall,
    AffectedOrder,
    AskedAct,
    Attempt,
    BillingDispatch,
    BillingRecord,
    BpmDispatch,
    Conflict,
    Customer,
    Difference,
    Dispatch,
    InboundMessage,
    Incident,
    IndexedOrder,
    Order,
    OrderDomain,
    OrderEvent,
    OrderFiles,
    TrailEntry,
    TrialClaim,
    TrialEnd,
    TrialShape,
    TrialUsage,
)
from tests.desk_factories import (  # noqa: F401  so that all are found here
    NOW,
    ApiTokenFactory,
    BreakerFactory,
    BulkItemFactory,
    BulkRunFactory,
    CalendarDayFactory,
    ContactFactory,
    ExportFactory,
    HeartbeatFactory,
    LeaseLockFactory,
    MailRuleFactory,
    PauseFactory,
    ReconciliationFactory,
    SavedViewFactory,
    ScheduledExportFactory,
    TimeLimitFactory,
    TrialUploadFactory,
    UserFactory,
    limit_to,
)


class OrderFactory(DjangoModelFactory):
    """An activation under way. Pass `kind`, `state` and the rest; `held` needs `held_because`."""

    class Meta:
        model = Order

    number = factory.Sequence(lambda n: f"100A23092017{n:07d}")
    kind = Order.Kind.ACTIVATION
    attribution_id = "BJ"
    service_type_id = "1"
    enterprise_id = "100A23100079275183"
    enterprise_name = "北京示例科技有限公司"
    cp_id = "80171614"
    user_id = "100A2310"
    oper_user = "张三"
    oper_tel = "13700000000"
    oper_mail = "43"
    prod_type = "1"
    product_id = "61000616304"
    billing_method = "1"
    data_flow = "1"
    biz_start = NOW.date()
    content = factory.LazyAttribute(lambda order: {"OrderNum": order.number})
    content_hash = factory.Sequence(lambda n: f"{n:064x}")
    trans_idh = factory.Sequence(lambda n: f"{n:032d}")
    received_at = NOW


class TrialFactory(OrderFactory):
    """A running trial."""

    kind = Order.Kind.TRIAL
    state = Order.State.TRIALING
    product_id = ""


class CustomerFactory(DjangoModelFactory):
    """The customer of an order, as the search index makes it."""

    class Meta:
        model = Customer
        skip_postgeneration_save = True

    enterprise_id = factory.Sequence(lambda n: f"100A{n:014d}")
    name = factory.SelfAttribute("last_order.enterprise_name")
    last_order = factory.SubFactory(OrderFactory, enterprise_id=factory.SelfAttribute("..enterprise_id"))
    first_seen = NOW
    last_seen = NOW

    @factory.post_generation
    def indexed(self, create, extracted, **kwargs):
        IndexedOrder.objects.update_or_create(order=self.last_order, defaults={"customer": self})
        self.attributions.set([self.last_order.attribution_id] if self.last_order.attribution_id else [])


class OrderFilesFactory(OrderFactory):
    """An order that names a file."""

    class Meta:
        model = OrderFiles

    info_security = factory.LazyAttribute(lambda order: f"{order.number}_50004020027_20230920170126.xlsx")


class OrderDomainFactory(DjangoModelFactory):
    class Meta:
        model = OrderDomain

    order = factory.SubFactory(OrderFactory)
    name = factory.Sequence(lambda n: f"a{n}.example.com")
    key = factory.LazyAttribute(lambda domain: domain_key(domain.name))


class TrialClaimFactory(DjangoModelFactory):
    class Meta:
        model = TrialClaim

    trial = factory.SubFactory(TrialFactory)
    activation = factory.SubFactory(OrderFactory)
    taken_at = NOW


class BillingRecordFactory(DjangoModelFactory):
    class Meta:
        model = BillingRecord

    order = factory.SubFactory(OrderFactory)
    info_type = BillingRecord.Type.COMMERCIAL
    product_id = "61000616304"
    business_type = "1"
    domain = factory.Sequence(lambda n: f"a{n}.example.com")
    domain_key = factory.LazyAttribute(lambda record: domain_key(record.domain))


class TrialEndFactory(DjangoModelFactory):
    """An ending of a trial."""

    class Meta:
        model = TrialEnd

    trial = factory.SubFactory(TrialFactory)
    number = 1
    kind = TrialEnd.Kind.ENDING
    at = NOW
    by = "command:li"


class TrialShapeFactory(DjangoModelFactory):
    """What a trial is meant to be."""

    class Meta:
        model = TrialShape

    trial = factory.SubFactory(TrialFactory)
    service = "1"


class TrialUsageFactory(DjangoModelFactory):
    class Meta:
        model = TrialUsage

    trial = factory.SubFactory(TrialFactory)
    product_id = "1"
    enterprise_id = "100A23100079275183"
    data_flow = 0.0
    asked_at = NOW


class DispatchFactory(DjangoModelFactory):
    """A step that is due."""

    class Meta:
        model = Dispatch

    order = factory.SubFactory(OrderFactory)
    step = Dispatch.Step.CREATE_BILLING
    channel = Dispatch.Channel.BILLING
    position = 1
    state = Dispatch.State.DUE
    next_try_at = NOW
    created_at = NOW


class BillingDispatchFactory(DispatchFactory):
    class Meta:
        model = BillingDispatch


class BpmDispatchFactory(DispatchFactory):
    class Meta:
        model = BpmDispatch

    step = Dispatch.Step.START_BPM
    channel = Dispatch.Channel.BPM


class AskedActFactory(DjangoModelFactory):
    class Meta:
        model = AskedAct

    act, decision, right = "withdraw", "withdraw", "orders.withdraw_order"
    order = factory.SubFactory(OrderFactory)
    target = factory.SelfAttribute("order.pk")
    reason = "客户经理要求"
    by, asker_id = "staff:zhang", 10**9
    asked_at = NOW
    lapses_at = factory.LazyFunction(lambda: timezone.now() + datetime.timedelta(days=1))


class AttemptFactory(DjangoModelFactory):
    class Meta:
        model = Attempt

    dispatch = factory.SubFactory(DispatchFactory, attempts=1, frozen_at=NOW, payload='{"productInfos": []}')
    number = 1
    started_at = NOW
    answer = '{"code": 200, "message": "成功"}'


class OrderEventFactory(DjangoModelFactory):
    class Meta:
        model = OrderEvent

    order = factory.SubFactory(OrderFactory)
    at = NOW
    actor = "bboss"
    kind = "received"
    data = factory.Dict({"note": "示例"})


class TrailEntryFactory(DjangoModelFactory):
    class Meta:
        model = TrailEntry

    at = NOW
    keep_until = factory.LazyAttribute(lambda row: row.at + datetime.timedelta(days=180))
    actor = "staff:李四"
    code = "login"
    about = "李四"
    address = "10.0.0.1"


class InboundMessageFactory(DjangoModelFactory):
    class Meta:
        model = InboundMessage

    received_at = NOW
    remote_address = "127.0.0.1"
    trans_ido = factory.Sequence(lambda n: f"{n:032x}")
    trans_idh = factory.Sequence(lambda n: f"{n:032d}")
    order_number = factory.Sequence(lambda n: f"100A23092017{n:07d}")
    http_status = 200
    rsp_code = "00000"
    rsp_desc = "Success"
    biz_code = "0000"
    body = '{"content": {"OrderNum": "100A230920170000001"}}'


class ConflictFactory(InboundMessageFactory):
    """A message with the number of an order that we have, and other content."""

    class Meta:
        model = Conflict

    rsp_code = "30000"
    rsp_desc = "business failure"
    biz_code = "3001"


class AcceptedCallFactory(DjangoModelFactory):
    class Meta:
        model = AcceptedCall

    trans_ido = factory.Sequence(lambda n: f"{n:032x}")
    content_hash = factory.Sequence(lambda n: f"{n:064x}")
    order = factory.SubFactory(OrderFactory)


class IncidentFactory(DjangoModelFactory):
    class Meta:
        model = Incident

    partner = "bpm"
    step = Dispatch.Step.START_BPM
    code = factory.Sequence(lambda n: str(400 + n))
    detail = "域名未备案"
    first_at = NOW
    last_at = NOW


class AffectedOrderFactory(DjangoModelFactory):
    class Meta:
        model = AffectedOrder

    incident = factory.SubFactory(IncidentFactory)
    order = factory.SubFactory(OrderFactory)
    since = NOW


class ApprovalRecordFactory(DjangoModelFactory):
    class Meta:
        model = ApprovalRecord

    record_id = factory.Sequence(lambda n: f"bpm-{n}")
    order = factory.SubFactory(OrderFactory)
    node = "sa-review"
    node_name = "政企SA审批"
    result = ApprovalRecord.Result.PASS
    operator = "zhangsan"
    opinion = "同意"
    time = NOW
    received_at = NOW


class MailFactory(DjangoModelFactory):
    """A mail about an order that went out. Pass `order=None` for one to staff."""

    class Meta:
        model = Mail

    state = Mail.State.DONE
    order = factory.SubFactory(OrderFactory)
    kind = Dispatch.Step.MAIL_SENT
    message_id = factory.Sequence(lambda n: f"<{n}@desk.example.com>")
    recipients = factory.List(["sa@example.com"])
    subject = "业务开通工单"
    body = "您好"
    written_at = NOW


class DifferenceFactory(DjangoModelFactory):
    class Meta:
        model = Difference

    reconciliation = factory.SubFactory(ReconciliationFactory)
    order = factory.SubFactory(OrderFactory)
    kind = Difference.Kind.NOT_BILLED
    job_id = factory.SelfAttribute("order.number")
    product_id = "61000616304"
    domain = factory.Sequence(lambda n: f"a{n}.example.com")

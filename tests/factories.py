"""Factories of rows with plain values and sequences, and nothing random. The migrations load provinces and service
types.
"""

import datetime

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from approvals.models import ApprovalRecord
from integrations.models import BpmCallback
from notifications.models import Mail
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
from orders.rules.host_names import domain_key
from tests.desk_factories import *  # noqa: F403  so that all are found here
from tests.desk_factories import NOW, ReconciliationFactory, rows_of


class OrderFactory(DjangoModelFactory):
    """An activation whose steps are not done yet. Pass `kind`, `state` and other values. The state `held` needs
    `held_because`.
    """

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


# A running trial.
TrialFactory = rows_of(Order, OrderFactory, kind=Order.Kind.TRIAL, state=Order.State.TRIALING, product_id="")


class CustomerFactory(DjangoModelFactory):
    """The customer of an order, like the row that the search index makes."""

    class Meta:
        model = Customer
        skip_postgeneration_save = True

    enterprise_id = factory.Sequence(lambda n: f"100A{n:014d}")
    name = factory.SelfAttribute("last_order.enterprise_name")
    last_order = factory.SubFactory(OrderFactory, enterprise_id=factory.SelfAttribute("..enterprise_id"))
    first_seen = NOW
    last_seen = NOW
    texts = factory.LazyAttribute(lambda row: f"{row.enterprise_id}\n{row.name}".casefold().strip())

    @factory.post_generation
    def indexed(self, create, extracted, **kwargs):
        self.attributions.set([self.last_order.attribution_id] if self.last_order.attribution_id else [])


# An order that names a file.
OrderFilesFactory = rows_of(
    OrderFiles,
    OrderFactory,
    info_security=factory.LazyAttribute(lambda order: f"{order.number}_50004020027_20230920170126.xlsx"),
)
OrderDomainFactory = rows_of(
    OrderDomain,
    order=factory.SubFactory(OrderFactory),
    name=factory.Sequence("a{}.example.com".format),
    key=factory.LazyAttribute(lambda domain: domain_key(domain.name)),
)
TrialClaimFactory = rows_of(
    TrialClaim, trial=factory.SubFactory(TrialFactory), activation=factory.SubFactory(OrderFactory), taken_at=NOW
)
BillingRecordFactory = rows_of(
    BillingRecord,
    order=factory.SubFactory(OrderFactory),
    info_type=BillingRecord.Type.COMMERCIAL,
    product_id="61000616304",
    business_type="1",
    domain=factory.Sequence("a{}.example.com".format),
    domain_key=factory.LazyAttribute(lambda record: domain_key(record.domain)),
)
# An event that ends a trial.
TrialEndFactory = rows_of(
    TrialEnd, trial=factory.SubFactory(TrialFactory), number=1, kind=TrialEnd.Kind.ENDING, at=NOW, by="command:li"
)
# The target state of a trial.
TrialShapeFactory = rows_of(TrialShape, trial=factory.SubFactory(TrialFactory), service="1")
TrialUsageFactory = rows_of(
    TrialUsage,
    trial=factory.SubFactory(TrialFactory),
    product_id="1",
    enterprise_id="100A23100079275183",
    data_flow=0.0,
    asked_at=NOW,
)
# A step that is due.
DispatchFactory = rows_of(
    Dispatch,
    order=factory.SubFactory(OrderFactory),
    step=Dispatch.Step.CREATE_BILLING,
    channel=Dispatch.Channel.BILLING,
    position=1,
    state=Dispatch.State.DUE,
    next_try_at=NOW,
    created_at=NOW,
)
BillingDispatchFactory = rows_of(BillingDispatch, DispatchFactory)
BpmDispatchFactory = rows_of(BpmDispatch, DispatchFactory, step=Dispatch.Step.START_BPM, channel=Dispatch.Channel.BPM)
AskedActFactory = rows_of(
    AskedAct,
    act="withdraw",
    decision="withdraw",
    right="orders.withdraw_order",
    order=factory.SubFactory(OrderFactory),
    target=factory.SelfAttribute("order.pk"),
    reason="客户经理要求",
    by="staff:zhang",
    asker_id=10**9,
    asked_at=NOW,
    lapses_at=factory.LazyFunction(lambda: timezone.now() + datetime.timedelta(days=1)),
)
AttemptFactory = rows_of(
    Attempt,
    dispatch=factory.SubFactory(DispatchFactory, attempts=1, frozen_at=NOW, payload='{"productInfos": []}'),
    number=1,
    started_at=NOW,
    answer='{"code": 200, "message": "成功"}',
)
OrderEventFactory = rows_of(
    OrderEvent,
    order=factory.SubFactory(OrderFactory),
    at=NOW,
    actor="bboss",
    kind="received",
    data=factory.Dict({"note": "示例"}),
)
TrailEntryFactory = rows_of(
    TrailEntry,
    at=NOW,
    keep_until=factory.LazyAttribute(lambda row: row.at + datetime.timedelta(days=180)),
    actor="staff:李四",
    code="login",
    about="李四",
    address="10.0.0.1",
)
InboundMessageFactory = rows_of(
    InboundMessage,
    received_at=NOW,
    remote_address="127.0.0.1",
    trans_ido=factory.Sequence("{:032x}".format),
    trans_idh=factory.Sequence("{:032d}".format),
    order_number=factory.Sequence("100A23092017{:07d}".format),
    http_status=200,
    rsp_code="00000",
    rsp_desc="Success",
    biz_code="0000",
    body='{"content": {"OrderNum": "100A230920170000001"}}',
)
# A message with the number of an existing order and other content.
ConflictFactory = rows_of(
    Conflict, InboundMessageFactory, rsp_code="30000", rsp_desc="business failure", biz_code="3001"
)
BpmCallbackFactory = rows_of(
    BpmCallback,
    received_at=NOW,
    remote_address="127.0.0.1",
    http_status=400,
    why="result: must be one of pass, reject, return",
    order_number=factory.Sequence("100A23092017{:07d}".format),
    signed=True,
    body='{"result": "x"}',
    length=15,
    sha256="0" * 64,
)
AcceptedCallFactory = rows_of(
    AcceptedCall,
    trans_ido=factory.Sequence("{:032x}".format),
    content_hash=factory.Sequence("{:064x}".format),
    order=factory.SubFactory(OrderFactory),
)
IncidentFactory = rows_of(
    Incident,
    partner="bpm",
    step=Dispatch.Step.START_BPM,
    code=factory.Sequence(lambda n: str(400 + n)),
    detail="域名未备案",
    first_at=NOW,
    last_at=NOW,
)
AffectedOrderFactory = rows_of(
    AffectedOrder, incident=factory.SubFactory(IncidentFactory), order=factory.SubFactory(OrderFactory), since=NOW
)
ApprovalRecordFactory = rows_of(
    ApprovalRecord,
    record_id=factory.Sequence("bpm-{}".format),
    order=factory.SubFactory(OrderFactory),
    node="sa-review",
    node_name="政企SA审批",
    result=ApprovalRecord.Result.PASS,
    operator="zhangsan",
    opinion="同意",
    time=NOW,
    received_at=NOW,
)
# A mail about an order that was sent. Pass `order=None` for a mail to staff.
MailFactory = rows_of(
    Mail,
    state=Mail.State.DONE,
    order=factory.SubFactory(OrderFactory),
    kind=Dispatch.Step.MAIL_SENT,
    message_id=factory.Sequence("<{}@desk.example.com>".format),
    recipients=factory.List(["sa@example.com"]),
    subject="业务开通工单",
    body="您好",
    written_at=NOW,
)
DifferenceFactory = rows_of(
    Difference,
    reconciliation=factory.SubFactory(ReconciliationFactory),
    order=factory.SubFactory(OrderFactory),
    kind=Difference.Kind.NOT_BILLED,
    job_id=factory.SelfAttribute("order.number"),
    product_id="61000616304",
    domain=factory.Sequence("a{}.example.com".format),
)

"""Orders that strain a page's layout: names with HTML, 200 domains, 5,000 attempts, and each way of failing and
undoing.
"""

import datetime
import json

import django

if __name__ == "__main__":
    django.setup()

from django.utils import timezone

from orders.models import Attempt, BillingRecord, Dispatch, Order, OrderDomain, OrderEvent
from tests import factories as make
from tests.admin.orders import step
from tests.browser import filling

S, Step, State, Channel, Record = Order.State, Dispatch.Step, Dispatch.State, Dispatch.Channel, BillingRecord.State
LONG_NAME = "中国移动通信集团广东有限公司深圳分公司云视频事业部（内容分发网络）运营中心"
HTML_NAME = "<b>粗体</b><script>alert(1)</script> & “引号”有限公司"
LONG_NUMBER = "W" * 40 + "-20261125-0000000000001"
LONG_DOMAIN = "a-very-long-label-of-a-host-that-nobody-would-type-by-hand.pull.stream.live.cdn.example.com"
NUMBERS = {
    "busy": "100A26112500000901",
    "html": "100A26112500000902",
    "undone": "100A26112500000903",
    "undoing": "100A26112500000904",
    "long": LONG_NUMBER,
}


def fill(*, now: datetime.datetime | None = None, attempts: int = 5000, domains: int = 200) -> None:
    """Makes one order for each difficulty. Their numbers are in NUMBERS."""
    now = now or timezone.now()
    _busy(now, attempts, domains)
    _named_strangely(now)
    _undone(now)
    _undoing(now)


def _order(key: str, now: datetime.datetime, **fields) -> Order:
    base = {"number": NUMBERS[key], "received_at": now, "planned_at": now, "biz_start": now.date(), "first": False}
    return make.OrderFactory(**(base | fields))


def _busy(now: datetime.datetime, attempts: int, domains: int) -> None:
    """An order with very many domains, whose billing step has been retried for weeks."""
    order = _order("busy", now - datetime.timedelta(days=20), enterprise_name=LONG_NAME, attribution_id="GD")
    names = [LONG_DOMAIN, *(f"cdn{place}.live.example.com" for place in range(1, domains))]
    OrderDomain.objects.bulk_create(OrderDomain(order=order, name=name, key=name) for name in names)
    billing = step(
        order,
        Step.CREATE_BILLING,
        State.RETRYING,
        attempts=attempts,
        error_code="http_503",
        error="answered HTTP 503",
        next_try_at=now + datetime.timedelta(minutes=2),
        created_at=order.received_at,
        frozen_at=order.received_at,
        tries_left=1,
        payload=json.dumps({"productInfos": [{"domain": name, "jobId": order.number} for name in names]}),
    )
    BillingRecord.objects.bulk_create(
        BillingRecord(
            order=order,
            info_type="2",
            product_id=order.product_id,
            business_type="1",
            domain=name,
            domain_key=name,
            dispatch=billing,
        )
        for name in names
    )
    calls = [now - datetime.timedelta(minutes=5 * place) for place in range(attempts, 0, -1)]
    Attempt.objects.bulk_create(
        [
            Attempt(
                dispatch=billing,
                number=number,
                started_at=at,
                finished_at=at,
                outcome="retry",
                http_status=503,
                error="answered HTTP 503",
                answer='{"message": "维护中"}',
            )
            for number, at in enumerate(calls, 1)
        ],
        batch_size=1000,
    )
    data = {"step": Step.CREATE_BILLING, "code": "http_503"}
    OrderEvent.objects.bulk_create(
        [OrderEvent(order=order, at=at, actor="worker", kind="step_retrying", data=data) for at in calls],
        batch_size=1000,
    )
    incident = make.IncidentFactory(
        partner="bigdata",
        step=Step.CREATE_BILLING,
        code="http_599",
        detail=LONG_NAME * 6,
        first_at=calls[0],
        last_at=now,
        count=attempts,
    )
    make.AffectedOrderFactory(incident=incident, order=order, detail="answered HTTP 503", since=calls[0])


def _named_strangely(now: datetime.datetime) -> None:
    """An order with HTML in each text that comes from outside, and one with a number as long as the contract allows."""
    order = _order(
        "html",
        now,
        enterprise_name=HTML_NAME,
        oper_user=HTML_NAME,
        state=S.AWAITING_APPROVAL,
        content={"OrderNum": NUMBERS["html"], "EnterpriseName": HTML_NAME},
    )
    make.OrderDomainFactory(order=order, name="xn--fiqs8s.example.com")
    make.ApprovalRecordFactory(
        order=order,
        node_name=HTML_NAME,
        opinion=f"{HTML_NAME}\n{LONG_NAME * 8}",
        time=now,
        operator="张三丰",
        received_at=now,
    )
    make.OrderEventFactory(order=order, at=now, actor="staff:clerk", kind="note", data={"reason": HTML_NAME})
    make.InboundMessageFactory(
        order_number=order.number,
        received_at=now,
        body=json.dumps({"content": HTML_NAME}),
        remote_address="2001:db8:85a3::8a2e:370:7334",
    )
    _mailed(order, now)
    name = f"{LONG_NUMBER}_50004020027_20261120120000.xlsx"
    held = _order("long", now, enterprise_name=LONG_NAME, state=S.HELD, held_because="files", info_security=name)
    why = f"{name}: the name must be {LONG_NUMBER}_50004020027_YYYYMMDDHHMMSS.xlsx with a real time"
    step(held, Step.CHECK_FILES, State.RETRYING, error_code="bad_name", error=why, attempts=2)
    incident = make.IncidentFactory(partner="files", step=Step.CHECK_FILES, code="bad_name", detail=why, last_at=now)
    make.AffectedOrderFactory(incident=incident, order=held, detail=why, since=now)


def _mailed(order: Order, now: datetime.datetime) -> None:
    make.MailFactory(
        order=order, subject=f"[IBS] {HTML_NAME}", body=f"您好：\n{LONG_NAME}\n13700001234", written_at=now
    )


def _undone(now: datetime.datetime) -> None:
    """An order that was compensated after BPM refused it. Its records are deleted with a receipt, and one is
    unknown.
    """
    trial = make.TrialFactory(number=f"{NUMBERS['undone']}T", received_at=now, planned_at=now)
    order = _order(
        "undone", now, state=S.FAILED, undo_since=now, enterprise_name=LONG_NAME, trial=trial, trial_number=trial.number
    )
    told = {"error_code": "code_400", "error": "answered HTTP 200, code 400: 域名未备案", "definite": True}
    step(order, Step.START_BPM, State.FAILED, position=2, done_at=now, **told)
    delete = _undo_step(order, Step.DELETE_BILLING, State.DONE, now, position=501)
    make.AttemptFactory(dispatch=delete, started_at=now, finished_at=now, outcome="ok", http_status=200)
    for place, state in enumerate(Record):
        make.BillingRecordFactory(
            order=order,
            domain=f"u{place}.example.com",
            state=state,
            create_time=now,
            dispatch=delete if state == Record.DELETED else None,
        )


def _undoing(now: datetime.datetime) -> None:
    """An order whose withdrawal is under way while the big-data side does not answer."""
    trial = make.TrialFactory(number=f"{NUMBERS['undoing']}T", received_at=now, planned_at=now, state=S.CONVERTED)
    order = _order(
        "undoing", now, state=S.COMPENSATING, undo_since=now, first=True, trial=trial, trial_number=trial.number
    )
    make.TrialClaimFactory(trial=trial, activation=order, taken_at=now)
    make.TrialUsageFactory(trial=trial, asked_at=now, data_flow=1234567.891)
    record = make.BillingRecordFactory(order=order, state=Record.UNKNOWN, create_time=now)
    _undo_step(
        order,
        Step.DELETE_BILLING,
        State.RETRYING,
        now,
        position=501,
        records=[record.pk],
        error_code="timeout",
        error="no answer within 10 s",
        attempts=3,
        next_try_at=now + datetime.timedelta(minutes=9),
    )
    _undo_step(order, Step.RESTORE_TRIAL, State.WAITING, now, position=502)


def _undo_step(order: Order, name: str, state: str, now: datetime.datetime, **fields) -> Dispatch:
    payload = json.dumps({"productInfos": [{"jobId": order.number, "domain": "u3.example.com"}]})
    base = {"undo": True, "done_at": now if state == State.DONE else None, "payload": payload}
    return step(order, name, state, **base | fields)


# together with the ordinary orders in one process, because factories number their rows in each process from the start
if __name__ == "__main__":
    filling.fill()
    fill()
    filling.people()

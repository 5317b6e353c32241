"""Fills a desk with some dozens of varied orders around the present moment, for browser tests and screenshots."""

import datetime
import json

import django

if __name__ == "__main__":
    django.setup()

from django.contrib.auth.models import Group
from django.utils import timezone

from approvals.models import ApprovalRecord
from orders.attachments.check import FILE_TYPES
from orders.models import BillingRecord, Dispatch, Order
from orders.search.index import index_orders
from orders.texts.error_messages import say_in_english
from project.models import User
from tests import factories as make
from tests.admin.orders import step
from tests.browser.pages import PASSWORD

S, Step, State, Channel = Order.State, Dispatch.Step, Dispatch.State, Dispatch.Channel
NAMES = [
    "北京云帆网络科技有限公司",
    "上海启明信息技术有限公司",
    "广州南粤数据有限公司",
    "杭州湖畔视频科技有限公司",
    "成都天府文化传媒股份有限公司",
    "武汉光谷教育科技有限公司",
]
PLACES = ["BJ", "SH", "GD", "ZJ", "SC", "HB"]
ENDED = {
    Order.Kind.TRIAL: [S.TRIALING, S.CONVERTED, S.TRIALING, S.ENDED],
    Order.Kind.CHANGE: [S.APPLIED],
    Order.Kind.ACTIVATION: [S.ACTIVE, S.SCHEDULED, S.AWAITING_APPROVAL, S.ACTIVE, S.IN_PROGRESS, S.REJECTED],
}
FAMILY = [Order.Kind.ACTIVATION, Order.Kind.ACTIVATION, Order.Kind.CHANGE, Order.Kind.ACTIVATION, Order.Kind.TRIAL]
WAITING = [S.SCHEDULED, S.AWAITING_APPROVAL, S.IN_PROGRESS]
STUCK = [
    (Step.START_BPM, Channel.BPM, State.FAILED, "code_400", "answered HTTP 200, code 400: 域名未备案"),
    (Step.CREATE_BILLING, Channel.BILLING, State.RETRYING, "timeout", "no complete answer in time (Read timed out.)"),
    (Step.CREATE_BILLING, Channel.BILLING, State.FAILED, "http_503", "answered HTTP 503"),
]


def fill(*, orders: int = 50, now: datetime.datetime | None = None) -> None:
    """Adds the orders with everything that belongs to them, and the rows of the other lists."""
    now = now or timezone.now()
    # the oldest order gets the first id, as on a real desk
    rows = [_order(place, now) for place in reversed(range(orders))]
    rows.reverse()
    _stuck(rows, now)
    _held(now)
    _approvals(rows, now)
    _messages(rows, now)
    make.HeartbeatFactory(cluster="desk-1", started_at=now - datetime.timedelta(hours=5), seen_at=now)
    make.BreakerFactory(partner="bpm")
    for letters in PLACES:
        make.ContactFactory(attribution_id=letters)
    make.ReconciliationFactory(started_at=now, finished_at=now, whole=True, orders=50, records=96)


def staff(name: str, role: str, person: str, *, letters: list[str] | None = None) -> User:
    """Makes a member of staff in a role, limited to attributions if some are given."""
    user = User.objects.create_user(name, f"{name}@example.com", password=PASSWORD, is_staff=True, display_name=person)
    user.groups.add(Group.objects.get(name=role))
    if letters is not None:
        make.limit_to(user, letters)
    return user


def _order(place: int, now: datetime.datetime) -> Order:
    kind, family = FAMILY[place % 5], place // 5
    state = ENDED[kind][(place // 2) % len(ENDED[kind])]
    received = _received(place, now)
    ahead = now.date() + datetime.timedelta(days=place % 11)
    start = ahead if kind == Order.Kind.ACTIVATION and state in WAITING else received.date()
    order = make.OrderFactory(
        number=_number(place, now),
        kind=kind,
        state=state,
        received_at=received,
        planned_at=received,
        biz_start=start,
        trial_number="" if kind == Order.Kind.TRIAL else _number(5 * family + 4, now),
        attribution_id=PLACES[family % 6],
        service_type_id=str(family % 4 + 1),
        enterprise_name=NAMES[family % 6],
        enterprise_id=f"100A{family:014d}",
        product_id=f"610006{16000 + place}",
        **(_ending(state, place, received, start) if kind == Order.Kind.ACTIVATION else {}),
    )
    _caused(order, place, received)
    return order


def _ending(state: Order.State, place: int, received: datetime.datetime, start: datetime.date) -> dict:
    """Returns the fields that show how far an activation in this state has come."""
    first = place % 3 > 0 and state != S.AWAITING_APPROVAL
    later = received + datetime.timedelta(hours=1)
    found = {"first": first, "live_at": later if state == S.ACTIVE else None}
    if state == S.SCHEDULED:
        day = max(start, timezone.localdate() + datetime.timedelta(days=1))
        found["start_at"] = timezone.make_aware(datetime.datetime.combine(day, datetime.time()))
    if state == S.REJECTED or (state == S.ACTIVE and not first):
        found |= {"decision": "reject" if state == S.REJECTED else "pass", "decided_at": later}
    return found | ({"undo_since": later} if state == S.REJECTED else {})


def _received(place: int, now: datetime.datetime) -> datetime.datetime:
    return now - datetime.timedelta(hours=7 * place, minutes=place)


def _number(place: int, now: datetime.datetime) -> str:
    return f"100A{_received(place, now):%y%m%d}{17000 + place:07d}"


def _caused(order: Order, place: int, at: datetime.datetime) -> None:
    for part in range(place % 3 + 1):
        name = f"cdn{part}.site{place}.example.com"
        make.OrderDomainFactory(order=order, name=name)
        make.BillingRecordFactory(order=order, domain=name, state=BillingRecord.State.LIVE, create_time=at)
    for number, name in enumerate([Step.CREATE_BILLING, Step.START_BPM]):
        if order.kind != Order.Kind.ACTIVATION and name == Step.START_BPM:
            continue
        done = at + datetime.timedelta(seconds=4 * number + 3)
        payload = json.dumps({"code": order.number, "operUser": "张三", "operTel": "13700001234"})
        about = {"position": number + 1, "created_at": at, "frozen_at": at, "may_have_acted": False}
        dispatch = step(order, name, done_at=done, payload=payload, **about)
        make.AttemptFactory(dispatch=dispatch, started_at=at, finished_at=done, outcome="ok", http_status=200)
    make.OrderEventFactory(order=order, at=at)


def _stuck(rows: list[Order], now: datetime.datetime) -> None:
    activations = [order for order in rows if order.kind == Order.Kind.ACTIVATION]
    incidents = {}
    for place, order in enumerate(activations[:7]):
        name, channel, state, code, error = STUCK[place % 3]
        failed = state == State.FAILED
        begun = {"undo_since": None, "decision": "", "decided_at": None, "live_at": None, "start_at": None}
        Order.objects.filter(pk=order.pk).update(state=S.FAILED if failed else S.IN_PROGRESS, **begun)
        Dispatch.objects.filter(order=order, step=name).update(
            **{
                "state": state,
                "error_code": code,
                "error": error,
                "done_at": None,
                "attempts": 3,
                "next_try_at": None if failed else now + datetime.timedelta(minutes=2),
            }
        )
        if failed:
            if code not in incidents:
                partner = "bpm" if channel == Channel.BPM else "bigdata"
                incidents[code] = make.IncidentFactory(
                    partner=partner, step=name, code=code, detail=error, last_at=now, first_at=order.received_at
                )
            make.AffectedOrderFactory(incident=incidents[code], order=order, detail=error, since=order.received_at)


def _held(now: datetime.datetime) -> None:
    for place, why in enumerate([Order.Held.FILES, Order.Held.TRIAL_UNKNOWN, Order.Held.ATTRIBUTION_UNKNOWN]):
        at = now - datetime.timedelta(hours=3 * place + 1)
        number = f"100A{at:%y%m%d}{99000 + place:07d}"
        unknown = why == Order.Held.ATTRIBUTION_UNKNOWN
        order = make.OrderFactory(
            number=number,
            trial_number=f"{number}T",
            state=S.HELD,
            held_because=why,
            state_since=at - datetime.timedelta(days=9) if unknown else at,
            received_at=at,
            planned_at=at if why == Order.Held.FILES else None,
            enterprise_name=NAMES[place],
            attribution_id=None if unknown else "BJ",
            biz_start=at.date(),
            first=False,
            info_security=f"{number}_50004020027_20261120120000.xlsx",
        )
        files = why == Order.Held.FILES
        cause = {"partner": "files", "step": Step.CHECK_FILES, "code": "missing"} if files else {}
        cause = cause or {"partner": "order", "step": "", "code": why}
        incident = make.IncidentFactory(**cause, detail="", first_at=at, last_at=now)
        make.AffectedOrderFactory(incident=incident, order=order, since=at)
        if files:
            step(order, Step.CHECK_FILES, State.RETRYING, error_code="missing", created_at=at)


def doubts(now: datetime.datetime | None = None) -> None:
    """Adds orders that have more problems than their state shows. The number of each order names its problem."""
    now = now or timezone.now()
    day, hour = datetime.timedelta(days=1), datetime.timedelta(hours=1)
    base = {"enterprise_name": NAMES[0], "received_at": now - 40 * day, "planned_at": now - 40 * day}
    served = make.OrderFactory(number="100A-UNBILLED", state=S.ACTIVE, first=False, live_at=now - 39 * day, **base)
    record = make.BillingRecordFactory(
        order=served, domain="cdn0.unbilled.example.com", state="live", create_time=now, cancel_time=now + 3650 * day
    )
    names = {"order": served, "product_id": record.product_id}
    make.DifferenceFactory(
        **names, domain=record.domain, found_at=now - 2 * day, detail={"ours": "live", "theirs": "missing"}
    )
    make.DifferenceFactory(
        **names,
        domain="cdn1.unbilled.example.com",
        kind="fields",
        found_at=now - hour,
        detail={
            "ours": "live",
            "theirs": "live",
            "fields": {"businessType": ["1", "4"], "province": ["100", "200"]},
            "left": {"code": "no_times"},
        },
    )
    make.DifferenceFactory(
        **names,
        domain="cdn2.unbilled.example.com",
        state="accepted",
        found_at=now - 9 * day,
        closed_by="staff:li",
        closed_at=now - 8 * day,
        reason="客户经理已确认",
        detail={"ours": "none", "theirs": "live"},
    )
    incident = make.IncidentFactory(partner="bigdata", step="", code="difference", first_at=now - 2 * day, last_at=now)
    make.AffectedOrderFactory(
        order=served,
        incident=incident,
        since=now - 2 * day,
        detail="cdn0.unbilled.example.com (live / missing)",
        detail_params={"code": "records_differ", "records": "cdn0.unbilled.example.com"},
    )
    returned = make.OrderFactory(
        number="100A-RETURNED", state=S.AWAITING_APPROVAL, first=False, bpm_process="P-2026-0007", **base
    )
    step(returned, Step.START_BPM, done_at=now - 30 * hour)
    make.ApprovalRecordFactory(
        order=returned, result="return", node_name="政企SA审批", opinion="请补充域名备案材料", time=now - 3 * hour
    )
    _files_of("100A-FILES", now, base, waived=False)
    _files_of("100A-WAIVED", now, base, waived=True)
    trial = make.TrialFactory(number="100A-FAILEDTRIAL", state=S.FAILED, **base)
    behind = make.OrderFactory(number="100A-BEHIND", trial=trial, trial_number=trial.number, **base)
    told = {"error_code": "code_400", "error": "answered HTTP 200, code 400: 域名未备案"}
    step(trial, Step.CREATE_TRIAL, State.FAILED, lane=trial.pk, **told)
    step(behind, Step.CANCEL_TRIAL, State.WAITING, lane=trial.pk)


def _files_of(number: str, now: datetime.datetime, base: dict, *, waived: bool) -> None:
    names = {field: f"{number}_{kind}_20261120120000.xlsx" for field, kind in FILE_TYPES.items()}
    state = {"state": S.IN_PROGRESS} if waived else {"state": S.HELD, "held_because": Order.Held.FILES}
    order = make.OrderFactory(number=number, first=False, **state, **names, **base)
    wrong = {"info_security": ("missing", "file_missing"), "busi_info": ("empty", "file_empty")}
    findings = [
        {"file": names[field], "code": code, "message": say_in_english(why, {}), "why": {"code": why}}
        for field, (code, why) in wrong.items()
    ]
    ended = {"done_at": now}
    tried = {
        "next_try_at": now + datetime.timedelta(hours=1),
        "error_code": "missing",
        "error": "; ".join(f"{one['file']}: {one['message']}" for one in findings),
        "error_params": {"parts": [one["why"] | {"file": one["file"]} for one in findings]},
    }
    state, more = (State.DONE, ended) if waived else (State.RETRYING, tried)
    step(order, Step.CHECK_FILES, state, attempts=2, about={"findings": findings}, **more)
    if waived:
        make.ApprovalRecordFactory(
            order=order,
            result="waive",
            source="staff",
            operator="staff:clerk",
            node="files",
            node_name="信安文件检查",
            opinion="客户已补交纸质材料",
            time=now,
        )


def _approvals(rows: list[Order], now: datetime.datetime) -> None:
    words = [("sa-review", "政企SA审批", "zhangsan"), ("boss-review", "业务主管审批", "lisi")]
    results = list(ApprovalRecord.Result)[:3]
    for place, order in enumerate(order for order in rows if order.kind == Order.Kind.ACTIVATION):
        node, node_name, operator = words[place % 2]
        make.ApprovalRecordFactory(
            order=order,
            node=node,
            node_name=node_name,
            operator=operator,
            result=results[0 if place % 4 else 2],
            time=order.received_at + datetime.timedelta(hours=1),
            received_at=now,
        )


def _messages(rows: list[Order], now: datetime.datetime) -> None:
    for place, order in enumerate(rows[:12]):
        make.InboundMessageFactory(order_number=order.number, received_at=order.received_at, body=_body(order, {}))
        if place % 6 == 0:
            make.ConflictFactory(
                order_number=order.number,
                received_at=now,
                remote_address="10.1.2.3",
                hint=f"order {order.number} exists with other content",
                body=_body(order, {"DataFlow": "500", "BusinessType": "4"}),
            )
    refused = [
        ("20208", "Invalid Signature", "ours: <*** app secret ***>accessToken***busTypeBBSS"),
        ("20311", "Expired Token", "accessToken: ended 20261101000000, our clock is 20261125090000"),
        ("20210", "Timestamp Timeout", "timeStamp 20261125080000 is 3600 s behind our clock"),
    ]
    for code, words, hint in refused:
        make.InboundMessageFactory(rsp_code=code, rsp_desc=words, biz_code="", hint=hint, received_at=now)


def _body(order: Order, changes: dict) -> str:
    content = {"OrderNum": order.number, "DataFlow": "100", "BusinessType": "1", "OperTel": "13700001234"} | changes
    Order.objects.filter(pk=order.pk, content={"OrderNum": order.number}).update(content=content)
    return json.dumps({"userPartyID": "BBSS9980", "content": content}, ensure_ascii=False)


def people() -> None:
    """Makes one person in each role, and a clerk of Beijing."""
    User.objects.create_superuser("admin", password=PASSWORD)
    staff("clerk", "业务人员", "陈静")
    staff("engineer", "工程师", "赵磊")
    staff("auditor", "审计员", "周洁")
    staff("keeper", "管理员", "王敏")
    staff("judge", "审批主管", "赵宁")
    staff("beijing", "业务人员", "李娜", letters=["BJ"])


def schedules(now: datetime.datetime | None = None) -> None:
    """Makes a clerk's view with a scheduled export. The older run failed. The last run wrote a file that one colleague
    may not download, because the colleague sees fewer orders.
    """
    now = now or timezone.now()
    clerk, beijing = User.objects.get(username="clerk"), User.objects.get(username="beijing")
    view = make.SavedViewFactory(
        owner=clerk, name="挂起的订单", query="state__exact=held", columns=["number", "customer", "state_chip"]
    )
    row = make.ScheduledExportFactory(
        owner=clerk,
        view=view,
        name="每日挂起",
        weekdays="12345",
        next_run_at=now + datetime.timedelta(hours=13),
        last_run_at=now,
        created_at=now - datetime.timedelta(days=9),
    )
    row.recipients.set([clerk, beijing])
    facts = {"by": "staff:clerk", "schedule": row, "query": view.query, "columns": view.columns}
    day = datetime.timedelta(days=1)
    make.ExportFactory(
        **facts,
        slot=now - 2 * day,
        created_at=now - 2 * day,
        state="failed",
        file="",
        error={"code": "export_disk_full", "why": "x"},
    )
    make.ExportFactory(
        **facts, slot=now - day, created_at=now - day, written=3, total=3, size=9000, missed=2, expires_at=now + 6 * day
    )
    make.MailFactory(
        order=None,
        kind="notice_export_ready",
        subject="【IBS 订单台】导出已生成：每日挂起",
        state="failed",
        attempts=7,
        written_at=now,
        error_code="connection",
        error="mail server: no connection",
    )


if __name__ == "__main__":
    fill()
    doubts()
    people()
    schedules()
    index_orders(now=timezone.now(), seconds=60)

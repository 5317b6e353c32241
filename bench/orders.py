"""Creates trials that are carried out, and signed messages that activate them."""

import json
import pathlib
from collections.abc import Iterable

import requests
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ

from bench import environment  # noqa: F401  sets Django up
from integrations.bboss.sample_envelope import signed_envelope
from orders.models import BillingRecord, Dispatch, Order, OrderDomain, TrialShape
from orders.outbox.enqueue import build_step
from tests.bboss_messages import accepted, post_order

ORDERS_A_BATCH = 2000


def clear_queue() -> None:
    OrmQ.objects.all().delete()


def make_trials(first: int, count: int) -> None:
    """Creates trials T<number> in their state after delivery: one domain, a live record, and a step that is done."""
    for start in range(first, first + count, ORDERS_A_BATCH):
        _make_batch(range(start, min(start + ORDERS_A_BATCH, first + count)))


def make_due_trials(first: int, count: int) -> list[int]:
    """Creates trials T<number> in their state after intake, with a due step. Returns the steps' ids."""
    make_trials(first, count)
    numbers = [f"T{number}" for number in range(first, first + count)]
    trials = Order.objects.filter(number__in=numbers)
    trials.update(state=Order.State.IN_PROGRESS)
    fresh = {"create_time": None, "cancel_time": None, "state": BillingRecord.State.TO_SEND}
    BillingRecord.objects.filter(order__in=trials).update(**fresh)
    unsent = {"state": Dispatch.State.DUE, "frozen_at": None, "attempts": 0, "definite": False, "done_at": None}
    steps = Dispatch.objects.filter(order__in=trials)
    steps.update(next_try_at=timezone.now(), **unsent)
    return list(steps.order_by("pk").values_list("pk", flat=True))


def _make_batch(numbers: range) -> None:
    trials = Order.objects.bulk_create(_trial(number) for number in numbers)
    names = [f"www{number}.example.com" for number in numbers]
    pairs = list(zip(trials, names, strict=True))
    OrderDomain.objects.bulk_create(OrderDomain(order=trial, name=name, key=name) for trial, name in pairs)
    TrialShape.objects.bulk_create(TrialShape(trial=trial, domains=[name], service="1") for trial, name in pairs)
    trial_record = BillingRecord.Type.TRIAL, "1"
    records = BillingRecord.objects.bulk_create(live_record(trial, name, *trial_record) for trial, name in pairs)
    Dispatch.objects.bulk_create(_step(trial, record) for trial, record in zip(trials, records, strict=True))


def _trial(number: int) -> Order:
    now = timezone.now()
    return Order(
        number=f"T{number}",
        kind=Order.Kind.TRIAL,
        state=Order.State.TRIALING,
        attribution_id="BJ",
        service_type_id="1",
        enterprise_id="100A23100079275183",
        enterprise_name="北京示例科技有限公司",
        cp_id="80171614",
        user_id="1458",
        oper_user="zhangsan",
        oper_tel="13700000000",
        oper_mail="zhangsan@example.com",
        prod_type="1",
        billing_method="1",
        data_flow="1",
        biz_start=now.date(),
        content={"OrderNum": f"T{number}"},
        content_hash=f"{number:064x}",
        trans_idh=f"{number:032x}",
        received_at=now,
        planned_at=now,
    )


def live_record(order: Order, name: str, info_type: str, product_id: str) -> BillingRecord:
    """Returns an unsaved record of this domain. The record has been live since the order was received."""
    return BillingRecord(
        order=order,
        info_type=info_type,
        product_id=product_id,
        business_type="1",
        domain=name,
        domain_key=name,
        state=BillingRecord.State.LIVE,
        create_time=order.received_at,
        cancel_time=order.received_at.replace(year=order.received_at.year + 10, day=1),
    )


def _step(trial: Order, record: BillingRecord) -> Dispatch:
    return build_step(
        trial,
        Dispatch.Step.CREATE_TRIAL,
        now=trial.received_at,
        records=[record.pk],
        state=Dispatch.State.DONE,
        frozen_at=trial.received_at,
        attempts=1,
        definite=True,
        done_at=trial.received_at,
    )


def activation(number: int) -> dict:
    """Returns the content of A<number>. It is the first activation of T<number>, and starts today."""
    now = timezone.localtime()
    return {
        "BackFlag": "0",
        "BillingMethod": "1",
        "BizRequest": f"T{number}",
        "BizStart": f"{now:%Y%m%d}",
        "BusiInfo": "",
        "BusinessType": "1",
        "DataFlow": "1",
        "InfoSecurity": "",
        "InfoSecurityTable": "",
        "OrderNum": f"A{number}",
        "ProdType": "1",
        "ProductID": "61000616304",
    }


def post_activations(trials: Iterable[Order]) -> None:
    """Posts an activation of each of these trials to the view, in this process."""
    post_contents(activation(int(trial.number[1:])) for trial in trials)


def post_contents(contents: Iterable[dict]) -> None:
    """Posts each content to the view, in this process. If a message is refused, raises RuntimeError."""
    client = Client(SERVER_NAME="127.0.0.1")
    for content in contents:
        check_accepted(post_order(client, content))


def post(web: str, envelope: dict) -> None:
    """Posts an envelope over HTTP. If it is refused, raises RuntimeError."""
    with requests.Session() as session:
        session.trust_env = False
        check_accepted(session.post(f"{web}/api/bboss/orders", json=envelope, timeout=60).json())


def check_accepted(reply: dict) -> None:
    if not accepted(reply):
        raise RuntimeError(f"not accepted: {reply}")


def write_bodies(file: pathlib.Path, first: int, count: int) -> None:
    """Writes signed messages that activate `count` trials from T<first> on, one message a line."""
    now = timezone.now()
    with file.open("w", encoding="utf-8") as out:
        for number in range(first, first + count):
            out.write(json.dumps(signed_envelope(activation(number), now=now), ensure_ascii=False) + "\n")

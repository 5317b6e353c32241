"""An order's time: every second since BBOSS's call has a reason."""

import datetime
import re

from django.core.management import call_command
from django.utils import timezone

from orders.models import Order
from orders.pauses.pause_and_resume import pause_partner
from orders.queries.order_times import times_of
from orders.sending.reread_answers import resume_partner
from tests.flows.conftest import BILLING
from tests.processes.orders import activation, trial


def told(number: str) -> list[tuple[str, str, float]]:
    order = Order.objects.get(number=number)
    found = times_of(order, now=timezone.now())
    # the periods have no gaps
    assert all(one.ends == after.begins for one, after in zip(found, found[1:], strict=False))
    assert sum(one.seconds for one in found) == (found[-1].ends - order.received_at).total_seconds()
    return [(one.why.value, one.step.value, one.seconds) for one in found if one.seconds]


def test_a_queue_a_retry_a_pause_and_a_dead_worker(desk, capsys):
    desk.post(trial(1))
    desk.clock.shift(5)
    desk.sandbox.fault(path=BILLING, kind="503", count=1)
    desk.deliver()
    desk.clock.shift(10)
    pause_partner(partner="bigdata", by="command:li", reason="upgrade", now=timezone.now())
    desk.clock.shift(60)
    resume_partner(partner="bigdata", by="command:li", now=timezone.now())
    desk.clock.shift(2)
    desk.claim(lease=60)  # a worker claims the step and dies
    desk.deliver(after=70)
    step = "create_trial_billing"
    assert told("100T0001") == [
        ("queue", step, 5.0),
        ("retry", step, 10.0),
        ("pause", step, 60.0),
        ("retry", step, 2.0),
        ("lease", step, 70.0),
    ]
    call_command("show", "100T0001", "--times")
    lines = capsys.readouterr().out.splitlines()
    assert "147.0 s since BBOSS's call" in lines[0]
    assert [line for line in lines if "(pause)" in line and "60.0 s" in line]


def test_a_hold_and_the_wait_for_approval(desk):
    """The activation comes 30 seconds before its trial, and these seconds count as a hold."""
    desk.post(activation(1))
    desk.clock.shift(30)
    desk.post(trial(1))
    desk.sweep()
    desk.sweep()
    why = [(reason, seconds) for reason, _step, seconds in told("100A0001")]
    assert why[0] == ("hold", 30.0)


def test_an_order_that_waits_is_told_until_now(desk):
    desk.post(trial(1))
    desk.clock.move_to(timezone.now() + datetime.timedelta(hours=1))
    assert told("100T0001") == [("queue", "create_trial_billing", 3600.0)]


def test_the_orders_page_shows_it_with_a_chart_of_when_each_wait_was(desk, admin_client, capsys):
    """A minute in the queue is followed by three minutes of a worker that died. So the first bar has a quarter of the
    width, and the second bar the rest."""
    desk.post(trial(1))
    desk.clock.shift(60)
    desk.claim(lease=60)
    desk.deliver(after=180)
    call_command("show", "100T0001", "--times")
    bars = [line.partition("[")[2].partition("]")[0] for line in capsys.readouterr().out.splitlines()[1:]]
    assert bars[:2] == ["######..................", "......##################"]
    assert {len(bar) for bar in bars} == {24}
    order = Order.objects.get()
    page = admin_client.get(f"/admin/orders/order/{order.pk}/change/?tab=events").content.decode()
    assert "时间去向" in page
    assert "后台程序中断" in page
    chart = page.partition('<ol class="times">')[2].partition("</ol>")[0]
    drawn = re.findall(r'<li class="tone-(\w+)">.*?<rect x="([\d.]+)%" width="([\d.]+)%"', chart, re.DOTALL)
    assert len(drawn) == len(bars)
    assert drawn[:2] == [("grey", "0.00", "25.00"), ("red", "25.00", "75.00")]
    assert all(float(left) + float(width) <= 100 for _tone, left, width in drawn)
    assert "共 240.0 秒" in page
    assert "style=" not in chart

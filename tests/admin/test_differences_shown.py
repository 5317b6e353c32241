"""A difference from the big-data side's records: no page shows its order as fine, and the page tells its history."""

import datetime

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from orders.models import Difference
from project.observability.gauges import exposition
from tests import factories
from tests.admin.orders import DAY, billed, deciding, filled, page, staff, unbilled
from tests.admin.walking import text_of

pytestmark = pytest.mark.django_db
LIST = reverse("admin:orders_order_changelist")
GREEN = ("chip-green", "tone-green", "problem-green")


def head_of(text):
    """Returns the part of the page above its tabs."""
    return text[: text.index('class="order-tabs"')]


def test_nothing_says_fine(admin_client):
    order = unbilled()
    answer = admin_client.get(page(order))
    text = head_of(answer.content.decode())
    assert [word for word in GREEN if word in text] == []
    here = answer.context["here"]
    assert (here.key, here.tone, answer.context["right"].key) == ("live", "red", "fix")
    assert "客户已开通服务，大数据侧却没有对应话单" in text
    assert order.differences.get().domain in text
    for tab in ("overview", "domains", "billing"):
        assert "差异" in text_of(admin_client, page(order, f"?tab={tab}"))
    record, incident = order.billing_records.get(), order.troubles.get().incident
    factories.OrderDomainFactory(order=order, name=record.domain, key=record.domain)
    for tab in ("billing", "domains"):
        text = text_of(admin_client, page(order, f"?tab={tab}"))
        assert "chip-green" not in text[text.index('class="order-tab"') : text.index(record.domain) + 300]
    family = text_of(admin_client, page(order.trial))
    assert "chip-amber" in family[family.index('class="family"') :]
    names = [
        ("orders_billingrecord_changelist", []),
        ("orders_billingrecord_change", [record.pk]),
        ("orders_incident_change", [incident.pk]),
        ("orders_orderfiles_changelist", []),
    ]
    order.info_security = f"{order.number}_50004020027_20230920191212.xlsx"
    order.save()
    for name, arguments in names:
        text = text_of(admin_client, reverse(f"admin:{name}", args=arguments))
        assert "chip-green" not in text, name
        assert "待核对" in text, name


@pytest.mark.parametrize("state, green", [("open", False), ("over", True), ("accepted", True)])
def test_only_an_open_one_counts(admin_client, state, green):
    order = billed()
    factories.DifferenceFactory(order=order, state=state)
    head = head_of(text_of(admin_client, page(order)))
    assert ("chip-green" in head, "tone-green" in head) == (green, green)
    text = text_of(admin_client, f"{LIST}?q={order.number}")
    assert ("chip-green" in text) == green
    assert ("我方有效" in text or "未计费" in text or "待核对" in text) != green


def test_a_conflicting_list_entry_is_no_matter_of_books(admin_client):
    """BBOSS's list lacks the order, which is no difference between billing records. The page says so, staff can accept
    it, and there is nothing to fix.
    """
    order = billed()
    factories.DifferenceFactory(order=order, kind="not_listed", domain="", product_id="")
    answer = admin_client.get(page(order))
    assert answer.context["here"].action == "accept"
    assert "chip-green" not in head_of(answer.content.decode())


def test_what_will_happen_is_said_before(client, books):
    order = unbilled()
    client.force_login(staff("fix_difference"))
    head, _bar, rest = text_of(client, deciding(order, "fix")).partition('<aside class="facts"')
    assert "chip-green" not in head + rest.partition("</aside>")[2]
    will = client.get(deciding(order, "fix")).context["will"]
    assert any("重新发送 1 条" in sentence for sentence in will)
    stranger = factories.DifferenceFactory(
        order=order, kind="not_ours", domain="x.example.com", detail={"ours": "none", "theirs": "live"}
    )
    assert any("删除大数据侧不应存在的 1 条" in one for one in client.get(deciding(order, "fix")).context["will"])
    gone = factories.DifferenceFactory(order=order, domain="gone.example.com", detail={"ours": "live"})
    # our record is gone, and the next comparison will say so
    assert client.get(deciding(order, "fix")).status_code == 200
    gone.delete()
    order.state = "failed"
    order.save()
    stranger.delete()
    answer = client.get(deciding(order, "fix"))  # no difference of this order could be fixed
    assert (answer.context["will"], str(order.get_state_display()) in answer.context["why_not"]) == ([], True)


def test_it_says_what_came_of_it(boss, books):
    order = unbilled()
    told = boss.post(deciding(order, "fix"), filled(order, "fix"), follow=True).content.decode()
    assert "正在修正 1 处差异" in told
    [row] = Difference.objects.filter(state="open")
    assert (row.fix.step, row.reconciliation.by) == ("fix_create_billing", "staff:boss")
    assert "修正中（boss 发起）" in told
    again = boss.post(deciding(order, "compare"), filled(order, "compare"))
    assert again.status_code == 409  # refused because the order's billing records are changing


def lives(order, **fields):
    return factories.DifferenceFactory(order=order, state="over", closed_at=timezone.now(), **fields)


def test_its_life_is_told_and_one_that_is_found_anew_is_one_thing(admin_client):
    order, at = billed(), timezone.now()
    lives(order, domain="anew.example.com", found_at=at)
    factories.DifferenceFactory(order=order, domain="anew.example.com", found_at=at)
    fix = factories.DispatchFactory(order=order, step="fix_create_billing", state="done", next_try_at=None)
    run = factories.ReconciliationFactory(by="staff:li")
    lives(order, fix=fix, reconciliation=run, domain="fixed.example.com", checked_at=timezone.now())
    lives(order, fix=fix, reconciliation=run, domain="unchecked.example.com")
    lives(order, closed_by="command:wang", reason="以对方为准", domain="taken.example.com")
    factories.DifferenceFactory(
        order=order,
        state="accepted",
        closed_by="staff:zhao",
        reason="客户已知",
        closed_at=timezone.now(),
        domain="accepted.example.com",
    )
    answer = admin_client.get(page(order, "?tab=billing"))
    told = {line.row.domain.split(".")[0]: " ".join(line.life) for line in answer.context["differences"]}
    assert "li 发起" in told["fixed"]
    assert "已复核" in told["fixed"]
    assert "尚未复核" in told["unchecked"]
    assert "wang" in told["taken"]
    assert "以对方为准" in told["taken"]
    assert "zhao" in told["accepted"]
    assert "客户已知" in told["accepted"]
    assert len(answer.context["differences"]) == len(told) == 5


def test_metrics_tell_them(db, fresh_gauges):
    now = timezone.now()
    unbilled(found_at=now - DAY)
    factories.DifferenceFactory(kind="fields", found_at=now)
    families = text_string_to_metric_families(exposition().decode())
    values = {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}
    assert values["desk_open_differences", "not_billed"] == 1
    assert values["desk_open_differences", "fields"] == 1
    assert values["desk_unbilled_orders",] == 1
    assert values["desk_oldest_difference_seconds",] == pytest.approx(DAY.total_seconds(), abs=60)


def test_show_tells_them(capsys):
    order = unbilled(found_at=timezone.now() - datetime.timedelta(hours=5))
    call_command("show", order.number)
    told = capsys.readouterr().out
    assert "difference" in told
    assert order.differences.get().domain in told
    assert "theirs missing" in told

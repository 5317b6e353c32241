"""Orders that wait for BPM's approval: how long they wait, which were returned, and the link to BPM's page."""

import datetime
import re

import pytest
from django.urls import reverse
from django.utils import timezone

from tests import factories
from tests.admin.orders import page, planned, staff, step
from tests.admin.walking import desk_of, text_of

pytestmark = pytest.mark.django_db
HOUR = datetime.timedelta(hours=1)
LIST = reverse("admin:orders_order_changelist")


def waiting(*, hours: int, result: str = "", **fields):
    """A subsequent activation that BPM has had for `hours` hours, with its last approval record, if any."""
    order = planned("awaiting_approval", **{"first": False, "bpm_process": "p 1/2"} | fields)
    step(order, "start_bpm", done_at=timezone.now() - hours * HOUR)
    if result:
        factories.ApprovalRecordFactory(order=order, result="pass", finished=False)
        factories.ApprovalRecordFactory(order=order, result=result, opinion="补材料", finished=False)
    return order


def test_the_dashboard_tells_since_when_and_what_was_returned(admin_client):
    waiting(hours=3)
    oldest, back = waiting(hours=30), waiting(hours=5, result="return")
    waiting(hours=4, result="pass")
    answer = admin_client.get(reverse("admin:index"))
    desk = answer.context["desk"]
    assert (desk.approvals.number, desk.returned.number) == (4, 1)
    assert [row.number for row in desk.awaiting[:2]] == [back.number, oldest.number]
    assert "30 小时前" in answer.content.decode()
    assert "BPM 已退回" in answer.content.decode()


def test_the_list_tells_it_too(admin_client):
    waiting(hours=30)
    text = text_of(admin_client, f"{LIST}?state__exact=awaiting_approval")
    assert 'title="待 BPM 审批">待 BPM 审批</span></td>' in text
    text = text_of(admin_client, f"{LIST}?columns=number,asked")
    assert re.search(r'<td class="field-asked"><time datetime="[^"]+" title="[^"]+">30 小时前</time></td>', text)
    back = waiting(hours=5, result="return")
    answer = admin_client.get(f"{LIST}?needs=returned")
    assert [order.number for order in answer.context["cl"].result_list] == [back.number]
    assert "BPM 已退回" in answer.content.decode()


def test_the_page_tells_a_return_with_its_words_as_long_as_it_is_one(admin_client, admin_user):
    order = waiting(hours=5, result="return")
    here = admin_client.get(page(order)).context["here"]
    assert (here.key, here.tone) == ("approval", "amber")
    assert "补材料" in here.detail
    assert here.at is not None
    factories.ApprovalRecordFactory(order=order, result="pass", finished=False)
    assert desk_of(admin_user).returned.number == 0
    assert admin_client.get(page(order)).context["here"].tone == "violet"


def test_bpms_page_is_linked(client, settings):
    order = waiting(hours=1)
    client.force_login(staff())
    assert "在 BPM 中打开" not in text_of(client, page(order))
    settings.BPM_TASK_URL = "https://bpm.example.com/task/{process}?order={order}"
    text = text_of(client, page(order))
    assert text.count(f'href="https://bpm.example.com/task/p%201%2F2?order={order.number}"') == 4


@pytest.mark.parametrize(
    "address",
    ["javascript:alert('{process}')", "//bpm/{process}", "data:text/html,{order}", "x", "https://[", "{process}"],
)
def test_only_web_addresses_are_linked(client, settings, address):
    order = waiting(hours=1, bpm_process="javascript:alert(1)") if address == "{process}" else waiting(hours=1)
    client.force_login(staff())
    settings.BPM_TASK_URL = address
    assert "在 BPM 中打开" not in text_of(client, page(order))


def test_without_a_process_there_is_nothing_to_open(client, settings):
    settings.BPM_TASK_URL = "https://bpm.example.com/{order}"
    client.force_login(staff())
    assert "在 BPM 中打开" not in text_of(client, page(planned("in_progress")))

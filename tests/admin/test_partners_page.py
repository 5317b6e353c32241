"""The page 对接 shows how each partner's call is made, read and proven, and the last answers in doubt (contract
7.3).
"""

import re

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from integrations.partners.profile import read_profile
from orders.models import KeptAnswer, PartnerHold, PartnerProof
from orders.outbox import proven_calls
from tests import factories as make
from tests.admin.latin import Shown, latin

pytestmark = pytest.mark.django_db
URL = "/admin/partners/"
SECRET = "t0ps3cret-of-bpm"
PROFILE = """
[bigdata]
delete.path = ""
[bpm]
headers = { Authorization = "Bearer ${BPM_TOKEN}" }
start.path = "/flows?key=${BPM_TOKEN}"
[bpm.answer]
success = [{ code = [0] }]
"""


@pytest.fixture
def played(settings, monkeypatch, clock):
    """A create call that is proven, and a start call that BPM refused, which holds back BPM. There is also an older
    answer to the start call that was not understood.
    """
    settings.PARTNER_ANSWERS = "prove"
    proven_calls.known.clear()
    proven_calls.free.clear()
    monkeypatch.setenv("BPM_TOKEN", SECRET)
    settings.PARTNERS, settings.BPM_BASE_URL = read_profile(PROFILE), "http://me:hidden@bpm.test"
    now = timezone.now()
    made = make.DispatchFactory(step="create_billing")
    make.AttemptFactory(dispatch=made, outcome="ok", http_status=200, started_at=now)
    PartnerProof.objects.create(
        kind="create", call="bigdata.post", rules=proven_calls.hash_of("create"), proven_at=now, order=made.order.number
    )
    start = make.BpmDispatchFactory(state="failed", error_code="unproven")
    for said, read in [("<html>乱码</html>", "not_understood"), (f'{{"code": 7, "msg": "{SECRET}"}}', "refused")]:
        outcome = {"refused": "refused", "not_understood": "unclear"}[read]
        row = make.AttemptFactory(
            dispatch=start, outcome=outcome, answer=said, http_status=200, error_code="code_7", started_at=now
        )
        KeptAnswer.objects.create(
            **{"attempt": row, "kind": "start", "call": "bpm.start", "read": read, "order": start.order.number},
            **{"at": now, "http_status": 200, "charset": "utf-8", "raw": said.encode()},
        )
    incident = make.IncidentFactory(partner="bpm", step="start_bpm", code="unproven")
    make.AffectedOrderFactory(incident=incident, order=start.order, closed_at=None)
    PartnerHold.objects.create(
        partner="bpm", kind="start", call="bpm.start", code="unproven", detail="x", order=start.order.number, since=now
    )
    yield start, incident
    proven_calls.known.clear()
    proven_calls.free.clear()


def rows_of(page: str, heading: str) -> list[str]:
    """Returns the rows of a table's body as text."""
    table = page[page.index(f'id="{heading}"') :].partition("<tbody>")[2].partition("</tbody>")[0]
    return [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in table.split("<tr>")[1:]]


def test_it_says_how_each_call_stands_and_what_was_in_doubt(member, played):
    start, incident = played
    page = member("工程师").get(URL).content.decode()
    post, _delete, query, _traffic, bpm = rows_of(page, "stands-h")
    assert "下发和取消话单 bigdata.post 新建 已证实 2023-09-20" in post
    assert "立即取消 尚未证实" in post
    assert "无需证实 无 无 无 否" in query
    assert "启动 尚未证实 无 2023-09-20" in bpm
    assert "已暂停 这类调用对接方还从未接受过" in bpm
    assert reverse("admin:orders_resume_partner", args=["bpm"]) in page
    refused, unclear = rows_of(page, "doubts-h")
    assert "拒绝 200" in refused
    assert "看不懂 200 &lt;html&gt;乱码" in unclear
    for name, pk in [("order", start.order_id), ("attempt", start.tries.last().pk), ("incident", incident.pk)]:
        assert f'href="{reverse(f"admin:orders_{name}_change", args=[pk])}"' in page
    assert "[bpm.answer]" in page
    assert "对接方没有此接口" in page


def test_no_secret_is_on_it_nor_in_the_command_nor_in_the_log(member, played, capsys, caplog):
    page = member("工程师").get(URL).content.decode()
    call_command("partners")
    call_command("partners", "try", "bpm.start", "--order", played[0].order.number)
    for text in (page, capsys.readouterr().out, caplog.text):
        assert [word for word in (SECRET, "me:hidden", "BPM_TOKEN") if word in text] == []
    assert "http://***@bpm.test/flows?key=***" in page


def test_all_of_it_is_chinese(member, played):
    shown = member("管理员").get(URL).content.decode().partition('id="content-main"')[2]
    assert latin(Shown(shown).texts) == []


def test_a_refusal_of_a_proven_call_is_not_in_doubt(member, played):
    played[1].affected.update(closed_at=timezone.now() - timezone.timedelta(hours=1))
    page = member("工程师").get(URL).content.decode()
    assert len(rows_of(page, "doubts-h")) == 1


def test_an_empty_desk_says_so(member, settings):
    page = member("工程师").get(URL).content.decode()
    assert "没有存疑的应答" in page
    assert "没有设置对接配置" in page


@pytest.mark.parametrize(
    ("role", "letters"), [("业务人员", None), ("审计员", None), ("审批主管", None), ("工程师", ["BJ"])]
)
def test_others_may_not(member, role, letters):
    staff = member(role, letters=letters)
    assert staff.get(URL).status_code == 403
    assert URL not in staff.get(reverse("admin:index")).content.decode()


def test_the_menu_leads_here(member):
    assert f'href="{URL}"' in member("工程师").get(URL).content.decode()


def test_it_costs_no_more_queries_for_more_answers(member, played, django_assert_max_num_queries):
    staff = member("工程师")
    staff.get(URL)
    with django_assert_max_num_queries(25):
        staff.get(URL)

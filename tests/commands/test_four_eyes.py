"""Commands whose acts a second person must confirm (contract 3.11). They ask for the confirmation and exit with 3, or
run at once with `--emergency`.
"""

import datetime

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from notifications.models import Mail
from orders.actions.all_actions import DECISIONS
from orders.models import AskedAct, Incident
from orders.rules.four_eyes_acts import ACTS
from tests import factories as make
from tests.admin.conftest import books  # noqa: F401  a fixture
from tests.admin.orders import ALLOWED, PERMISSIONS, billed, changes, failed, staff
from tests.commands.test_work import run
from tests.flows.conftest import seen, write_records

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("books")]
# these acts are tested elsewhere, because their commands name several orders
DECIDING = [act for act in ACTS if act in ALLOWED and act not in {"fix", "erase"}]
MORE = {
    "move_start": [f"{timezone.localdate() + datetime.timedelta(days=9):%Y%m%d}"],
    "move_end": ["20330910"],
    "attribute": ["SH"],
}
WHY = ("--reason", "客户经理确认")


@pytest.fixture(autouse=True)
def four_eyes(settings):
    settings.FOUR_EYES, settings.SITE_URL = dict.fromkeys([*ACTS], 0), "https://desk.example.com"


@pytest.fixture
def judge():
    user = make.UserFactory(email="judge@example.com")
    user.groups.set(Group.objects.filter(name="审批主管"))
    return user


def given(capsys, *words):
    """Runs a command, and returns its exit code and its output."""
    try:
        return run(capsys, *words)
    except SystemExit as ended:
        return ended.code, capsys.readouterr().out


def test_each_act_on_an_order_has_a_decision():
    """Each act of FOUR_EYES on an order is a decision on the order's page. `pass` and `reject` are both the act
    `decide`.
    """
    known = {row.four_eyes for row in DECISIONS.values()} - {""}
    assert known == set(ACTS) - {"bulk", "export_personal"}


@pytest.mark.parametrize("key", DECIDING)
def test_a_command_asks_and_says_where_it_is_confirmed(capsys, judge, key):
    order, account = ALLOWED[key](), staff(PERMISSIONS[key], name="li")
    before = changes(order)
    code, out = given(capsys, key, order.number, *MORE.get(key, []), *WHY, "--by", "li")
    row = AskedAct.objects.get()
    assert (code, out.splitlines()[-1]) == (3, f"https://desk.example.com/admin/orders/askedact/{row.pk}/change/")
    assert (row.act, row.asker_id, row.reason, row.order) == (key, account.pk, "客户经理确认", order)
    assert row.via
    assert changes(order)[: len(before)] == before or order.events.get().kind == "act_asked"
    assert Mail.objects.get().recipients == [judge.email]


def test_decide_asks_for_a_pass_or_a_reject(capsys):
    order, _account = billed(), staff("decide_order", name="li")
    make.ApprovalRecordFactory(order=order, record_id="r1", result="reject", finished=True)
    assert given(capsys, "decide", order.number, "r1", *WHY, "--by", "li")[0] == 3
    row = AskedAct.objects.get()
    assert (row.decision, row.arguments) == ("reject", {"record": "r1"})


@pytest.mark.parametrize(
    "key, words, said",
    [("pass", ["decide", "pass"], "通过（BPM 无法回传结论时使用）"), ("give_up", ["give_up", "--step"], None)],
)
def test_what_a_command_was_told_is_confirmed_in_words(capsys, client, key, words, said):
    """The confirmation shows the details in Chinese. This includes a detail that the page does not ask for because
    there is only one possible answer, but that a command may name.
    """
    order, judge = ALLOWED[key](), staff("confirm_act", "view_askedact", name="judge")
    staff(PERMISSIONS[key], name="li")
    step = order.dispatches.filter(state="failed").first()
    words = [words[0], order.number, *words[1:], *([step.step] if step else [])]
    assert given(capsys, *words, *WHY, "--by", "li")[0] == 3
    client.force_login(judge)
    row = AskedAct.objects.get()
    details = client.get(f"/admin/orders/askedact/{row.pk}/change/").context["about"].details
    assert [value for _title, value in details] == [said or step.get_step_display()]


def test_what_a_file_holds_is_asked_for_with_accept(capsys, client, tmp_path):
    order, judge = ALLOWED["accept"](), staff("confirm_act", "view_askedact", name="judge")
    staff(PERMISSIONS["accept"], name="li")
    path = write_records(tmp_path / "held.csv", [])
    assert given(capsys, "accept", order.number, *seen(path), *WHY, "--by", "li")[0] == 3
    client.force_login(judge)
    about = client.get(f"/admin/orders/askedact/{AskedAct.objects.get().pk}/change/").context["about"]
    assert [title for title, _value in about.details] == ["大数据侧现有话单"]


@pytest.mark.parametrize(
    "by, told",
    [
        ([], "--by must be an account"),
        (["--by", "nobody"], "--by must be an account"),
        (["--by", "wang"], "wang may not do this"),
        (["--by", "gone"], "--by must be an account"),
    ],
)
def test_it_asks_as_an_account_that_may_do_it(capsys, by, told):
    order = billed()
    staff("add_note", name="wang")
    staff("decide_order", name="gone")
    make.UserFactory._meta.model.objects.filter(username="gone").update(is_active=False)
    code, out = given(capsys, "decide", order.number, "pass", *WHY, *by)
    assert (code, told in out) == (1, True), out
    assert not AskedAct.objects.exists()


def test_an_emergency_is_carried_out_at_once_and_told(capsys, judge):
    order = billed()
    assert given(capsys, "decide", order.number, "pass", *WHY, "--by", "li", "--emergency")[0] == 0
    assert make.fresh(order).decision == "pass"
    assert not AskedAct.objects.exists()
    event = order.events.get(kind="act_in_emergency")
    assert (event.actor, event.data["reason"]) == ("command:li", "客户经理确认")
    assert Incident.objects.get(code="emergency_act").partner == "desk"
    mail = Mail.objects.get(kind="notice_emergency_act")
    assert mail.recipients == [judge.email]
    assert order.number in mail.body


def test_a_second_emergency_keeps_the_words_of_the_first(capsys, client, judge):
    """Two emergencies share one incident. The events of each order say what its emergency was, and why."""
    first, second = billed(), billed()
    for order, why in ((first, "第一次无人可找"), (second, "第二次无人可找")):
        assert given(capsys, "decide", order.number, "pass", "--reason", why, "--by", "li", "--emergency")[0] == 0
    assert Incident.objects.filter(code="emergency_act").count() == 1
    assert [row.body.count("无人可找") for row in Mail.objects.filter(kind="notice_emergency_act")] == [1, 1]
    client.force_login(staff("view_orderevent", name="auditor"))
    told = {row.number: client.get(f"/admin/orders/order/{row.pk}/change/?tab=events").text for row in (first, second)}
    assert [("第一次" in text, "第二次" in text) for text in told.values()] == [(True, False), (False, True)]


def test_a_dry_run_asks_nobody(capsys):
    order = billed()
    assert given(capsys, "withdraw", order.number, *WHY, "--dry-run")[0] == 0
    assert not AskedAct.objects.exists()
    assert not Incident.objects.exists()


def test_what_is_not_allowed_is_not_asked_for(capsys):
    order, _account = make.OrderFactory(), staff("waive_finding", name="li")
    assert given(capsys, "waive", order.number, *WHY, "--by", "li")[0] == 1
    assert not AskedAct.objects.exists()


def test_a_resend_of_many_orders_is_left_to_the_page(capsys, settings):
    settings.FOUR_EYES = {"bulk": 1}
    orders = [failed(), failed()]
    code, out = given(capsys, "resend", "--failed", "--by", "li")
    assert (code, "FOUR_EYES" in out) == (1, True)
    assert given(capsys, "resend", orders[0].number, "--by", "li")[0] == 0
    assert given(capsys, "resend", orders[1].number, "--by", "li")[0] == 0

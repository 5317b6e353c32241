"""BBOSS sends a message for a number that staff entered by hand (contract 3.10). It is answered 00000 and kept, and
staff see the differences.
"""

import io

import pytest
from django.core.management import call_command
from django.urls import reverse

from orders.models import AffectedOrder, InboundMessage, Incident, Order
from tests.bboss_messages import post_order
from tests.entering.workbooks import row, workbook
from tests.factories import fresh
from tests.flows import contents

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock", "books")]
SAME = {"CpID": "", "UserID": "", "OperUser": "", "OperTel": "", "OperMail": "", "BackFlag": "0"}


@pytest.fixture
def entered(tmp_path):
    """A trial that a person has entered."""
    file = tmp_path / "a.xlsx"
    file.write_bytes(workbook(row("T1", ProvContent="a.example.com", OperTel="13700000000")))
    call_command("import_trials", str(file), stdout=io.StringIO())
    return Order.objects.get()


def code(reply):
    return reply["response"]["rspCode"]


def accept(order):
    order.dispatches.update(state="done")
    call_command("accept", order.number, "--reason", "客户确认", stdout=io.StringIO())


def sent(**more):
    return contents.trial("T1") | SAME | {"OperTel": "13700000000"} | more


def test_the_same_in_other_words_is_a_repeat(client, entered):
    reply = post_order(client, sent())
    assert (code(reply), reply["transIDH"]) == ("00000", entered.trans_idh)
    assert InboundMessage.objects.get().order_number == "T1"
    assert not Incident.objects.exists()


def test_what_differs_is_accepted_and_an_incident_shows_both(client, entered, boss):
    reply = post_order(client, sent(DataFlow="9", ProvContent=contents.domains("b.example.com"), OperTel="13911112222"))
    assert (code(reply), reply["transIDH"]) == ("00000", entered.trans_idh)
    row = AffectedOrder.objects.get()
    assert (row.order, row.incident.code) == (entered, "entered_differs")
    assert InboundMessage.objects.get().rsp_code == "00000"
    assert fresh(entered).data_flow == "1"
    page = boss.get(reverse("admin:orders_order_change", args=[entered.pk])).content.decode()
    assert "流量（手工：1；BBOSS：9）" in page
    assert "域名（手工：1: a.example.com；BBOSS：1: b.example.com）" in page
    assert "13911112222" not in page
    assert "13911112222" not in row.detail


def test_of_many_domains_those_that_differ_are_shown(client, entered):
    names = [f"domain-with-a-long-name-{number}.example.com" for number in range(40)]
    post_order(client, sent(ProvContent=contents.domains("a.example.com", *names, "z.example.com")))
    [found] = AffectedOrder.objects.get().detail_params["differences"]
    assert (found["ours"], found["theirs"][:30]) == ("1", "42: domain-with-a-long-name-0."[:30])


def test_of_long_texts_the_place_where_they_differ_is_shown(client, entered):
    Order.objects.update(cp_id="1" * 60, enterprise_name="云" * 250 + "甲")
    post_order(client, sent(CpID="1" * 60, EnterpriseName="云" * 250 + "乙"))
    [found] = AffectedOrder.objects.get().detail_params["differences"]
    assert (found["ours"][-1], found["theirs"][-1]) == ("甲", "乙")


def test_the_same_difference_is_told_once_and_another_one_again(client, entered):
    for _ in range(2):
        assert code(post_order(client, sent(DataFlow="9"))) == "00000"
    assert Incident.objects.get().count == 1
    accept(entered)
    assert code(post_order(client, sent(DataFlow="9"))) == "00000"
    assert not AffectedOrder.objects.unresolved().exists()
    post_order(client, sent(DataFlow="8"))
    assert AffectedOrder.objects.unresolved().count() == 1


def test_another_kind_is_a_difference_too(client, entered):
    assert code(post_order(client, contents.activation("T1", of="T0"))) == "00000"
    assert "kind" in str(AffectedOrder.objects.get().detail_params)


def test_one_transido_for_two_contents_is_still_refused(client, entered):
    post_order(client, sent(DataFlow="9"), trans_ido="x1")
    assert code(post_order(client, sent(DataFlow="8"), trans_ido="x1")) == "20002"


def test_an_order_of_bboss_is_still_a_conflict(client):
    post_order(client, contents.trial("T1"))
    assert code(post_order(client, contents.trial("T1", DataFlow="9"))) == "30000"
    assert not Incident.objects.exists()


def test_bboss_withdraws_what_staff_entered(client, entered):
    assert code(post_order(client, contents.withdrawal("T1"))) == "00000"
    assert fresh(entered).state == "withdrawn"

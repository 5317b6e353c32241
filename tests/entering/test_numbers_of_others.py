"""A limited person can find out only about a few numbers that they belong to orders of other attributions. Each try is
in the trail (contract 2.4).
"""

import pytest
from django.core.management import call_command

from orders.models import Order, OrderEvent
from orders.office.trials.enter_trials import MOST_FOREIGN
from tests import factories
from tests.entering.test_enter_page import FORM
from tests.entering.test_enter_page import URL as ENTER
from tests.entering.test_import_pages import another_clerk, review, upload, verdicts
from tests.entering.workbooks import row, workbook

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


@pytest.fixture
def others():
    return [factories.TrialFactory(number=f"SH{n}", attribution_id="SH").number for n in range(MOST_FOREIGN + 15)]


def tried():
    return OrderEvent.objects.filter(kind="numbers_tried").order_by("pk")


def said(client, number):
    errors = client.post(ENTER, FORM | {"OrderNum": number}).context["form"].errors
    return next(iter(errors)), str(next(iter(errors.values()))[0])


def test_25_tries_in_a_row_are_bounded_and_each_is_a_row(others, clock):
    beijing = another_clerk(letters=["BJ"])
    answers = [said(beijing, number) for number in others[:25]]
    assert answers[:MOST_FOREIGN] == [("OrderNum", "该订单号不可用，请换一个")] * MOST_FOREIGN
    assert {field for field, _text in answers[MOST_FOREIGN:]} == {"__all__"}
    assert [one.data["numbers"] for one in tried()] == others[:MOST_FOREIGN]
    assert len({one.account_id for one in tried()} - {None}) == 1
    assert said(beijing, "FREE") == answers[-1]  # the answer for a free number is the same as for a number in use
    assert not Order.objects.filter(number="FREE").exists()
    clock.shift(3601)
    assert beijing.post(ENTER, FORM | {"OrderNum": "FREE"}).status_code == 302


def test_the_trail_has_it(others, capsys):
    beijing = another_clerk(letters=["BJ"])
    said(beijing, others[0])
    call_command("audit", json=True)
    out = capsys.readouterr().out
    assert ("numbers_tried" in out, others[0] in out) == (True, True)


def test_the_same_number_again_is_one(others):
    beijing = another_clerk(letters=["BJ"])
    for _ in range(MOST_FOREIGN + 3):
        assert said(beijing, others[0])[0] == "OrderNum"


@pytest.mark.parametrize("number, answered", [(MOST_FOREIGN, True), (MOST_FOREIGN + 1, False)])
def test_a_workbook_of_guesses_tells_no_more(others, number, answered):
    beijing = another_clerk(letters=["BJ"])
    data = [*(row(one) for one in others[:number]), row("FREE1"), row("FREE2")]
    if answered:
        found = verdicts(beijing, review(beijing, *data))
        assert [verdict for verdict, _cells in found.values()] == ["wrong"] * number + ["new"] * 2
    else:
        assert "其他归属订单号" in upload(beijing, workbook(*data)).text
        assert said(beijing, "FREE3")[0] == "__all__"
    assert tried().get().data["count"] == number
    assert not Order.objects.filter(number__startswith="FREE").exists()


def test_what_is_guessed_at_the_confirmation_is_noted_too(others):
    """Orders of other attributions get these numbers between the check of the workbook and its confirmation. The
    refused numbers are in the trail.
    """
    beijing = another_clerk(letters=["BJ"])
    numbers = [f"T{n}" for n in range(MOST_FOREIGN + 1)]
    address = review(beijing, *(row(number) for number in numbers))
    for number in numbers:
        factories.TrialFactory(number=number, attribution_id="SH")
    beijing.post(address)
    assert tried().get().data["count"] == len(numbers)
    assert said(beijing, "FREE")[0] == "__all__"


def test_who_sees_all_and_numbers_of_one_s_own_are_not_bounded(others):
    everybody, beijing = another_clerk(), another_clerk(letters=["BJ"])
    own = [factories.TrialFactory(number=f"BJ{n}", attribution_id="BJ").number for n in range(MOST_FOREIGN + 3)]
    assert {said(everybody, number) for number in others} == {("OrderNum", "该订单号已存在，且内容不同")}
    assert {said(beijing, number) for number in own} == {("OrderNum", "该订单号已存在，且内容不同")}
    assert not tried().exists()

"""金库模式: if the site requires it, a token reads people's data only after a second person has agreed."""

import pytest
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from integrations.models import ApiToken
from orders.models import OrderEvent
from tests import factories as make
from tests.api.conftest import System
from tests.api.test_token_pages import page

pytestmark = pytest.mark.django_db
PHONE = "13712345678"


@pytest.fixture
def asked(settings, member):
    """The client of an administrator who has asked for a token for people's data. `token` is its row, and `phone()`
    reads an order's phone with it.
    """
    settings.EXPORT_SECOND_PERSON = True
    cache.clear()
    order = make.OrderFactory(oper_tel=PHONE)
    client = member("管理员")
    form = {"system": "BBOSS", "valid_until": timezone.localdate().isoformat(), "personal": "on"}
    answer = client.post(reverse("admin:integrations_apitoken_add"), form)
    assert "需要另一人同意" in answer.text
    caller = System(client, answer.context["text"])
    client.phone = lambda: caller.get(f"/api/orders/{order.number}/", personal=1).json()["operator"]["phone"]
    client.token = ApiToken.objects.get()
    return client


def agree(client, token):
    answer = client.post(page(token, "agree"), follow=True)
    token.refresh_from_db()
    return answer


def test_it_reads_masked_data_until_somebody_else_agrees(asked, member):
    assert asked.phone() != PHONE
    maker, second = asked.person, member("审批主管")
    shown = second.get(page(asked.token)).text
    assert all(word in shown for word in ("需要另一人同意", "待他人同意", 'form="agree-form"'))
    agree(second, asked.token)
    assert asked.phone() == PHONE
    assert (asked.token.maker_id, asked.token.judge_id) == (maker.pk, second.person.pk)
    event = OrderEvent.objects.get(kind="api_token_agreed")
    assert (event.actor, event.account_id) == (f"staff:{second.person.username}", second.person.pk)
    assert "agree-form" not in second.get(page(asked.token)).text
    assert "未做任何操作" in agree(second, asked.token).text


@pytest.mark.parametrize(
    "role, letters, status",
    [("业务人员", None, 403), ("工程师", None, 403), ("管理员", None, 403), ("审批主管", ["BJ"], 404)],
)
def test_who_may_not_agree(asked, member, role, letters, status):
    assert member(role, letters=letters).post(page(asked.token, "agree")).status_code == status
    assert asked.phone() != PHONE


def test_nobody_agrees_to_their_own(settings, asked, member):
    both = member("管理员", "审批主管")
    ApiToken.objects.update(maker_id=both.person.pk)
    assert "须由他人同意" in agree(both, asked.token).text
    assert asked.token.judged_at is None


def test_nor_to_that_of_an_account_that_they_made(asked, member):
    second = member("审批主管")
    asked_by = type(second.person).objects.get(pk=asked.token.maker_id)
    asked_by.note_given(second.person, now=timezone.now())
    assert "近 30 天内" in agree(second, asked.token).text
    assert asked.token.judged_at is None


def test_one_from_before_the_setting_waits_too(settings, asked):
    settings.EXPORT_SECOND_PERSON = False
    assert asked.phone() == PHONE
    settings.EXPORT_SECOND_PERSON = True
    assert asked.phone() != PHONE

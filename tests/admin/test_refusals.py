"""What staff read when a page does not exist, is not allowed or is broken."""

import pytest
from django.test import RequestFactory
from django.urls import reverse

from orders.log_facts import log_facts
from project.error_views import server_error
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("address", ["/nothing", "/admin/nothing/"])
def test_a_page_that_is_not_there(admin_client, address):
    answer = admin_client.get(address)
    assert answer.status_code == 404
    assert "页面不存在" in answer.content.decode()


def test_what_may_not_be_done(member):
    answer = member("审计员").get(reverse("admin:orders_order_resend"))
    assert answer.status_code == 403
    assert "您不能执行此操作" in answer.content.decode()


def test_an_error_of_ours_tells_its_number_and_asks_no_database(django_assert_num_queries):
    with log_facts(request="abc123"), django_assert_num_queries(0):
        answer = server_error(RequestFactory().get("/admin/"))
    text = answer.content.decode()
    assert answer.status_code == 500
    assert "系统出错了" in text
    assert "abc123" in text
    assert "<style" not in text


def test_an_app_s_index_lists_its_tables(admin_client):
    text = admin_client.get("/admin/orders/").content.decode()
    assert reverse("admin:orders_incident_changelist") in text.partition('id="content-main"')[2]


def test_a_step_with_thousands_of_attempts_shows_a_few(admin_client):
    dispatch = factories.DispatchFactory(attempts=30, frozen_at=factories.NOW)
    for number in range(1, 31):
        factories.AttemptFactory(dispatch=dispatch, number=number)
    text = admin_client.get(reverse("admin:orders_dispatch_change", args=[dispatch.pk])).content.decode()
    link = f"{reverse('admin:orders_attempt_changelist')}?dispatch={dispatch.pk}"
    assert link in text
    assert text.count("/admin/orders/attempt/") == 11 + 2  # ten rows, all of them, the menu, a phone's menu
    assert admin_client.get(link).context["cl"].result_count == 30

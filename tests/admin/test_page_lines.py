"""On every page of one object no label and no id occurs twice. Every empty list says why it is empty."""

import datetime
import re
from collections import Counter

import pytest
from django.contrib import admin
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone

from orders.history.log_facts import log_facts
from orders.lists.registration import LISTS
from orders.order_page.tabs import TABS
from project.error_views import server_error
from tests import factories as make
from tests.admin.latin import english, fill_with_digits_and_chinese
from tests.admin.rows import of_order
from tests.admin.walking import ask, rows, sign_in
from tests.sampling import WHOLE

pytestmark = pytest.mark.django_db
LABEL = re.compile(r"<label[^>]*>([^<]+)[:：]</label>")
EMPTY = re.compile(r'<div class="readonly">(?:None|)</div>')
MARK = re.compile(r'\sid="([^"]+)"')
NEVER_EMPTY = {"User", "Group", "Province", "ServiceType", "Timeline"}


def twice(pattern, text):
    """Returns the matches of a pattern that occur more than once."""
    return [found for found, number in Counter(pattern.findall(text)).items() if number > 1]


def test_no_page_names_two_lines_alike_or_leaves_one_without_a_value(admin_client):
    wrong = {}
    for name, row in list(rows().items())[:: 1 if WHOLE else 3]:
        text = admin_client.get(reverse(f"admin:{name}_change", args=[row.pk])).content.decode()
        wrong[name] = twice(LABEL, text) + twice(MARK, text)
        # the row that the test makes there contains no task
        wrong[name] += EMPTY.findall(text) if name != "django_q_ormq" else []
    assert {name: found for name, found in wrong.items() if found} == {}


def test_no_part_of_an_order_marks_two_places_alike_or_is_in_english(admin_client):
    order = of_order(make.OrderFactory(attribution_id="BJ"))["orders_order"]
    url = reverse("admin:orders_order_change", args=[order.pk])
    fill_with_digits_and_chinese()
    pages = {tab.key: ask(admin_client, f"{url}?tab={tab.key}") for tab in TABS[:: 1 if WHOLE else 2]}
    assert {key: found for key, answer in pages.items() if (found := twice(MARK, answer.page))} == {}
    assert english(pages) == {}


def test_every_list_that_may_be_empty_says_why():
    assert set(admin.site._registry) == set(LISTS)
    assert {model._meta.object_name for model, listed in LISTS.items() if not listed.empty} == NEVER_EMPTY


@pytest.mark.parametrize("letter", ["M", "o"])
def test_a_limited_person_is_not_told_that_there_is_nothing(client, letter):
    make.OrderFactory(attribution_id="BJ", number="A1")
    make.ReconciliationFactory()
    staff = sign_in(client, letter)
    for model, words in (("order", "您的归属范围内没有记录"), ("reconciliation", "只对可查看全部归属的人员显示")):
        text = staff.get(reverse(f"admin:orders_{model}_changelist")).content.decode()
        assert (words in text) == (letter == "o")
        assert 'class="nothing"' not in text or letter == "o"


def test_who_only_looks_at_an_account_is_offered_no_password(client, admin_user):
    url = reverse("admin:project_user_change", args=[admin_user.pk])
    colleague = reverse("admin:project_user_change", args=[make.UserFactory().pk])
    staff = sign_in(client, "M")  # may change accounts, but not a superuser's
    assert "field-password" not in staff.get(url).content.decode()
    assert "field-password" in staff.get(colleague).content.decode()


def test_an_address_of_another_province_gets_the_words_of_one_that_nothing_has(client):
    theirs, staff = of_order(make.OrderFactory(attribution_id="BJ")), sign_in(client, "o")
    for name in ("orders_order", "orders_customer", "orders_dispatch", "notifications_contact"):
        for page in ("change", "history"):
            told = [staff.get(reverse(f"admin:{name}_{page}", args=[key])) for key in (theirs[name].pk, "987654321")]
            assert {(answer.status_code, answer.content) for answer in told} == {(404, told[0].content)}, (name, page)
            assert "没有这个地址的内容，或它不在您的归属范围内" in told[0].content.decode()


def test_the_board_leads_to_the_incidents_that_it_has_no_room_for(admin_client):
    for n in range(9):
        make.AffectedOrderFactory(incident=make.IncidentFactory(code=f"c{n}"))
    page = admin_client.get("/admin/")
    assert len(page.context["desk"].work[-1].rows) == 8
    assert '<a class="count" href="/admin/orders/incident/?owner=nobody">异常 9</a>' in page.text


def test_a_desk_without_a_worker_says_so(admin_client):
    """The dashboard says so if no worker has ever run, and if the last worker no longer responds."""
    assert "没有后台程序在运行" in admin_client.get("/admin/").content.decode()
    make.HeartbeatFactory(seen_at=timezone.now() - datetime.timedelta(hours=1))
    answer = admin_client.get("/admin/")
    assert "后台程序已两分钟没有响应" in answer.content.decode()
    # the amber problem: no attribution has an SA
    assert [problem.tone for problem in answer.context["desk"].problems] == ["red", "amber"]


def test_the_filter_of_service_types_speaks_as_the_rows_do(admin_client):
    make.OrderFactory(service_type_id="4")
    text = admin_client.get(reverse("admin:orders_order_changelist")).content.decode()
    assert "liveStream" not in text
    assert text.count("直播") == 2  # once in the filter and once in the row
    shown = admin_client.get(reverse("admin:orders_order_changelist"), {"service_type__code__exact": "1"}).context["cl"]
    assert shown.result_count == 0


# --- pages for what does not exist, is not allowed, or fails


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
    dispatch = make.DispatchFactory(attempts=30, frozen_at=make.NOW)
    for number in range(1, 31):
        make.AttemptFactory(dispatch=dispatch, number=number)
    text = admin_client.get(reverse("admin:orders_dispatch_change", args=[dispatch.pk])).content.decode()
    link = f"{reverse('admin:orders_attempt_changelist')}?dispatch={dispatch.pk}"
    assert link in text
    # ten rows, the link to all of them, the menu, and the menu for phones
    assert text.count("/admin/orders/attempt/") == 11 + 2
    assert admin_client.get(link).context["cl"].result_count == 30

"""What concerns all orders needs an account without a limit: tests/admin/test_walk.py has every act, this the pages."""

import pytest
from django.urls import reverse

from orders.models import Province
from project.models import FailedLogin
from tests import factories as make

pytestmark = pytest.mark.django_db
SHANGHAI = reverse("admin:orders_province_change", args=["SH"])


def code_of(letters):
    return Province.objects.get(pk=letters).code


def test_a_limited_administrator_unlocks_nobody(member):
    row = FailedLogin.objects.create(username="li", ip_address="10.0.0.1", failures_since_start=9)
    url, form = reverse("admin:project_failedlogin_changelist"), {"action": "unlock", "_selected_action": row.pk}
    limited = member("管理员", letters=["BJ"])
    assert 'value="unlock"' not in limited.get(url).content.decode()
    limited.post(url, form)
    assert FailedLogin.objects.exists()
    member("管理员").post(url, form)
    assert not FailedLogin.objects.exists()


def test_a_new_code_asks_first_and_names_the_orders_that_follow(member):
    order = make.TrialFactory(attribution_id="SH")
    make.BillingRecordFactory(order=order, state="live")
    other = make.TrialFactory(attribution_id="BJ")
    boss, form = member("管理员"), {"code": "219", "name": "上海"}
    asked = boss.post(SHANGHAI, form)
    text = asked.content.decode()
    assert code_of("SH") == "210"
    assert order.number in text
    assert other.number not in text
    assert "210" in text
    confirmed = asked.context["adminform"].form["confirmed"].value()
    assert f'name="confirmed" value="{confirmed}"' in text
    asked_again = boss.post(
        SHANGHAI, form | {"code": "218", "confirmed": confirmed}
    )  # another code than was asked about
    assert (asked_again.status_code, code_of("SH")) == (200, "210")
    assert boss.post(SHANGHAI, form | {"confirmed": confirmed}).status_code == 302
    assert code_of("SH") == "219"


def test_a_new_name_asks_nothing(member):
    assert member("管理员").post(SHANGHAI, {"code": "210", "name": "沪"}).status_code == 302
    assert Province.objects.get(pk="SH").name == "沪"


def test_letters_stay(member):
    """Saved under other letters, a province would stand there twice."""
    before = Province.objects.count()
    member("管理员").post(SHANGHAI, {"letters": "XX", "code": "210", "name": "上海"})
    assert Province.objects.count() == before

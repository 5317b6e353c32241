"""The form for a single trial makes an order with its steps, or shows beside each field what is wrong."""

import pytest
from django.urls import reverse

from orders.models import Dispatch, Order, OrderEvent
from tests import factories
from tests.admin.test_query_counts import queries
from tests.entering.workbooks import MEMBERS, row

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
URL = reverse("admin:orders_order_enter")
GIVEN = row("T1", BizStart="2023-09-20", ProvContent="a.example.com\r\nb.example.com", OperTel="13800000000")
FORM = {member: value for member, value in zip(MEMBERS, GIVEN, strict=True) if value}
MANY = "\n".join(f"a{number}.cn" for number in range(20_001))


def test_a_trial_is_entered_with_its_steps(clerk):
    answer = clerk.post(URL, FORM)
    order = Order.objects.get()
    assert answer["Location"] == reverse("admin:orders_order_change", args=[order.pk])
    found = (order.number, order.state, order.attribution_id, str(order.biz_start))
    assert found == ("T1", "in_progress", "BJ", "2023-09-20")
    assert [domain.name for domain in order.domains.all()] == ["a.example.com", "b.example.com"]
    assert Dispatch.objects.get().step == "create_trial_billing"
    assert not OrderEvent.objects.filter(kind="trials_imported").exists()


def test_its_page_and_its_history_say_who_entered_it_and_the_same_again_changes_nothing(clerk):
    clerk.person.display_name = "王芳"
    clerk.person.save()
    page = clerk.post(URL, FORM, follow=True).content.decode()
    assert ("王芳手工录入" in page, "来自 BBOSS" in page) == (True, False)
    events = clerk.get(reverse("admin:orders_orderevent_changelist")).content.decode()
    assert ("手工录入" in events, "王芳" in events) == (True, True)
    number = OrderEvent.objects.count()
    assert "已存在且内容相同" in clerk.post(URL, FORM, follow=True).content.decode()
    assert (Order.objects.count(), OrderEvent.objects.count()) == (1, number)
    theirs = reverse("admin:orders_order_change", args=[factories.TrialFactory().pk])
    assert "来自 BBOSS" in clerk.get(theirs).content.decode()


@pytest.mark.parametrize(
    "given, field, said",
    [
        ({"OrderNum": ""}, "OrderNum", "未填写"),
        ({"OrderNum": "T 1"}, "OrderNum", "应为 1 至 64 位字母、数字、_ 或 -"),
        ({"EnterpriseName": "x" * 256}, "EnterpriseName", "超过 255 个字符"),
        ({"EnterpriseName": "a\0b"}, "EnterpriseName", ""),
        ({"BizStart": "x"}, "BizStart", ""),
        ({"BizStart": "1969-12-31"}, "BizStart", "早于 1970 年"),
        ({"BizEnd": "2023-09-19"}, "BizEnd", "早于业务开始日"),
        ({"BusinessType": ""}, "BusinessType", "未填写"),
        ({"BusinessType": "9"}, "BusinessType", ""),
        ({"Attribution": "ZZ"}, "Attribution", ""),
        ({"ProdType": "CDN"}, "ProdType", ""),
        ({"BillingMethod": "包月"}, "BillingMethod", ""),
        ({"DataFlow": "很多"}, "DataFlow", "不是数字"),
        ({"DataFlow": "-1"}, "DataFlow", "不是数字"),
        ({"OperTel": "abc"}, "OperTel", "不是电话号码"),
        ({"EnterpriseName": "云帆 https://example.com"}, "EnterpriseName", "://"),
        ({"OperUser": "张三：//example.com"}, "OperUser", "://"),
        ({"OperMail": "not-a-mail"}, "OperMail", "不是邮箱地址"),
        ({"EnterpriseID": "100 A"}, "EnterpriseID", "只能有字母"),
        ({"EnterpriseName": "=1+1"}, "EnterpriseName", "是公式"),
        ({"ProvContent": ""}, "ProvContent", "未填写"),
        ({"ProvContent": "*.a.cn"}, "ProvContent", "域名 *.a.cn 不"),
        ({"ProvContent": MANY}, "ProvContent", "共 20001 个域名，最多 20000 个"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(clerk, given, field, said):
    answer = clerk.post(URL, FORM | given)
    assert answer.status_code == 200
    assert list(answer.context["form"].errors) == [field]
    assert said in answer.context["form"].errors[field][0]
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    "pasted, hosts",
    [
        ("https://www.example.com/path?x=1,2", ["www.example.com", "2"]),
        ("HTTPS://WWW.Example.com:8443/a#b", ["WWW.Example.com"]),
        ("www.example.com:8080", ["www.example.com"]),
        ("//me:secret@www.example.com/", ["www.example.com"]),
        ("  ｈｔｔｐｓ：／／ｗｗｗ．ｅｘａｍｐｌｅ．ｃｏｍ／　", ["www.example.com"]),
        ("www。example。com", ["www.example.com"]),
        ("https://例子.cn/x", ["例子.cn"]),
        ("https://a.cn/1，https://b.cn/2；c.cn d.cn、\r\ne.cn", ["a.cn", "b.cn", "c.cn", "d.cn", "e.cn"]),
        ("https://a.cn/1 https://A.cn/2 a.cn", ["a.cn"]),
    ],
)
def test_the_host_of_a_pasted_url_is_taken_and_shown(clerk, pasted, hosts):
    wrong = clerk.post(URL, FORM | {"ProvContent": pasted, "DataFlow": "很多"})
    answer = clerk.post(URL, FORM | {"ProvContent": pasted}, follow=True)
    for page in (wrong, answer):
        assert "已取为域名：" in page.content.decode()
        assert f"→ {hosts[0]}" in page.content.decode()
    if hosts[-1] == "2":  # the rest of an address with a comma is reported and not dropped
        assert "域名 2 只有一级名称" in str(answer.context["form"].errors["ProvContent"])
    else:
        assert [domain.name for domain in Order.objects.get().domains.all()] == hosts


@pytest.mark.parametrize("typed", ["A.example.com\n例子.CN", "a.example.com"])
def test_typed_hosts_stay_as_they_are_and_a_name_typed_twice_is_a_fault(clerk, typed):
    answer = clerk.post(URL, FORM | {"ProvContent": typed}, follow=True)
    assert "已取为域名" not in answer.content.decode()
    assert [domain.name for domain in Order.objects.get().domains.all()] == typed.split()
    twice = clerk.post(URL, FORM | {"OrderNum": "T2", "ProvContent": "a.cn https://b.cn/ A.cn"})
    assert list(twice.context["form"].errors) == ["ProvContent"]
    assert "a.cn" in str(twice.context["form"].errors)


def test_the_form_begins_with_the_customer_and_each_field_is_in_one_group(clerk):
    form = clerk.get(URL).context["form"]
    groups = {str(title): [field.name for field in fields] for title, fields in form.groups}
    assert list(groups) == ["客户", "试用内容", "流量、时间与联系人"]
    assert groups["客户"][:2] == ["EnterpriseName", "EnterpriseID"]
    assert groups["试用内容"][0] == "OrderNum"
    assert sorted(name for names in groups.values() for name in names) == sorted(form.fields)


def test_codes_that_bboss_sends_can_be_chosen_and_the_form_asks_little(clerk):
    """The form offers codes that orders have, and makes few queries. A value that is no code, as people typed before
    there were choices, is not offered.
    """
    factories.TrialFactory(prod_type="7", billing_method="包月", enterprise_id="210A1")
    assert queries(clerk, URL) <= 10
    fields = clerk.get(URL).context["form"].fields
    assert [code for code, _words in fields["ProdType"].choices] == ["", "1", "7"]
    assert fields["BillingMethod"].choices == [("", "-"), ("1", "1 按流量")]
    assert clerk.post(URL, FORM | {"ProdType": "7"}).status_code == 302


def test_an_empty_form_names_each_field_that_is_needed_and_a_number_of_another_order_is_refused(clerk):
    errors = clerk.post(URL, {}).context["form"].errors
    assert set(errors) == {name for name in FORM if name != "OperTel"}
    factories.TrialFactory(number="T1")
    answer = clerk.post(URL, FORM)
    assert answer.context["form"].errors["OrderNum"] == ["该订单号已存在，且内容不同"]
    assert Order.objects.count() == 1


def test_a_limited_person_stays_within_their_attributions(member):
    beijing = member("业务人员", letters=["BJ"])
    assert [value for value, _name in beijing.get(URL).context["form"].fields["Attribution"].choices] == ["", "BJ"]
    for given in ({"Attribution": "SH"}, {"EnterpriseID": "210A1"}, {"EnterpriseID": "999A1"}):
        answer = beijing.post(URL, FORM | given)
        assert list(answer.context["form"].errors) == ["Attribution"]
    assert not Order.objects.exists()
    assert beijing.post(URL, FORM).status_code == 302


def test_it_needs_the_permission(member):
    assert member("工程师").post(URL, FORM).status_code == 403
    assert not Order.objects.exists()


def test_a_restored_desk_takes_nothing(clerk, monkeypatch):
    monkeypatch.setattr("orders.office.trials.enter_trials.is_restored", lambda: True)
    answer = clerk.post(URL, FORM)
    assert "数据库刚恢复" in answer.context["form"].non_field_errors()[0]
    assert not Order.objects.exists()

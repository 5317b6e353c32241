"""A person must confirm warnings before a trial is entered: a domain that is in use, or another name of the customer.
Also tests the look-up of a customer.
"""

import pytest
from django.core.management import call_command
from django.urls import reverse

from orders.models import Customer, Order
from tests import factories
from tests.admin.test_customer_page import index
from tests.bboss_messages import post_order
from tests.entering.test_enter_page import FORM, URL
from tests.entering.test_import_pages import review
from tests.entering.workbooks import row, workbook
from tests.flows import contents

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
CUSTOMER, NAME = FORM["EnterpriseID"], FORM["EnterpriseName"]


def in_use(number, domain, *, kind="2", **about):
    """Makes an order with a live record of the domain: billed (`kind` 2) or on trial (`kind` 1)."""
    about = {"state": "active", "enterprise_id": "210A9", "attribution_id": "BJ"} | about
    order = factories.OrderFactory(number=number, **about)
    factories.BillingRecordFactory(order=order, info_type=kind, domain=domain, domain_key=domain, state="live")
    return order


def said(answer):
    return [warning.what() for warning in answer.context["report"].warnings]


def confirmed(answer):
    return {"confirmed": answer.context["report"].mark}


def test_nothing_is_entered_before_the_warnings_are_confirmed(clerk):
    in_use("A7", "a.example.com", enterprise_id=CUSTOMER, enterprise_name=NAME)
    in_use("T7", "b.example.com", kind="1", state="trialing")
    in_use("T8", "a.example.com", kind="1", state="withdrawn")
    form = FORM | {"EnterpriseName": "北京示例"}
    answer = clerk.post(URL, form)
    assert said(answer) == [
        f"该企业编号的客户名称是“{NAME}”，与所填不同；录入不会更改客户名称",
        "1 个域名已由订单 A7 计费：a.example.com",
        "1 个域名已在订单 T7 中试用：b.example.com",
    ]
    assert "A7" in answer.content.decode()
    assert answer.context["form"]["OperTel"].value() == FORM["OperTel"]
    in_use("A8", "b.example.com")  # another order begins to bill the domain between the two requests
    answer = clerk.post(URL, form | confirmed(answer))
    assert len(said(answer)) == 4
    assert not Order.objects.filter(number="T1").exists()
    assert clerk.post(URL, form | confirmed(answer)).status_code == 302
    assert Order.objects.get(number="T1").enterprise_name == "北京示例"


def test_a_trial_entered_by_hand_renames_nobody(clerk, client, member):
    post_order(client, contents.trial("B1") | {"EnterpriseID": CUSTOMER, "EnterpriseName": "北京示例科技有限公司"})
    # received on the same day as the first one
    post_order(client, contents.trial("B2") | {"EnterpriseID": CUSTOMER, "EnterpriseName": NAME})
    index()
    form = FORM | {"EnterpriseName": "示例", "ProvContent": "new.example.com"}
    answer = clerk.post(URL, form)
    assert [NAME in one for one in said(answer)] == [True]
    assert clerk.post(URL, form | confirmed(answer)).status_code == 302
    index()
    assert Customer.objects.get(pk=CUSTOMER).name == NAME
    page = reverse("admin:orders_customer_change", args=[CUSTOMER])
    for letters in (None, ["BJ"]):
        assert member("业务人员", letters=letters).get(page).context["title"] == NAME
    post_order(client, contents.trial("B3") | {"EnterpriseID": CUSTOMER, "EnterpriseName": "示例"})
    index()
    assert Customer.objects.get(pk=CUSTOMER).name == "示例"


def test_a_customer_is_called_as_staff_entered_it_until_bboss_names_it(clerk):
    clerk.post(URL, FORM)
    index()
    assert Customer.objects.get(pk=CUSTOMER).name == NAME


def test_others_orders_show_in_no_warning_and_no_look_up(member):
    in_use("S1", "a.example.com", attribution_id="SH", enterprise_id=CUSTOMER, enterprise_name="别人知道的名称")
    index()
    beijing = member("业务人员", letters=["BJ"])
    pages = []
    for asked in ({"EnterpriseID": CUSTOMER}, {"EnterpriseID": "100A999"}, {"EnterpriseName": "别人知道"}):
        looked = beijing.post(URL, FORM | {"EnterpriseID": "", "EnterpriseName": ""} | asked | {"customer": ""})
        pages.append((looked.context["looked_up"], looked.context["form"]["CpID"].value()))
    taken = beijing.post(URL, FORM | {"customer": CUSTOMER}).context["looked_up"]
    assert {str(page) for page in pages} == {str((taken, None))}
    assert "没有这个企业编号或名称" in looked.content.decode()
    assert beijing.post(URL, FORM).status_code == 302  # entering it causes no warning either


def test_a_customer_is_looked_up_by_number_or_name_and_filled_in(clerk):
    about = {"enterprise_name": "北京云帆网络", "cp_id": "80171614", "user_id": "1458", "oper_tel": "13911112222"}
    factories.TrialFactory(enterprise_id="100A77", attribution_id="SH", **about)
    factories.TrialFactory(enterprise_id="100A78", enterprise_name="北京云帆科技", attribution_id="BJ")
    index()
    typed = {"DataFlow": "500", "ProvContent": "x.example.com"}
    answer = clerk.post(URL, typed | {"EnterpriseName": "云帆", "customer": ""})
    assert sorted(answer.context["looked_up"].choices) == [("100A77", "北京云帆网络"), ("100A78", "北京云帆科技")]
    for one in (
        {"EnterpriseID": "100A77", "customer": ""},
        {"EnterpriseName": "帆网络", "customer": ""},
        {"EnterpriseName": "云帆", "customer": "100A77"},
    ):
        answer = clerk.post(URL, typed | one)
        form = answer.context["form"]
        names = ["EnterpriseID", "EnterpriseName", "CpID", "UserID", "Attribution", "DataFlow"]
        assert [form[name].value() for name in names] == ["100A77", "北京云帆网络", "80171614", "1458", "SH", "500"]
        assert not form.errors
    assert "13911112222" not in answer.content.decode()
    assert not Order.objects.filter(enterprise_id="").exists()


@pytest.mark.parametrize("term", ["", "\0", "x" * 10_000, "²", "<b>"])
def test_a_look_up_of_nonsense_is_no_error(clerk, term):
    assert clerk.post(URL, {"EnterpriseName": term, "customer": ""}).status_code == 200


def test_a_workbook_s_warnings_are_named_by_cell_and_confirmed_once(clerk):
    in_use("A7", "t2.example.com", enterprise_id=CUSTOMER, enterprise_name="另一名称")
    address = review(clerk, row("T1"), row("T2"), row("T3", EnterpriseID="100A5", ProvContent="t1.example.com"))
    page = clerk.get(address)
    cells = [warning.cell for warning in page.context["report"].warnings]
    assert cells == ["C2", "I2", "C3", "I3", "I4"]  # rows 2 and 4 have the same domain
    assert clerk.post(address, follow=True).context["upload"].imported_at is None
    assert Order.objects.count() == 1
    assert clerk.post(address, confirmed(page), follow=True).context["upload"].imported_at
    assert Order.objects.count() == 4
    assert clerk.get(review(clerk, row("T1"))).context["report"].warnings == []  # the trial exists already


def test_the_command_says_the_warnings_and_goes_on(tmp_path, capsys):
    in_use("A7", "t1.example.com")
    path = tmp_path / "t.xlsx"
    path.write_bytes(workbook(row("T1")))
    call_command("import_trials", str(path), "--by", "wang")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "warning: I2 ProvContent: order A7 bills 1 of the domains already: t1.example.com"
    assert Order.objects.filter(number="T1").exists()

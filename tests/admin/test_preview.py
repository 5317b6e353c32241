"""An order in brief: the preview beside the list, and beside the reason of a decision."""

import re

import pytest
from django.urls import reverse

from orders.models import OrderEvent
from tests import factories as make
from tests.admin.orders import awaiting, deciding, failed, page, staff, step
from tests.admin.test_open_pages import Open
from tests.admin.walking import text_of, words_of

pytestmark = pytest.mark.django_db
LIST = reverse("admin:orders_order_changelist")
SECRET = ["13712345678", "ops@example.com", "张三丰"]


def preview(order, query=""):
    return reverse("admin:orders_order_preview", args=[order.pk]) + query


def aside(client, address):
    """Returns the panel beside the list or beside the reason."""
    return text_of(client, address).split("<aside")[1].split("</aside>")[0]


def test_it_says_where_the_order_stands_and_has_the_one_right_button(client):
    order = failed()
    make.OrderEventFactory(order=order, kind="note", data={"reason": "请致电 13712345678"}, actor="staff:li")
    client.force_login(staff("resend_order"))
    answer = client.get(preview(order, "?_changelist_filters=state__exact%3Dfailed"))
    text, here = answer.text, answer.context["panel"]["here"]
    assert (here.key, str(here.cause.what) in text, "请致电" in text) == ("bpm", True, True)
    assert re.findall(r'class="button[^"]*"\s+href="([^"]+)"', text) == [
        f"{deciding(order, 'resend')}?_changelist_filters=state__exact%3Dfailed"
    ]


def test_what_is_billed_already_is_not_said_to_be_billed_later(admin_client):
    """A first activation that failed at BPM is billed already, because its records were sent before. The preview does
    not say that billing will follow.
    """
    order, ahead = failed(), "开通日已到，执行后立即计费"
    order.dispatches.filter(step="create_billing").delete()
    assert ahead in text_of(admin_client, preview(order))
    step(order, "create_billing", "done")
    assert ahead not in text_of(admin_client, preview(order))


def test_it_asks_for_the_rights_and_the_limits_of_the_page(client, member):
    order = failed()
    client.force_login(staff("view_order", name="reader"))
    text = text_of(client, preview(order))
    assert ('class="button' in text, "由以下角色执行" in text) == (False, True)
    make.OrderFactory._meta.model.objects.filter(pk=order.pk).update(attribution="SH")
    limited = member("业务人员", letters=["BJ"])
    assert limited.get(preview(order)).status_code == 404
    assert order.number not in text_of(limited, f"{LIST}?preview={order.pk}")
    assert "您不能查看该订单，或它不存在" in aside(limited, f"{LIST}?preview={order.pk}")


def test_it_masks_people_s_data_and_notes_nothing(client):
    order = failed()
    order.oper_user, order.oper_tel, order.oper_mail = SECRET[2], SECRET[0], SECRET[1]
    order.save()
    order.dispatches.update(error=f"unknown {SECRET[0]}")
    make.OrderEventFactory(order=order, kind="note", data={"reason": " ".join(SECRET[:2])})
    client.force_login(staff("see_personal_data"))
    for address in (preview(order, "?personal=1"), f"{LIST}?preview={order.pk}"):
        assert [word for word in SECRET if word in text_of(client, address)] == []
    assert not OrderEvent.objects.filter(kind="personal_data_seen").exists()


def test_the_list_s_address_names_it_beside_any_filter(admin_client):
    order, other = failed(), make.OrderFactory()
    address = f"{LIST}?state__exact=failed&preview={order.pk}"
    answer = admin_client.get(address)
    assert [row.pk for row in answer.context["cl"].result_list] == [order.pk]
    assert f'data-order="{order.pk}"' in answer.text
    # so that no link leads to the same preview in another list
    assert "preview=" not in answer.text.replace("/preview/", "")
    assert f'data-order="{other.pk}"' in text_of(admin_client, f"{LIST}?state__exact=failed&preview={other.pk}")
    assert "您不能查看该订单" in aside(admin_client, f"{LIST}?preview=x%00")
    assert "panel" not in aside(admin_client, LIST)
    elsewhere = admin_client.get(reverse("admin:orders_incident_changelist"), {"preview": order.pk})
    assert elsewhere.status_code == 302  # for that list, `preview` is a filter that it does not know


def test_opening_it_makes_the_list_no_older_and_a_change_shows_in_it(admin_client):
    order = failed()
    shown = Open(admin_client, f"{LIST}?state__exact=failed")
    shown.url += f"&preview={order.pk}"
    assert shown.poll().status_code == 204
    make.OrderEventFactory(order=order, kind="note", data={"reason": "客户来电"}, actor="staff:li")
    answer = shown.poll()
    assert (answer.status_code, "客户来电" in answer.text) == (200, True)


def test_a_decision_stands_beside_what_it_bills_and_what_was_there_before(admin_client):
    order = awaiting()
    trial = make.TrialFactory()
    make.TrialShapeFactory(trial=trial, domains=["t.example.com"], service="1")
    order.trial, order.trial_number, order.product_id = trial, trial.number, "61000616304"
    order.save()
    for number in range(7):
        make.OrderDomainFactory(order=order, name=f"n{number}.example.com")
    make.BillingRecordFactory(order=trial, state="live", info_type="1", product_id="1", domain="t.example.com")
    facts = aside(admin_client, deciding(order, "pass"))
    for told in ("n5.example.com", "共 7 个域名", "61000616304", trial.number, "t.example.com", "1 条话单"):
        assert told in facts, told
    assert ("/do/" in facts, "<h1>" in facts) == (False, False)


def test_the_head_has_one_toolbar_and_says_nothing_of_the_ends_of_a_list(admin_client):
    order = failed()
    text = text_of(admin_client, page(order, "?_changelist_filters=p%3D1"))
    tools = text.split('class="order-tools"')[1]
    assert tools.index("/do/resend/") < tools.index("更多操作") < tools.index("/print/") < tools.index("/evidence/")
    assert text.count("/do/resend/") == 2  # the other button is in the sentence that advises the act
    words = words_of(admin_client.get(page(order, "?_changelist_filters=state__exact%3Dfailed")))
    assert ("第一单" in words, "最后一单" in words, "下一单" in words) == (False, False, False)

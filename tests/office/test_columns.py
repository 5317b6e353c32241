"""The columns of the exported lists are chosen in the address, and people's data stay masked."""

import datetime

import pytest
from django.contrib.messages import get_messages
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from orders.lists.chosen_columns import columns_of, on_page
from orders.lists.registration import address_of_list, admin_of, exported_lists
from orders.models import Dispatch, Order
from tests import factories as make
from tests.admin.rows import of_order
from tests.admin.test_query_counts import queries
from tests.admin.walking import unrendered

pytestmark = pytest.mark.django_db
ORDERS = "/admin/orders/order/"
HOUR = datetime.timedelta(hours=1)


def columns_on(answer):
    """Returns the names of the columns that a page shows, without the column of tick boxes for acts on many rows."""
    display = answer.context["cl"].list_display
    names = [one if isinstance(one, str) else one.__name__ for one in display]
    return [name for name in names if name != "tick"]


def test_the_address_says_which_columns_are_shown_and_in_which_order_and_links_keep_them(admin_client):
    make.OrderFactory()
    answer = admin_client.get(ORDERS, {"columns": "number,received,state_chip", "o": "-received"})
    # in the list's own order: the most important columns come first
    assert columns_on(answer) == ["number", "state_chip", "received"]
    text = answer.content.decode()
    assert "?columns=number%2Creceived%2Cstate_chip&amp;o=received" in text  # the heading's link reverses the order
    assert 'name="columns" value="number,received,state_chip"' in text  # the search form keeps the columns


def test_the_column_that_leads_to_the_page_always_stays(admin_client):
    order = make.OrderFactory()
    answer = admin_client.get(ORDERS, {"columns": "received,customer"}, follow=True)
    assert answer.redirect_chain == [(f"{ORDERS}?columns=number%2Creceived%2Ccustomer", 302)]
    assert f'<th class="field-number"><a href="{ORDERS}{order.pk}/change/' in answer.content.decode()
    text = admin_client.get(ORDERS, {"columns": "customer,number"}).content.decode()
    assert f'<th class="field-number"><a href="{ORDERS}{order.pk}/change/' in text


def test_the_boxes_of_the_form_become_one_value_and_the_usual_ones_none(admin_client):
    answer = admin_client.get(ORDERS, {"columns": ["number", "kind"], "state__exact": "active"})
    assert (answer.status_code, answer["Location"]) == (302, f"{ORDERS}?columns=number%2Ckind&state__exact=active")
    usual = list(admin_of("orders").list_display)
    assert admin_client.get(ORDERS, {"columns": usual})["Location"] == ORDERS


@pytest.mark.parametrize(
    "columns, kept, told",
    [
        ("number,gone", "number", "gone"),
        ("gone", "", "gone"),
        ("number,kind,\0", "number%2Ckind", "\ufffd"),
        ("number,content,password", "number", "content, password"),
        ("x" * 10_000, "", "x" * 40),
        ("number," + "é," * 5000, "number", "é"),
        ("number,<script>alert(1)</script>", "number", "<script>alert(1)</script>"),
    ],
)
def test_what_is_gone_is_left_out_with_a_line(admin_client, columns, kept, told):
    answer = admin_client.get(ORDERS, {"columns": columns, "state__exact": "active"}, follow=True)
    query = f"columns={kept}&state__exact=active" if kept else "state__exact=active"
    assert answer.redirect_chain == [(f"{ORDERS}?{query}", 302)]
    assert answer.status_code == 200
    assert "<script>alert" not in answer.content.decode()
    [line] = map(str, get_messages(answer.wsgi_request))
    assert line == f"以下列已不存在，已忽略：{told}"


@pytest.mark.parametrize("columns", ["", ",,,", " "])
def test_nothing_chosen_are_the_usual_ones(admin_client, columns):
    answer = admin_client.get(ORDERS, {"columns": columns}, follow=True)
    assert columns_on(answer) == on_page(admin_of("orders"), [])


@pytest.mark.parametrize("name", exported_lists())
def test_every_column_of_every_list_can_be_shown_people_stay_masked_and_no_more_is_asked(admin_client, name):
    """The number of queries does not grow with the number of rows."""
    people = {"oper_user": "欧阳三", "oper_tel": "13712345678", "oper_mail": "ops@example.com"}
    columns = columns_of(admin_of(name))
    page = (admin_client, f"{address_of_list(admin_of(name).model)}?columns={','.join(columns)}")
    of_order(make.OrderFactory(attribution_id="BJ", **people))
    answer = admin_client.get(page[1], follow=True)
    assert answer.status_code == 200
    joined = getattr(admin_of(name), "joined_columns", {})
    assert len(columns_on(answer)) == len({joined.get(one, one) for one in columns})
    text = answer.content.decode()
    assert [word for word in people.values() if word in text] == []
    few = queries(*page, follow=True)
    for _ in range(3):
        of_order(make.OrderFactory(attribution_id="BJ"))
    assert queries(*page, follow=True) <= few + 1  # one for the names of actors, if the first row had none


def test_other_lists_have_no_columns_to_choose(admin_client):
    url = reverse("admin:orders_dispatch_changelist")
    answer = admin_client.get(url, {"columns": "step"})
    assert (answer.status_code, answer["Location"]) == (302, url)


def test_an_order_means_the_same_whichever_columns_are_shown(admin_user):
    for day in (2, 1, 3):
        make.OrderFactory(number=str(day), biz_start=datetime.date(2026, 11, day))
    for query in (
        {"o": "-start_day"},
        {"o": "-start_day", "columns": "number,start_day"},
        {"o": "-start_day", "columns": "number,kind"},
        {"o": "-7"},
    ):
        rows = unrendered(admin_user, ORDERS, query).context_data["cl"].result_list
        assert [row.number for row in rows] == ["3", "2", "1"], query


def test_the_export_takes_the_columns_of_the_address(admin_client, tmp_path):
    make.OrderFactory(number="A1")
    page = admin_client.get("/admin/orders/export/new/orders/", {"columns": "number,kind,biz_end", "view": "7"})
    form = page.context["form"]
    assert form["columns"].initial == ["number", "kind", "biz_end"]
    assert [name for name, _label in form.fields["columns"].choices][:3] == ["number", "kind", "biz_end"]
    out = tmp_path / "o.csv"
    call_command("export", "orders", str(out), "--query", "columns=number,biz_end&view=7&kind=activation")
    assert out.read_text(encoding="utf-8-sig").splitlines()[0] == "订单号,报文中的结束日"


def test_the_export_keeps_every_filter(admin_client):
    """The filter `partner` is exported too, although its name begins with `p`, the parameter for the number of the
    page.
    """
    text = admin_client.get(reverse("admin:orders_incident_changelist"), {"partner": "bpm"}).content.decode()
    assert "/admin/orders/export/new/incidents/?partner=bpm" in text


# --- since when, attempts, next try


def test_in_this_state_since(admin_client):
    now = timezone.now()
    noted = make.OrderFactory(number="noted", state_since=now - 3 * HOUR)
    make.OrderFactory(number="not noted yet", received_at=now - 90 * HOUR)
    answer = admin_client.get(ORDERS, {"columns": "number,since", "o": "since"})
    rows, text = answer.context["cl"].result_list, answer.content.decode()
    # an order without a noted time has had its state since before times were noted
    assert [row.number for row in rows] == ["not noted yet", "noted"]
    assert "3 小时前" in text
    assert '<td class="field-since">-</td>' in text
    newest = admin_client.get(ORDERS, {"o": "-since"}).context["cl"].result_list
    assert newest[0] == noted


def test_in_this_state_for_three_days(admin_client):
    now, day = timezone.now(), 24 * HOUR
    for number, since in (("two days", now - 2 * day), ("four days", now - 4 * day), ("not noted", None)):
        about = {"received_at": now - 9 * day, "state": "awaiting_approval", "first": False}
        make.OrderFactory(number=number, state_since=since, **about)
    rows = admin_client.get(ORDERS, {"state__exact": "awaiting_approval", "in_state": "3d"}).context["cl"].result_list
    assert [row.number for row in rows] == ["four days"]


def stopped(number, attempts, again=None):
    order = make.OrderFactory(number=number)
    state = Dispatch.State.RETRYING if again else Dispatch.State.FAILED
    make.DispatchFactory(order=order, state=state, attempts=attempts, next_try_at=again, frozen_at=make.NOW)
    return order


def test_attempts_and_next_try(admin_client, admin_user):
    now = timezone.now()
    make.OrderFactory(number="fine")
    stopped("failed", 9)
    stopped("soon", 2, now + HOUR)
    often = stopped("later", 5, now + 2 * HOUR)
    make.DispatchFactory(order=often, state=Dispatch.State.DONE, attempts=40, frozen_at=make.NOW)

    def sorted_by(order):
        shown = unrendered(admin_user, ORDERS, {"columns": "number,attempts,next_try", "o": order})
        return [(row.number, row.tried) for row in shown.context_data["cl"].result_list]

    assert sorted_by("-attempts") == [("failed", 9), ("later", 5), ("soon", 2)]
    assert sorted_by("attempts") == [("soon", 2), ("later", 5), ("failed", 9)]
    assert sorted_by("next_try") == [("soon", 2), ("later", 5)]
    assert sorted_by("-1") == sorted_by("-attempts")
    assert "排序" in admin_client.get(ORDERS, {"columns": "number,attempts,next_try", "o": "next_try"}).content.decode()
    text = admin_client.get(ORDERS, {"columns": "number,attempts,next_try"}).content.decode()
    assert "fine" in text
    assert "59 分钟后" in text or "1 小时后" in text


def test_a_next_try_that_waits_for_its_partner_is_not_in_the_past(admin_client):
    """While a partner is paused or its circuit breaker is open, the time of a step's next try passes. The lists then
    show "soon", as the order's page does.
    """
    stopped("waits", 2, timezone.now() - HOUR)
    for url in (f"{ORDERS}?columns=number,next_try", "/admin/orders/dispatch/"):
        cell = admin_client.get(url).content.decode().partition("field-next_try")[2].partition("</td>")[0]
        assert ("即将" in cell, "小时前" in cell) == (True, False)


@pytest.mark.parametrize(
    "order",
    [
        "--attempts",
        "x-attempts",
        "attempts-",
        "-.--next_try",
        "content",
        "-oper_tel",
        "nosuch",
        "9" * 5000,
        "-",
        "\0",
        "1.2.-",
    ],
)
def test_rubbish_is_no_order(admin_user, order):
    make.OrderFactory(number="fine")
    stopped("failed", 9)
    shown = unrendered(admin_user, ORDERS, {"o": order}).context_data["cl"]
    assert [row.number for row in shown.result_list] == ["failed", "fine"]
    assert shown.queryset.query.order_by == ("-pk",)
    assert shown.notice == ""


@pytest.mark.parametrize(
    "order, columns", [(".".join(["-received", "received", "attempts"] * 500), 3), ("received.-number", 2)]
)
def test_a_column_sorts_once(admin_client, order, columns):
    make.OrderFactory()
    answer = admin_client.get(ORDERS, {"o": order})
    assert len(answer.context["cl"].queryset.query.order_by) == columns


def test_a_file_leaves_nothing_out_for_its_order(admin_client, tmp_path):
    make.OrderFactory(number="fine")
    stopped("soon", 2, timezone.now())
    stopped("failed", 9)
    for order, rows in {
        "-attempts": ["failed", "soon", "fine"],
        "attempts": ["soon", "failed", "fine"],
        "next_try": ["soon", "fine", "failed"],
        "-next_try": ["soon", "failed", "fine"],
    }.items():
        out = tmp_path / f"{order}.csv"
        call_command("export", "orders", str(out), "--query", f"columns=number&o={order}")
        assert out.read_text(encoding="utf-8-sig").splitlines()[1:] == rows
    assert admin_client.get("/admin/orders/export/new/orders/?o=-attempts").context["count"] == 3


def test_a_list_that_is_empty_for_its_order_s_sake_says_so(admin_client):
    make.OrderFactory()
    text = admin_client.get(ORDERS, {"o": "-attempts"}).content.decode()
    assert "没有符合条件的记录。" in text
    assert "还没有订单" not in text


def test_clearing_the_filters_keeps_columns_and_order(admin_client):
    make.OrderFactory()
    text = admin_client.get(
        ORDERS, {"columns": "number,kind", "o": "-received", "q": "A", "start": "today"}
    ).content.decode()
    assert 'class="filters-clear" href="?columns=number%2Ckind&amp;o=-received"' in text


def test_the_usual_columns_stay_calm():
    assert "attempts" not in admin_of("orders").list_display
    assert Order._meta.get_field("state_since").null

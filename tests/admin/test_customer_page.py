"""A customer's page: orders as trees, what is billed now, and people's data masked. It keeps to the reader's
attributions, and is paged where there is much.
"""

import datetime
import re

import pytest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from orders.lists.csv_and_xlsx_cells import plain
from orders.models import BillingRecord, Order, OrderEvent, OrderText, TextProgress
from orders.search.index import index_orders
from orders.search.list_search import customer_address
from tests import factories as make
from tests.admin.walking import unrendered
from tests.sampling import WHOLE

pytestmark = pytest.mark.django_db
ROLE = "业务人员"
LIST = reverse("admin:orders_customer_changelist")
WHO = {"enterprise_id": "E-55", "enterprise_name": "北京云帆网络科技"}
NOW, HOUR = make.NOW, datetime.timedelta(hours=1)
PHONE, MAIL, NAME = "13712345678", "ops@secret.example.com", "欧阳张三丰"


def index():
    index_orders(now=timezone.now(), seconds=60)


def count(user, url, query=None):
    return unrendered(user, url, query).context_data["cl"].result_count


def shown(client, tab="", enterprise_id="E-55", **query):
    answer = client.get(customer_address(enterprise_id), {"tab": tab} | query)
    assert answer.status_code == 200, answer
    return answer.content.decode()


@pytest.fixture
def family():
    """A trial with its change and its activation. A billing record of the activation is live at the big-data side."""
    trial = make.TrialFactory(number="T1", trial_number="", state="converted", attribution_id="BJ", **WHO)
    change = make.OrderFactory(
        number="C1", kind="change", state="applied", trial_number="T1", trial=trial, attribution_id="BJ", **WHO
    )
    live = make.OrderFactory(
        number="A1",
        state="active",
        first=True,
        trial_number="T1",
        trial=trial,
        attribution_id="BJ",
        oper_user=NAME,
        oper_tel=PHONE,
        oper_mail=MAIL,
        **WHO,
    )
    at = datetime.datetime(2023, 9, 20, 10, tzinfo=datetime.UTC)
    make.BillingRecordFactory(order=trial, info_type="1", product_id="1", state="cancelled", domain="old.example.com")
    make.BillingRecordFactory(
        order=live, info_type="2", product_id="61-7", state="live", domain="www.example.com", create_time=at
    )
    index()
    return trial, change, live


def test_what_is_billed_now_stands_first_and_open_incidents_are_counted_not_their_orders(admin_client, family):
    incident = make.IncidentFactory()
    for order in family:
        make.AffectedOrderFactory(incident=incident, order=order)
    make.AffectedOrderFactory(order=family[0], incident__state="ignored")
    page = admin_client.get(customer_address("E-55"))
    for told in ("北京云帆网络科技", "www.example.com", "61-7", "2023-09-20 18:00:00"):
        assert told in page.text
    assert "old.example.com" not in page.text
    assert page.context["troubles"] == 1


def test_the_list_says_of_each_customer_whether_it_is_billed_now(member, family):
    make.BillingRecordFactory(
        order=make.OrderFactory(enterprise_id="E-2", attribution_id="BJ"), info_type="1", state="live"
    )
    over = make.OrderFactory(enterprise_id="E-3", attribution_id="BJ")
    make.BillingRecordFactory(order=over, state="live", cancel_time=timezone.now())
    make.BillingRecordFactory(order=over, state="deleted")
    others = make.OrderFactory(enterprise_id="E-4", attribution_id="SH")
    make.BillingRecordFactory(order=others, state="live")
    make.OrderFactory(enterprise_id="E-4", attribution_id="BJ")
    index()

    def told(client):
        page = unrendered(client.person, LIST).context_data["cl"]
        return {row.pk: str(plain(page.model_admin.billed_now.value(row)) or "") for row in page.result_list}

    own = {"E-55": "正在计费", "E-2": "试用中", "E-3": "", "E-4": ""}
    assert told(member(ROLE)) == own | {"E-4": "正在计费"}
    assert told(member(ROLE, letters=["BJ"])) == own


def test_a_difference_is_shown_beside_our_books(admin_client, family):
    live = family[-1]
    make.DifferenceFactory(
        order=live,
        job_id="A1",
        product_id="61-7",
        domain="www.example.com",
        detail={"ours": "live", "theirs": "missing"},
    )
    page = admin_client.get(customer_address("E-55"))
    [row] = page.context["rows"]
    assert (row.theirs.differs, str(row.theirs.word), row.doubt) == (True, gettext("not there"), True)
    assert page.context["billed"][0].differing == 1
    assert page.context["differing"].number == 1


def theirs(client):
    """Returns what the page shows about the customer's only live record at the big-data side."""
    [row] = client.get(customer_address("E-55")).context["rows"]
    return row.theirs


def test_only_a_comparison_of_all_orders_that_was_answered_says_that_both_sides_agree(admin_client, family):
    assert not theirs(admin_client).compared
    now = timezone.now()
    for facts in ({}, {"whole": True, "error": "1 orders not answered"}):
        make.ReconciliationFactory(started_at=now, finished_at=now, **facts)
        assert not theirs(admin_client).compared
    make.ReconciliationFactory(started_at=now, finished_at=now, whole=True)
    told = theirs(admin_client)
    assert (told.compared, told.at) == (True, now)


@pytest.mark.parametrize(
    "step",
    [
        {"order": "A1", "state": "done", "done_at": NOW + HOUR},
        {"order": "A1", "state": "sending"},
        {"order": "T1", "lane": "A1", "state": "done", "done_at": NOW + HOUR},
    ],
)
def test_an_order_whose_billing_moved_meanwhile_was_left_out(admin_client, family, step):
    ids = {row.number: row.pk for row in family}
    names = {name: ids[step.pop(name)] for name in ("order", "lane") if name in step}
    make.BillingDispatchFactory(order_id=names["order"], lane=names.get("lane"), **step)
    make.ReconciliationFactory(started_at=NOW, finished_at=NOW + 2 * HOUR, whole=True)
    assert not theirs(admin_client).compared


def test_an_answer_that_can_t_be_read_is_no_agreement(admin_client, family):
    now = timezone.now()
    make.ReconciliationFactory(started_at=now, finished_at=now, whole=True)
    make.DifferenceFactory(
        order=family[-1],
        job_id="A1",
        kind="unreadable",
        product_id="",
        domain="",
        detail={"ours": "none", "theirs": "unreadable"},
    )
    told = theirs(admin_client)
    assert (told.differs, str(told.word)) == (True, gettext("can't be read"))


def billed(client):
    """Returns `{infoType: (number of domains, those that begin later)}`, as the head of the page shows it."""
    rows = client.get(customer_address("E-55")).context["billed_by_type"]
    return {row.info_type.value: (row.number, row.later) for row in rows}


def test_what_begins_later_or_ran_out_is_not_billed_now(admin_client, family):
    trial = make.TrialFactory(number="T2", trial_number="", state="ended", attribution_id="BJ", **WHO)
    over = {"create_time": NOW, "cancel_time": timezone.now() - HOUR, "domain": "over.example.com"}
    make.BillingRecordFactory(order=trial, info_type="1", product_id="1", state="live", **over)
    assert billed(admin_client) == {"2": (1, 0)}
    begins = timezone.now() + 10 * 24 * HOUR
    make.BillingRecordFactory(
        order=family[-1], product_id="61-8", state="live", domain="new.example.com", create_time=begins
    )
    assert billed(admin_client) == {"2": (1, 1)}
    BillingRecord.objects.filter(domain="www.example.com").update(state="cancelled")
    text = shown(admin_client)
    assert billed(admin_client) == {"2": (0, 1)}
    assert "未计费" in text
    assert f"自 {timezone.localtime(begins):%Y-%m-%d} 起" not in text
    assert f"将于 {timezone.localtime(begins):%Y-%m-%d} 起生效" in text
    assert "尚未生效" in text
    assert "over.example.com" not in text


def test_orders_are_trees_and_one_whose_trial_is_unknown_is_its_own(admin_client, family):
    make.OrderFactory(number="A9", trial_number="T9", state="held", held_because="trial_unknown", **WHO)
    index()
    trees = admin_client.get(customer_address("E-55"), {"tab": "orders"}).context["families"]
    assert [(tree.members[0].order.number, tree.missing) for tree in trees] == [("A9", "T9"), ("T1", "")]
    found = [(member.order.number, member.root) for member in trees[1].members]
    assert found == [("T1", True), ("C1", False), ("A1", False)]


def test_people_are_masked_and_opening_them_is_noted(member, family):
    text = shown(member(ROLE), "contacts")
    assert PHONE not in text
    assert MAIL not in text
    assert NAME not in text
    assert "137***78" in text
    text = shown(member(ROLE), "contacts", personal="1")
    assert PHONE in text
    assert NAME in text
    assert OrderEvent.objects.get(kind="personal_data_seen").data["where"] == "customer E-55 contacts"
    assert PHONE not in shown(member("工程师"), "contacts", personal="1")


def test_attachments_incidents_and_a_timeline(admin_client, family):
    live = family[-1]
    type(live).objects.filter(pk=live.pk).update(info_security="A1_50004020027_x.xlsx")
    make.AffectedOrderFactory(order=live, closed_at=timezone.now(), incident__state="resolved")
    make.AffectedOrderFactory(order=live)
    make.OrderEventFactory(order=live, kind="note", data={"text": f"请联系 {PHONE}"})
    assert "A1_50004020027_x.xlsx" in shown(admin_client, "files")
    rows = admin_client.get(customer_address("E-55"), {"tab": "incidents"}).context["rows"]
    assert [row.closed_at is None for row in rows] == [True, False]
    text = shown(admin_client, "events")
    assert "请联系" in text
    assert PHONE not in text


def test_a_bulk_run_is_one_line_of_the_timeline(admin_client, family):
    """The orders of a bulk run share one line, even if another event of each order lies between."""
    for order in family[:3]:
        make.OrderEventFactory(order=order, actor="staff:li", kind="note", data={"reason": "已通知", "run": 7})
        make.OrderEventFactory(order=order, kind="planned")
    text = shown(admin_client, "events")
    assert text.count("已通知") == 1
    part = text[text.index("已通知") :].partition("</details>")[0]
    assert "共 3 次" in part
    assert [order.number in part for order in family[:3]] == [True] * 3
    assert "已通知" not in shown(admin_client, "events", until="2020-01-01")


def noted(client):
    text = shown(client)
    return re.findall(r'<div class="note"><span class="quiet">(.*?)</span>(.*?)</div>', text)


def test_notes_stand_on_top_with_author_and_time(member, family):
    clerk = member("业务人员")
    page = reverse("admin:orders_customer_note", args=["E-55"])
    assert page in shown(clerk)
    assert clerk.post(page, {"note": " "}).context["form"].errors["note"]
    too_long = clerk.post(page, {"note": "长" * 10_000}).content.decode()
    assert "不超过 500 字符" in too_long
    assert "长" * 10_000 in too_long  # the page keeps what was typed
    text = clerk.post(page, {"note": f"<b>请打\n{PHONE}"}, follow=True).content.decode()
    assert PHONE not in text
    [(who, what)] = noted(clerk)
    assert clerk.person.username in who
    assert what.startswith("&lt;b&gt;请打 137")
    event = OrderEvent.objects.get(kind="customer_noted")
    assert (event.data["customer"], event.account_id) == ("E-55", clerk.person.pk)
    assert page not in shown(member("审计员"))
    assert member("审计员").post(page, {"note": "x"}).status_code == 403


def test_notes_of_people_who_see_more_of_the_customer_are_hidden(member, family):
    """A note on a customer may be about any order that its author sees. It is hidden from whoever sees fewer of the
    customer's orders.
    """
    url = reverse("admin:orders_customer_note", args=["E-55"])
    make.OrderFactory(number="S1", trial_number="", attribution_id="SH", **WHO)
    index()
    for letters, note in ((["SH"], "上海"), (None, "全国"), (["BJ"], "北京"), (["BJ", "SH"], "京沪")):
        assert member("业务人员", letters=letters).post(url, {"note": note}).status_code == 302
    assert member("业务人员", letters=["GD"]).post(url, {"note": "x"}).status_code == 404

    def told(letters):
        return [text for _author, text in noted(member("审计员", letters=letters))]

    assert told(None) == told(["BJ", "SH"]) == ["京沪", "北京", "全国", "上海"]
    assert told(["BJ"]) == ["北京"]


def test_only_orders_in_scope_are_shown(member, family):
    other = make.OrderFactory(number="S1", trial_number="", attribution_id="SH", **WHO)
    make.BillingRecordFactory(order=other, state="live", domain="shanghai.example.com")
    make.DifferenceFactory(order=other)
    index()
    page = member(ROLE, letters=["BJ"]).get(customer_address("E-55"))
    assert [row.domain for row in page.context["rows"]] == ["www.example.com"]
    assert (page.context["count"]["orders"], page.context["differing"].number) == (3, 0)
    assert "上海" not in page.content.decode()
    trees = member(ROLE, letters=["SH"]).get(customer_address("E-55"), {"tab": "orders"}).context["families"]
    assert [tree.members[0].order.number for tree in trees] == ["S1"]
    assert member(ROLE, letters=["GD"]).get(customer_address("E-55")).status_code == 404


MANY = 20_000 if WHOLE else 2_000


def test_many_domains_are_paged(admin_client, family):
    live = family[-1]
    BillingRecord.objects.bulk_create(
        BillingRecord(
            order=live,
            info_type="2",
            product_id="61-8",
            business_type="1",
            state="live",
            domain=f"d{place}.example.com",
            domain_key=f"d{place}.example.com",
        )
        for place in range(MANY)
    )
    page = admin_client.get(customer_address("E-55"), {"page": str(MANY // 50 + 1)})
    assert page.context["billed"][0].domains + page.context["billed"][1].domains == MANY + 1
    assert len(page.context["rows"]) == 1
    assert len(page.content) < 60_000


@pytest.mark.parametrize("tab", ["billing", "orders", "contacts", "files", "incidents", "events"])
@pytest.mark.parametrize("query", [{"page": "x"}, {"page": "-1"}, {"lines": "9" * 30}, {"tab": "%"}, {"who": "\0"}])
def test_nonsense_in_the_address_shows_the_page(admin_client, family, tab, query):
    shown(admin_client, **{"tab": tab} | query)


def test_an_enterprise_id_of_odd_characters_has_a_page(admin_client):
    odd = "E/5 %?#_5中"
    make.OrderFactory(number="odd", enterprise_id=odd, enterprise_name="怪<b>")
    index()
    text = shown(admin_client, enterprise_id=odd)
    assert "怪&lt;b&gt;" in text
    assert customer_address(odd) in admin_client.get(LIST).content.decode()


def test_the_list_is_searched_by_any_part(admin_user, family):
    make.OrderFactory(enterprise_id="F-66", enterprise_name="上海启明 CDN 信息")
    index()
    both = ["F-66", "E-55"]
    for term, found in [
        ("云帆", both[1:]),
        ("E-55", both[1:]),
        ("启明", both[:1]),
        ("明 cdn", both[:1]),
        (" CDN 信", both[:1]),
        ("6", []),
        ("%", []),
        ("北_", []),
        ("北明", []),
        ("", both),
    ]:
        assert [row.pk for row in unrendered(admin_user, LIST, {"q": term}).context_data["cl"].result_list] == found, (
            term
        )


@pytest.mark.parametrize("name", ["orders_order", "orders_billingrecord"])
def test_lists_lead_to_the_customer_and_are_searched_by_it(admin_client, admin_user, family, name):
    make.BillingRecordFactory(order__enterprise_id="F-66", order__enterprise_name="上海启明信息")
    index()
    url = reverse(f"admin:{name}_changelist")
    found = admin_client.get(url, {"q": "云帆"})
    assert found.context["cl"].result_count == {"orders_order": 3, "orders_billingrecord": 2}[name]
    assert customer_address("E-55") in found.content.decode()
    assert count(admin_user, url, {"q": "E-55"}) == found.context["cl"].result_count


def test_the_page_leads_to_the_lists_of_this_customer_alone_and_the_order_s_page_to_it(
    admin_client, admin_user, family
):
    make.BillingRecordFactory(order__enterprise_id="E-555", order__enterprise_name="别家")
    index()
    text = shown(admin_client)
    for name, number in {"orders_order": 3, "orders_billingrecord": 2}.items():
        url = reverse(f"admin:{name}_changelist") + "?customer=E-55"
        assert f'href="{url}"' in text
        assert count(admin_user, url) == number
    text = admin_client.get(reverse("admin:orders_order_change", args=[family[0].pk])).content.decode()
    assert f'href="{customer_address("E-55")}"' in text


BEHIND = "较早的订单仍在建立索引"


def test_orders_that_are_not_indexed_yet_are_the_customers_too(admin_client, admin_user, family):
    old = make.BillingRecordFactory(
        order__number="OLD",
        order__trial_number="",
        state="live",
        domain="old.example.org",
        **{f"order__{name}": value for name, value in WHO.items()},
    )
    page = admin_client.get(customer_address("E-55"))
    assert page.context["count"]["orders"] == 4
    assert "old.example.org" in [row.domain for row in page.context["rows"]]
    for name, number in {"orders_order": 4, "orders_billingrecord": 3}.items():
        url = reverse(f"admin:{name}_changelist")
        for query in ({"customer": "E-55"}, {"q": "E-55"}, {"q": "云帆"}):
            assert count(admin_user, url, query) == number, (name, query)
    assert old.order.number in shown(admin_client, "orders")


def test_a_customer_of_whom_nothing_is_indexed_yet_has_a_page(admin_client, member):
    old = make.OrderFactory(number="OLD", trial_number="", attribution_id="BJ", **WHO)
    make.BillingRecordFactory(order=old, state="live", domain="old.example.org")
    for tab in ("billing", "orders", "people"):
        text = shown(admin_client, tab)
        assert "北京云帆网络科技" in text, tab
        assert "北京" in text, tab
    page = member(ROLE, letters=["BJ"]).get(customer_address("E-55"))
    assert [row.domain for row in page.context["rows"]] == ["old.example.org"]
    assert page.context["places"] == {"BJ": "北京"}
    assert member(ROLE, letters=["GD"]).get(customer_address("E-55")).status_code == 404


@pytest.mark.parametrize("begun", [False, True])
def test_while_old_orders_are_indexed_names_are_searched_in_them_and_a_line_says_so(admin_client, admin_user, begun):
    row = make.BillingRecordFactory(order__enterprise_id="E-55", order__enterprise_name="北京云帆网络科技")
    new = make.OrderFactory(enterprise_id="F-66", enterprise_name="上海云帆信息", received_at=timezone.now())
    if begun:
        TextProgress.objects.create(orders=row.order_id, older=row.order_id + 1, events=0)
        index_orders(now=timezone.now(), seconds=60, may_go_on=iter([True, *[False] * 4]).__next__)
        assert OrderText.objects.get().order == new
    for name in ("orders_order", "orders_billingrecord"):
        assert count(admin_user, reverse(f"admin:{name}_changelist"), {"q": "云帆网"}) == 1
    assert BEHIND in admin_client.get(LIST).content.decode()
    assert BEHIND in admin_client.get("/admin/find/", {"q": "云帆网", "part": ""}).content.decode()
    index()
    assert BEHIND not in admin_client.get(LIST).content.decode()
    assert BEHIND not in admin_client.get("/admin/find/", {"q": "云帆网", "part": ""}).content.decode()


@pytest.fixture
def renamed(family):
    """Gives the customer an order of Shanghai, the newest one, with another name of the customer."""
    make.OrderFactory(
        number="S1",
        trial_number="",
        attribution_id="SH",
        enterprise_id="E-55",
        enterprise_name="上海启明信息",
        received_at=timezone.now(),
    )
    index()


@pytest.mark.parametrize(
    "letters, name, other", [(["BJ"], "北京云帆网络科技", "上海启明信息"), (["SH"], "上海启明信息", "北京云帆网络科技")]
)
def test_limited_readers_see_the_newest_name_and_time_of_their_own_orders(
    member, renamed, letters, name, other, settings, tmp_path
):
    client = member(ROLE, letters=letters)
    newest = Order.objects.filter(attribution_id=letters[0]).latest("pk")
    [row] = client.get(LIST).context["cl"].result_list
    assert (row.shown_name, row.shown_at) == (name, newest.received_at)
    settings.EXPORT_DIR = tmp_path
    export = reverse("admin:orders_export_new", args=["customers"])
    file = client.post(export, {"format": "csv", "columns": ["customer_name", "newest_order"]})
    answers = {
        "list": client.get(LIST).content,
        "page": client.get(customer_address("E-55")).content,
        "box": client.get("/admin/find/", {"q": "E-55", "part": ""}).content,
        "export": b"".join(file.streaming_content),
    }
    told = {place: (name in text.decode(), other in text.decode()) for place, text in answers.items()}
    assert told == dict.fromkeys(answers, (True, False))


@pytest.mark.parametrize(
    "term, letters, found",
    [
        ("启明", ["BJ"], 0),
        ("启明", ["SH"], 1),
        ("启明", None, 1),
        ("云帆", ["BJ"], 1),
        ("云帆", ["SH"], 0),
        ("E-55", ["BJ"], 1),
        ("E-55", ["SH"], 1),
    ],
)
def test_nobody_finds_a_customer_by_a_name_that_only_others_orders_gave(member, renamed, term, letters, found):
    client = member(ROLE, letters=letters)
    assert len(unrendered(client.person, LIST, {"q": term}).context_data["cl"].result_list) == found
    groups = client.get("/admin/find/", {"q": term, "part": ""}).context["groups"]
    assert [len(group.hits) for group in groups if str(group.title) == gettext("Customers")] == [found][:found]
    orders = unrendered(client.person, reverse("admin:orders_order_changelist"), {"q": term}).context_data["cl"]
    assert bool(orders.result_count) == bool(found)


@pytest.mark.parametrize("page, status", [("change", 404), ("history", 404), ("delete", 403)])
def test_a_nul_is_no_customer(admin_client, family, page, status):
    assert admin_client.get(f"/admin/orders/customer/%00/{page}/").status_code == status

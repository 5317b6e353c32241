"""One search box finds everything by any part of it, within the person's attributions and masked. If something can't
be looked up, the page says so clearly.
"""

import datetime
from urllib.parse import quote

import pytest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from orders.models import Order, OrderEvent
from orders.order_words.history import describe
from orders.search import find
from orders.search.index import index_orders
from orders.search.page import why_not, why_nothing
from tests import factories as make

pytestmark = pytest.mark.django_db
FIND = "/admin/find/"
ROLE = "业务人员"
PHONE = "13712345678"


@pytest.fixture
def order():
    """Makes the order to find, and another one."""
    order = make.OrderFactory(
        number="100A230920170126001",
        trial_number="100T8888",
        product_id="61000616304",
        attribution_id="BJ",
        enterprise_id="100A23100079275183",
        enterprise_name="北京云帆网络科技",
        bpm_process="bpm-20230920-7",
        oper_tel=PHONE,
        oper_user="欧阳张三丰",
    )
    make.OrderDomainFactory(order=order, name="Pull.api-eas-3.example.com")
    make.AcceptedCallFactory(order=order, trans_ido="675cf2df623c47e69e523c0fd2b6f7b9")
    make.InboundMessageFactory(order_number="", trans_ido="refused0000000000000000000000001", rsp_code="20208")
    other = make.OrderFactory(
        number="200B990101000000002",
        product_id="5",
        enterprise_id="F-66",
        enterprise_name="上海启明信息",
        attribution_id="SH",
        trial_number="",
    )
    for name in ("other.example.org", "www.中国.test", "x.api.test", "x.apifox.test"):
        make.OrderDomainFactory(order=other, name=name)
    index_orders(now=timezone.now(), seconds=60)
    return order


def titles(client, term):
    """Returns the titles that the box offers, by kind."""
    answer = client.get(FIND, {"q": term, "part": ""})
    assert answer.status_code == 200, answer
    return {str(group.title): [hit.title for hit in group.hits] for group in answer.context["groups"]}


NUMBER, NAME, DOMAIN = "100A230920170126001", "北京云帆网络科技", "Pull.api-eas-3.example.com"


@pytest.mark.parametrize("term, kind, found", [
    (NUMBER, "Orders", NUMBER), ("126001", "Orders", NUMBER), ("170126", "Orders", NUMBER),
    ("100a23092", "Orders", NUMBER),
    ("100T8888", "Orders", NUMBER), ("云帆", "Customers", NAME), ("79275", "Customers", NAME),
    ("pull.api-eas-3.example.com", "Domains", DOMAIN), ("example.com", "Domains", DOMAIN), ("eas-3", "Domains", DOMAIN),
    ("675cf2df623c47e69e523c0fd2b6f7b9", "Orders of this transIDO", NUMBER),
    ("refused0000000000000000000000001", "Messages of this transIDO", "refused0000000000000000000000001"),
    ("bpm-20230920", "BPM processes", NUMBER), ("6100061", "productId", NUMBER),
    (PHONE, "Orders with this phone number", NUMBER),
    (f"https://u:p@{DOMAIN}:8443/a.jpg?x=1", "Domains", DOMAIN), (f"{DOMAIN}/a/b", "Domains", DOMAIN),
    (f"http://{DOMAIN}/{'a' * 10_000}", "Domains", DOMAIN), (f"{DOMAIN.upper()}.", "Domains", DOMAIN),
    ("pull。api-eas-3．example｡com", "Domains", DOMAIN), ("pul", "Domains", DOMAIN), ("pull", "Domains", DOMAIN),
    ("org", "Domains", None), ("xn--fiqs8s.test", "Domains", "www.中国.test"),
    ("www.中国。test", "Domains", "www.中国.test"),
    ("api", "Domains", "x.api.test"), ("apif", "Domains", "x.apifox.test"),
    ("１２６００１", "Orders", NUMBER), ("１３７１２３４５６７８", "Orders with this phone number", NUMBER),
])  # fmt: skip
def test_it_is_found(admin_client, order, term, kind, found):
    assert titles(admin_client, term).get(gettext(kind)) == (found and [found])


@pytest.mark.parametrize("text, kind, found", [
    ("云帆 6126001", "Orders", None), ("云帆 126001", "Orders", NUMBER), ("eas-3 云帆　1701", "Orders", NUMBER),
    ("云帆 api-eas 61000616304 bpm-2023", "Orders", NUMBER), ("启明 126001", "Orders", None),
    ("100T8888 example.com", "Orders", NUMBER), ("example.com 12", "Orders", NUMBER), ("云 12", "Orders", None),
    ("北京 网络科技", "Customers", NAME), ("云帆 79275", "Customers", NAME),
    ("北京云帆 网络 科技", "Customers", NAME),
    ("100A2309 20170 126001", "Orders", NUMBER), ("１００Ａ2309 20170\u200b126001", "Orders", NUMBER),
    ("137 1234 5678", "Orders with this phone number", NUMBER),
    ("137-1234-5678", "Orders with this phone number", NUMBER),
    ("+86 137\u20111234\u20115678", "Orders with this phone number", NUMBER),
])  # fmt: skip
def test_each_of_several_words_is_found_and_pasted_numbers_as_they_are_meant(admin_client, order, text, kind, found):
    assert titles(admin_client, text).get(gettext(kind)) == (found and [found])


@pytest.mark.parametrize("text, found", [
    ("云帆 100A2309", 1), ("启明 100A2309", 0), ("100A2309 20170 126001", 1), ("１００Ａ２３０９", 1),
    ("云帆　网络", 1), ("100A2309 " * 9, 0),
])  # fmt: skip
def test_lists_read_a_text_as_the_search_does(admin_client, order, text, found):
    rows = admin_client.get(reverse("admin:orders_order_changelist"), {"q": text}).context["cl"].result_count
    domains = admin_client.get(reverse("admin:orders_orderdomain_changelist"), {"q": text}).context["cl"].result_count
    assert (rows, domains) == (found, found)


def test_many_orders_of_one_word_are_narrowed_by_another(admin_client, monkeypatch):
    """Two words are searched together. Many orders match the first word, more than are read, but this does not hide
    the order that the second word finds.
    """
    monkeypatch.setattr(find, "CANDIDATES", 3)
    for number in range(10):
        make.OrderFactory(number=f"777700{number}", enterprise_id="E-7", enterprise_name="云帆网络", trial_number="")
    index_orders(now=timezone.now(), seconds=60)
    assert titles(admin_client, "云帆 777700") == {gettext("Orders"): ["7777009", "7777008", "7777007"]}
    assert titles(admin_client, "云帆 7777002") == {gettext("Orders"): ["7777002"]}


def billed(number, domain, info_type="2", **more):
    """Makes an order with this domain and a billing record for it."""
    order = make.OrderFactory(number=number, trial_number="", **{"attribution_id": "BJ", "state": "active"} | more)
    make.OrderDomainFactory(order=order, name=domain)
    make.BillingRecordFactory(order=order, domain=domain, domain_key=domain, info_type=info_type, state="live")
    return order


def test_every_order_of_a_domain_is_found_what_is_billed_now_first(admin_client):
    """The newest order of a domain is only a trial. It must not hide that an older order of the domain is billed
    now.
    """
    billed("100OLD", "img.xyz.com", "1", kind="trial", state="trialing")
    live = billed("100LIVE", "img.xyz.com", kind="activation")
    over = billed("100OVER", "img.xyz.com", kind="activation", state="withdrawn")
    over.billing_records.update(cancel_time=timezone.now())
    later = billed("100LATER", "img.xyz.com", kind="activation", state="scheduled")
    later.billing_records.update(create_time=timezone.now() + datetime.timedelta(days=3))
    make.OrderDomainFactory(
        order=make.OrderFactory(number="100NEW", kind="trial", state="trialing"), name="img.xyz.com"
    )
    answer = admin_client.get(FIND, {"q": "http://img.xyz.com/a.jpg"})
    assert answer.status_code == 200  # more than one order, so none is opened
    [group] = answer.context["groups"]
    assert [hit.more.split(" · ")[-1] for hit in group.hits] == ["100LIVE", "100OLD", "100NEW", "100LATER", "100OVER"]
    assert [gettext("being billed") in hit.more for hit in group.hits] == [True, False, False, False, False]
    assert [f"{hit.chip}{hit.more}".count(gettext("on trial now")) for hit in group.hits] == [0, 1, 1, 0, 0]
    assert f">{live.get_state_display()}<" in group.hits[0].chip
    assert f">{over.get_state_display()}<" in group.hits[4].chip


def test_a_domain_of_one_order_is_opened_and_others_orders_do_not_count(member):
    own = billed("100LIVE", "img.xyz.com")
    billed("200LIVE", "img.xyz.com", attribution_id="SH")
    make.OrderDomainFactory(order=own, name="www.xyz.com")
    index_orders(now=timezone.now(), seconds=60)
    staff = member(ROLE, letters=["BJ"])
    for term in ("img.xyz.com", "xyz.com"):  # two domains of one order still count as one order
        assert staff.get(FIND, {"q": term})["Location"] == reverse("admin:orders_order_change", args=[own.pk])


def test_a_domain_in_60_orders_hides_neither_what_is_billed_nor_other_domains(admin_client):
    billed("100WWW", "wwww.xyz.com")
    live = billed("100LIVE", "img.xyz.com")
    for place in range(60):
        order = make.OrderFactory(number=f"200A{place}", trial_number="", kind="trial", state="withdrawn")
        make.OrderDomainFactory(order=order, name="img.xyz.com")
    index_orders(now=timezone.now(), seconds=60)
    for query, most in (({"part": ""}, 6), ({}, 50)):
        [group] = admin_client.get(FIND, {"q": "xyz.com"} | query).context["groups"]
        assert (len(group.hits), group.more) == (most, True)
        assert group.hits[0].more.endswith(live.number)
        assert "wwww.xyz.com" in [hit.title for hit in group.hits]


@pytest.mark.parametrize("name", ["order", "orderdomain", "orderfiles"])
@pytest.mark.parametrize(
    "term", [f"HTTPS://{DOMAIN}/a.jpg", f"{DOMAIN}.", "pull。api-eas-3。example。com", f"{DOMAIN}/a"]
)
def test_the_lists_boxes_understand_a_pasted_address_and_say_what_they_search(admin_client, order, name, term):
    Order.objects.update(info_security="a.xlsx")
    answer = admin_client.get(reverse(f"admin:orders_{name}_changelist"), {"q": term})
    assert answer.context["cl"].result_count == 1
    assert str(answer.context["cl"].model_admin.search_help_text) in answer.content.decode()
    assert f'href="{FIND}?q={quote(term)}"' in answer.content.decode()


@pytest.mark.parametrize("term", ["126002", "京帆", "example.net", "%%%", "___", "1371234567", "欧阳", "675cf2df"])
def test_what_does_not_fit_is_not_found(admin_client, order, term):
    assert titles(admin_client, term) == {}


def test_the_page_works_without_a_script_and_the_only_thing_found_is_opened(admin_client, order):
    text = admin_client.get(FIND, {"q": "example"}).content.decode()
    assert reverse("admin:orders_order_change", args=[order.pk]) in text
    assert NAME in text
    answer = admin_client.get(FIND, {"q": "126001"})
    assert (answer.status_code, answer["Location"]) == (302, reverse("admin:orders_order_change", args=[order.pk]))


@pytest.mark.parametrize("number", ["T1", "NEW-1"])
def test_a_short_number_and_a_fresh_order_s_are_found_as_a_whole(admin_client, order, number):
    make.OrderFactory(number=number, trial_number="")
    assert titles(admin_client, number) == {gettext("Orders"): [number]}


def test_the_end_of_a_number_comes_first(admin_client):
    for number in ("7777000", "0007777", "17777000", "07777", "7777"):
        make.OrderFactory(number=number, trial_number="")
    index_orders(now=timezone.now(), seconds=60)
    assert titles(admin_client, "7777")[gettext("Orders")] == ["7777", "07777", "0007777", "7777000", "17777000"]


def test_more_is_said_and_all_are_on_the_page(admin_client):
    for place in range(9):
        make.OrderFactory(number=f"100A{place}77770", trial_number="")
    index_orders(now=timezone.now(), seconds=60)
    [group] = admin_client.get(FIND, {"q": "7777", "part": ""}).context["groups"]
    assert (len(group.hits), group.more) == (6, True)
    [group] = admin_client.get(FIND, {"q": "7777"}).context["groups"]
    assert (len(group.hits), group.more) == (9, False)


def test_what_holds_the_term_often_hides_nothing(admin_client, member):
    """Each of the first customers contains the term twice in the index, at two places that are looked up together.
    This must not hide the last customer.
    """
    for number in range(100, 230):
        make.OrderFactory(enterprise_id=f"AAA0000000{number}", enterprise_name="", attribution_id="BJ")
    last = make.OrderFactory(enterprise_id="BBB00009", enterprise_name="", attribution_id="SH")
    index_orders(now=timezone.now(), seconds=60)
    customers = reverse("admin:orders_customer_changelist")
    assert admin_client.get(customers, {"q": "0000"}).context["cl"].result_count == 131
    found = member(ROLE, letters=["SH"]).get(customers, {"q": "0000"}).context["cl"].result_list
    assert [row.pk for row in found] == [last.enterprise_id]


def test_a_refused_message_is_found_by_the_number_of_an_order_that_we_do_not_have(admin_client, order, member):
    """The hit says when the message came, what was wrong and what BBOSS must do. Messages of strangers hide none of
    BBOSS's.
    """
    facts = {"order_number": "100A77", "biz_code": "", "body": f"{{}} {PHONE}"}
    bad = make.InboundMessageFactory(
        **facts, rsp_code="20505", rsp_desc="Request body parameter invalidate: BizStart 13712345678 is not a date"
    )
    for _ in range(9):
        make.InboundMessageFactory(**facts, rsp_code="20208", signed=False)
    make.InboundMessageFactory(**facts | {"order_number": NUMBER}, rsp_code="20208", signed=False)
    [group] = admin_client.get(FIND, {"q": " 100A77", "part": ""}).context["groups"]
    assert (str(group.title), len(group.hits), group.more) == ("含此订单号的被拒报文", 6, True)
    first, second = group.hits[:2]
    assert first.url == reverse("admin:orders_inboundmessage_change", args=[bad.pk])
    assert "业务内容中有字段不符合要求。字段：BizStart。 · 请 BBOSS 改正该字段后重发。" in first.more
    assert ("已拒绝" in first.chip, "验签未通过" in second.chip, PHONE in first.more) == (True, True, False)
    assert titles(admin_client, "100a77") == titles(admin_client, "100A7") == {}
    # the messages of an existing order are shown on the order's page
    assert list(titles(admin_client, NUMBER)) == [gettext("Orders")]
    assert titles(member(ROLE, letters=["BJ"]), "100A77") == {}


def test_the_only_refused_message_is_opened(admin_client):
    row = make.InboundMessageFactory(order_number="100A77", rsp_code="20208", biz_code="", signed=False)
    answer = admin_client.get(FIND, {"q": "100A77"})
    assert answer["Location"] == reverse("admin:orders_inboundmessage_change", args=[row.pk])


@pytest.mark.parametrize(
    "term",
    [
        NUMBER,
        "126001",
        "云帆",
        "example.com",
        "675cf2df623c47e69e523c0fd2b6f7b9",
        "6100061",
        "refused0000000000000000000000001",
        "bpm-20230920",
        PHONE,
        "100T8888",
    ],
)
def test_it_keeps_to_the_scope(member, order, term):
    assert titles(member(ROLE, letters=["SH"]), term) == {}
    assert titles(member(ROLE, letters=[]), term) == {}


def test_the_scope_is_applied_before_it_is_counted(member, monkeypatch):
    """Rows of other attributions neither hide a limited person's own rows nor add to their number."""
    monkeypatch.setattr(find, "CANDIDATES", 3)
    for number in range(6):
        of = "BJ" if number == 5 else "SH"
        order = make.OrderFactory(
            number=f"77A230920{number}",
            attribution_id=of,
            product_id=f"P7700{number}",
            bpm_process=f"bpm77-{number}",
            enterprise_id=f"E77-{number}",
            enterprise_name=f"云海科技{number}",
            oper_tel=PHONE,
        )
        make.OrderDomainFactory(order=order, name=f"d{number}.same.example.com")
    index_orders(now=timezone.now(), seconds=60)
    staff = member(ROLE, letters=["BJ"])
    for term, title in [
        ("77A230920", "77A2309205"),
        ("云海", "云海科技5"),
        ("same.example", "d5.same.example.com"),
        ("P7700", "77A2309205"),
        ("bpm77", "77A2309205"),
        (PHONE, "77A2309205"),
    ]:
        groups = staff.get(FIND, {"q": term, "part": ""}).context["groups"]
        assert [([hit.title for hit in group.hits], group.more) for group in groups] == [([title], False)], term


def test_what_finds_nothing_says_why(member, order):
    """For a number four characters are enough to search by a part. If a limit to attributions may hide the result, the
    page says so.
    """
    reader = member("业务人员")
    text = reader.get(FIND, {"q": "6691", "part": 1}).content.decode()
    assert "按域名的一部分查找请至少输入 5 个字符" in text
    assert "4 个字符" not in text
    assert "4 个字符（域名 5 个）" in reader.get(FIND, {"q": "zz", "part": 1}).content.decode()
    assert "您的账号只能查看" not in reader.get(FIND, {"q": "nothing-like-it", "part": 1}).content.decode()
    said = reader.get(FIND, {"q": "nothing like it", "part": 1}).content.decode()
    assert "已查找：订单、客户、域名、产品编号" in said
    assert "同时符合每个词" in said
    limited = member("业务人员", letters=["SH"])
    said = "您的账号只能查看以下归属：上海；其他归属的内容不在查找范围内。"
    assert said in limited.get(FIND, {"q": NUMBER, "part": 1}).content.decode()
    for term in (NUMBER, "zz"):
        page = member("业务人员", letters=[]).get(FIND, {"q": term, "part": 1}).content.decode()
        assert page.count("您的账号没有可查看的归属") == 1
        assert "只能查看以下" not in page


def test_a_search_by_phone_is_an_entry_of_its_own(member, order):
    """A search by phone writes an event of its own kind. Its hits are masked, so no event says that people's data were
    seen.
    """
    seen = OrderEvent.objects.filter(kind="phone_searched")
    staff = member("业务人员")
    for query in ({"q": "13799999999"}, {"q": NUMBER}):
        staff.get(FIND, query | {"part": 1})
    assert not seen.exists()
    for query in ({"q": PHONE, "part": 1}, {"q": PHONE}):
        staff.get(FIND, query)
    who = f"staff:{staff.person.username}"
    assert list(seen.values_list("order", "actor", "data__orders")) == [(None, who, 1)] * 2
    assert describe(seen[0]).what == "按电话搜索 137***78：找到 1 单"
    assert not OrderEvent.objects.filter(kind="personal_data_seen").exists()


def test_phone_numbers_only_for_those_who_may_see_people_and_nothing_for_others(member, order):
    assert titles(member("业务人员"), PHONE) != {}
    assert titles(member("工程师"), PHONE) == {}
    text = member("业务人员").get(FIND, {"q": "云帆", "part": ""}).content.decode()
    assert PHONE not in text
    assert "欧阳" not in text
    assert titles(member(), "example.com") == {}


@pytest.mark.parametrize("term", ["", " ", "%", "1", "123", "云", "x" * 256, "x" * 10_000, "a\0bc", "云" * 10_000])
def test_what_cannot_be_looked_up_gets_a_clear_line(admin_client, order, term):
    for query in ({"q": term}, {"q": term, "part": ""}):
        answer = admin_client.get(FIND, query)
        assert answer.status_code == 200
        assert str(answer.context["problem"]) == (why_not(term.strip()) or why_nothing(term)) != ""
        assert len(answer.content) < 60_000


@pytest.mark.parametrize("raw", ["%ED%A0%80abc", "%FF%FE%FD", "%00%00%00", "a%E4%B8"])
def test_broken_texts_are_answered(admin_client, order, raw):
    assert admin_client.get(f"{FIND}?q={raw}").status_code == 200
    assert why_not("abc\ud800") != ""


def test_the_box_is_on_every_page_of_a_person_who_is_signed_in(admin_client, client, order):
    for url in (
        "/admin/",
        reverse("admin:orders_order_changelist"),
        FIND,
        reverse("admin:password_change"),
        reverse("admin:orders_order_change", args=[order.pk]),
    ):
        assert 'action="/admin/find/"' in admin_client.get(url).content.decode(), url
    client.logout()
    assert 'action="/admin/find/"' not in client.get("/admin/login/").content.decode()
    assert client.get(FIND).status_code == 302

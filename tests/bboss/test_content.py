"""The rules for each kind of content (contract 2.4). The answer to a wrong content names the fault."""

import json
from dataclasses import fields

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from integrations.bboss.order_fields import TrialSerializer, is_withdrawal, read_order, read_withdrawal
from integrations.bboss.reply_codes import Code, Refused
from orders.intake.manual_trials import COMPARED
from orders.intake.write_planned_order import COPIED
from orders.models import Order, ServiceType
from orders.rules.content import OrderContent
from tests.bboss.conftest import ACTIVATION, CHANGE, TRIAL, envelope, without

pytestmark = pytest.mark.django_db


def refused(content: dict) -> str:
    with pytest.raises(Refused) as error:
        read_order(content)
    assert error.value.code is Code.CONTENT
    return error.value.desc.removeprefix("Request body parameter invalidate: ")


APART = {"kind", "number", "trial_number", "domains", "service_type", "attribution"}
"""What is kept, and compared, not by a column of the same name."""


def test_each_member_is_kept_and_one_of_a_trial_is_compared_with_what_staff_entered():
    assert {one.name for one in fields(OrderContent)} == {*COPIED, *APART}
    assert {one.source for one in TrialSerializer().fields.values()} - {*COMPARED, *APART} == set()


REQUIRED = [
    *[(TRIAL, name) for name in TRIAL if name != "OrderType"],
    *[(ACTIVATION, name) for name in ACTIVATION],
    (CHANGE, "OrderNum"),
    (CHANGE, "BizRequest"),
]


@pytest.mark.parametrize(("content", "name"), REQUIRED, ids=[f"{row[0]['OrderNum']} {row[1]}" for row in REQUIRED])
def test_required_members(content, name):
    assert refused(without(content, name)) == f"{name}: is missing"
    if name != "ProvContent":
        assert refused(content | {name: ""}) == f"{name}: is missing"
        assert refused(content | {name: " \u3000"}) == f"{name}: is missing"
        assert refused(content | {name: 1}) == f"{name}: must be a string"
        assert refused(content | {name: ["1"]}) == f"{name}: must be a string"
        assert refused(content | {name: None}) == f"{name}: must be a string, not null"


OPTIONAL = [
    *[(TRIAL, name) for name in ("BizEnd", "CpID", "UserID", "OperUser", "OperTel", "OperMail", "Attribution")],
    *[(ACTIVATION, name) for name in ("DataFlow", "InfoSecurity", "InfoSecurityTable", "BusiInfo")],
    *[(CHANGE, name) for name in ("BusinessType", "BizEnd")],
]


@pytest.mark.parametrize(("content", "name"), OPTIONAL, ids=[f"{row[0]['OrderNum']} {row[1]}" for row in OPTIONAL])
def test_optional_members(content, name):
    assert read_order(content | {name: ""}) == read_order(content)
    assert refused(content | {name: 1}) == f"{name}: must be a string"
    assert refused(content | {name: None}) == f"{name}: must be a string, not null"


def test_a_trial_in_full():
    more = {
        "BizEnd": "20231020",
        "CpID": "c",
        "UserID": "u",
        "OperUser": "o",
        "OperTel": "t",
        "OperMail": "43",
        "Attribution": "GD",
    }
    got = read_order(TRIAL | more)
    assert (got.kind, got.number, got.domains) == (Order.Kind.TRIAL, "100T1", ("a.example.com",))
    assert (got.enterprise_name, got.service_type, got.attribution) == ("北京泽天伟业商贸有限公司", "1", "GD")
    assert (got.biz_start.isoformat(), got.biz_end.isoformat()) == ("2023-09-20", "2023-10-20")
    assert (got.cp_id, got.user_id, got.oper_user, got.oper_tel, got.oper_mail) == ("c", "u", "o", "t", "43")


def test_an_activation_without_type_and_with_it():
    got = read_order(ACTIVATION)
    assert (got.kind, got.trial_number, got.domains, got.data_flow) == (Order.Kind.ACTIVATION, "100T1", None, "")
    assert read_order(ACTIVATION | {"OrderType": "3", "BackFlag": "0"}) == got


def test_a_change():
    got = read_order(CHANGE)
    assert (got.kind, got.trial_number, got.data_flow, got.domains) == (Order.Kind.CHANGE, "100T1", "2", None)


def test_values_are_kept_as_sent():
    got = read_order(TRIAL | {"EnterpriseName": " a ", "ProvContent": [{"ProvReq": "A.Example.COM", "more": 1}]})
    assert (got.enterprise_name, got.domains) == (" a ", ("A.Example.COM",))


def test_unknown_members_are_ignored():
    assert read_order(ACTIVATION | {"Unknown": {"a": [None, 1.5, True]}, "BizEnd": 7}) == read_order(ACTIVATION)


@pytest.mark.parametrize("kind", ["0", "4", "", "01", "trial"])
def test_unknown_order_type(kind):
    assert refused(ACTIVATION | {"OrderType": kind}).startswith("OrderType: ")


@pytest.mark.parametrize("kind", [1, None, ["1"], {}])
def test_order_type_must_be_a_string(kind):
    assert refused(TRIAL | {"OrderType": kind}) == "OrderType: must be a string"


@pytest.mark.parametrize("number", ["a b", "a/b", "单", "x" * 65, "a.b", "a\u00a0", "１"])
@pytest.mark.parametrize("content", [TRIAL, CHANGE, ACTIVATION], ids=["trial", "change", "activation"])
def test_bad_order_numbers(content, number):
    assert refused(content | {"OrderNum": number}).startswith("OrderNum: ")


def test_good_order_number():
    number = "Az09_-" + "x" * 58
    assert read_order(TRIAL | {"OrderNum": number}).number == number


@pytest.mark.parametrize(
    "day", ["20230931", "20230229", "2023092", "2023-9-20", "00000101", "２０２３0920", " 20230920"]
)
@pytest.mark.parametrize(("content", "name"), [(TRIAL, "BizStart"), (TRIAL, "BizEnd"), (ACTIVATION, "BizStart")])
def test_days_that_do_not_exist(content, name, day):
    assert refused(content | {name: day}).startswith(f"{name}: ")


def test_leap_day():
    assert read_order(ACTIVATION | {"BizStart": "20240229"}).biz_start.isoformat() == "2024-02-29"


def test_the_end_may_not_come_before_the_start():
    assert refused(TRIAL | {"BizEnd": "20230919"}) == "BizEnd: is before BizStart"
    assert read_order(TRIAL | {"BizEnd": "20230920"}).biz_end == read_order(TRIAL).biz_start


@pytest.mark.parametrize("content", [TRIAL, ACTIVATION, CHANGE], ids=["trial", "activation", "change"])
@pytest.mark.parametrize("service", ["0", "5", "web", "01", "1" * 8, "1" * 9])
def test_unknown_service_type(post, content, service):
    answer = post(envelope(content | {"BusinessType": service}))
    wrong = "is longer than 8 characters" if len(service) > 8 else f"{service!r} is not a known service type"
    wanted = f"BusinessType: {wrong}"
    assert (answer.code, answer.desc) == ("20505", f"Request body parameter invalidate: {wanted}")
    assert not Order.objects.exists()


def test_a_service_type_added_by_the_site_is_known_at_once(post):
    assert post(envelope(TRIAL | {"BusinessType": "9"})).code == "20505"
    ServiceType.objects.create(code="9", cdn_type="new", plains=["0"])
    assert post(envelope(TRIAL | {"BusinessType": "9"})).code == "00000"


@pytest.mark.parametrize("letters", ["BJ", "JT", "GJ", "XJ"])
def test_known_attributions(post, letters):
    assert post(envelope(TRIAL | {"Attribution": letters})).code == "00000"
    assert Order.objects.get().attribution_id == letters


@pytest.mark.parametrize("letters", ["bj", "100", "北京", "XX", " BJ"])
def test_unknown_attributions(post, letters):
    answer = post(envelope(TRIAL | {"Attribution": letters}))
    assert answer.code == "20505"
    assert answer.desc.startswith("Request body parameter invalidate: Attribution: ")
    assert not Order.objects.exists()


def test_looks_up_only_what_is_given(post):
    def reference(content):
        with CaptureQueriesContext(connection) as asked:
            assert post(envelope(content, trans_ido=content["OrderNum"])).code == "00000"
        looks = [f'FROM "{table}"' for table in ("orders_servicetype", "orders_province")]
        return [look[6:-1] for row in asked for look in looks if look in row["sql"] and '"id"' not in row["sql"]]

    assert reference(TRIAL | {"Attribution": "BJ"}) == ["orders_servicetype", "orders_province"]
    assert reference(CHANGE) == []
    assert reference(CHANGE | {"OrderNum": "100C2", "BusinessType": "2"}) == ["orders_servicetype"]
    assert reference(ACTIVATION) == ["orders_servicetype"]
    of_the_trials_type = {"OrderNum": "100A2", "BusinessType": "2", "ProvContent": [{"ProvReq": "b.cn"}]}
    assert reference(ACTIVATION | of_the_trials_type) == []


LENGTHS = [
    *[(TRIAL, *row) for row in [("EnterpriseID", 64), ("EnterpriseName", 255), ("ProdType", 32), ("OperMail", 255)]],
    *[(TRIAL, *row) for row in [("CpID", 64), ("UserID", 64), ("OperUser", 128), ("OperTel", 64), ("DataFlow", 64)]],
    *[(ACTIVATION, *row) for row in [("BizRequest", 64), ("ProductID", 64), ("BillingMethod", 32)]],
    *[(ACTIVATION, *row) for row in [("InfoSecurity", 255), ("InfoSecurityTable", 255), ("BusiInfo", 255)]],
]


@pytest.mark.parametrize(("content", "name", "most"), LENGTHS, ids=[row[1] for row in LENGTHS])
def test_longest(content, name, most):
    assert read_order(content | {name: "开" * most})
    assert refused(content | {name: "x" * (most + 1)}) == f"{name}: is longer than {most} characters"


@pytest.mark.parametrize("name", ["a/b.xlsx", "a\\b.xlsx", "../a.xlsx", "..", ".a.xlsx", "/etc/passwd", "a..xlsx"])
@pytest.mark.parametrize("member", ["InfoSecurity", "InfoSecurityTable", "BusiInfo"])
def test_a_file_name_with_a_path_in_it(member, name):
    assert refused(ACTIVATION | {member: name}) == f"{member}: must be a plain file name, without a path"


BAD_DOMAINS = [
    ("a.com", "must be a list"),
    ({"ProvReq": "a.com"}, "must be a list"),
    (None, "must be a list, not null"),
    (["a.com"], "item 1 must be an object"),
    ([{"ProvReq": "a.com"}, {"Prov": "b.com"}], "item 2 must be an object"),
    ([{"ProvReq": 1}], "item 1 must be an object"),
    ([{"ProvReq": " "}], "item 1: ProvReq is empty"),
    ([{"ProvReq": "10.0.0.1"}], "'10.0.0.1' is an address"),
    ([{"ProvReq": "*.a.com"}], "'*.a.com' a wildcard"),
    ([{"ProvReq": "a.com"}, {"ProvReq": "b.com"}, {"ProvReq": "A.com"}], "a.com is there twice"),
    ([{"ProvReq": "bücher.com"}, {"ProvReq": "BÜCHER.com"}], "bücher.com is there twice"),
    ([{"ProvReq": "bücher.com"}, {"ProvReq": "XN--bcher-kva.com"}], "xn--bcher-kva.com is there twice"),
]


@pytest.mark.parametrize(("value", "why"), BAD_DOMAINS)
@pytest.mark.parametrize("content", [TRIAL, CHANGE, ACTIVATION], ids=["trial", "change", "activation"])
def test_bad_domains(content, value, why):
    assert refused(content | {"ProvContent": value}).startswith(f"ProvContent: {why}")


def test_an_empty_list_of_domains():
    assert refused(TRIAL | {"ProvContent": []}) == "ProvContent: is missing"
    assert refused(CHANGE | {"ProvContent": []}) == "ProvContent: is an empty list"
    assert read_order(ACTIVATION | {"ProvContent": []}).domains is None


def test_a_change_must_change_something():
    nothing = without(CHANGE, "DataFlow")
    assert refused(nothing).startswith("ProvContent: ")
    assert refused(nothing | {"DataFlow": "", "BusinessType": "", "BizEnd": ""}).startswith("ProvContent: ")
    for one in (
        {"DataFlow": "1"},
        {"BusinessType": "4"},
        {"BizEnd": "20231001"},
        {"ProvContent": [{"ProvReq": "b.example.com"}]},
    ):
        assert read_order(nothing | one).kind == Order.Kind.CHANGE


CONTROL = [
    ({"EnterpriseName": "a\0b"}, "EnterpriseName: holds the control character U+0000"),
    ({"EnterpriseName": "a\nb"}, "EnterpriseName: holds the control character U+000A"),
    ({"OperUser": "\x7f"}, "OperUser: holds the control character U+007F"),
    ({"OperUser": "\x85"}, "OperUser: holds the control character U+0085"),
    ({"Unknown": {"deep": [["\x1b[31m"]]}}, "Unknown.deep: holds the control character U+001B"),
    ({"Unknown": {"a\0b": 1}}, "Unknown: holds the control character U+0000"),
    ({"a\0b": 1}, r"a\x00b: holds the control character U+0000"),
    ({"ProvContent": [{"ProvReq": "a.com\0"}]}, "ProvContent.ProvReq: holds the control character U+0000"),
]


@pytest.mark.parametrize(("change", "why"), CONTROL)
def test_control_characters_anywhere(change, why):
    assert refused(TRIAL | change) == why


@pytest.mark.parametrize(("change", "why"), CONTROL)
def test_control_characters_over_http_are_kept_with_their_message(post, kept, change, why):
    assert post(envelope(TRIAL | change)).desc.endswith(why)
    assert json.loads(kept()[0].body)["content"] == TRIAL | change


def test_the_hint_names_all_faults():
    with pytest.raises(Refused) as error:
        read_order(TRIAL | {"BizStart": "x", "CpID": 1})
    assert error.value.desc.endswith("BizStart: 'x' is not a date YYYYMMDD")
    assert error.value.hint == "BizStart: 'x' is not a date YYYYMMDD; CpID: must be a string"


def test_back_flag():
    assert is_withdrawal({"BackFlag": "1"})
    assert not is_withdrawal({"BackFlag": "0"})
    assert not is_withdrawal({})
    for bad in ("2", "", 1, None, True, " 1"):
        with pytest.raises(Refused) as error:
            is_withdrawal({"BackFlag": bad})
        assert "invalidate: BackFlag: " in error.value.desc


def test_a_withdrawal_looks_at_the_number_only():
    assert read_withdrawal({"OrderNum": "100A1", "OrderType": 9, "BizStart": "never"}) == "100A1"
    for bad in ({}, {"OrderNum": ""}, {"OrderNum": "a b"}, {"OrderNum": 1}):
        with pytest.raises(Refused) as error:
            read_withdrawal(bad)
        assert "invalidate: OrderNum: " in error.value.desc

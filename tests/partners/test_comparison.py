"""The comparison of an order's records with the big-data side's: the differences and the fix for each."""

import pytest

from integrations.bigdata.billing_record_fields import RecordFacts, deletion_body, records_body
from integrations.bigdata.record_comparison import Ours, compare_records
from tests.conftest import shanghai
from tests.partners.test_payloads import record


def facts(domain: str = "A.example.com", **changes) -> RecordFacts:
    trial = {"job_id": "100T1", "product_id": "1", "info_type": "1"}
    customer = {"enterprise_id": "E1", "enterprise_name": "北京示例"}
    return record(**{"domain": domain, **trial, **customer, **changes})


def there(one: RecordFacts, **changes) -> dict:
    return records_body([one])["productInfos"][0] | changes


LIVE, GONE = {}, {"cancelStatus": "2"}


@pytest.mark.parametrize(
    "state, theirs, kind, remedy",
    [
        ("live", LIVE, None, None),
        ("live", None, "not_billed", "create"),
        ("live", GONE, "not_billed", "create"),
        ("live", {"province": "200"}, "fields", "create"),
        ("live", {"enterpriseName": None}, "fields", "create"),
        ("live", {"more": "whatever"}, None, None),
        ("live", {"domain": "a.EXAMPLE.com"}, None, None),
        ("cancelled", LIVE, "not_ours", "create"),
        ("cancelled", None, "fields", "create"),
        ("deleted", None, None, None),
        ("deleted", LIVE, "not_ours", "delete"),
        ("deleted", GONE, "not_ours", "delete"),
        ("to_send", None, None, None),
        ("to_send", LIVE, "not_ours", "delete"),
        ("unknown", LIVE, "fields", "settle"),
        ("unknown", None, "fields", "settle"),
        ("live", {"enterpriseName": "a\0b"}, "unreadable", "create"),
        ("live", {"province": "\ud800"}, "unreadable", "create"),
        ("live", {"remark": "a\0b"}, None, None),
        ("deleted", {"enterpriseName": "a\0b"}, "unreadable", "delete"),
        ("deleted", {"enterpriseId": "a\0b"}, "unreadable", ""),
        ("deleted", {"enterpriseId": None}, "not_ours", ""),
    ],
)
def test_one_record(state, theirs, kind, remedy):
    found = compare_records([Ours(7, state, facts())], [] if theirs is None else [there(facts(), **theirs)])
    assert [(one.kind, one.remedy, one.record) for one in found] == ([(kind, remedy, 7)] if kind else [])


@pytest.mark.parametrize("ours, theirs", [("bücher.cn", "xn--bcher-kva.cn"), ("XN--bcher-kva.cn", "BÜCHER.cn")])
def test_a_domain_and_its_form_in_ascii_are_one_record(ours, theirs):
    assert compare_records([Ours(7, "live", facts(ours))], [there(facts(theirs))]) == []


def test_a_cancelled_record_is_compared_with_its_end():
    cancelled = facts(cancelled=True, cancel_time=shanghai("2023-09-21 00:00:00"))
    assert compare_records([Ours(7, "cancelled", cancelled)], [there(cancelled)]) == []
    late = compare_records([Ours(7, "cancelled", cancelled)], [there(cancelled, cancelTime="20230922000000")])
    assert late[0].fields == {"cancelTime": ["20230921000000", "20230922000000"]}


def test_what_we_never_heard_of_is_named_as_they_hold_it():
    stranger = there(facts("x.example.com"), enterpriseId="E9")
    (found,) = compare_records([Ours(7, "live", facts())], [there(facts()), stranger])
    assert (found.kind, found.remedy, found.record, found.ours) == ("not_ours", "delete", None, "none")
    named = {"jobId": "100T1", "productId": "1", "domain": "x.example.com", "enterpriseId": "E9", "infoType": "1"}
    assert found.named == named


def unsure(**changes) -> Ours:
    return Ours(7, "unknown", facts(**changes))


def test_their_answer_ends_an_uncertainty_and_is_then_compared():
    settled, province = compare_records([unsure()], [there(facts(), province="200")])
    assert (settled.remedy, settled.theirs, settled.fields) == ("settle", "live", {})
    assert (province.kind, province.remedy, province.ours) == ("fields", "create", "live")
    assert province.fields == {"province": ["100", "200"]}


def test_an_uncertain_record_takes_their_times():
    """If a record's outcome is unknown, it is also unknown which of our calls acted. So our record takes the partner's
    times."""
    cancelled = facts(cancelled=True, cancel_time=shanghai("2023-09-21 00:00:00"))
    for answer in (there(cancelled), there(facts(), cancelTime="20230921000000")):
        (settled,) = compare_records([unsure()], [answer])
        assert settled.remedy == "settle"
        assert settled.times == (shanghai("2023-09-20 18:54:36"), shanghai("2023-09-21 00:00:00"))


def test_what_we_never_sent_for_sure_takes_their_times():
    (settled,) = compare_records([unsure(create_time=None, cancel_time=None)], [there(facts())])
    assert settled.times == (shanghai("2023-09-20 18:54:36"), shanghai("2033-09-20 18:54:36"))


def test_what_staff_live_with_is_no_difference():
    ours = Ours(7, "live", facts(), accepted={"province": "200"})
    assert compare_records([ours], [there(facts(), province="200")]) == []
    assert compare_records([ours], [there(facts())]) == []
    (found,) = compare_records([ours], [there(facts(), province="210")])
    assert found.fields == {"province": ["100", "210"]}


def test_what_staff_live_with_is_sent_as_it_is():
    kept = facts(accepted={"province": "200", "enterpriseId": "E9", "cancelStatus": "2", "more": "x"})
    assert records_body([kept])["productInfos"] == [there(facts(), province="200", enterpriseId="E9")]
    assert deletion_body([kept])["productInfos"][0]["enterpriseId"] == "E9"


@pytest.mark.parametrize(
    "row, product, domain",
    [
        ({"jobId": "100T1"}, "", ""),
        ({"productId": "1", "domain": "x\0y.example.com"}, "1", "x?y.example.com"),
        ({"productId": "1\0", "domain": "x.example.com"}, "1?", "x.example.com"),
        ({"productId": "1", "domain": {"a": 1}}, "1", "{'a': 1}"),
        ({"productId": "1", "domain": ""}, "1", ""),
        ("what\0", "", "what?"),
        (None, "", ""),
    ],
)
def test_a_row_without_a_name_disturbs_nobody(row, product, domain):
    (found,) = compare_records([Ours(7, "live", facts())], [row, there(facts())])
    assert (found.kind, found.remedy, found.record) == ("unreadable", "", None)
    assert (found.product_id, found.domain, found.named) == (product, domain, {})


def test_a_stranger_with_a_readable_name_can_be_deleted():
    (found,) = compare_records([], [there(facts(), enterpriseName="a\0b")])
    assert (found.kind, found.remedy, found.named["domain"]) == ("unreadable", "delete", "A.example.com")
    assert found.fields == {"enterpriseName": [None, "a?b"]}


def test_two_rows_under_one_name_are_told():
    """Two records of the partner have the same domain in different letter case. The difference is reported without a
    fix, because deleting one by its name might delete both."""
    twin = there(facts(), domain="a.EXAMPLE.com", province="200")
    for rows in ([there(facts()), twin], [twin, there(facts())]):
        (found,) = compare_records([Ours(7, "live", facts())], rows)
        assert (found.kind, found.remedy, found.record, found.domain) == ("not_ours", "", None, "a.EXAMPLE.com")

"""Our records of one order against the big-data side's: what differs, and what would put it right."""

import pytest

from integrations.bigdata.comparison import Ours, compare
from integrations.bigdata.payload import RecordFacts, product_infos
from tests.conftest import shanghai


def facts(domain: str = "A.example.com", **changes) -> RecordFacts:
    given = {
        "job_id": "100T1",
        "product_id": "1",
        "domain": domain,
        "info_type": "1",
        "enterprise_id": "E1",
        "enterprise_name": "北京示例",
        "province_code": "100",
        "business_type": "1",
        "billing_method": "1",
        "create_time": shanghai("2023-09-20 18:54:36"),
        "cancel_time": shanghai("2033-09-20 18:54:36"),
    }
    return RecordFacts(**given | changes)


def there(one: RecordFacts, **changes) -> dict:
    return product_infos([one])["productInfos"][0] | changes


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
    ],
)
def test_one_record(state, theirs, kind, remedy):
    found = compare([Ours(7, state, facts())], [] if theirs is None else [there(facts(), **theirs)])
    assert [(one.kind, one.remedy, one.record) for one in found] == ([(kind, remedy, 7)] if kind else [])


def test_a_cancelled_record_is_compared_with_its_end():
    cancelled = facts(cancelled=True, cancel_time=shanghai("2023-09-21 00:00:00"))
    assert compare([Ours(7, "cancelled", cancelled)], [there(cancelled)]) == []
    late = compare([Ours(7, "cancelled", cancelled)], [there(cancelled, cancelTime="20230922000000")])
    assert late[0].fields == {"cancelTime": ["20230921000000", "20230922000000"]}


def test_what_we_never_heard_of_is_named_as_they_hold_it():
    stranger = there(facts("x.example.com"), enterpriseId="E9")
    (found,) = compare([Ours(7, "live", facts())], [there(facts()), stranger])
    assert (found.kind, found.remedy, found.record, found.ours) == ("not_ours", "delete", None, "none")
    assert found.named == {
        "jobId": "100T1", "productId": "1", "domain": "x.example.com", "enterpriseId": "E9", "infoType": "1",
    }  # fmt: skip


def test_a_row_without_its_members_is_no_accident():
    (found,) = compare([], [{"jobId": "100T1"}])
    assert (found.kind, found.theirs) == ("not_ours", "live")

"""The payloads to partners, compared letter by letter with the acceptance cases and, for all others, with golden files
(contract 3.3, 3.4)."""

import datetime
import json
import pathlib

import pytest

from integrations.bigdata import billing_record_fields as fields
from integrations.bigdata import client as bigdata
from integrations.bigdata.billing_record_fields import RecordFacts
from integrations.bpm import start_payload as bpm
from integrations.bpm.start_payload import FlowFacts
from integrations.outbound import wire_formats
from notifications.contacts_and_recipients import ContactFacts
from tests.conftest import shanghai

GOLDEN = pathlib.Path(__file__).parent / "golden"
CUSTOMER = {"enterprise_id": "100A23100079275183", "enterprise_name": "北京泽天伟业商贸有限公司"}
OPERATOR = {"oper_user": "beijingyunying", "oper_tel": "13800000000", "oper_mail": "ops@example.com"}


def golden(name: str) -> dict:
    return json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))


def same(built: dict, expected: dict) -> bool:
    """Returns True if both are equal in every value and type: 1 is neither "1" nor true."""
    return json.dumps(built, sort_keys=True) == json.dumps(expected, sort_keys=True)


def record(**changes) -> RecordFacts:
    given = CUSTOMER | {"job_id": "100A230920170126001", "product_id": "61000616304", "domain": "pull.api-eas-3.li.com"}
    given |= {"info_type": "2", "province_code": "100", "business_type": "1", "billing_method": "1"}
    times = {"create_time": shanghai("2023-09-20 18:54:36"), "cancel_time": shanghai("2033-09-20 18:54:36")}
    return RecordFacts(**given | times | changes)


def trial_record(**changes) -> RecordFacts:
    given = {"job_id": "100A230920170122001", "product_id": "1", "info_type": "1", "cancelled": True}
    times = {"create_time": shanghai("2023-09-20 18:32:30"), "cancel_time": shanghai("2023-09-20 18:54:36")}
    return record(**given | times | changes)


def flow(**changes) -> FlowFacts:
    given = {"number": "100A230920170126001", "domains": ["pull.api-eas-3.li.com"], "cdn_type": "web", "plains": ["0"]}
    given |= {"prod_type": "1", "province_letters": "BJ", "user_id": "1458", "cp_id": "80171614"}
    given |= {"enterprise_name": CUSTOMER["enterprise_name"]} | OPERATOR
    return FlowFacts(**given | dict.fromkeys(["at", "start"], shanghai("2023-09-20 18:54:36")) | changes)


def test_case_1_cancels_the_trial_and_bills(case):
    cancel, create = case(1)["expect"]["billing"]
    assert same(fields.records_body([trial_record()]), {"productInfos": cancel})
    assert same(fields.records_body([record()]), {"productInfos": create})


def test_case_1_starts_the_first_flow(case):
    assert same(bpm.first_activation(flow()), case(1)["expect"]["bpm"][0])


def test_case_2_starts_the_subsequent_flow_and_bills(case):
    given = case(2)
    content, sa = given["content"], given["contacts"][0]
    facts = flow(
        number=content["OrderNum"],
        domains=["pull.api-easss-3.li.com"],
        at=shanghai("2023-09-20 19:13:12"),
        file_names=[content["InfoSecurity"], content["BusiInfo"]],
        contacts=[ContactFacts(sa["name"], sa["mail"], sa["tel"])],
    )
    billed = record(
        job_id=content["OrderNum"],
        product_id=content["ProductID"],
        domain="pull.api-easss-3.li.com",
        create_time=shanghai("2023-09-20 19:19:17"),
        cancel_time=shanghai("2033-09-20 19:19:17"),
    )
    assert same(bpm.subsequent_activation(facts), given["expect"]["bpm"][0])
    assert same(fields.records_body([billed]), {"productInfos": given["expect"]["billing_after_approval"][0]})


def test_case_3_bills_from_a_later_day(case):
    expect = case(3)["expect"]
    domains = ["pull.api-eassss-3.li.com", "pull.api-aeassss-3.li.com"]
    records = [
        record(
            job_id="100A230920170130001",
            product_id="61000616307",
            business_type="4",
            domain=domain,
            create_time=shanghai("2023-09-30 00:00:00"),
            cancel_time=shanghai("2033-09-20 19:40:51"),
        )
        for domain in domains
    ]
    facts = flow(
        number="100A230920170130001",
        domains=domains,
        cdn_type="liveStream",
        plains=["-1"],
        at=shanghai("2023-09-20 19:40:51"),
        start=shanghai("2023-09-30 00:00:00"),
    )
    assert same(fields.records_body(records), {"productInfos": expect["billing"][0]})
    assert same(bpm.first_activation(facts), expect["bpm"][0])


@pytest.mark.parametrize(
    "name, built",
    [
        ("trial_live", lambda: fields.records_body([trial_record(cancelled=False), trial_record(domain="中.cn")])),
        ("deletion", lambda: fields.deletion_body([record(create_time=None, cancel_time=None), trial_record()])),
        ("trial_flow", lambda: bigdata.trial_flow_query(enterprise_id="100A1", product_id="1", job_id="T1")),
        (
            "subsequent_bare",
            lambda: bpm.subsequent_activation(
                flow(domains=["a.cn", "b.cn"], oper_mail="43", cp_id="", file_names=["", "busi.xlsx"])
            ),
        ),
        ("first_two_domains", lambda: bpm.first_activation(flow(domains=["a.example.com", "b.example.com"]))),
    ],
)
def test_golden_payloads(name, built):
    assert same(built(), golden(name))


def test_no_key_carries_a_space():
    facts = flow(file_names=["a.xlsx"], contacts=[ContactFacts("n", "m", "t")])
    for built in (
        bpm.first_activation(facts),
        bpm.subsequent_activation(facts),
        fields.records_body([record()]),
        fields.deletion_body([record()]),
    ):
        assert all(key == key.strip() for key in keys(built))


def keys(value) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(key for item in value.values() for key in keys(item))]
    return [key for item in value for key in keys(item)] if isinstance(value, list) else []


def test_times_are_written_in_shanghai_wherever_they_were_read():
    moment = datetime.datetime(2023, 9, 29, 16, 0, 0, 999_999, tzinfo=datetime.UTC)
    assert wire_formats.wire_time(moment) == "20230930000000"
    assert bpm.bpm_time(moment) == "2023-09-30 00:00:00"


def test_json_is_compact_and_readable():
    assert wire_formats.encode({"b": "中", "a": [1, {"c": ""}]}) == '{"b":"中","a":[1,{"c":""}]}'
